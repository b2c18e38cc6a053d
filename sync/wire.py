"""The words between a station and headquarters, and how they look as bytes.

A message is a version byte, a kind byte and positional msgpack, so a field may be added at the end with a default
and never moved. Batches and requests are signed by the station's Ed25519 key, once each; a batch is deflated, and
its signature is checked before it is inflated. Answers are small and come over the connection that asked.

Nothing here has a time to live: a row is named (station, epoch, seq) for ever, and every acknowledgement states
the position that headquarters has on disk. A lost acknowledgement, an overlap and a gap all heal by that.

Knows no clock, no HTTP and no database.
"""

import re
import zlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from controller.domain.headquarters import SetApart, UsedCode
from controller.domain.questions import Question, QuestionAnswer
from controller.domain.records import EPOCH_BYTES, HASH_BYTES, Row, RowName

WIRE_VERSION = 1
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

MAX_ROWS = 500
"""In one batch: about 25 kB deflated, some seconds on the slowest mobile link."""
MAX_MESSAGE_BYTES = 1 << 20
"""What headquarters reads of one body before it hangs up."""
MAX_INFLATED_BYTES = 4 << 20
"""What a batch may be once inflated. Deflate reaches 1000:1, so the body's size alone bounds nothing."""
FIT_BYTES = 512 << 10
"""Row bytes that a station puts in one batch: below MAX_MESSAGE_BYTES even if nothing can be deflated."""
MAX_ANSWER_BYTES = 64 << 10
MAX_KNOWN = 64
"""Positions in one acknowledgement."""
MAX_STATION_LETTERS = 64
MAX_COMMAND_LETTERS = 128
MAX_ACCOUNT_LETTERS = 64

BATCHES_PATH = "/v1/batches"
REQUESTS_PATH = "/v1/requests"
LISTS_PATH = "/v1/lists"
LIST_PIECE_BYTES = 48 << 10
"""Of a list's file in one answer: some seconds on the slowest mobile link, and below MAX_ANSWER_BYTES."""
LIST_BYTES_MAX = 4 << 30
"""Of a list's file: ten times the largest that was tried. What claims to be more fills no station's disk."""

_LIST_NAME = r"^([1-9][0-9]{0,9}-)?[1-9][0-9]{0,9}\.(list|delta)\Z"
_STATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DEFLATE_RAW = -15
_DEFLATE_LEVEL = 6

StationId = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_STATION_LETTERS)]
CommandId = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_COMMAND_LETTERS)]
Hash = Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Epoch = Annotated[bytes, msgspec.Meta(min_length=EPOCH_BYTES, max_length=EPOCH_BYTES)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class WireError(ValueError):
    """A message that is not taken. The text is a sentence for whoever looks after the link."""


class Malformed(WireError):
    """The bytes are no message of ours."""


class VersionUnknown(WireError):
    """The other end speaks another version of the wire."""


class TooLarge(WireError):
    """More rows or bytes than one message may have."""


class SignatureWrong(WireError):
    """The message was not signed by the station's enrolled key."""


class StationUnknown(WireError):
    """No station of this name is enrolled."""


class ChainBroken(WireError):
    """A row does not follow the row before it: it was damaged or changed."""


class NameReused(WireError):
    """A row has the name of a stored row and other bytes: the journal was changed after it was sent."""


class NotThisJournal(WireError):
    """The rows are of another station, or simulated fuel came to real headquarters, or the other way round."""


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A row that is on disk, and through its hash all rows before it."""

    epoch: Epoch
    seq: Seq
    hash: Hash

    @property
    def name(self) -> RowName:
        return RowName(self.epoch, self.seq)


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Rows that follow row `after_seq`, whose hash is `previous_hash` (GENESIS and 0 at the beginning).

    Without rows it is a question: does headquarters have that row?
    """

    station: StationId
    after_seq: Seq
    previous_hash: Hash
    rows: Annotated[tuple[Row, ...], msgspec.Meta(max_length=MAX_ROWS)]


class Expects(StrEnum):
    """What headquarters wants next."""

    NEXT = "next"
    """The batch is on disk; the rows after it."""
    ANCESTOR = "ancestor"
    """The row before the batch is not known here: nothing was stored. Rows after one that is."""


class Acknowledgement(msgspec.Struct, frozen=True, array_like=True):
    """What headquarters has on disk, said in every answer.

    `position`: the head of the branch that the batch lies on (None: nothing at all). `known`: more rows that are on
    disk, the batch's last one first, then heads of branches and, when an ancestor is sought, older rows at
    doubling distances. Whichever of these is the sender's own row and the latest, is where to go on from.
    `set_apart`: what is set apart at the station and is not in the rows that came yet. `used_codes`: codes of one use
    that other stations have used.
    """

    station: StationId
    position: Position | None
    known: Annotated[tuple[Position, ...], msgspec.Meta(max_length=MAX_KNOWN)]
    expects: Expects
    set_apart: Annotated[tuple[SetApart, ...], msgspec.Meta(max_length=MAX_KNOWN)] = ()
    used_codes: Annotated[tuple[UsedCode, ...], msgspec.Meta(max_length=MAX_KNOWN)] = ()


class BalanceAsk(msgspec.Struct, frozen=True, array_like=True, tag="balance"):
    """How much does this account have?"""

    account: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ACCOUNT_LETTERS)]


Ask = BalanceAsk | Question
"""What a station may ask."""


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A question of a station. It may come many times; its id makes it one."""

    command_id: CommandId
    station: StationId
    ask: Ask


class BalanceAnswer(msgspec.Struct, frozen=True, array_like=True, tag="balance"):
    """`balance_minor`: below zero, the account owes. As of `as_of_ms` at headquarters."""

    account: str
    balance_minor: int
    as_of_ms: int


class RefusedAnswer(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """Headquarters will not: `reason` is a code of the catalogue, `text` a sentence."""

    reason: str
    text: str


Answer = BalanceAnswer | RefusedAnswer | QuestionAnswer


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """The outcome of a request, the same each time it is asked for."""

    command_id: CommandId
    outcome: Answer


class ListAsk(msgspec.Struct, frozen=True, array_like=True):
    """What comes after the list `version`, which headquarters signed (0: none is in place)? Or: the rest of a file.

    `whole`: no delta, it did not fit. `name` and `offset`: of the file that is being fetched; empty at first.
    """

    station: StationId
    version: Seq
    whole: bool = False
    name: Annotated[str, msgspec.Meta(pattern=f"{_LIST_NAME}|^\\Z")] = ""
    offset: Seq = 0


class ListPiece(msgspec.Struct, frozen=True, array_like=True):
    """A piece of a list's file, which is signed in itself. An empty `name`: there is nothing newer, or not any more."""

    name: Annotated[str, msgspec.Meta(pattern=f"{_LIST_NAME}|^\\Z")] = ""
    size: Annotated[int, msgspec.Meta(ge=0, le=LIST_BYTES_MAX)] = 0
    offset: Seq = 0
    data: Annotated[bytes, msgspec.Meta(max_length=LIST_PIECE_BYTES)] = b""


class _Envelope(msgspec.Struct, frozen=True, array_like=True):
    station: StationId
    packed: bytes
    signature: Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


_BATCH = b"B"
_ACKNOWLEDGEMENT = b"A"
_REQUEST = b"Q"
_REPLY = b"R"
_LIST_ASK = b"L"
_LIST_PIECE = b"P"
_KIND_NAMES = {
    _BATCH: "batch",
    _ACKNOWLEDGEMENT: "acknowledgement",
    _REQUEST: "request",
    _REPLY: "reply",
    _LIST_ASK: "question for a list",
    _LIST_PIECE: "piece of a list",
}

_T = TypeVar("_T")
_encoder = msgspec.msgpack.Encoder()
_envelopes = msgspec.msgpack.Decoder(_Envelope)
_batches = msgspec.msgpack.Decoder(Batch)
_acknowledgements = msgspec.msgpack.Decoder(Acknowledgement)
_requests = msgspec.msgpack.Decoder(Request)
_replies = msgspec.msgpack.Decoder(Reply)
_list_asks = msgspec.msgpack.Decoder(ListAsk)
_list_pieces = msgspec.msgpack.Decoder(ListPiece)


class Sealed:
    """A signed message as it came: says which station it claims to be from, so that its key can be looked up."""

    def __init__(self, data: bytes, kind: bytes) -> None:
        if len(data) > MAX_MESSAGE_BYTES:
            raise TooLarge(f"a message of {len(data)} bytes: at most {MAX_MESSAGE_BYTES} are taken, send fewer rows")
        self._kind = kind
        self._envelope = _decode(_envelopes, _payload(data, kind), kind)
        self.station = check_station_id(self._envelope.station)

    def _verified(self, public_key: bytes) -> bytes:
        envelope = self._envelope
        try:
            key = Ed25519PublicKey.from_public_bytes(public_key)
            key.verify(envelope.signature, _signed_bytes(self._kind, envelope.station, envelope.packed))
        except InvalidSignature:
            raise SignatureWrong(
                f"the message says that it is from station {self.station} but is not signed by its key: "
                "enrol the station again if its key was changed"
            ) from None
        return envelope.packed


class SealedBatch(Sealed):
    def __init__(self, data: bytes) -> None:
        super().__init__(data, _BATCH)

    def open(self, public_key: bytes) -> Batch:
        """The batch, after its signature held. SignatureWrong, TooLarge, Malformed."""
        batch = _decode(_batches, _inflate(self._verified(public_key)), _BATCH)
        _same_station(self.station, batch.station)
        return batch


class SealedRequest(Sealed):
    def __init__(self, data: bytes) -> None:
        super().__init__(data, _REQUEST)

    def open(self, public_key: bytes) -> Request:
        """The request, after its signature held. SignatureWrong, Malformed."""
        request = _decode(_requests, self._verified(public_key), _REQUEST)
        _same_station(self.station, request.station)
        return request


class SealedListAsk(Sealed):
    def __init__(self, data: bytes) -> None:
        super().__init__(data, _LIST_ASK)

    def open(self, public_key: bytes) -> ListAsk:
        """The question, after its signature held. SignatureWrong, Malformed."""
        ask = _decode(_list_asks, self._verified(public_key), _LIST_ASK)
        _same_station(self.station, ask.station)
        return ask


def pack_list_ask(ask: ListAsk, key: Ed25519PrivateKey) -> bytes:
    return _seal(_LIST_ASK, ask.station, _encoder.encode(ask), key)


def pack_list_piece(piece: ListPiece) -> bytes:
    return bytes([WIRE_VERSION]) + _LIST_PIECE + _encoder.encode(piece)


def unpack_list_piece(data: bytes) -> ListPiece:
    return _decode(_list_pieces, _answer(data, _LIST_PIECE), _LIST_PIECE)


def pack_batch(batch: Batch, key: Ed25519PrivateKey) -> bytes:
    """Deflated and signed. TooLarge if it has more rows or bytes than one message may have."""
    if len(batch.rows) > MAX_ROWS:
        raise TooLarge(f"a batch of {len(batch.rows)} rows: at most {MAX_ROWS} go into one")
    squeeze = zlib.compressobj(_DEFLATE_LEVEL, zlib.DEFLATED, _DEFLATE_RAW)
    packed = squeeze.compress(_encoder.encode(batch)) + squeeze.flush()
    return _seal(_BATCH, batch.station, packed, key)


def pack_request(request: Request, key: Ed25519PrivateKey) -> bytes:
    return _seal(_REQUEST, request.station, _encoder.encode(request), key)


def pack_acknowledgement(acknowledgement: Acknowledgement) -> bytes:
    return bytes([WIRE_VERSION]) + _ACKNOWLEDGEMENT + _encoder.encode(acknowledgement)


def unpack_acknowledgement(data: bytes) -> Acknowledgement:
    return _decode(_acknowledgements, _answer(data, _ACKNOWLEDGEMENT), _ACKNOWLEDGEMENT)


def pack_reply(reply: Reply) -> bytes:
    return bytes([WIRE_VERSION]) + _REPLY + _encoder.encode(reply)


def unpack_reply(data: bytes) -> Reply:
    return _decode(_replies, _answer(data, _REPLY), _REPLY)


def rows_that_fit(rows: Sequence[Row]) -> tuple[Row, ...]:
    """As many of the first rows as go into one batch, at least one if there is any."""
    total = 0
    for count, row in enumerate(rows[:MAX_ROWS]):
        total += len(row.body) + HASH_BYTES
        if total > FIT_BYTES and count:
            return tuple(rows[:count])
    return tuple(rows[:MAX_ROWS])


def check_station_id(text: str) -> str:
    """The station's id if it is one. Malformed if not: ids stand in addresses and file names."""
    if not _STATION.fullmatch(text) or len(text) > MAX_STATION_LETTERS:
        raise Malformed(
            f"{text[:MAX_STATION_LETTERS]!r} is no station id: Latin letters, digits, dot, dash and underscore, "
            f"at most {MAX_STATION_LETTERS}"
        )
    return text


def _signed_bytes(kind: bytes, station: str, packed: bytes) -> bytes:
    return b"forecourt" + bytes([WIRE_VERSION]) + kind + station.encode() + b"\0" + packed


def _seal(kind: bytes, station: str, packed: bytes, key: Ed25519PrivateKey) -> bytes:
    signature = key.sign(_signed_bytes(kind, check_station_id(station), packed))
    data = bytes([WIRE_VERSION]) + kind + _encoder.encode(_Envelope(station, packed, signature))
    if len(data) > MAX_MESSAGE_BYTES:
        raise TooLarge(f"a message of {len(data)} bytes: at most {MAX_MESSAGE_BYTES} are taken")
    return data


def _answer(data: bytes, kind: bytes) -> bytes:
    if len(data) > MAX_ANSWER_BYTES:
        raise TooLarge(f"an answer of {len(data)} bytes: at most {MAX_ANSWER_BYTES} are read")
    return _payload(data, kind)


def _payload(data: bytes, kind: bytes) -> bytes:
    if len(data) < 2:
        raise Malformed(f"{len(data)} bytes are no message")
    if data[0] != WIRE_VERSION:
        raise VersionUnknown(
            f"the message is of wire version {data[0]}, this end speaks {WIRE_VERSION}: update the older end"
        )
    if data[1:2] != kind:
        raise Malformed(f"not a {_KIND_NAMES[kind]}: it begins with {data[:2].hex()}")
    return data[2:]


def _decode(decoder: msgspec.msgpack.Decoder[_T], data: bytes, kind: bytes) -> _T:
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors, as is bad UTF-8
        raise Malformed(f"not a {_KIND_NAMES[kind]}: {error}") from error


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj(_DEFLATE_RAW)
    try:
        data = inflater.decompress(packed, MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise Malformed(f"a batch that cannot be inflated: {error}") from error
    if len(data) > MAX_INFLATED_BYTES:
        raise TooLarge(f"a batch of more than {MAX_INFLATED_BYTES} bytes once inflated")
    if not inflater.eof or inflater.unused_data:
        raise Malformed("a batch that was cut off or has something behind it")
    return data


def _same_station(outside: str, inside: str) -> None:
    if outside != inside:
        raise Malformed(f"a message signed by station {outside} speaks for station {inside}")
