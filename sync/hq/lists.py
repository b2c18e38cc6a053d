"""Gives stations the lists that were published: files of a folder, by their names, piece by piece.

`12.list` is the whole list of version 12, `11-12.delta` what changed since version 11. They are signed in themselves
and by a key that need not be here. Knows no HTTP and not what stands in a list.
"""

import os
from pathlib import Path

from controller.domain.list_parts import DELTA_NAME, LIST_NAME
from sync.hq.hold import StoreError
from sync.hq.store import Store
from sync.wire import LIST_PIECE_BYTES, ListAsk, ListPiece, SealedListAsk, pack_list_piece


class Lists:
    """Headquarters' lists. `folder`: None where none are published."""

    def __init__(self, folder: Path | None, store: Store) -> None:
        self._folder = folder
        self._store = store

    def asked(self, data: bytes) -> ListAsk:
        """An enrolled station's question, by the database; a WireError if it is none."""
        sealed = SealedListAsk(data)
        return sealed.open(self._store.public_key(sealed.station))

    def answer(self, ask: ListAsk) -> bytes:
        """By the folder alone: it may wait for the disk. StoreError if that cannot be read."""
        try:
            return pack_list_piece(self._piece(ask))
        except OSError as error:
            raise StoreError(
                f"{error.filename or self._folder} cannot be read ({error.strerror}): see to it at headquarters"
            ) from error

    def _piece(self, ask: ListAsk) -> ListPiece:
        name = ask.name or self._next(ask)
        if not name or self._folder is None:
            return ListPiece()
        path = self._folder / name
        try:
            size = path.stat().st_size
            if not ask.name:
                return ListPiece(name, size)
            with path.open("rb") as file:
                data = b"" if ask.offset > size else os.pread(file.fileno(), LIST_PIECE_BYTES, ask.offset)
                return ListPiece(name, size, ask.offset, data)
        except FileNotFoundError:
            return ListPiece()  # a later list has taken its place

    def _next(self, ask: ListAsk) -> str:
        """The name of the file that brings a station on; empty where it has the newest list.

        One that has a later list than there is here hears of it: versions were not counted on.
        """
        if self._folder is None or not self._folder.is_dir():
            return ""
        names = [path.name for path in self._folder.iterdir()]
        newest = max((int(found[1]) for name in names if (found := LIST_NAME.fullmatch(name))), default=0)
        if newest in (0, ask.version):
            return ""
        steps = [(int(found[1]), int(found[2])) for name in names if (found := DELTA_NAME.fullmatch(name))]
        ends = [end for start, end in steps if start == ask.version and ask.version < end <= newest]
        return f"{ask.version}-{max(ends)}.delta" if ends and not ask.whole else f"{newest}.list"
