"""The calls of daily use: who the card is, its files' data, values, records, and transactions.

Each function makes a `Call`, or the steps that carry one and read its answer. Codes with frame chaining (BD, 3D, BB,
3B) are used where data may be longer than a frame, since every generation knows them; short reads of EV2 cards go by
AD, which lets the reader's own link carry the answer in one piece. Sources: NXP's public short data sheets and
application notes. Knows no key and no application.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from card_io.desfire.channel import Call, Channel, Mode
from card_io.desfire.files import FileSettings, parse_settings
from card_io.errors import NotOurCard, ProofFailed
from card_io.session import Steps

SELECT_APPLICATION = 0x5A
GET_VERSION = 0x60
GET_KEY_VERSION = 0x64
GET_CARD_UID = 0x51
GET_FILE_IDS = 0x6F
GET_FILE_SETTINGS = 0xF5
READ_DATA, READ_DATA_CHAINED = 0xAD, 0xBD
WRITE_DATA = 0x3D
GET_VALUE = 0x6C
CREDIT, LIMITED_CREDIT, DEBIT = 0x0C, 0x1C, 0xDC
READ_RECORDS = 0xBB
WRITE_RECORD = 0x3B
COMMIT_TRANSACTION = 0xC7
ABORT_TRANSACTION = 0xA7
COMMIT_READER_ID = 0xC8

UID_LENGTH = 7
READER_ID_LENGTH = 16
VALUE_MAX = 0x7FFF_FFFF
_TMC_LENGTH, _TMV_LENGTH = 4, 8
_RETURN_TMV = b"\x01"

_VERSION_LENGTHS = (28, 29)  # 7 hardware, 7 software, 14 production; EV3 may add a byte of fab key
_VERSION_UID_AT = slice(14, 21)
_HARDWARE_MAJOR_AT = 3
_EV2_HARDWARE = 0x10  # EV1 is 01; EV2 and its offspring 12, 22, 32, 42; EV3 33

_VERSION = Call(GET_VERSION, "to say its version")
_UID = Call(GET_CARD_UID, "to give its UID", answer=Mode.FULL, answer_length=UID_LENGTH)


@dataclass(frozen=True, slots=True)
class Version:
    """GetVersion: a claim of the card until it is proven. `knows_ev2`: EV2 secure messaging can be tried."""

    uid: bytes
    knows_ev2: bool


@dataclass(frozen=True, slots=True)
class TransactionMac:
    """The card's count of commits (`counter`, TMC) and its MAC over the last one (`value`, TMV, 8 bytes)."""

    counter: int
    value: bytes

    @classmethod
    def parse(cls, raw: bytes) -> TransactionMac:
        """12 bytes, as a commit answers and as the file holds. Raises ProofFailed."""
        if len(raw) != _TMC_LENGTH + _TMV_LENGTH:
            raise ProofFailed(f"a transaction MAC has {_TMC_LENGTH + _TMV_LENGTH} bytes, not {len(raw)}")
        return cls(int.from_bytes(raw[:_TMC_LENGTH], "little"), raw[_TMC_LENGTH:])


def select_application(aid: bytes) -> Call:
    return Call(SELECT_APPLICATION, "to select the application", header=aid, mode=Mode.PLAIN, answer=Mode.PLAIN)


def get_version(channel: Channel) -> Steps[Version]:
    """What card this claims to be. Raises NotOurCard for an answer of odd length, or a UID that is hidden."""
    raw = yield from channel.call(_VERSION)
    if len(raw) not in _VERSION_LENGTHS:
        raise NotOurCard(f"the card's version has {len(raw)} bytes")
    uid = raw[_VERSION_UID_AT]
    if uid == bytes(UID_LENGTH):
        raise NotOurCard("the card hides its UID (random identifiers are switched on)")
    return Version(uid, raw[_HARDWARE_MAJOR_AT] >= _EV2_HARDWARE)


def get_key_version(channel: Channel, number: int) -> Steps[int]:
    raw = yield from channel.call(Call(GET_KEY_VERSION, f"to say the version of key {number}", bytes((number,))))
    if len(raw) != 1:
        raise NotOurCard(f"the version of key {number} has {len(raw)} bytes")
    return raw[0]


def get_card_uid(channel: Channel) -> Steps[bytes]:
    """The card's 7-byte UID, encrypted by the card under this session: no reader in between can change it."""
    uid = yield from channel.call(_UID)
    if len(uid) != UID_LENGTH:
        raise ProofFailed(f"the card's encrypted UID has {len(uid)} bytes, not {UID_LENGTH}")
    return uid


def get_file_ids(channel: Channel) -> Steps[frozenset[int]]:
    return frozenset((yield from channel.call(Call(GET_FILE_IDS, "to list its files"))))


def get_file_settings(channel: Channel, number: int) -> Steps[FileSettings]:
    call = Call(GET_FILE_SETTINGS, f"to describe file {number:02X}", bytes((number,)))
    return parse_settings((yield from channel.call(call)))


def read_data(channel: Channel, number: int, length: int, mode: Mode, *, offset: int = 0) -> Steps[bytes]:
    """`length` bytes (1 or more) of a standard, backup or Transaction MAC file. Raises ProofFailed for fewer."""
    data = yield from channel.call(_reading(number, length, mode, offset))
    if len(data) != length:
        raise ProofFailed(f"the card gave {len(data)} bytes of file {number:02X}, not {length}")
    return data


@lru_cache(maxsize=32)  # each tap reads the same few files
def _reading(number: int, length: int, mode: Mode, offset: int) -> Call:
    if length < 1:
        raise ValueError("a read names how many bytes it wants")
    header = bytes((number,)) + offset.to_bytes(3, "little") + length.to_bytes(3, "little")
    doing = f"to read file {number:02X}"
    return Call(
        READ_DATA,
        doing,
        header,
        mode=_of_header(mode),
        answer=mode,
        answer_length=length,
        ev1_ins=READ_DATA_CHAINED,
    )


def write_data(number: int, data: bytes, mode: Mode, *, offset: int = 0) -> Call:
    """Into a standard file at once, into a backup file with the next commit."""
    header = bytes((number,)) + offset.to_bytes(3, "little") + len(data).to_bytes(3, "little")
    return _writing(WRITE_DATA, f"to write file {number:02X}", header, data, mode)


def get_value(channel: Channel, number: int, mode: Mode) -> Steps[int]:
    header = bytes((number,))
    call = Call(GET_VALUE, "to say its value", header, mode=_of_header(mode), answer=mode, answer_length=4)
    raw = yield from channel.call(call)
    if len(raw) != 4:
        raise ProofFailed(f"a value has 4 bytes, not {len(raw)}")
    return int.from_bytes(raw, "little", signed=True)


def credit(number: int, amount: int, mode: Mode) -> Call:
    return _writing(CREDIT, "a credit", bytes((number,)), _amount(amount), mode)


def limited_credit(number: int, amount: int, mode: Mode) -> Call:
    """At most what the last committed debits took, once."""
    return _writing(LIMITED_CREDIT, "to give back", bytes((number,)), _amount(amount), mode)


def debit(number: int, amount: int, mode: Mode) -> Call:
    return _writing(DEBIT, "a debit", bytes((number,)), _amount(amount), mode)


def read_records(channel: Channel, number: int, size: int, count: int, mode: Mode) -> Steps[tuple[bytes, ...]]:
    """The newest `count` records, oldest first, as the card gives them."""
    header = bytes((number,)) + bytes(3) + count.to_bytes(3, "little")
    doing = f"to read the records of file {number:02X}"
    length = size * count
    call = Call(READ_RECORDS, doing, header, mode=_of_header(mode), answer=mode, answer_length=length)
    raw = yield from channel.call(call)
    if len(raw) != length:
        raise ProofFailed(f"the card gave {len(raw)} bytes of records, not {length}")
    return tuple(raw[at : at + size] for at in range(0, length, size))


def write_record(number: int, data: bytes, mode: Mode) -> Call:
    """A new record with the next commit; a card takes one for each transaction."""
    header = bytes((number,)) + bytes(3) + len(data).to_bytes(3, "little")
    return _writing(WRITE_RECORD, f"to write a record of file {number:02X}", header, data, mode)


def commit_reader_id(channel: Channel, reader_id: bytes) -> Steps[bytes]:
    """Binds a reader's 16 bytes into the transaction; the answer is the previous one's, encrypted for headquarters."""
    if len(reader_id) != READER_ID_LENGTH:
        raise ValueError(f"a reader id has {READER_ID_LENGTH} bytes, not {len(reader_id)}")
    raw = yield from channel.call(Call(COMMIT_READER_ID, "to note the reader", data=reader_id))
    if len(raw) != READER_ID_LENGTH:
        raise ProofFailed(f"the previous reader's id has {len(raw)} bytes, not {READER_ID_LENGTH}")
    return raw


def commit(channel: Channel, *, transaction_mac: bool) -> Steps[TransactionMac | None]:
    """All pending changes at once. With a Transaction MAC file the card answers with its counter and MAC."""
    header = _RETURN_TMV if transaction_mac else b""
    raw = yield from channel.call(Call(COMMIT_TRANSACTION, "to commit", header))
    if transaction_mac:
        return TransactionMac.parse(raw)
    if raw:
        raise ProofFailed("the card answered a commit with data that nobody asked for")
    return None


def abort_transaction() -> Call:
    return Call(ABORT_TRANSACTION, "to abort a transaction")


def _writing(ins: int, doing: str, header: bytes, data: bytes, mode: Mode) -> Call:
    return Call(ins, doing, header, data, mode, Mode.PLAIN if mode is Mode.PLAIN else Mode.MAC)


def _of_header(mode: Mode) -> Mode:
    """A command that only names what it wants: nothing in it to encrypt."""
    return Mode.PLAIN if mode is Mode.PLAIN else Mode.MAC


def _amount(amount: int) -> bytes:
    if not 0 < amount <= VALUE_MAX:
        raise ValueError(f"an amount is 1 to {VALUE_MAX}, not {amount}")
    return amount.to_bytes(4, "little", signed=True)
