"""What a DESFire file is: its kind, its size, how its data travels, and which key may do what with it.

The same record is what `CreateFile` is told and what `GetFileSettings` answers, so that a card can be held against
its plan. Numbers on the wire are low byte first. Knows no command and no card application.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from card_io.desfire.channel import Mode
from card_io.errors import NotOurCard

FREE, NEVER = 0x0E, 0x0F  # access rights that are no key numbers
_MODE_BITS = 0x03
_MORE_RIGHTS = 0x80  # the file has further sets of rights behind the first
_KEY_OPTION_AES = 0x02
_LIMITED_CREDIT = 0x01

# The kinds, as GetFileSettings names them
_STANDARD, _BACKUP, _VALUE, _LINEAR, _CYCLIC, _TRANSACTION_MAC = range(6)


@dataclass(frozen=True, slots=True)
class Rights:
    """Each is a key number 0..13, FREE or NEVER. For a Transaction MAC file `read_write` is: commit a reader id."""

    read: int
    write: int = NEVER
    read_write: int = NEVER
    change: int = 0

    def __post_init__(self) -> None:
        for right in (self.read, self.write, self.read_write, self.change):
            if not 0 <= right <= 0x0F:
                raise ValueError(f"an access right is 0 to 15, not {right}")

    def __bytes__(self) -> bytes:
        return bytes((self.read_write << 4 | self.change, self.read << 4 | self.write))

    @classmethod
    def parse(cls, raw: bytes) -> Rights:
        """Two bytes as they travel."""
        return cls(raw[1] >> 4, raw[1] & 0x0F, raw[0] >> 4, raw[0] & 0x0F)


@dataclass(frozen=True, slots=True)
class DataFile:
    """Bytes. A backup file keeps its old content until the transaction is committed."""

    mode: Mode
    rights: Rights
    size: int
    backup: bool = False

    @property
    def kind(self) -> int:
        return _BACKUP if self.backup else _STANDARD

    def tail(self) -> bytes:
        return self.size.to_bytes(3, "little")


@dataclass(frozen=True, slots=True)
class ValueFile:
    """One signed 32-bit number within limits; `value` is its start when it is created."""

    mode: Mode
    rights: Rights
    lower: int
    upper: int
    value: int = 0
    limited_credit: bool = True

    kind: ClassVar[int] = _VALUE

    def tail(self) -> bytes:
        numbers = b"".join(number.to_bytes(4, "little", signed=True) for number in (self.lower, self.upper, self.value))
        return numbers + bytes((int(self.limited_credit),))


@dataclass(frozen=True, slots=True)
class CyclicFile:
    """Records of one size; the newest replaces the oldest. One place of `maximum` is the card's own spare.

    `present` is how many records there are now; it is no part of the plan.
    """

    mode: Mode
    rights: Rights
    record_size: int
    maximum: int
    present: int = field(default=0, compare=False)

    kind: ClassVar[int] = _CYCLIC

    def tail(self) -> bytes:
        return self.record_size.to_bytes(3, "little") + self.maximum.to_bytes(3, "little")


@dataclass(frozen=True, slots=True)
class TransactionMacFile:
    """The card's counter of commits, and the MAC over the last one, under a key that only headquarters has."""

    mode: Mode
    rights: Rights
    key_version: int

    kind: ClassVar[int] = _TRANSACTION_MAC


FileSettings: TypeAlias = DataFile | ValueFile | CyclicFile | TransactionMacFile


def parse_settings(raw: bytes) -> FileSettings:
    """GetFileSettings' answer. Raises NotOurCard for a kind or a length that no file of ours has.

    Of a value file, `value` is then what LimitedCredit would still give back.
    """
    try:
        return _parse(raw)
    except (ValueError, IndexError):
        raise NotOurCard(f"the settings of a file cannot be read ({len(raw)} bytes)") from None


def _parse(raw: bytes) -> FileSettings:
    kind, option = raw[0], raw[1]
    mode, rights, tail = Mode(option & _MODE_BITS), Rights.parse(raw[2:4]), raw[4:]
    if option & _MORE_RIGHTS:
        raise ValueError("further rights")
    match kind, len(tail):
        case ((0 | 1), 3):
            return DataFile(mode, rights, _number(tail), backup=kind == _BACKUP)
        case 2, 13:
            lower, upper, value = (int.from_bytes(tail[at : at + 4], "little", signed=True) for at in (0, 4, 8))
            return ValueFile(mode, rights, lower, upper, value, limited_credit=bool(tail[12] & _LIMITED_CREDIT))
        case 4, 9:
            return CyclicFile(mode, rights, _number(tail[:3]), _number(tail[3:6]), _number(tail[6:]))
        case 5, 2 if tail[0] & 0x0F == _KEY_OPTION_AES:
            return TransactionMacFile(mode, rights, tail[1])
    raise ValueError("another kind")


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
