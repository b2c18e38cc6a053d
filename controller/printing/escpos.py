"""ESC/POS: lines of a receipt to the bytes that a receipt printer takes. Knows no port and no file.

A printer shows letters by the code page that is selected, and each page has 128 letters beyond ASCII. A word is
therefore printed whole in one page: in the one selected if that has all its letters, else in the first of the
model's pages that has. Where no page has them all, the page that loses least is taken, and each letter it lacks is
spelled otherwise: currency signs, which no printer has, as TL, грн and đ (or UAH, VND), other letters without
their marks ("Đường" as "Duong"), and what nothing can spell as UNPRINTABLE, one mark a letter, which `lost` names.
No letter ever becomes a question mark, and no text can reach the printer as a command.

Vietnamese is thus printed without its marks for now: printing it as raster lines needs a font rasteriser.

Commands and page numbers are those of Epson's ESC/POS reference (ESC t: 13 is PC857, 44 PC1125, 46 WPC1251,
48 WPC1254); Ukrainian is never sent in CP866, which has no і and no ґ.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from controller.domain.receipt import Align, Line

ESC, GS, DLE, FS, LF = b"\x1b", b"\x1d", b"\x10", b"\x1c", b"\n"
RESET = ESC + b"@"
KANJI_OFF = FS + b"."
SELECT_PAGE = ESC + b"t"
ALIGN = ESC + b"a"
EMPHASIS = ESC + b"E"
FEED_LINES = ESC + b"d"
PULSE = ESC + b"p"
SIZE = GS + b"!"
CUT_AFTER_FEED = GS + b"V" + b"\x42"
STATUS = DLE + b"\x04"

NORMAL_SIZE = 0x00
DOUBLE_SIZE = 0x11
DRAWER_KICK = PULSE + bytes((0, 25, 250))
"""Pin 2, 50 ms on and 500 ms off (units of 2 ms): enough for common drawers."""
UNPRINTABLE = "#"
"""Stands for a letter that no page has and nothing spells. Not a question mark: that reads as text."""

ALIGN_CODES = {Align.LEFT: 0, Align.CENTRE: 1, Align.RIGHT: 2}


class StatusKind(IntEnum):
    """What a real-time status request asks for (DLE EOT n)."""

    PRINTER = 1
    OFFLINE_CAUSE = 2
    ERROR_CAUSE = 3
    PAPER = 4


@dataclass(frozen=True, slots=True)
class CodePage:
    """A page's number on the printer and the Python codec with the same letters."""

    number: int
    codec: str


@dataclass(frozen=True, slots=True)
class PrinterModel:
    """What a kind of printer can show. The first page is the one that it has selected after `initialise`."""

    name: str
    pages: tuple[CodePage, ...]
    initialise: bytes


_LATIN = (CodePage(0, "cp437"), CodePage(19, "cp858"))
_DOS = (CodePage(13, "cp857"), CodePage(44, "cp1125"))
_WINDOWS = (CodePage(48, "cp1254"), CodePage(46, "cp1251"))

MODELS = {
    model.name: model
    for model in (
        PrinterModel("epson", (*_LATIN, *_DOS, *_WINDOWS), RESET),
        # Printers made for China start in two-byte mode, where a Turkish or Ukrainian pair of letters is one
        # ideograph: it is switched off first. Epson's own ones without such a mode may not know that command.
        PrinterModel("generic", (*_LATIN, *_WINDOWS), RESET + KANJI_OFF),
    )
}

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "₺": ("TL",),
    "₴": ("грн", "UAH"),
    "₫": ("đ", "VND"),
    "€": ("EUR",),
    "đ": ("d",),
    "Đ": ("D",),
    "ı": ("i",),
    "ł": ("l",),
    "Ł": ("L",),
    "ø": ("o",),
    "Ø": ("O",),
    "ß": ("ss",),
    "æ": ("ae",),
    "Æ": ("AE",),
    "œ": ("oe",),
    "Œ": ("OE",),
    "№": ("No",),
    "×": ("x",),
    "−": ("-",),
    "‐": ("-",),
    "‑": ("-",),
    "–": ("-",),
    "—": ("-",),
    "…": ("...",),
    "•": ("*",),
    "’": ("'",),
    "‘": ("'",),
    "ʼ": ("'",),
    "‚": ("'",),
    "“": ('"',),
    "”": ('"',),
    "„": ('"',),
    "«": ('"',),
    "»": ('"',),
}
"""Letters that have a usual spelling, best first; the first one that the page can show is printed."""

_COST_UNMARKED = 10
_COST_UNPRINTABLE = 1_000


def slip_bytes(lines: Iterable[Line], model: PrinterModel, width: int, *, drawer: bool = False) -> bytes:
    """One slip: initialised, printed, fed to the blade and cut. `drawer` opens the cash drawer first."""
    out = bytearray(model.initialise)
    if drawer:
        out += DRAWER_KICK
    shown = Line()
    page = model.pages[0]
    for whole in lines:
        for line in _fitted(whole, model, width):
            out += _style(shown, line)
            shown = line
            for run_page, text in _runs(line.text, model, page):
                if run_page is not page:
                    out += SELECT_PAGE + bytes((run_page.number,))
                    page = run_page
                letters = page_letters(page.codec)
                out += bytes(letters[letter] for letter in text)
            out += LF
    out += CUT_AFTER_FEED + b"\x00"
    return bytes(out)


def printable(text: str, model: PrinterModel) -> str:
    """The text as this printer will show it."""
    return "".join(run for _, run in _runs(text, model, model.pages[0]))


def lost(text: str, model: PrinterModel) -> tuple[str, ...]:
    """The letters of `text` that this printer can only show as UNPRINTABLE, each once, in order."""
    letters = dict.fromkeys(text)
    return tuple(letter for letter in letters if letter != UNPRINTABLE and UNPRINTABLE in printable(letter, model))


def notice_bytes(text: str) -> bytes:
    """A line of emphasised ASCII, centred, to stand above a slip that is already bytes."""
    style = ALIGN + bytes((ALIGN_CODES[Align.CENTRE],)) + EMPHASIS + b"\x01"
    return RESET + style + text.encode("ascii") + LF


def feed_bytes(lines: int) -> bytes:
    """Feed by 0 to 255 lines."""
    return FEED_LINES + bytes((lines,))


def status_request(kind: StatusKind) -> bytes:
    """Asks for one byte of status; printers answer it at once, even without paper."""
    return STATUS + bytes((kind,))


@cache
def page_letters(codec: str) -> dict[str, int]:
    """The letters of a page and their bytes; without controls, no-break space and soft hyphen."""
    letters = {}
    for byte in range(0x20, 0x100):
        letter = bytes((byte,)).decode(codec, errors="ignore")
        if letter and (letter == " " or unicodedata.category(letter)[0] not in "CZ"):
            letters[letter] = byte
    return letters


def _fitted(line: Line, model: PrinterModel, width: int) -> list[Line]:
    """The line as printable text. Spelling can lengthen it: the gap between columns gives, or else it wraps."""
    text, cells = printable(line.text, model), line.cells(width)
    excess = len(text) - cells
    if excess > 0:
        gap = max(re.findall(r"(?<=\S) {2,}(?=\S)", text), key=len, default="")
        if len(gap) > excess:
            text = text.replace(gap, gap[excess:], 1)
    parts = [text[at : at + cells] for at in range(0, len(text), cells)] or [""]
    return [Line(part, line.align, line.emphasis, line.double) for part in parts]


def _style(shown: Line, wanted: Line) -> bytes:
    out = b""
    if wanted.align is not shown.align:
        out += ALIGN + bytes((ALIGN_CODES[wanted.align],))
    if wanted.emphasis != shown.emphasis:
        out += EMPHASIS + bytes((wanted.emphasis,))
    if wanted.double != shown.double:
        out += SIZE + bytes((DOUBLE_SIZE if wanted.double else NORMAL_SIZE,))
    return out


def _runs(text: str, model: PrinterModel, page: CodePage) -> list[tuple[CodePage, str]]:
    """Whole words and the spaces between them, each with its page, spelled as that page can show them."""
    runs = []
    for word in re.findall(r" +|[^ ]+", _clean(text)):
        page = next((known for known in (page, *model.pages) if page_letters(known.codec).keys() >= set(word)), page)
        if page_letters(page.codec).keys() >= set(word):
            runs.append((page, word))
            continue
        spelled = [(_spell(word, candidate), candidate) for candidate in model.pages]
        (_, shown), page = min(spelled, key=lambda choice: choice[0][0])
        runs.append((page, shown))
    return runs


def _clean(text: str) -> str:
    """Composed letters; every kind of space and control as a space, since a control would be a command."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(" " if ch.isspace() or unicodedata.category(ch) == "Cc" else ch for ch in composed)


def _spell(word: str, page: CodePage) -> tuple[int, str]:
    """What the page makes of a word, and how far that is from it."""
    letters = page_letters(page.codec)
    cost, shown = 0, ""
    for letter in word:
        letter_cost, spelled = (0, letter) if letter in letters else _substitute(letter, letters)
        cost += letter_cost
        shown += spelled
    return cost, shown


def _substitute(letter: str, letters: dict[str, int]) -> tuple[int, str]:
    for rank, spelling in enumerate(_SPELLINGS.get(letter, ()), start=1):
        if letters.keys() >= set(spelling):
            return rank, spelling
    if unicodedata.category(letter) == "Cf":
        return 0, ""  # joiners and direction marks have no shape of their own
    bare = "".join(ch for ch in unicodedata.normalize("NFKD", letter) if not unicodedata.category(ch).startswith("M"))
    if letters.keys() >= set(bare):
        return _COST_UNMARKED, bare
    return _COST_UNPRINTABLE, UNPRINTABLE
