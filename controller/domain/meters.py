"""What two readings of a totaliser mean: nothing, fuel that nobody recorded, or another meter.

A totaliser counts up and rolls over. What it moved beyond what was sold is fuel, as long as a pump can have dispensed
it in the time between; what no pump could have, in either direction, is another meter, and never fuel. A totaliser
that moved less than the display said is told as short. Knows no clock, journal or protocol.
"""

from dataclasses import dataclass

from controller.domain.quantities import power_of_ten
from controller.domain.seams import MS_PER_S

THOUSANDTHS = 3
"""Volumes are counted in thousandths of a unit."""
FLOW_LIMIT_ML_PER_S = 2_500
"""150 litres a minute: more than the hoses for lorries give."""
SLACK_S = 10
"""Readings take a while and clocks are set by some seconds: so much longer than measured a pump may have run."""
DAY_S = 86_400
UNKNOWN_TIME_S = DAY_S
"""Where the clock was set back, nobody knows how long it was. A pump that ran at its limit for a day has given more
than any station sells in a week, so no fuel is lost by this bound."""
TIME_S_MAX = 31 * DAY_S
"""A clock that was set forward by years must not make every jump possible."""


@dataclass(frozen=True, slots=True)
class Meter:
    """How one nozzle is counted. `step_ml`: of the totaliser; `display_step_ml`: of what a delivery says."""

    step_ml: int = 10
    display_step_ml: int = 10
    modulus_ml: int = 10 * 10**10
    flow_limit_ml_per_s: int = FLOW_LIMIT_ML_PER_S


@dataclass(frozen=True, slots=True)
class Agrees:
    """All that the totaliser counted is known."""


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """So much fuel left and is in no delivery."""

    volume_ml: int


@dataclass(frozen=True, slots=True)
class Changed:
    """No pump can have dispensed this: another meter, or its memory was lost."""


@dataclass(frozen=True, slots=True)
class Short:
    """The delivery's volume is so much more than the totaliser moved. `stuck`: it did not move at all."""

    missing_ml: int
    stuck: bool


Finding = Agrees | Unrecorded | Changed | Short


def meter(*, volume_decimals: int, totaliser_decimals: int, totaliser_digits: int, flow_limit_ml_per_s: int) -> Meter:
    """The meter of a pump that counts with these digits."""
    step_ml = power_of_ten(THOUSANDTHS - totaliser_decimals)
    return Meter(
        step_ml=step_ml,
        display_step_ml=power_of_ten(THOUSANDTHS - volume_decimals),
        modulus_ml=step_ml * power_of_ten(totaliser_digits),
        flow_limit_ml_per_s=flow_limit_ml_per_s,
    )


def compare(how: Meter, before_ml: int, after_ml: int, elapsed_ms: int | None, sold_ml: int = 0) -> Finding:
    """What became of the fuel between two readings, `sold_ml` of which a delivery says. `elapsed_ms` None: unknown.

    Without a delivery each whole step counts. With one, display and totaliser each cut off less than a step, so a
    difference of one step is none.
    """
    ran_ml = moved_ml(how, before_ml, after_ml)
    gap_ml = ran_ml - sold_ml
    if sold_ml and abs(gap_ml) <= max(how.step_ml, how.display_step_ml):
        return Agrees()
    if gap_ml < 0:
        return Short(-gap_ml, stuck=ran_ml == 0)
    if gap_ml < how.step_ml:
        return Agrees()
    # More than half way round is a counter that went back: another meter, however long nobody listened.
    return Unrecorded(gap_ml) if gap_ml <= min(possible_ml(how, elapsed_ms), how.modulus_ml // 2) else Changed()


def possible_ml(how: Meter, elapsed_ms: int | None) -> int:
    """The most that a pump can have dispensed in this time, with some slack."""
    if elapsed_ms is None or elapsed_ms < 0:
        elapsed_ms = UNKNOWN_TIME_S * MS_PER_S
    elapsed_ms = min(elapsed_ms, TIME_S_MAX * MS_PER_S) + SLACK_S * MS_PER_S
    return how.flow_limit_ml_per_s * elapsed_ms // MS_PER_S


def moved_ml(how: Meter, before_ml: int, after_ml: int) -> int:
    """By how much it counted up, whether it rolled over or not."""
    return (after_ml - before_ml) % how.modulus_ml


def forward_by(how: Meter, before_ml: int, sold_ml: int) -> int:
    """The reading after a delivery, from the one before it."""
    return (before_ml + sold_ml) % how.modulus_ml


def back_by(how: Meter, after_ml: int, sold_ml: int) -> int:
    """The reading before a delivery, from the one after it."""
    return (after_ml - sold_ml) % how.modulus_ml
