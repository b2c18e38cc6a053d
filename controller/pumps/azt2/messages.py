"""AZT 2.0 commands and what is said in answer to them: the data of a frame as typed values, in both directions.

Data are decimal digits in ASCII. Numbers are the pump's raw digits: what they are worth is decided by the pump's
configured decimals, elsewhere.

Knows nothing of framing, and no state of a pump but their names.
"""

from dataclasses import dataclass
from enum import IntEnum

from controller.pumps.azt2.errors import BadReply
from controller.pumps.azt2.frame import Answer, Reply

DOSE_DIGITS = 5
FULL_VOLUME_DIGITS = 5
AMOUNT_DIGITS = 7
PRICE_DIGITS = 4
RUNNING_DIGITS = 6
FULL_DIGITS = FULL_VOLUME_DIGITS + AMOUNT_DIGITS + PRICE_DIGITS
VERSION_DIGITS = 8
DOSE_MAX = 10**DOSE_DIGITS - 1
PRICE_MAX = 10**PRICE_DIGITS - 1
FULL_TANK_DIGITS = DOSE_MAX
"""What stands in the digits of a full tank: to a pump that does not know the mark, still no early end."""


class Command(IntEnum):
    """What a pump can be told. 53, the dose in money, is not here: nobody has verified what its data look like."""

    STATUS = 0x31
    AUTHORISE = 0x32
    STOP = 0x33
    RUNNING = 0x34
    FULL = 0x35
    TOTALS = 0x36
    CONFIRM = 0x38
    VERSION = 0x50
    PRICE = 0x51
    DOSE = 0x54
    START = 0x56
    """Unconditional start: the controller never sends it."""
    READ_DOSE = 0x58
    ADDRESS = 0x5D


ACTIONS = frozenset(
    {Command.AUTHORISE, Command.STOP, Command.CONFIRM, Command.PRICE, Command.DOSE, Command.START},
)
"""Answered by ACK, or not done; all others are answered by data."""


class State(IntEnum):
    """What a pump says of itself. There are no 5, 6, 7 and 9."""

    HUNG = 0
    LIFTED = 1
    AUTHORISED = 2
    FUELLING = 3
    FINISHED = 4
    """And waiting to be confirmed."""
    DOSED = 8
    """A dose was set at the pump, which waits to be authorised."""


REASON_NORMAL = 0
REASON_OVERFILL = 1


@dataclass(frozen=True, slots=True)
class Status:
    """31. `reason` is 0 unless the state is FINISHED."""

    state: State
    reason: int = REASON_NORMAL


@dataclass(frozen=True, slots=True)
class Running:
    """34: raw volume."""

    volume: int


@dataclass(frozen=True, slots=True)
class Full:
    """35: raw digits of the running or last delivery."""

    volume: int
    amount: int
    price: int


@dataclass(frozen=True, slots=True)
class Counters:
    """36: raw totalisers; how many digits they have is the pump's affair."""

    volume: int
    amount: int


@dataclass(frozen=True, slots=True)
class Text:
    """50, 5D and 58: digits that are shown and not reckoned with."""

    text: str


Said = Status | Running | Full | Counters | Text
Outcome = Said | Answer
"""What came of a request: the data asked for, or ACK, NAK, CAN."""


def outcome(command: int, reply: Reply) -> Outcome:
    """What a reply says to a command; `BadReply` if it is no answer to it."""
    if reply.answer is Answer.DATA:
        if command in ACTIONS:
            raise BadReply(f"data for {command:02x}: {reply.data.hex(' ')}")
        return _said(command, reply.data)
    if reply.answer is Answer.ACK and command not in ACTIONS:
        raise BadReply(f"an ACK for {command:02x}, which wants data")
    return reply.answer


def _said(command: int, data: bytes) -> Said:
    text = data.decode("ascii")
    if command == Command.ADDRESS and text.isprintable() and text:
        return Text(text)
    if not text.isdecimal():
        raise BadReply(f"{text!r} for {command:02x}: not digits")
    match command, len(text):
        case Command.STATUS, 1 | 2:
            return _status(text)
        case Command.RUNNING, size if size == RUNNING_DIGITS:
            return Running(int(text))
        case Command.FULL, size if size == FULL_DIGITS:
            amount_at, price_at = FULL_VOLUME_DIGITS, FULL_VOLUME_DIGITS + AMOUNT_DIGITS
            return Full(int(text[:amount_at]), int(text[amount_at:price_at]), int(text[price_at:]))
        case Command.TOTALS, size if size % 2 == 0:
            return Counters(int(text[: size // 2]), int(text[size // 2 :]))
        case Command.VERSION, size if size == VERSION_DIGITS:
            return Text(text)
        case Command.READ_DOSE, size if size == RUNNING_DIGITS:
            return Text(text)
    raise BadReply(f"{text!r} for {command:02x}: so many digits it never has")


def _status(text: str) -> Status:
    try:
        state = State(int(text[0]))
    except ValueError:
        raise BadReply(f"{text!r}: there is no such state") from None
    if (len(text) == 2) != (state is State.FINISHED):
        raise BadReply(f"{text!r}: a reason goes with state 4, and with no other")
    return Status(state, int(text[1:] or REASON_NORMAL))


def said_bytes(said: Said, *, counter_digits: int = 10) -> bytes:
    """The data of a reply. ValueError if a number does not fit its digits."""
    match said:
        case Status(state, reason):
            return digits(state, 1) + (digits(reason, 1) if state is State.FINISHED else b"")
        case Running(volume):
            return digits(volume, RUNNING_DIGITS)
        case Full(volume, amount, price):
            return digits(volume, FULL_VOLUME_DIGITS) + digits(amount, AMOUNT_DIGITS) + digits(price, PRICE_DIGITS)
        case Counters(volume, amount):
            return digits(volume, counter_digits) + digits(amount, counter_digits)
        case Text(text):
            return text.encode("ascii")


def dose_bytes(volume: int | None) -> bytes:
    """The data of 54: a volume, or None for a full tank."""
    return digits(FULL_TANK_DIGITS, DOSE_DIGITS) + b"1" if volume is None else digits(volume, DOSE_DIGITS) + b"0"


def dose_of(data: bytes) -> int | None:
    """The data of 54 read back. ValueError if they are none."""
    if len(data) != DOSE_DIGITS + 1 or not data.isdigit() or data[-1:] not in (b"0", b"1"):
        raise ValueError(f"{data!r} is no dose")
    return None if data[-1:] == b"1" else int(data[:DOSE_DIGITS])


def price_bytes(price: int) -> bytes:
    """The data of 51."""
    return digits(price, PRICE_DIGITS)


def digits(value: int, size: int) -> bytes:
    """Decimal digits in ASCII. ValueError if it does not fit."""
    text = f"{value:0{size}d}"
    if value < 0 or len(text) > size:
        raise ValueError(f"{value} does not fit {size} digits")
    return text.encode("ascii")
