"""DART transactions: what a data frame carries, as typed values, in both directions.

    CDn, controller to pump ; DCn, pump to controller : TRANS LNG DATA[LNG]

Numbers are the pump's raw digits: what they are worth is decided by the pump's configured decimals, elsewhere.
What is unknown, or not as it should be, is an `Unusable` and is skipped by its length.

Knows nothing of frames, and no state of a pump.
"""

from dataclasses import dataclass
from enum import IntEnum

from controller.pumps.dart.errors import BadBlock, BadDigits


class State(IntEnum):
    """DC1: what the pump says of itself. There is no 3."""

    NOT_PROGRAMMED = 0
    RESET = 1
    AUTHORIZED = 2
    FILLING = 4
    COMPLETED = 5
    MAX = 6
    SWITCHED_OFF = 7
    SUSPENDED = 8


class Order(IntEnum):
    """CD1: one-byte orders."""

    RETURN_STATUS = 0x00
    RETURN_IDENTITY = 0x03
    RETURN_FILLING = 0x04
    RESET = 0x05
    AUTHORIZE = 0x06
    STOP = 0x08
    SWITCH_OFF = 0x0A
    SUSPEND = 0x0D
    RESUME = 0x0E
    RETURN_PRICES = 0x0F


@dataclass(frozen=True, slots=True)
class Command:
    """CD1."""

    order: Order


@dataclass(frozen=True, slots=True)
class AllowNozzles:
    """CD2: the logical nozzles that may deliver, until replaced."""

    nozzles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PresetVolume:
    """CD3: raw digits."""

    volume: int


@dataclass(frozen=True, slots=True)
class PresetAmount:
    """CD4: raw digits."""

    amount: int


@dataclass(frozen=True, slots=True)
class Prices:
    """CD5: raw unit prices of nozzles 1..n."""

    prices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class IdentityLost:
    """CD14: suspend, the vehicle's identification is gone."""

    nozzle: int


@dataclass(frozen=True, slots=True)
class IdentityRegained:
    """CD15: resume."""

    nozzle: int


@dataclass(frozen=True, slots=True)
class AskTotal:
    """CD101: 1..8 volume of a nozzle, 9 their sum, 0x11..0x18 amount of a nozzle, 0x19 their sum."""

    counter: int


@dataclass(frozen=True, slots=True)
class Status:
    """DC1."""

    state: State


@dataclass(frozen=True, slots=True)
class Filled:
    """DC2: raw digits of the running or last delivery."""

    volume: int
    amount: int


@dataclass(frozen=True, slots=True)
class NozzleState:
    """DC3: raw price, the selected nozzle (0: none), and whether it is out."""

    price: int
    nozzle: int
    out: bool


@dataclass(frozen=True, slots=True)
class Alarmed:
    """DC5."""

    code: int


@dataclass(frozen=True, slots=True)
class Identity:
    """DC9: numbers of manufacturer, type and version."""

    manufacturer: int
    kind: int
    version: int


@dataclass(frozen=True, slots=True)
class Total:
    """DC101: a counter and the counters of the two meters that may feed it, raw digits."""

    counter: int
    total: int
    first_meter: int
    second_meter: int


@dataclass(frozen=True, slots=True)
class Unusable:
    """A transaction that is unknown, or known and not as it should be: skipped by its length."""

    trans: int
    data: bytes
    why: str


ToPump = (
    Command
    | AllowNozzles
    | PresetVolume
    | PresetAmount
    | Prices
    | IdentityLost
    | IdentityRegained
    | AskTotal
    | Unusable
)
ToMaster = Status | Filled | NozzleState | Alarmed | Identity | Total | Unusable
NOZZLE_OUT = 0x10


def transaction_bytes(item: ToPump | ToMaster) -> bytes:
    """One transaction: TRANS, LNG, data. ValueError if a number does not fit its digits."""
    trans, data = _encoded(item)
    return bytes((trans, len(data))) + data


def _encoded(item: ToPump | ToMaster) -> tuple[int, bytes]:
    match item:
        case Command(order):
            return 0x01, bytes((order,))
        case AllowNozzles(nozzles):
            return 0x02, bytes(nozzles)
        case PresetVolume(value):
            return 0x03, to_bcd(value, 4)
        case PresetAmount(value):
            return 0x04, to_bcd(value, 4)
        case Prices(prices):
            return 0x05, b"".join(to_bcd(price, 3) for price in prices)
        case IdentityLost(nozzle):
            return 0x0E, bytes((nozzle,))
        case IdentityRegained(nozzle):
            return 0x0F, bytes((nozzle,))
        case AskTotal(counter):
            return 0x65, bytes((counter,))
        case Status(state):
            return 0x01, bytes((state,))
        case Filled(volume, amount):
            return 0x02, to_bcd(volume, 4) + to_bcd(amount, 4)
        case NozzleState(price, nozzle, out):
            return 0x03, to_bcd(price, 3) + bytes((nozzle | (NOZZLE_OUT if out else 0),))
        case Alarmed(code):
            return 0x05, bytes((code,))
        case Identity(manufacturer, kind, version):
            return 0x09, to_bcd(manufacturer, 2) + to_bcd(kind, 1) + to_bcd(version, 2)
        case Total(counter, total, first, second):
            return 0x65, bytes((counter,)) + b"".join(to_bcd(value, 5) for value in (total, first, second))
        case Unusable(trans, data, _):
            return trans, data


def to_pump(body: bytes) -> tuple[ToPump, ...]:
    """The transactions of a block from the controller; `BadBlock` if their lengths do not add up."""
    return tuple(_to_pump(trans, data) for trans, data in _transactions(body))


def to_master(body: bytes) -> tuple[ToMaster, ...]:
    """The transactions of a block from a pump; `BadBlock` if their lengths do not add up."""
    return tuple(_to_master(trans, data) for trans, data in _transactions(body))


def _transactions(body: bytes) -> list[tuple[int, bytes]]:
    found = []
    at = 0
    while at < len(body):
        end = at + 2 + body[at + 1] if at + 1 < len(body) else len(body) + 1
        if end > len(body):
            raise BadBlock(body.hex(" "))
        found.append((body[at], body[at + 2 : end]))
        at = end
    return found


def _to_pump(trans: int, data: bytes) -> ToPump:
    try:
        match trans, len(data):
            case 0x01, 1:
                return Command(Order(data[0]))
            case 0x02, _:
                return AllowNozzles(tuple(data))
            case 0x03, 4:
                return PresetVolume(from_bcd(data))
            case 0x04, 4:
                return PresetAmount(from_bcd(data))
            case 0x05, size if size % 3 == 0:
                return Prices(tuple(from_bcd(data[at : at + 3]) for at in range(0, size, 3)))
            case 0x0E, 1:
                return IdentityLost(data[0])
            case 0x0F, 1:
                return IdentityRegained(data[0])
            case 0x65, 1:
                return AskTotal(data[0])
    except ValueError as error:  # digits, or a code that is none
        return Unusable(trans, data, str(error))
    return Unusable(trans, data, "unknown")


def _to_master(trans: int, data: bytes) -> ToMaster:
    try:
        match trans, len(data):
            case 0x01, 1:
                return Status(State(data[0]))
            case 0x02, 8:
                return Filled(from_bcd(data[:4]), from_bcd(data[4:]))
            case 0x03, 4:
                return NozzleState(from_bcd(data[:3]), data[3] & 0x0F, bool(data[3] & NOZZLE_OUT))
            case 0x05, 1:
                return Alarmed(data[0])
            case 0x09, 5:
                return Identity(from_bcd(data[:2]), from_bcd(data[2:3]), from_bcd(data[3:]))
            case 0x65, 16:
                return Total(data[0], from_bcd(data[1:6]), from_bcd(data[6:11]), from_bcd(data[11:]))
    except ValueError as error:
        return Unusable(trans, data, str(error))
    return Unusable(trans, data, "unknown")


def block(items: tuple[ToPump, ...] | tuple[ToMaster, ...]) -> bytes:
    """Several transactions as the body of one data frame."""
    return b"".join(transaction_bytes(item) for item in items)


def to_bcd(value: int, size_bytes: int) -> bytes:
    """Packed decimal, most significant digit first. ValueError if it does not fit."""
    text = f"{value:0{2 * size_bytes}d}"
    if value < 0 or len(text) > 2 * size_bytes:
        raise ValueError(f"{value} does not fit {2 * size_bytes} digits")
    return bytes.fromhex(text)


def from_bcd(data: bytes) -> int:
    """The number of packed decimal digits; `BadDigits` if one of them is none."""
    text = data.hex()
    if not text.isdecimal():
        raise BadDigits(text)
    return int(text)
