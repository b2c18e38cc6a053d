"""The keypad as a state machine: a key and what was typed so far give what is typed now, and maybe an intent.

Pure. Knows the keys and the places where they are pressed; knows no pumps, no money, no station and no Textual.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

POINT_DIGITS_MAX = 3
"""No station has a thousand pumps: more digits are a slip of the finger."""
VALUE_CHARS_MAX = 10
"""Longer than any amount of money or fuel that is taken at a pump."""


class Place(StrEnum):
    """Where a key is pressed: the same digits are a pump's number here and money there."""

    BOARD = "board"
    PAYMENT = "payment"
    READING = "reading"
    """Something is shown that only wants to be read: any digit goes back to the pumps and counts there."""
    CHOOSING = "choosing"
    """Fuels stand there by number."""
    TYPING = "typing"
    """A field takes letters and digits, so only keys that are neither come here."""


class PresetKind(StrEnum):
    MONEY = "money"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True)
class Preset:
    """How much, as typed: plain decimal text with a point."""

    kind: PresetKind
    value: str


@dataclass(frozen=True, slots=True)
class Pad:
    """What has been typed. `operator` is "", "*" (then `value` is money) or "/" (then `value` is litres)."""

    point: str = ""
    operator: str = ""
    value: str = ""

    @property
    def echo(self) -> str:
        """What the attendant has typed, to be shown as it is."""
        return f"{self.point}{self.operator}{self.value}"

    @property
    def number(self) -> int | None:
        """The pump's number, if one is typed."""
        return int(self.point) if self.point else None

    @property
    def preset(self) -> Preset | None:
        """The preset, if a whole one is typed."""
        if not (self.operator and self.value.strip(".")):
            return None
        kind = PresetKind.MONEY if self.operator == "*" else PresetKind.VOLUME
        return Preset(kind, plain_decimal(self.value))


class Intent:
    """What the attendant wants. Each kind is a subclass."""


@dataclass(frozen=True, slots=True)
class DoNext(Intent):
    """The safe next thing at this pump; without a number, whatever Enter alone would do."""

    point: int | None
    preset: Preset | None = None


@dataclass(frozen=True, slots=True)
class Stop(Intent):
    point: int


@dataclass(frozen=True, slots=True)
class StopEverything(Intent):
    pass


@dataclass(frozen=True, slots=True)
class AuthoriseCalling(Intent):
    """All pumps that call."""


@dataclass(frozen=True, slots=True)
class TypePlate(Intent):
    """Type the plate on whose account this pump shall deliver."""

    point: int | None
    preset: Preset | None = None


@dataclass(frozen=True, slots=True)
class NameCard(Intent):
    """The next card at this till's own reader is for this pump."""

    point: int | None


@dataclass(frozen=True, slots=True)
class AskAccount(Intent):
    """Type a card or a plate to hear its balance."""


@dataclass(frozen=True, slots=True)
class ChooseFuel(Intent):
    """The fuel of this number, as typed."""

    number: str


@dataclass(frozen=True, slots=True)
class ShowReceipt(Intent):
    pass


@dataclass(frozen=True, slots=True)
class ShowHelp(Intent):
    point: int | None


@dataclass(frozen=True, slots=True)
class PayCash(Intent):
    """Cash: the exact amount, or `given` as typed."""

    given: str = ""


@dataclass(frozen=True, slots=True)
class PayCard(Intent):
    """The whole amount by bank card."""


@dataclass(frozen=True, slots=True)
class ShowCard(Intent):
    """A card is shown for the delivery that is open, or was paid last."""


@dataclass(frozen=True, slots=True)
class CardAtReader(Intent):
    """The next card at this till's reader is shown for the sale."""


@dataclass(frozen=True, slots=True)
class PayAndGo(Intent):
    """Charge the whole amount to the credit cards that are linked to the card."""


@dataclass(frozen=True, slots=True)
class UsePoints(Intent):
    """Points shall pay a part."""


@dataclass(frozen=True, slots=True)
class AskForPoints(Intent):
    """How many points there are."""


@dataclass(frozen=True, slots=True)
class TypeProof(Intent):
    """The customer's code or PIN."""


@dataclass(frozen=True, slots=True)
class SendTheCode(Intent):
    """Have a code sent to the customer's phone."""


@dataclass(frozen=True, slots=True)
class Leave(Intent):
    """Back to the pumps."""


@dataclass(frozen=True, slots=True)
class TurnPage(Intent):
    step: int


@dataclass(frozen=True, slots=True)
class Hint(Intent):
    """The key means nothing here; `text` says what would."""

    text: str


EMPTY = Pad()
DIGITS = frozenset("0123456789")
Pressed = tuple[Pad, Intent | None]


def press(pad: Pad, key: str, place: Place) -> Pressed:
    """One key. Keys are "0".."9", "." "-" "*" "/" "+", "enter", "backspace", "escape", "f1".. "f12"."""
    if key == "f12":
        return EMPTY, StopEverything()
    if place is Place.BOARD:
        return _on_board(pad, key)
    if place is Place.PAYMENT:
        return _in_payment(pad, key)
    if place is Place.CHOOSING:
        return _in_choice(pad, key)
    if place is Place.READING:
        if key in DIGITS:
            return Pad(point=key), Leave()
        if key == "f3":
            return EMPTY, ShowCard()
        if key == "f8":
            return EMPTY, CardAtReader()
        return EMPTY, Leave() if key in {"enter", "escape", "backspace", "f1", "f9"} else None
    return EMPTY, Leave() if key == "escape" else None


def _on_board(pad: Pad, key: str) -> Pressed:
    if key in DIGITS or key == ".":
        return _typed(pad, key), None
    match key:
        case "enter" if pad.operator and pad.preset is None:
            return pad, Hint("Type how much, then Enter")
        case "enter":
            return EMPTY, DoNext(pad.number, pad.preset)
        case "-":
            return _stop(pad.point)
        case "*" | "/":
            if not pad.point:
                return pad, Hint("Type the pump's number first: 4 * 1000 Enter, or 4 / 20 Enter")
            return replace(pad, operator=key), None
        case "backspace":
            return _shorter(pad), None
        case "escape":
            return EMPTY, None
        case "+" | "pagedown":
            return pad, TurnPage(1)
        case "pageup":
            return pad, TurnPage(-1)
        case "f1":
            return pad, ShowHelp(pad.number)
        case "f2":
            return pad, Hint("Open the payment first: the pump's number, Enter, then F2")
        case "f3":
            return EMPTY, TypePlate(pad.number, pad.preset)
        case "f4":
            return EMPTY, NameCard(pad.number)
        case "f5":
            return EMPTY, AskAccount()
        case "f6":
            return EMPTY, AuthoriseCalling()
        case "f9":
            return EMPTY, ShowReceipt()
    return pad, None


def _in_payment(pad: Pad, key: str) -> Pressed:
    if key in DIGITS or key == ".":
        return replace(pad, value=_longer(pad.value, key)), None
    match key:
        case "enter":
            return EMPTY, PayCash(plain_decimal(pad.value) if pad.value.strip(".") else "")
        case "f2":
            return EMPTY, PayCard()
        case _ if key in _IN_PAYMENT:
            return pad, _IN_PAYMENT[key]
        case "-":
            # An amount is never followed by a minus, a pump's number is: stopping works while money is taken.
            return _stop(pad.value)
        case "backspace":
            return replace(pad, value=pad.value[:-1]), None
        case "escape":
            return EMPTY, Leave()
        case "f1":
            return pad, ShowHelp(None)
    return pad, None


_IN_PAYMENT: dict[str, Intent] = {
    "f3": ShowCard(),
    "f4": UsePoints(),
    "f5": AskForPoints(),
    "f6": TypeProof(),
    "f7": SendTheCode(),
    "f8": CardAtReader(),
    "f9": PayAndGo(),
}


def _in_choice(pad: Pad, key: str) -> Pressed:
    if key in DIGITS:
        # Not at once at the first digit: it may be a pump's number, with a minus to follow.
        return replace(pad, value=(pad.value + key)[:POINT_DIGITS_MAX]), None
    match key:
        case "enter":
            return EMPTY, ChooseFuel(pad.value)
        case "-":
            return _stop(pad.value)
        case "backspace":
            return replace(pad, value=pad.value[:-1]), None
        case "escape":
            return EMPTY, Leave()
        case "f1":
            return pad, ShowHelp(None)
    return pad, None


def _stop(typed: str) -> Pressed:
    if not typed.isdecimal():
        return EMPTY, Hint("Type the pump's number, then - to stop it; 0 - stops all")
    return EMPTY, Stop(int(typed)) if int(typed) else StopEverything()


def _typed(pad: Pad, key: str) -> Pad:
    if pad.operator:
        return replace(pad, value=_longer(pad.value, key))
    if key == "." or len(pad.point) >= POINT_DIGITS_MAX:
        return pad
    return replace(pad, point=pad.point + key)


def _longer(value: str, key: str) -> str:
    if len(value) >= VALUE_CHARS_MAX or (key == "." and "." in value):
        return value
    return value + key


def _shorter(pad: Pad) -> Pad:
    if pad.value:
        return replace(pad, value=pad.value[:-1])
    if pad.operator:
        return replace(pad, operator="")
    return replace(pad, point=pad.point[:-1])


def plain_decimal(typed: str) -> str:
    """What was typed as plain decimal text: "20." is 20 and ".5" is 0.5."""
    whole, _, fraction = typed.partition(".")
    return f"{whole or '0'}.{fraction}" if fraction else whole or "0"
