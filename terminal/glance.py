"""What a fuelling point looks like at one glance: glyph, word, mood and figures, by its state.

Pure: a view of the station's desk in, words out. Knows no colours, no widgets and no keys.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.domain.desk import Need, PointState, PointView, UnpaidView
from controller.domain.quantities import decimal_text
from controller.domain.reasons import CATALOGUE, Reason

UNPAID_MAX = 2
"""With so many deliveries unpaid a pump is blocked until one of them is paid."""
MS_PER_S = 1_000


class Mood(StrEnum):
    """How loud a tile is. Colour follows from it, and is never the only sign."""

    QUIET = "quiet"
    CALLING = "calling"
    READY = "ready"
    FLOWING = "flowing"
    PAYABLE = "payable"
    STOPPED = "stopped"
    REFUSED = "refused"
    ERROR = "error"
    DIM = "dim"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Glance:
    """One tile's content. `notes` are short lines, the most important first."""

    number: int
    glyph: str
    word: str
    mood: Mood
    blinks: bool = False
    amount: str = ""
    volume: str = ""
    grade: str = ""
    price: str = ""
    notes: tuple[str, ...] = ()


_PLAIN = {
    PointState.IDLE: ("·", "IDLE", Mood.QUIET),
    PointState.CALLING: ("▲", "CALLING", Mood.CALLING),
    PointState.DECIDING: ("?", "CHECKING", Mood.READY),
    PointState.AUTHORISED: ("→", "READY", Mood.READY),
    PointState.FUELLING: ("█", "FUELLING", Mood.FLOWING),
    PointState.COMPLETED: ("█", "ENDING", Mood.FLOWING),
    PointState.STOPPED: ("■", "STOPPED", Mood.STOPPED),
    PointState.REFUSED: ("●", "REFUSED", Mood.REFUSED),
    PointState.ERROR: ("▲", "ERROR", Mood.ERROR),
    PointState.OFFLINE: ("░", "NO LINK", Mood.DIM),
    PointState.CLOSED: ("─", "CLOSED", Mood.DIM),
}
_NEED_WORDS = {Need.PLATE: "PLATE?", Need.ODOMETER: "ODOMETER?", Need.GRADE: "FUEL?"} | {
    Need.PIN: "PIN?",
    Need.CODE: "DRIVER?",
    Need.PHONE_CODE: "PHONE CODE?",
    Need.HEADQUARTERS: "ASKING HQ",
}
_SHOWS_FIGURES = {PointState.FUELLING, PointState.COMPLETED}


def payable(point: PointView) -> bool:
    """Whether what this pump waits for is money: a delivery is unpaid and the pump does nothing else."""
    return bool(point.unpaid) and point.state is PointState.IDLE


def glance(point: PointView, decimals: int, at_ms: int) -> Glance:
    """The tile of `point` at the station's moment `at_ms`; `decimals` are those of the currency."""
    if payable(point):
        return _payable(point, decimals)
    glyph, word, mood = _PLAIN[point.state]
    notes = []
    match point.state:
        case PointState.DECIDING if point.need:
            glyph, word, mood = "?", _NEED_WORDS[point.need], Mood.CALLING
        case PointState.REFUSED:
            notes.append(_refusal(point))
        case PointState.ERROR:
            word = f"ERROR {point.reason}".strip()
        case PointState.OFFLINE:
            word = f"NO LINK {max(0, at_ms - point.since_ms) // MS_PER_S} s"
    if point.token:
        notes.append(point.token)
    if point.unpaid:
        notes.append(f"■ to pay {_amount(point.unpaid[0], decimals)}" + ("  ■■" if len(point.unpaid) > 1 else ""))
    if point.text and point.state is not PointState.REFUSED:
        notes.append(point.text)
    figures = point.state in _SHOWS_FIGURES or point.amount_minor > 0
    return Glance(
        number=point.number,
        glyph=glyph,
        word=word,
        mood=mood,
        blinks=point.state in {PointState.CALLING, PointState.STOPPED} or (mood is Mood.CALLING),
        amount=decimal_text(point.amount_minor, decimals) if figures else "",
        volume=_volume(point.volume_ml, point.unit) if figures else "",
        grade=point.grade,
        price=point.price,
        notes=tuple(notes),
    )


def _payable(point: PointView, decimals: int) -> Glance:
    first = point.unpaid[0]
    blocked = len(point.unpaid) >= UNPAID_MAX
    notes = []
    if first.leased_to:
        notes.append(f"at {first.leased_to}")
    if blocked:
        notes.append(f"then {_amount(point.unpaid[1], decimals)}")
    return Glance(
        number=point.number,
        glyph="■■" if blocked else "■",
        word="PAY 2" if blocked else "PAY",
        mood=Mood.PAYABLE,
        amount=_amount(first, decimals),
        volume=_volume(first.volume_ml, first.unit),
        grade=first.grade,
        price=first.price,
        notes=tuple(notes),
    )


def _refusal(point: PointView) -> str:
    try:
        return CATALOGUE[Reason(point.reason)].driver
    except (ValueError, KeyError):
        return point.text or point.reason


def _amount(unpaid: UnpaidView, decimals: int) -> str:
    return decimal_text(unpaid.amount_minor, decimals)


def _volume(volume_ml: int, unit: str) -> str:
    return f"{decimal_text(volume_ml // 10, 2)} {unit}"
