"""What a DESFire file is: its kind, its size, how its data travels, and which key may do what with it.

The same record is what `CreateFile` is told and what `GetFileSettings` answers, so that a card can be held against
its plan. Numbers on the wire are low byte first. Knows no command and no card application.

**Further sets of rights** came with EV2: bit 7 of the file option says that a file has them, and a command is allowed
when any of up to eight sets allows it. The first set is the file's own two bytes, and it alone says who changes rights.
A file is created with the bit; the sets themselves go to the card with ChangeFileSettings (option, own rights, number
of further sets, each 2 bytes), and GetFileSettings tells number and sets behind what the kind has. From the public
sources of NXP's reader library and of the Proxmark client, and Baltech's configuration manual (seven at most, the last
nibble is F). EV1 has none. Not verified on silicon.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from card_io.desfire.channel import Mode
from card_io.errors import NotOurCard

FREE, NEVER = 0x0E, 0x0F  # access rights that are no key numbers
_MODE_BITS = 0x03
MORE_RIGHTS = 0x80  # of the file option: the file has further sets of rights
MORE_SETS_MAX = 7
_NO_RIGHT_TO_CHANGE = 0x0F  # the last nibble of a further set
_KEY_OPTION_AES = 0x02
_LIMITED_CREDIT = 0x01

# The kinds, as GetFileSettings names them
_STANDARD, _BACKUP, _VALUE, _LINEAR, _CYCLIC, _TRANSACTION_MAC = range(6)
_TAIL_LENGTHS = (3, 3, 13, 9, 9)  # of what each kind has of its own, before further sets; a Transaction MAC has none


@dataclass(frozen=True, slots=True)
class MoreRights:
    """A further set: who else may do it. Each is a key number 0..13, FREE or NEVER."""

    read: int = NEVER
    write: int = NEVER
    read_write: int = NEVER

    def __post_init__(self) -> None:
        _check(self.read, self.write, self.read_write)

    def __bytes__(self) -> bytes:
        return bytes((self.read_write << 4 | _NO_RIGHT_TO_CHANGE, self.read << 4 | self.write))

    @classmethod
    def parse(cls, raw: bytes) -> MoreRights:
        """Two bytes as they travel. Raises ValueError for a right that a further set never has."""
        if raw[0] & 0x0F != _NO_RIGHT_TO_CHANGE:
            raise ValueError("a further set that changes rights")
        return cls(raw[1] >> 4, raw[1] & 0x0F, raw[0] >> 4)


@dataclass(frozen=True, slots=True)
class Rights:
    """Each is a key number 0..13, FREE or NEVER. For a Transaction MAC file `read_write` is: commit a reader id.

    `more`: further sets, at most seven; EV2 and later only.
    """

    read: int
    write: int = NEVER
    read_write: int = NEVER
    change: int = 0
    more: tuple[MoreRights, ...] = ()

    def __post_init__(self) -> None:
        _check(self.read, self.write, self.read_write, self.change)
        if len(self.more) > MORE_SETS_MAX:
            raise ValueError(f"a file has at most {MORE_SETS_MAX} further sets of rights, not {len(self.more)}")

    def __bytes__(self) -> bytes:
        return bytes((self.read_write << 4 | self.change, self.read << 4 | self.write))

    @property
    def option(self) -> int:
        """What the file option says of them."""
        return MORE_RIGHTS if self.more else 0

    def sets(self) -> bytes:
        """The further sets as ChangeFileSettings has them; nothing where there are none."""
        return bytes((len(self.more),)) + b"".join(map(bytes, self.more)) if self.more else b""

    @classmethod
    def parse(cls, raw: bytes, more: bytes = b"") -> Rights:
        """Two bytes as they travel; `more`: number and further sets, or nothing."""
        if more and len(more) != 1 + 2 * more[0]:
            raise ValueError("another number of further sets")
        sets = tuple(MoreRights.parse(more[at : at + 2]) for at in range(1, len(more), 2))
        return cls(raw[1] >> 4, raw[1] & 0x0F, raw[0] >> 4, raw[0] & 0x0F, sets)


def _check(*rights: int) -> None:
    for right in rights:
        if not 0 <= right <= 0x0F:
            raise ValueError(f"an access right is 0 to 15, not {right}")


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
    mode, tail, more = Mode(option & _MODE_BITS), raw[4:], b""
    if option & MORE_RIGHTS:
        length = _TAIL_LENGTHS[kind]
        tail, more = tail[:length], tail[length:]
    rights = Rights.parse(raw[2:4], more)
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
