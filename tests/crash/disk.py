"""A disk in memory under SQLite, which loses at a power cut what was not synced, in every way that a disk may.

What a program writes is seen at once and is safe only after `xSync`. At the cut each write that was not synced is
lost, kept, or torn; those that are kept may have come in any order. A disk may also refuse single operations, or be
full. A sync that failed has dropped what it should have made safe: no later sync makes that safe.
"""

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import pairwise

import apsw

SECTOR = 512
PAGE = 4_096
POWERSAFE_OVERWRITE = 0x1000
"""As SQLite takes every disk on Linux to be: bytes beside those that are written are not harmed."""


LOGS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


class Cut(StrEnum):
    """What becomes of the writes that were not synced."""

    LOST = "lost"
    KEPT = "kept"
    PREFIX = "prefix"
    SUBSET = "subset"
    REORDERED = "reordered"
    TORN = "torn"


class Op(StrEnum):
    """What a program asks of the disk and the disk may refuse."""

    WRITE = "write"
    SYNC = "sync"
    TRUNCATE = "truncate"
    DELETE = "delete"


_Write = tuple[int, bytes]
"""Offset and bytes; an offset below zero cuts the file to `-1 - offset` bytes."""


class _Contents:
    def __init__(self) -> None:
        self.seen = bytearray()
        self.safe = bytearray()
        self.unsafe: list[_Write] = []
        self.named = False
        """That it is there is safe."""

    def write(self, offset: int, data: bytes) -> None:
        _apply(self.seen, offset, data)
        self.unsafe.append((offset, data))

    def sync(self) -> None:
        for offset, data in self.unsafe:
            _apply(self.safe, offset, data)
        self.unsafe.clear()


def _apply(content: bytearray, offset: int, data: bytes) -> None:
    if offset < 0:
        del content[-1 - offset :]
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


Refuse = Callable[[int, Op], apsw.Error | None]
"""By the number of the operation since the disk was made, counted from 1: how it fails, if it does."""


class Disk:
    """Files by name. `cut_at`: the number of the operation in which the power fails."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._files: dict[str, _Contents] = {}
        self._deleted: dict[str, _Contents] = {}
        self.operations = 0
        self.cut_at: int | None = None
        self.refuse: Refuse | None = None
        self.dead = False

    def cut(self, how: Cut) -> None:
        """The power was away, and is back: only what a disk keeps is there."""
        for name, contents in self._deleted.items():
            if name not in self._files and self._chance.random() < 0.5:
                self._files[name] = contents
        for name, contents in list(self._files.items()):
            if not contents.named and self._chance.random() < 0.5:
                del self._files[name]
                continue
            for offset, data in self._kept(contents.unsafe, how):
                _apply(contents.safe, offset, data)
            contents.unsafe.clear()
            contents.seen = bytearray(contents.safe)
        self.sync_names()
        self.dead, self.cut_at = False, None

    def sync_names(self) -> None:
        """What was made and what was deleted is safe."""
        self._deleted.clear()
        for contents in self._files.values():
            contents.named = True

    def _kept(self, writes: list[_Write], how: Cut) -> list[_Write]:
        chance = self._chance
        match how:
            case Cut.LOST:
                return []
            case Cut.KEPT:
                return writes
            case Cut.PREFIX:
                return writes[: chance.randint(0, len(writes))]
            case Cut.SUBSET:
                return [write for write in writes if chance.random() < 0.5]
            case Cut.REORDERED:
                some = [write for write in writes if chance.random() < 0.7]
                chance.shuffle(some)
                return some
            case Cut.TORN:
                return [piece for write in writes for piece in _sectors(*write) if chance.random() < 0.6]

    def step(self, op: Op) -> apsw.Error | None:
        """One operation begins: how it fails, if it does. What it asks for may still be done in part."""
        if self.dead:
            return apsw.IOError("the power is away")
        self.operations += 1
        if self.operations == self.cut_at:
            self.dead = True
            return apsw.IOError("the power fails")
        return self.refuse(self.operations, op) if self.refuse else None

    def open(self, name: str) -> _Contents:
        return self._files.setdefault(name, _Contents())

    def has(self, name: str) -> bool:
        return name in self._files

    def delete(self, name: str, *, safe: bool) -> None:
        contents = self._files.pop(name, None)
        if contents is not None and not safe:
            self._deleted[name] = contents

    def bytes_of(self, name: str) -> bytes:
        """All that a program would read."""
        return bytes(self._files[name].seen) if name in self._files else b""


def _sectors(offset: int, data: bytes) -> list[_Write]:
    if offset < 0:
        return [(offset, data)]
    first = SECTOR - offset % SECTOR
    starts = [0, *range(first, len(data), SECTOR), len(data)]
    return [(offset + a, data[a:b]) for a, b in pairwise(starts)]


class DiskFile:
    """An open file, as SQLite uses one."""

    def __init__(self, disk: Disk, name: str, flags: int) -> None:
        self._disk = disk
        # SQLite syncs the folder with the first sync of a log that it has made.
        self._syncs_names = bool(flags & LOGS) and not disk.has(name)
        self._contents = disk.open(name)

    def xRead(self, amount: int, offset: int) -> bytes:
        if self._disk.dead:
            raise apsw.IOError("the power is away")
        return bytes(self._contents.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        error = self._disk.step(Op.WRITE)
        if error is None or (self._disk.dead and str(error) == "the power fails"):
            self._contents.write(offset, bytes(data))
        if error:
            raise error

    def xTruncate(self, size: int) -> None:
        if error := self._disk.step(Op.TRUNCATE):
            raise error
        self._contents.write(-1 - size, b"")

    def xSync(self, flags: int) -> None:
        del flags
        error = self._disk.step(Op.SYNC)
        if error is None:
            self._contents.sync()
            if self._syncs_names:
                self._disk.sync_names()
                self._syncs_names = False
            return
        if not self._disk.dead:
            self._contents.unsafe.clear()
        raise error

    def xFileSize(self) -> int:
        return len(self._contents.seen)

    def xLock(self, level: int) -> None: ...

    def xUnlock(self, level: int) -> None: ...

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        del op, pointer
        return False

    def xSectorSize(self) -> int:
        return PAGE

    def xDeviceCharacteristics(self) -> int:
        return POWERSAFE_OVERWRITE

    def xClose(self) -> None: ...


class PowerVFS(apsw.VFS):
    """SQLite's way to `disk`; put another disk in for another computer."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.disk = Disk(chance)
        self.chance = chance
        super().__init__(name, base="")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> DiskFile:  # type: ignore[override]
        flags[1] = flags[0]
        return DiskFile(self.disk, _name(name), flags[0])

    def xDelete(self, filename: str, syncdir: bool) -> None:
        if error := self.disk.step(Op.DELETE):
            raise error
        self.disk.delete(filename, safe=syncdir)

    def xAccess(self, pathname: str, flags: int) -> bool:
        del flags
        return self.disk.has(pathname)

    def xFullPathname(self, name: str) -> str:
        return name

    def xRandomness(self, numbytes: int) -> bytes:
        return self.chance.randbytes(numbytes)


@contextlib.contextmanager
def meant() -> Iterator[None]:
    """Failures of this disk that SQLite had no use for are no faults of the program: nobody is told of them."""
    before = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if not isinstance(unraisable.exc_value, apsw.Error):
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _name(name: str | apsw.URIFilename | None) -> str:
    if name is None:
        return "temporary"
    return name.filename() if isinstance(name, apsw.URIFilename) else name
