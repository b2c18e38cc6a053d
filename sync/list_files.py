"""Headquarters' lists on a station's disk: kept piece by piece in a folder, then put in place of the one in use.

Beside the event loop: a small file on a thread, a large one in a process of its own, since it takes minutes, and pumps
want their answers within milliseconds. The journal is on the same disk and goes before any list: room is left for it.
Knows no wire.
"""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from controller import keys
from controller.config import StationConfig
from controller.deciding.shown import verified_by
from controller.domain.list_parts import Taker
from controller.domain.tokens import list_key_print
from controller.store.whitelist_file import WHITELIST_FILE, WhitelistError, WhitelistNotNow, about_of
from controller.store.whitelist_taking import take
from sync.list_fetch import NO_ROOM, NotNow

FOLDER = "incoming"
"""In the data folder. What is left there of a fetch that was broken off is gone on with."""
LARGE_BYTES = 256 << 10
"""Some thousands of entries: a tenth of a second, in which the loop still has its turns."""
LARGE_COPY_BYTES = 64 << 20
"""A copy of so much takes seconds, in which a station could not end."""
NICE = 10
"""So much lower than the station's own is the priority of the process that takes a large list."""
ROOM_BYTES = 100 << 20
"""Of the disk no list takes: the journal's rows of years."""
GROWS = 5
"""A list in use has at most about so many times the bytes of the file in which it came (measured: 2.9 to 4.2)."""


class ListFiles:
    """Implements `sync.list_fetch.ListStore`."""

    def __init__(self, config: StationConfig) -> None:
        self._keys, self._currency = config.keys, config.currency.code
        self._list = config.data / WHITELIST_FILE
        self._folder = config.data / FOLDER

    async def held(self) -> int:
        """See ListStore."""
        return await asyncio.to_thread(self._held)

    async def fetched(self, name: str, size: int) -> int:
        """See ListStore."""
        return await asyncio.to_thread(self._fetched, name, size)

    async def add(self, name: str, offset: int, data: bytes) -> None:
        """See ListStore."""
        await asyncio.to_thread(self._add, name, offset, data)

    async def take(self, name: str) -> str:
        """See ListStore."""
        if not await asyncio.to_thread(self._takes_long, name):
            return await asyncio.to_thread(self._take, name)
        taking = _Taking(self._take)
        try:
            outcome = await asyncio.to_thread(taking.outcome, name)
        finally:
            taking.end()  # the station ends, and waits for no list
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def drop(self) -> None:
        """See ListStore."""
        await asyncio.to_thread(self._drop)

    # ---- beside the loop

    def _held(self) -> int:
        try:
            about = about_of(self._list)
        except WhitelistError:
            return 0  # what cannot be read is replaced whole
        return about.version if about is not None and about.header else 0

    def _fetched(self, name: str, size: int) -> int:
        """Files of other versions go: there is one at a time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._drop(but=name)
        here = self._size(name)
        self._leave_room(max(size - here, 0))
        return here

    def _size(self, name: str) -> int:
        path = self._folder / name
        return path.stat().st_size if path.exists() else 0

    def _add(self, name: str, offset: int, data: bytes) -> None:
        try:
            self._leave_room(len(data))
            with (self._folder / name).open("ab") as file:
                file.truncate(offset)
                file.write(data)
        except (NotNow, OSError) as error:
            if isinstance(error, NotNow) or error.errno in NO_ROOM:
                self._drop()  # others have filled the disk, and the journal needs it more
            raise

    def _drop(self, but: str = "") -> None:
        for path in self._folder.iterdir() if self._folder.exists() else ():
            if path.name != but:
                path.unlink()

    def _leave_room(self, size: int) -> None:
        """NotNow if the disk has not got so many bytes, and what the journal needs."""
        free = self._free()
        if free < size + ROOM_BYTES:
            raise NotNow(
                f"it needs {_mb(size)} MB of disk, and {_mb(ROOM_BYTES)} MB are left to the journal; "
                f"{_mb(free)} MB are free. Make room"
            )

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _takes_long(self, name: str) -> bool:
        return self._size(name) > LARGE_BYTES or self._copied(name) > LARGE_COPY_BYTES

    def _copied(self, name: str) -> int:
        """A delta is put on a copy of the list in use."""
        return self._list.stat().st_size if name.endswith(".delta") and self._list.exists() else 0

    def _take(self, name: str) -> str:
        path = self._folder / name
        try:
            taker = Taker(list_key_print(keys.list_key(self._keys)), self._currency)
            verify = verified_by((keys.read_public(self._keys / keys.HEADQUARTERS_PUBLIC),))
            self._leave_room(self._copied(name) + GROWS * self._size(name))
            take(self._list, path, taker, verify)
        except (WhitelistNotNow, keys.KeyFileError) as error:
            raise NotNow(str(error)) from error  # the file stays: it may have been fetched for hours
        except WhitelistError as error:
            path.unlink(missing_ok=True)
            return str(error)
        path.unlink(missing_ok=True)
        return ""


class _Taking:
    """One list that is taken in a process of its own."""

    def __init__(self, take: Callable[[str], str]) -> None:
        self._take = take
        self._ended = threading.Event()
        self._process: BaseProcess | None = None

    def outcome(self, name: str) -> str | Exception:
        """What `take` gives or raises. Waits for it: beside the loop."""
        context = get_context("spawn")
        heard, said = context.Pipe(duplex=False)
        self._process = context.Process(target=_apart, args=(self._take, name, said), daemon=True)
        self._process.start()
        said.close()
        if self._ended.is_set():
            self._process.kill()
        with heard:
            try:
                outcome = heard.recv()
            except EOFError:
                return "the process that took it was ended: is there memory? It is fetched again"
        assert isinstance(outcome, str | Exception)
        return outcome

    def end(self) -> None:
        """Whatever it does: the list in use stays."""
        self._ended.set()
        if self._process is not None and self._process.pid is not None:
            self._process.kill()


def _apart(take: Callable[[str], str], name: str, said: Connection) -> None:
    """In that process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICE)
    try:
        outcome: str | Exception = take(name)
    except (NotNow, OSError) as error:
        outcome = error
    said.send(outcome)


def _end_with_parent() -> None:
    """A station that was killed starts again, and takes the list again: two at once would be in each other's way."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _mb(size: int) -> int:
    return -(-size // (1 << 20))
