"""The words between a station and the keypad at a pump: lines of text, whole, bounded and checked.

Station to keypad:  `show 17 hidden 12|Type your PIN|PIN:`   two rows of text, and what may be typed below them
                    `ping`
Keypad to station:  `keypad 1`                               first of all: a keypad, version 1
                    `key 17 4`, `key 17 enter`               a key, and the number of what was shown when it was pressed
                    `pong`

The number keeps a key that was meant for one question from answering the next. Sans-IO, both ends; docs/keypads.md is
for those who build one. Knows no point, no PIN and no socket.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

COLUMNS, ROWS = 20, 2
VERSION = 1
NUMBER_MAX = 999_999_999
ENTRY_MAX = 16
"""Digits that are typed at most."""
KEYPAD_LINE_MAX = 32
"""Bytes of a keypad's line; whatever is longer comes from no keypad."""
STATION_LINE_MAX = 256
"""Bytes of a station's line: two rows of letters of up to four bytes each."""
SEPARATOR = "|"
_KEY = re.compile(r"key ([0-9]{1,9}) ([0-9]|enter|clear|cancel)")
_SHOW = re.compile(r"show ([0-9]{1,9}) (none|open|hidden) ([0-9]{1,2})\|([^|]*)\|([^|]*)")
ENTER, CLEAR, CANCEL = "enter", "clear", "cancel"
KEYS = (*"0123456789", ENTER, CLEAR, CANCEL)


class GarbledLine(Exception):
    """What came is no line of these words; the text says why, and never repeats what came: it may be a PIN."""


class Echo(StrEnum):
    """What a keypad shows of the digits that are typed."""

    NONE = "none"
    """Nothing is asked: keys do nothing."""
    OPEN = "open"
    HIDDEN = "hidden"
    """As stars."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Two rows of at most 20 letters. `echo`, `most`: whether digits may be typed, and how many.

    The digits stand at the right end of the second row, so its text leaves room for them. ValueError if it does not.
    """

    rows: tuple[str, str] = ("", "")
    echo: Echo = Echo.NONE
    most: int = 0

    def __post_init__(self) -> None:
        if any(len(row) > COLUMNS or not _showable(row) for row in self.rows):
            raise ValueError(f"a row is at most {COLUMNS} letters, without {SEPARATOR!r}")
        if (self.echo is Echo.NONE) != (self.most == 0) or not 0 <= self.most <= ENTRY_MAX:
            raise ValueError(f"a question takes 1 to {ENTRY_MAX} digits, and what is none takes none")
        if self.most and len(self.rows[1]) + 1 + self.most > COLUMNS:
            raise ValueError("the second row leaves no room for the digits")


def screen_of(text: str) -> Screen:
    """A sentence on both rows; what does not fit is cut off."""
    rows = textwrap.wrap(plain(text), COLUMNS, max_lines=ROWS, placeholder="")
    return Screen((rows[0] if rows else "", rows[1] if len(rows) > 1 else ""))


def plain(text: str) -> str:
    """The text without what a row cannot have."""
    return "".join(letter if _showable(letter) else " " for letter in text)


@dataclass(frozen=True, slots=True)
class Hello:
    """A keypad begins."""


@dataclass(frozen=True, slots=True)
class Pong:
    """It is still there."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of KEYS, pressed while number `number` was shown."""

    number: int
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Show:
    """What a keypad shows from now on."""

    number: int
    screen: Screen


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you still there?"""


Word = Hello | Pong | Key | Show | Ping


def line_of(word: Word) -> bytes:
    """The word as it travels."""
    match word:
        case Hello():
            text = f"keypad {VERSION}"
        case Pong():
            text = "pong"
        case Ping():
            text = "ping"
        case Key(number, key):
            text = f"key {number} {key}"
        case Show(number, screen):
            text = SEPARATOR.join((f"show {number} {screen.echo} {screen.most}", *screen.rows))
    return f"{text}\n".encode()


def keypad_said(line: bytes) -> Hello | Pong | Key:
    """A keypad's line, without its end. Raises GarbledLine."""
    text = _text(line)
    if text == f"keypad {VERSION}":
        return Hello()
    if text == "pong":
        return Pong()
    if (found := _KEY.fullmatch(text)) is not None:
        return Key(int(found[1]), found[2])
    if text.startswith("keypad "):
        raise GarbledLine(f"it speaks another version than {VERSION}")
    raise GarbledLine("it says what no keypad says")


def station_said(line: bytes) -> Show | Ping:
    """A station's line, without its end. Raises GarbledLine."""
    text = _text(line)
    if text == "ping":
        return Ping()
    found = _SHOW.fullmatch(text)
    if found is None:
        raise GarbledLine("this is no line of a station")
    try:
        return Show(int(found[1]), Screen((found[4], found[5]), Echo(found[2]), int(found[3])))
    except ValueError as error:
        raise GarbledLine(str(error)) from error


class Lines:
    """Bytes as they come, into lines. Keeps at most one line that is not whole yet, of `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that are whole now. Raises GarbledLine for one that is too long; what came is then forgotten."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = b""
        for line in lines:
            yield self._checked(line)
        self._rest = self._checked(rest)

    def _checked(self, line: bytes) -> bytes:
        if len(line) > self._most:
            raise GarbledLine(f"a line has at most {self._most} bytes")
        return line


def _showable(text: str) -> bool:
    return SEPARATOR not in text and text.isprintable()


def _text(line: bytes) -> str:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise GarbledLine("it says what no keypad says") from None
