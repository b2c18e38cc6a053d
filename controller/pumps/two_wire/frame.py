"""Two-wire words: bytes <-> commands, statuses, numbers and checked blocks.

    command : (command << 4) | pump, one byte; the pump answers with a status, a block, six digits or not at all
    status  : (status << 4) | pump, one byte, no check sum
    to pump : FF DL body FB LRC F0      DL = E0 | -(words after DL) mod 16
    from it : FF body FB LRC F0

Within a block a word of E0..E9 is a digit, least significant first, and F0..FF says what comes next. The LRC is a
word whose low half makes the sum of all low halves, from FF to FB, zero. Pump 16 is 0 on the wire.

Knows no time, no retries and nothing of what a body says. A damaged block is a `FrameError`, never a value.
"""

from enum import IntEnum

from controller.pumps.two_wire.errors import (
    BadDigits,
    BadLength,
    BadLrc,
    BadStart,
    BadStatus,
    BadWord,
    TooLong,
    Unfinished,
    WrongPump,
)

STOP_ALL = 0xFC
"""One byte that stops every pump of the line."""
DIGIT = 0xE0
CONTROL = 0xF0
PUMP_LAST = 16
GRADES_MAX = 6
TOTALS_WORDS_A_GRADE = 30
BLOCK_WORDS_MAX = 4 + TOTALS_WORDS_A_GRADE * GRADES_MAX
"""Totals of six grades: anything longer is noise that never ended."""
BODY_WORDS_MAX = 13
"""A data block's length is told modulo 16."""
MONEY_WORDS = 6


class Command(IntEnum):
    """What the console asks of one pump: the high half of its byte."""

    STATUS = 0x0
    AUTHORISE = 0x1
    DATA_NEXT = 0x2
    STOP = 0x3
    TRANSACTION = 0x4
    TOTALS = 0x5
    MONEY = 0x6


class Status(IntEnum):
    """What the pump says of itself: the high half of its byte."""

    DATA_ERROR = 0x0
    OFF = 0x6
    CALL = 0x7
    AUTHORISED = 0x8
    BUSY = 0x9
    PEOT = 0xA
    FEOT = 0xB
    STOPPED = 0xC
    SEND_DATA = 0xD


class Word(IntEnum):
    """Control words: what the digits after them are."""

    END = 0xF0
    VOLUME_PRESET = 0xF1
    MONEY_PRESET = 0xF2
    FILL_UP = 0xF3
    LEVEL_1 = 0xF4
    LEVEL_2 = 0xF5
    GRADE = 0xF6
    PRICE = 0xF7
    NUMBER = 0xF8
    """A preset's digits, or the pump's number."""
    VOLUME = 0xF9
    MONEY = 0xFA
    LRC = 0xFB
    SPECIAL = 0xFE
    START = 0xFF


def command_byte(command: Command, pump: int) -> bytes:
    """One command. ValueError for a pump that there cannot be."""
    return bytes((command << 4 | _pump_nibble(pump),))


def status_byte(status: Status, pump: int) -> bytes:
    """One status."""
    return bytes((status << 4 | _pump_nibble(pump),))


def _pump_nibble(pump: int) -> int:
    if not 1 <= pump <= PUMP_LAST:
        raise ValueError(f"pump {pump}: a two-wire line has pumps 1 to {PUMP_LAST}")
    return pump % PUMP_LAST


def pump_of(byte: int) -> int:
    """The pump of a command or status byte, 1 to 16."""
    return byte & 0x0F or PUMP_LAST


def status_of(data: bytes, pump: int) -> Status:
    """The status that one byte says, if it is this pump's."""
    if not data:
        raise Unfinished("no status")
    if len(data) > 1:
        raise TooLong(data.hex(" "))
    try:
        status = Status(data[0] >> 4)
    except ValueError:
        raise BadStatus(data.hex()) from None
    if pump_of(data[0]) != pump:
        raise WrongPump(f"pump {pump_of(data[0])} instead of {pump}: {data.hex()}")
    return status


def to_digits(value: int, count: int) -> bytes:
    """Digit words, least significant first. ValueError if it does not fit."""
    text = f"{value:0{count}d}"
    if value < 0 or len(text) > count:
        raise ValueError(f"{value} does not fit {count} digits")
    return bytes(DIGIT | int(digit) for digit in reversed(text))


def from_digits(words: bytes) -> int:
    """The number of digit words; `BadDigits` if one of them is none."""
    if not words or any(not DIGIT <= word <= DIGIT | 9 for word in words):
        raise BadDigits(words.hex(" "))
    return int("".join(str(word & 0x0F) for word in reversed(words)))


def money_of(data: bytes) -> int:
    """Running money: six bare digits. Nothing checks them, so they are good for a display only."""
    if len(data) < MONEY_WORDS:
        raise Unfinished(data.hex(" "))
    if len(data) > MONEY_WORDS:
        raise TooLong(data.hex(" "))
    return from_digits(data)


def data_block(body: bytes) -> bytes:
    """A block to a pump, with its length. ValueError for what cannot be sent: our own mistake."""
    if not 1 <= len(body) <= BODY_WORDS_MAX:
        raise ValueError(f"a data block of {len(body)} words: it has 1 to {BODY_WORDS_MAX}")
    return _sealed(bytes((Word.START, DIGIT | -(len(body) + 3) & 0x0F)) + body)


def answer_block(body: bytes) -> bytes:
    """A block from a pump."""
    return _sealed(bytes((Word.START,)) + body)


def _sealed(words: bytes) -> bytes:
    words += bytes((Word.LRC,))
    return words + bytes((DIGIT | lrc(words), Word.END))


def open_data_block(data: bytes) -> bytes:
    """The body of a whole block to a pump. A `FrameError` says why it is none."""
    _check(data)
    if len(data) < 6 or data[1] != DIGIT | -(len(data) - 2) & 0x0F:
        raise BadLength(data.hex(" "))
    return data[2:-3]


def open_answer_block(data: bytes) -> bytes:
    """The body of a whole block from a pump. A `FrameError` says why it is none."""
    _check(data)
    return data[1:-3]


def _check(data: bytes) -> None:
    if len(data) > BLOCK_WORDS_MAX:
        raise TooLong(f"{len(data)} words")
    if not data or data[0] != Word.START:
        raise BadStart(data.hex(" "))
    end = data.find(Word.END)
    if end < 0:
        raise Unfinished(data.hex(" "))
    if end < len(data) - 1:
        raise TooLong(data.hex(" "))
    if any(word < DIGIT for word in data):
        raise BadWord(data.hex(" "))
    if len(data) < 4 or data[-3] != Word.LRC or data[-2] & CONTROL != DIGIT or data[-2] & 0x0F != lrc(data[:-2]):
        raise BadLrc(data.hex(" "))


def lrc(words: bytes) -> int:
    """The half word that makes the sum of all low halves zero."""
    return -sum(word & 0x0F for word in words) & 0x0F


def is_whole(data: bytes) -> bool:
    """Whether these bytes are a whole thing said to a pump: a command, or a block to its end. Constant time."""
    return bool(data) and (data[0] != Word.START or data[-1] == Word.END)


def is_whole_status(data: bytes) -> bool:
    """Whether these bytes are a whole status."""
    return bool(data)


def is_whole_block(data: bytes) -> bool:
    """Whether a pump's block is at its end, or cannot be one any more."""
    return bool(data) and (data[-1] == Word.END or len(data) > BLOCK_WORDS_MAX)


def is_whole_money(data: bytes) -> bool:
    """Whether these bytes are running money."""
    return len(data) >= MONEY_WORDS
