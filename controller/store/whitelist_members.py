"""The columns of a list that say a token's place in a fuel programme, and how they become a `Membership`.

They are written by headquarters (`forecourt hq programme list`); a station quotes by them. Bound plates are kept as
keyed hashes. Knows no file and no line number: a ValueError says what is wrong with a row.
"""

import re
from collections.abc import Callable, Sequence

from controller.domain.memberships import MEMBER_COLUMNS, Membership, PurseState
from controller.domain.programmes.programme import BASIS_POINTS
from controller.store.whitelist_fields import bounded, moment_ms, yes, yes_unless_no

_WORD = re.compile(r"[\w.-]{1,64}")
_PURSE = re.compile(r"([\w-]{1,64}):(-?[0-9]{1,15})/(-?[0-9]{1,15})")
HOLDER_LETTERS_MAX = 64
PLATES_MAX = 1_000


class MemberColumns:
    """Turns these columns into memberships. `plate_key`: a plate's keyed hash; `money`: an amount in minor units."""

    def __init__(self, plate_key: Callable[[str], bytes], money: Callable[[str], int]) -> None:
        self._plate_key = plate_key
        plates = bounded(PLATES_MAX)
        parses: tuple[Callable[[str], object], ...] = (
            _word,
            _holder,
            lambda text: _word(text) if text.strip() else "",
            yes_unless_no,
            yes,
            yes,
            yes,
            yes,
            yes,
            yes,
            self._plates,
            yes,
            money,
            bounded(BASIS_POINTS),
            _purses,
            lambda text: moment_ms(text.strip()),
            self._plates,
            lambda text: plates(text) if text.strip() else Membership("", "").plates_free,
            yes,
        )
        self._parses = dict(zip(MEMBER_COLUMNS, parses, strict=True))

    def plan(self, names: Sequence[str]) -> Callable[[Sequence[str]], Membership | None]:
        """How these columns of a row are read. ValueError if they cannot stand alone."""
        for needed in ("programme", "holder"):
            if needed not in names:
                raise ValueError(f"the column {needed} is needed beside {names[0]}: whose is it?")
        order = [names.index(name) if name in names else None for name in MEMBER_COLUMNS]
        parses = list(self._parses.items())
        programme = names.index("programme")

        def read(texts: Sequence[str]) -> Membership | None:
            if not texts[programme].strip():
                if given := [name for name, text in zip(names, texts, strict=True) if text.strip()]:
                    raise ValueError(f"{given[0]}: stands there without a programme: whose is it?")
                return None
            values: list[object] = []
            for (name, parse), at in zip(parses, order, strict=True):
                try:
                    values.append(parse("" if at is None else texts[at]))
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from error
            member = Membership(*values)  # type: ignore[arg-type]  # each by the parser of its own column
            if member.per_litre_minor and member.percent_bp:
                raise ValueError("percent_bp: there is a discount per_litre already: give one of the two")
            return member

        return read

    def _plates(self, text: str) -> tuple[bytes, ...]:
        return tuple(map(self._plate_key, filter(None, map(str.strip, text.split(";")))))


def _word(text: str) -> str:
    word = text.strip()
    if not _WORD.fullmatch(word):
        raise ValueError(f"{text!r}: expected at most 64 letters, digits, dots and hyphens")
    return word


def _holder(text: str) -> str:
    holder = text.strip()
    if not 0 < len(holder) <= HOLDER_LETTERS_MAX:
        raise ValueError(f"expected headquarters' id of the holder, of at most {HOLDER_LETTERS_MAX} letters")
    return holder


def _purses(text: str) -> tuple[PurseState, ...]:
    """`petrol:617/617;autogas:100/100`: all points of each purse, and those that may be spent."""
    found = []
    for each in filter(None, map(str.strip, text.split(";"))):
        match = _PURSE.fullmatch(each)
        if match is None:
            raise ValueError(f"{each!r}: expected purse, all points and available ones, such as petrol:617/600")
        found.append(PurseState(match[1], int(match[2]), int(match[3])))
    return tuple(found)
