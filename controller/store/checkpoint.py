"""A checkpoint beside the journal: what the books were behind one of its rows. Only saves time, and is never believed
for longer than it takes to read the journal again.

One file, written whole or not at all. It names its row by the chain's hash, so that it fits no other journal; it
shows what the books show of a person, so it is for its owner only, and goes when a person is erased.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from controller.domain.records import RowName

FILE_NAME = "journal.checkpoint"
"""In a station's data folder."""
_MAGIC = b"FCB1"
_DIGEST_BYTES = 32


class Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    """`state`: the books as bytes, behind the row `name` whose hash is `hash`; `fingerprint`: of what made them."""

    fingerprint: bytes
    name: RowName
    hash: bytes
    state: bytes


_decoder = msgspec.msgpack.Decoder(Checkpoint)


class CheckpointFile:
    """Where the one checkpoint of a station is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Checkpoint | None:
        """The last that was saved; None if there is none, or if it is damaged."""
        try:
            data = self.path.read_bytes()
        except OSError:
            return None
        magic, digest, content = data[:4], data[4 : 4 + _DIGEST_BYTES], data[4 + _DIGEST_BYTES :]
        if magic != _MAGIC or hashlib.sha256(content).digest() != digest:
            return None
        try:
            return _decoder.decode(content)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None

    def save(self, checkpoint: Checkpoint) -> None:
        """Put it in the place of the one before. OSError if the disk refuses: then that one stands."""
        content = msgspec.msgpack.encode(checkpoint)
        beside = self.path.with_name(self.path.name + ".new")
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.path)

    def destroy(self) -> None:
        """Overwrite it, and take it away. OSError if the disk refuses."""
        for path in (self.path, self.path.with_name(self.path.name + ".new")):
            with suppress(FileNotFoundError):
                with path.open("r+b") as file:
                    file.write(bytes(path.stat().st_size))
                    file.flush()
                    os.fsync(file.fileno())
                path.unlink()
