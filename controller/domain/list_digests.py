"""Two lists compared by digests: 4,096 buckets by the first 12 bits of the key, a digest each, and one over all.

Where a station's list differs from headquarters', only the buckets that differ need to travel. A digest is a hash
over all entries of the bucket in their order, never a sum that could be met by other entries: headquarters signs
the one over all digests, and thereby the list. Knows no file and no database.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from controller.domain.tokens import KEY_BYTES

BUCKETS = 4_096
_SHIFT = 4
"""Bits of the second byte that are not of the bucket's number."""
DIGEST_BYTES = 16
ROOT_BYTES = 32
_FORMAT = "forecourt whitelist digests 1"


class Changes(msgspec.Struct, frozen=True, array_like=True):
    """What makes one bucket into another: entries to put (new ones and changed ones), keys to take out. In order."""

    put: list[bytes]
    drop: list[bytes]


class DigestsError(ValueError):
    """This is no export of digests; the text says where."""


def bucket_of(key: bytes) -> int:
    return key[0] << 8 - _SHIFT | key[1] >> _SHIFT


def first_key(bucket: int) -> bytes:
    """The smallest key that belongs to it. Of BUCKETS itself: above all keys."""
    return (
        b"\xff" * (KEY_BYTES + 1)
        if bucket >= BUCKETS
        else (bucket << _SHIFT).to_bytes(2, "big").ljust(KEY_BYTES, b"\0")
    )


def split(entries: Sequence[bytes], first: int = 0, end: int = BUCKETS) -> Iterator[tuple[int, Sequence[bytes]]]:
    """Entries in order, all of the buckets from `first` to before `end`: each bucket's own, also where it has none."""
    low = 0
    for bucket in range(first, end):
        high = bisect_left(entries, first_key(bucket + 1), low)
        yield bucket, entries[low:high]
        low = high


def digest(entries: Iterable[bytes]) -> bytes:
    """Of one bucket's entries, in order. msgpack says itself where it ends: no two buckets have the same bytes."""
    return hashlib.sha256(b"".join(entries)).digest()[:DIGEST_BYTES]


EMPTY = digest(())


def root(digests: Sequence[bytes]) -> bytes:
    """The digest over the whole list."""
    if len(digests) != BUCKETS:
        raise ValueError(f"{len(digests)} digests: a list has {BUCKETS} buckets")
    return hashlib.sha256(b"".join(digests)).digest()


def differing(mine: Sequence[bytes], theirs: Sequence[bytes]) -> list[int]:
    """The numbers of the buckets that are not the same."""
    return [bucket for bucket, (one, other) in enumerate(zip(mine, theirs, strict=True)) if one != other]


def changes(old: Sequence[bytes], new: Sequence[bytes]) -> Changes:
    """From one bucket's entries to those that are to be."""
    before = set(old)
    keys = {entry[:KEY_BYTES] for entry in new}
    return Changes(
        [entry for entry in new if entry not in before],
        [entry[:KEY_BYTES] for entry in old if entry[:KEY_BYTES] not in keys],
    )


def changed(entries: Iterable[bytes], change: Changes) -> list[bytes]:
    """A bucket's entries after the change, in order."""
    held = {entry[:KEY_BYTES]: entry for entry in entries}
    for key in change.drop:
        held.pop(key, None)
    held.update((entry[:KEY_BYTES], entry) for entry in change.put)
    return [held[key] for key in sorted(held)]


def digests_text(digests: Sequence[bytes]) -> str:
    """For a file: a heading, then bucket and digest, a line each; buckets without entries are left out."""
    lines = [f"{bucket:03x} {each.hex()}" for bucket, each in enumerate(digests) if each != EMPTY]
    return "\n".join([_FORMAT, *lines, f"root {root(digests).hex()}"]) + "\n"


def parse_digests(text: str) -> list[bytes]:
    """The digests of all buckets. DigestsError names the line that is wrong."""
    lines = text.splitlines()
    if not lines or lines[0] != _FORMAT:
        raise DigestsError(f"line 1: expected {_FORMAT!r}: make the file with forecourt whitelist digests")
    found = [EMPTY] * BUCKETS
    for number, line in enumerate(lines[1:-1], 2):
        bucket, _, given = line.partition(" ")
        try:
            value = bytes.fromhex(given)
            if len(value) != DIGEST_BYTES or len(bucket) != 3:
                raise ValueError
            found[int(bucket, 16)] = value
        except ValueError:
            raise DigestsError(f"line {number}: expected a bucket and its digest, such as 0a7 {EMPTY.hex()}") from None
    if lines[-1] != f"root {root(found).hex()}":
        raise DigestsError(f"line {len(lines)}: the digest over all does not fit: was the file cut off or changed?")
    return found
