"""Files of a list, a delta or a repair, as headquarters makes them: written, opened, and compared with each other.

A magic number, the parts one after the other, and behind them the signed header with its length: it is known only
once all parts are. What stands in them is `controller.domain.list_parts`. Knows no station's list.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

from controller.domain.list_digests import BUCKETS, EMPTY, Changes, changes, differing, digest, root, split
from controller.domain.list_parts import (
    FORMAT,
    HEADER_BYTES_MAX,
    FileKind,
    Header,
    Part,
    PartsError,
    Sign,
    Verify,
    open_signed,
    pack,
    sign,
    unpack_entries,
)
from controller.domain.tokens import list_key_print
from controller.store.whitelist_file import WhitelistError
from controller.store.whitelist_import import Progress, Way, silent, sorted_entries

MAGIC = b"FCLIST1\n"
_LENGTH_BYTES = 4
_READ_BYTES = 1 << 20


class SignedFile:
    """An opened file whose signature and bytes are right. A context; `header` says what it is."""

    def __init__(self, path: Path, verify: Verify) -> None:
        """WhitelistError says why it is not taken; OSError as the disk gives it."""
        self.path = path
        self.signed = b""
        """The header's bytes with headquarters' signature, to be kept with the list."""
        self._file = open(path, "rb")  # noqa: SIM115  # closed by __exit__
        try:
            self.header, body_end = self._read_header(verify)
            self._check_body(body_end)
        except PartsError as error:
            self._file.close()
            raise WhitelistError(f"{path} is not taken: {error}") from error
        self._starts: dict[int, tuple[Part, int]] = {}
        start = len(MAGIC)
        for part in self.header.parts:
            self._starts[part.bucket] = part, start
            start += part.size

    def __enter__(self) -> "SignedFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def packed(self, part: Part) -> bytes:
        """A part's bytes, as they are in the file."""
        self._file.seek(self._starts[part.bucket][1])
        return self._file.read(part.size)

    def part_of(self, bucket: int) -> Part | None:
        return self._starts[bucket][0] if bucket in self._starts else None

    def entries(self, bucket: int) -> list[bytes]:
        """A bucket's entries, of a whole list."""
        part = self.part_of(bucket)
        return [] if part is None else unpack_entries(part, self.packed(part))

    @property
    def digests(self) -> list[bytes]:
        """Of all buckets, of a whole list."""
        found = [EMPTY] * BUCKETS
        for part in self.header.parts:
            found[part.bucket] = part.digest
        return found

    def _read_header(self, verify: Verify) -> tuple[Header, int]:
        size = os.fstat(self._file.fileno()).st_size
        tail = _LENGTH_BYTES + len(MAGIC)
        if self._file.read(len(MAGIC)) != MAGIC:
            raise PartsError("it is no signed list: headquarters makes one with forecourt whitelist build")
        if size < len(MAGIC) + tail:
            raise PartsError("it was cut off: get it again")
        self._file.seek(size - tail)
        trailer = self._file.read(tail)
        length = int.from_bytes(trailer[:_LENGTH_BYTES], "big")
        if trailer[_LENGTH_BYTES:] != MAGIC or length > min(HEADER_BYTES_MAX, size - len(MAGIC) - tail):
            raise PartsError("it was cut off, or has something behind it: get it again")
        body_end = size - tail - length
        self._file.seek(body_end)
        self.signed = self._file.read(length)
        return open_signed(self.signed, verify), body_end

    def _check_body(self, body_end: int) -> None:
        hasher = hashlib.sha256()
        self._file.seek(len(MAGIC))
        left = body_end - len(MAGIC)
        while left and (data := self._file.read(min(left, _READ_BYTES))):
            hasher.update(data)
            left -= len(data)
        if hasher.digest() != self.header.body_hash or body_end - len(MAGIC) != sum(p.size for p in self.header.parts):
            raise PartsError("its parts are not those that headquarters signed: it was damaged or changed on its way")


class _Writer:
    """A file in the making, part after part."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hasher = hashlib.sha256()
        self.parts: list[Part] = []
        file.write(MAGIC)

    def add(self, bucket: int, entries: Sequence[bytes], change: Changes | None = None) -> None:
        """A bucket's entries afterwards; what travels is they themselves, or the change that leads to them."""
        self.add_packed(Part(bucket, digest(entries), len(entries), 0), pack(change or list(entries)))

    def add_packed(self, part: Part, packed: bytes) -> None:
        self._file.write(packed)
        self._hasher.update(packed)
        self.parts.append(msgspec.structs.replace(part, size=len(packed)))

    def end(self, header: Header, key: Sign) -> Header:
        """Sign: the header with what only this knows."""
        header = msgspec.structs.replace(header, body_hash=self._hasher.digest(), parts=tuple(self.parts))
        data = sign(header, key)
        if len(data) > HEADER_BYTES_MAX:
            raise WhitelistError(f"a header of {len(data)} bytes: at most {HEADER_BYTES_MAX} are taken")
        self._file.write(data + len(data).to_bytes(_LENGTH_BYTES, "big") + MAGIC)
        return header


def build_list(
    target: Path,
    sources: Sequence[Path],
    way: Way,
    version: int,
    made_at_ms: int,
    key: Sign,
    progress: Progress = silent,
) -> Header:
    """A signed list of what the files say, whole or not at all.

    BadLines names every bad line, WhitelistError says what else is wrong; OSError as the disk gives it.
    """
    with sorted_entries(target, sources, way, progress) as stretches, _new_file(target) as file:
        writer = _Writer(file)
        for first, end, entries in stretches:
            for bucket, own in split(entries, first, end):
                if own:
                    writer.add(bucket, own)
            progress("writing", end, BUCKETS)
        digests = [EMPTY] * BUCKETS
        for part in writer.parts:
            digests[part.bucket] = part.digest
        header = Header(
            format=FORMAT,
            kind=FileKind.LIST,
            version=version,
            count=sum(part.count for part in writer.parts),
            made_at_ms=made_at_ms,
            list_key_print=list_key_print(way.secret),
            currency=way.currency.code,
            root=root(digests),
            body_hash=b"",
            parts=(),
        )
        return writer.end(header, key)


def build_delta(target: Path, old: SignedFile, new: SignedFile, key: Sign) -> Header:
    """What changed from one whole list to a later one, signed. WhitelistError if they do not follow each other."""
    _check_lists(old, new)
    if new.header.version <= old.header.version:
        raise WhitelistError(
            f"{new.path} is version {new.header.version}, not later than version {old.header.version} of {old.path}"
        )
    if (old.header.list_key_print, old.header.currency) != (new.header.list_key_print, new.header.currency):
        raise WhitelistError(f"{old.path} and {new.path} are of other list keys or currencies: send the whole list")
    with _new_file(target) as file:
        writer = _Writer(file)
        for bucket in differing(old.digests, new.digests):
            entries = new.entries(bucket)
            writer.add(bucket, entries, changes(old.entries(bucket), entries))
        header = msgspec.structs.replace(
            new.header, kind=FileKind.DELTA, base_version=old.header.version, base_root=old.header.root
        )
        return writer.end(header, key)


def build_repair(target: Path, new: SignedFile, digests: Sequence[bytes], key: Sign) -> Header:
    """The buckets of a whole list that a station has otherwise, signed. `digests` are the station's."""
    _check_lists(new)
    with _new_file(target) as file:
        writer = _Writer(file)
        for bucket in differing(digests, new.digests):
            part = new.part_of(bucket)
            if part is None:
                writer.add(bucket, [])
            else:
                writer.add_packed(part, new.packed(part))
        return writer.end(msgspec.structs.replace(new.header, kind=FileKind.REPAIR), key)


def _check_lists(*files: SignedFile) -> None:
    for file in files:
        if file.header.kind is not FileKind.LIST:
            raise WhitelistError(f"{file.path} is a {file.header.kind}: a whole list is needed here")


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Put in place whole, or not at all."""
    fresh = path.with_name(path.name + ".new")
    try:
        with open(fresh, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
