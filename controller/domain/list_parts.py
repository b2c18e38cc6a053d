"""A list, a delta or a repair as headquarters signs it: its parts, one a bucket, and the header that vouches for them.

The header says what the list is after it was taken: version, number of entries, the digest of each bucket that
comes along, and the one over all buckets. So nothing that is not exactly headquarters' list is ever put in place,
whatever the parts say. Knows no file, no network and no cipher: `Sign` and `Verify` come from outside.
"""

import re
import zlib
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import msgspec

from controller.domain.list_digests import BUCKETS, DIGEST_BYTES, ROOT_BYTES, Changes, digest

FORMAT = 1
SIGNATURE_BYTES = 64
LIST_NAME = re.compile(r"([1-9][0-9]{0,9})\.list")
DELTA_NAME = re.compile(r"([1-9][0-9]{0,9})-([1-9][0-9]{0,9})\.delta")
"""Files that stations fetch: `12.list` is the whole list of version 12, `11-12.delta` what changed since version 11."""
HEADER_BYTES_MAX = 1 << 20
PART_BYTES_MAX = 64 << 20
"""Of one bucket once inflated: 4,096 of them are more than any list. Deflate reaches 1000:1, so it needs a bound."""
_DEFLATE_LEVEL = 1
_CONTEXT = b"forecourt whitelist\n"
"""Before what is signed: the key's signature under something else is none here."""

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], bool]
"""Of a signature and what it should stand under."""


class PartsError(ValueError):
    """What came is no list that may be taken; the text says why."""


class FileKind(StrEnum):
    LIST = "list"
    """The whole list."""
    DELTA = "delta"
    """What changed since `base_root`."""
    REPAIR = "repair"
    """Whole buckets, for a list that differs from headquarters' in nothing else."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One bucket: its digest and number of entries afterwards, and how many bytes it has here."""

    bucket: Annotated[int, msgspec.Meta(ge=0, lt=BUCKETS)]
    digest: Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
    count: Annotated[int, msgspec.Meta(ge=0)]
    size: Annotated[int, msgspec.Meta(ge=0)]


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What headquarters signs. `base_root` and `base_version` only in a delta: the list it may be put on.

    `body_hash` is over the bytes of all parts. `list_key_print` is the fingerprint of the key by which cards and
    plates were hashed; amounts are in minor units of `currency`.
    """

    format: int
    kind: FileKind
    version: Annotated[int, msgspec.Meta(ge=1)]
    count: Annotated[int, msgspec.Meta(ge=0)]
    made_at_ms: int
    list_key_print: str
    currency: str
    root: Annotated[bytes, msgspec.Meta(min_length=ROOT_BYTES, max_length=ROOT_BYTES)]
    body_hash: bytes
    parts: Annotated[tuple[Part, ...], msgspec.Meta(max_length=BUCKETS)]
    base_version: int = 0
    base_root: bytes = b""


class Signed(msgspec.Struct, frozen=True, array_like=True):
    """A header's bytes and headquarters' signature under them."""

    header: bytes
    signature: Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class InPlace(msgspec.Struct, frozen=True):
    """The list that a station has. `signed`: it came from headquarters, and was not imported here."""

    version: int
    root: bytes
    signed: bool


class Taker(msgspec.Struct, frozen=True):
    """Who takes lists: by which key it looks up, and in which money it counts."""

    list_key_print: str
    currency: str


_encoder = msgspec.msgpack.Encoder()
_signed_decoder = msgspec.msgpack.Decoder(Signed)
_header_decoder = msgspec.msgpack.Decoder(Header)
_entries_decoder = msgspec.msgpack.Decoder(list[bytes])
_changes_decoder = msgspec.msgpack.Decoder(Changes)


def sign(header: Header, key: Sign) -> bytes:
    """The signed header, as bytes."""
    data = _encoder.encode(header)
    return _encoder.encode(Signed(data, key(_CONTEXT + data)))


def open_signed(data: bytes, verify: Verify) -> Header:
    """The header, once its signature is right. PartsError if it is not."""
    try:
        signed = _signed_decoder.decode(data)
    except ValueError as error:
        raise PartsError(f"its header cannot be read ({error}): was the file damaged on its way?") from error
    if not verify(signed.signature, _CONTEXT + signed.header):
        raise PartsError(
            "it is not signed by this station's headquarters (keys/headquarters.pub): "
            "it was changed on its way, or is of somebody else"
        )
    try:
        header = _header_decoder.decode(signed.header)
    except ValueError as error:
        raise PartsError(f"its header is of another kind ({error}): update this station's software") from error
    if header.format != FORMAT:
        raise PartsError(f"it has format {header.format}, known here is {FORMAT}: update this station's software")
    if [part.bucket for part in header.parts] != sorted({part.bucket for part in header.parts}):
        raise PartsError("its header names a bucket twice or out of order")
    return header


def may_take(header: Header, taker: Taker, held: InPlace | None) -> None:
    """PartsError if this list is not for this station, or not for the list in place."""
    if header.list_key_print != taker.list_key_print:
        raise PartsError(
            f"it was made for the list key {header.list_key_print}, and keys/list.key here is {taker.list_key_print}: "
            "no card would be found. Put the network's list key in place first"
        )
    if header.currency != taker.currency:
        raise PartsError(f"its amounts are in {header.currency}, and this station sells in {taker.currency}")
    if held is None:
        if header.kind is not FileKind.LIST:
            raise PartsError(f"it is a {header.kind}, and there is no list here that it could change: get a whole list")
        return
    if held.signed and header.version < held.version:
        raise PartsError(f"it is version {header.version}, older than version {held.version} in place")
    if header.kind is FileKind.DELTA and header.base_root != held.root:
        raise PartsError(
            f"it changes version {header.base_version}, and the list in place is version {held.version} "
            "or differs from what headquarters has: get a repair (forecourt whitelist digests)"
        )
    if held.signed and header.kind is not FileKind.REPAIR and header.version == held.version:
        raise PartsError(f"it is another version {header.version} than the one in place: headquarters must count on")


def pack(content: list[bytes] | Changes) -> bytes:
    """One part as it travels: a bucket's entries, or its changes."""
    return zlib.compress(_encoder.encode(content), _DEFLATE_LEVEL)


def unpack_entries(part: Part, data: bytes) -> list[bytes]:
    """A bucket's entries. PartsError if they are not those that the header names."""
    try:
        entries = _entries_decoder.decode(_inflate(part, data))
    except ValueError as error:
        raise PartsError(f"bucket {part.bucket:03x} cannot be read: {error}") from error
    check(part, entries)
    return entries


def unpack_changes(part: Part, data: bytes) -> Changes:
    """A bucket's changes. What comes of them is for `check`."""
    try:
        return _changes_decoder.decode(_inflate(part, data))
    except ValueError as error:
        raise PartsError(f"bucket {part.bucket:03x} cannot be read: {error}") from error


def check(part: Part, entries: list[bytes]) -> None:
    """PartsError if these are not the entries that the header vouches for."""
    if len(entries) != part.count or digest(entries) != part.digest:
        raise PartsError(
            f"bucket {part.bucket:03x} does not come out as headquarters signed it: the list in place differs from "
            "what headquarters has, get a repair (forecourt whitelist digests)"
        )


def _inflate(part: Part, data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, PART_BYTES_MAX)
    except zlib.error as error:
        raise PartsError(f"bucket {part.bucket:03x} cannot be inflated: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise PartsError(f"bucket {part.bucket:03x} was cut off, or is above {PART_BYTES_MAX} bytes")
    return plain
