"""What Enter would do: one answer, which the status line says beforehand and the application then does.

Pure: a snapshot and a pump's number in, an offer out. Sends nothing and shows nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.domain.desk import GradeChoice, Need, PointState, PointView, Snapshot, UnpaidView
from controller.domain.quantities import MILLI, decimal_text, parse_decimal, power_of_ten
from terminal.glance import UNPAID_MAX
from terminal.pad import Preset, PresetKind


class Deed(StrEnum):
    """The kinds of next thing."""

    AUTHORISE = "authorise"
    PAY = "pay"
    ANSWER = "answer"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Offer:
    """The next thing at a pump. `text` is what the status line says of it, with what Enter does.

    `choices`: one of these fuels must be named first.
    """

    deed: Deed
    text: str
    point: int = 0
    unpaid: UnpaidView | None = None
    need: Need | None = None
    preset_volume_ml: int | None = None
    preset_amount_minor: int | None = None
    choices: tuple[GradeChoice, ...] = ()
    question: str = ""
    """The id of what the station asks there: an answer names it."""


_NEEDS = {
    Need.PLATE: "type the plate",
    Need.ODOMETER: "type the odometer",
    Need.GRADE: "choose the fuel",
    Need.PIN: "let the driver type the PIN",
    Need.CODE: "type the driver's code",
    Need.PHONE_CODE: "type the code of the driver's phone",
    Need.HEADQUARTERS: "headquarters is asked",
}
_NOTHING_TO_DO = {
    PointState.IDLE: "nothing to do: nobody has lifted a nozzle, nothing is unpaid",
    PointState.CALLING: "calling, but two deliveries are unpaid",
    PointState.DECIDING: "its card is being checked",
    PointState.AUTHORISED: "may deliver already; - stops it",
    PointState.FUELLING: "is fuelling; - stops it",
    PointState.COMPLETED: "its delivery is being written down",
    PointState.STOPPED: "is stopped: hang up the nozzle",
    PointState.REFUSED: "refused",
    PointState.ERROR: "has an error: see the pump",
    PointState.OFFLINE: "does not answer: check its power and its cable",
    PointState.CLOSED: "is closed",
}
MAY_AUTHORISE = {PointState.CALLING, PointState.REFUSED}
"""A refused token does not refuse the customer: the same nozzle may deliver for cash."""


def find_point(snapshot: Snapshot, number: int) -> PointView | None:
    """The fuelling point of that number, if the station has it."""
    return next((point for point in snapshot.points if point.number == number), None)


def offer(snapshot: Snapshot, number: int, till: str, preset: Preset | None = None) -> Offer:
    """The safe next thing at pump `number` for this till."""
    point = find_point(snapshot, number)
    if point is None:
        return Offer(Deed.NOTHING, f"There is no pump {number} at this station")
    if preset is not None:
        return _with_preset(snapshot, point, preset)
    if point.state is PointState.DECIDING and point.need:
        text = f"Enter: {_NEEDS[point.need]} for pump {number}"
        choices, question = point.choices, point.question
        return Offer(Deed.ANSWER, text, point=number, need=point.need, choices=choices, question=question)
    if may_authorise(point):
        text = f"Enter: let pump {number} deliver{_what(point)}"
        return Offer(Deed.AUTHORISE, text, point=number, choices=point.choices)
    free = next((unpaid for unpaid in point.unpaid if unpaid.leased_to in {"", till}), None)
    if free:
        amount = f"{decimal_text(free.amount_minor, snapshot.decimals)} {snapshot.currency}"
        return Offer(Deed.PAY, f"Enter: take {amount} for pump {number}", point=number, unpaid=free)
    if point.unpaid:
        return Offer(Deed.NOTHING, f"Pump {number}: {point.unpaid[0].leased_to} is taking the money")
    return Offer(Deed.NOTHING, f"Pump {number} {point.text or _NOTHING_TO_DO[point.state]}")


def may_authorise(point: PointView) -> bool:
    """Whether an attendant's word lets this pump deliver now."""
    return point.state in MAY_AUTHORISE and len(point.unpaid) < UNPAID_MAX


def calling(snapshot: Snapshot) -> tuple[int, ...]:
    """The pumps that call and may deliver."""
    return tuple(p.number for p in snapshot.points if p.state is PointState.CALLING and may_authorise(p))


def whole(text: str, decimals: int) -> int:
    """Plain decimal text in units of 10**-`decimals`: whole("12.5", 2) == 1250. ValueError if it is finer."""
    value, typed = parse_decimal(text)
    if typed <= decimals:
        return value * power_of_ten(decimals - typed)
    value, finer = divmod(value, power_of_ten(typed - decimals))
    if finer:
        raise ValueError(f"{text} has more than {decimals} decimals" if decimals else f"{text} is not a whole number")
    return value


def _with_preset(snapshot: Snapshot, point: PointView, preset: Preset) -> Offer:
    if not may_authorise(point):
        why = "take the money first" if len(point.unpaid) >= UNPAID_MAX else "no nozzle is lifted"
        return Offer(Deed.NOTHING, f"Pump {point.number}: {why}, so nothing can be preset")
    money = preset.kind is PresetKind.MONEY
    try:
        value = whole(preset.value, snapshot.decimals if money else len(str(MILLI)) - 1)
    except ValueError as error:
        return Offer(Deed.NOTHING, f"Pump {point.number}: {error}")
    if value <= 0:
        return Offer(Deed.NOTHING, f"Pump {point.number}: a preset is above zero")
    unit = snapshot.currency if money else point.unit
    return Offer(
        Deed.AUTHORISE,
        f"Enter: let pump {point.number} deliver {preset.value} {unit}{_what(point)}",
        point=point.number,
        preset_amount_minor=value if money else None,
        preset_volume_ml=None if money else value,
        choices=point.choices,
    )


def _what(point: PointView) -> str:
    cash = "for CASH" if point.state is PointState.REFUSED else ""
    what = ", ".join(filter(None, (point.grade, cash, "choose the fuel" if point.choices else "")))
    return f" ({what})" if what else ""
