"""The limits of a decision: what each leaves, which is the smallest, and what of it a pump is told.

Pure arithmetic over a list row and what was used. Knows no token, list or pump.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controller.domain.lists import Cap, Level, ListRow, Measure, Window
from controller.domain.quantities import Currency, UnitPrice, amount_for, volume_for
from controller.domain.records import Limits

_ORDER = [(window, level) for window in Window for level in Level]


@dataclass(frozen=True, slots=True)
class Left:
    """What a limit of the row leaves: `most` of it were there nothing used, and `used`."""

    cap: Cap
    used: int

    def of(self, percent: int) -> int:
        """What is left of so many percent of it; deliveries are counted and never shrink."""
        most = self.cap.most if self.cap.measure is Measure.FILLS else self.cap.most * percent // 100
        return most - self.used


@dataclass(frozen=True, slots=True)
class Bound:
    """Something that bounds a delivery: in thousandths of the unit, or in minor units of money."""

    name: str
    measure: Measure
    most: int


def own_caps(row: ListRow) -> tuple[Cap, ...]:
    """The token's own limits of the row's first columns."""
    columns = (
        (Window.FILL, Measure.VOLUME, row.fill_ml),
        (Window.FILL, Measure.AMOUNT, row.fill_minor),
        (Window.DAY, Measure.VOLUME, row.day_ml),
        (Window.DAY, Measure.AMOUNT, row.day_minor),
    )
    return tuple(Cap(Level.CARD, window, measure, most) for window, measure, most in columns if most)


def lefts(row: ListRow, used_day_ml: int, used_day_minor: int, used: Sequence[int]) -> list[Left]:
    """All limits of a row, a fill's first, then day, week and month; `used` is by limit of `row.caps`."""
    day = {Measure.VOLUME: used_day_ml, Measure.AMOUNT: used_day_minor}
    own = [Left(cap, 0 if cap.window is Window.FILL else day[cap.measure]) for cap in own_caps(row)]
    more = [Left(cap, used[index] if index < len(used) else 0) for index, cap in enumerate(row.caps)]
    return sorted(own + more, key=lambda left: _ORDER.index((left.cap.window, left.cap.level)))


def bounds_of(found: Iterable[Left], percent: int = 100) -> list[Bound]:
    """What limits bound a delivery by. A shrunken one is a bound beside the whole one, with a name of its own."""
    prefix = "" if percent >= 100 else "offline_"
    return [
        Bound(prefix + left.cap.name, left.cap.measure, max(left.of(percent), 0))
        for left in found
        if left.cap.measure is not Measure.FILLS
    ]


def smallest(bounds: Iterable[Bound]) -> Limits:
    """The smallest of each measure, and the names of the two; of equal ones the first."""
    held: dict[Measure, Bound] = {}
    for bound in bounds:
        if bound.measure not in held or bound.most < held[bound.measure].most:
            held[bound.measure] = bound
    volume, amount = held.get(Measure.VOLUME), held.get(Measure.AMOUNT)
    by = ",".join(f"{bound.measure}:{bound.name}" for bound in (volume, amount) if bound is not None)
    return Limits(volume.most if volume else None, amount.most if amount else None, by)


def wanted_bounds(wanted_ml: int | None, wanted_minor: int | None) -> list[Bound]:
    """What the attendant or driver asked for."""
    wishes = ((Measure.VOLUME, wanted_ml), (Measure.AMOUNT, wanted_minor))
    return [Bound("preset", measure, most) for measure, most in wishes if most is not None]


def preset_of(limits: Limits, price: UnitPrice, currency: Currency) -> tuple[int | None, int | None]:
    """The one preset a pump takes, as (volume_ml, amount_minor): the smaller limit at the frozen price.

    (None, None) where nothing is limited.
    """
    if limits.amount_minor is None:
        return limits.volume_ml, None
    if limits.volume_ml is None:
        return None, limits.amount_minor
    if limits.volume_ml <= volume_for(limits.amount_minor, price, currency):
        return limits.volume_ml, None
    return None, limits.amount_minor


def binding(limits: Limits, price: UnitPrice | None, currency: Currency) -> str:
    """The name of the limit that a delivery comes to first; empty where nothing is limited."""
    names = dict(part.split(":", 1) for part in limits.by.split(",") if ":" in part)
    if len(names) < 2:
        return next(iter(names.values()), "")
    volume = price is None or price.value <= 0 or preset_of(limits, price, currency)[0] is not None
    return names[Measure.VOLUME if volume else Measure.AMOUNT]


def margin_minor(overrun_ml: int, price: UnitPrice, currency: Currency) -> int:
    """What a pump may run past its preset, in money, rounded up: kept back where a bound is hard."""
    return amount_for(overrun_ml, price, currency) + 1 if overrun_ml else 0


def cost_minor(limits: Limits, overrun_ml: int, price: UnitPrice, currency: Currency) -> int | None:
    """What a delivery within these limits costs at most, overrun included; None where they bound nothing."""
    volume_ml, amount_minor = preset_of(limits, price, currency)
    if volume_ml is not None:
        return amount_for(volume_ml + overrun_ml, price, currency) + 1
    return None if amount_minor is None else amount_minor + margin_minor(overrun_ml, price, currency)
