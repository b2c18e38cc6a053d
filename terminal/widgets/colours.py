"""The till's colours: quiet where all is well, loud where a person is wanted. One place for all of them."""

from rich.style import Style

from terminal.glance import Mood

TILE = "#171b20"
TEXT = "#c9d1d9"
SOFT = "#8b949e"
GREY = "#5c636b"

_BODY = Style.parse(f"{TEXT} on {TILE}")
_QUIET = Style.parse(f"{SOFT} on {TILE}")
_GREY = Style.parse(f"{GREY} on {TILE}")

HEADS: dict[Mood, tuple[Style, Style]] = {
    Mood.QUIET: (_QUIET, _QUIET),
    Mood.CALLING: (Style.parse("bold #000000 on #ffd400"), Style.parse(f"bold #ffd400 on {TILE}")),
    Mood.READY: (Style.parse("bold #000000 on #35b6c9"),) * 2,
    Mood.FLOWING: (Style.parse("bold #000000 on #4cc265"),) * 2,
    Mood.PAYABLE: (Style.parse("bold #000000 on #f2f2f2"),) * 2,
    Mood.STOPPED: (Style.parse("bold #ffffff on #d1242f"), Style.parse(f"bold #ff6b6b on {TILE}")),
    Mood.REFUSED: (Style.parse("bold #000000 on #d67ae8"),) * 2,
    Mood.ERROR: (Style.parse(f"bold #ff6b6b on {TILE}"),) * 2,
    Mood.DIM: (_GREY, _GREY),
    Mood.STALE: (_GREY, _GREY),
}
"""The head of a tile: bright, and the other half of its blink."""

BODIES: dict[Mood, Style] = dict.fromkeys(Mood, _BODY) | {
    Mood.QUIET: _QUIET,
    Mood.DIM: _GREY,
    Mood.STALE: _GREY,
}

_BOLD = Style(bold=True)
FIGURES: dict[Mood, Style] = {
    mood: style + _BOLD + Style(color="#ffffff") if style is _BODY else style for mood, style in BODIES.items()
} | {Mood.FLOWING: Style.parse(f"bold #7ee787 on {TILE}")}
