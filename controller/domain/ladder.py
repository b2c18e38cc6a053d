"""What a station decides by, beside its list: the ladder, and what pumps may run over.

The longer headquarters has not been heard, the smaller the limits. Knows no clock and no link.
"""

import msgspec

MS_PER_HOUR = 3_600_000
ODOMETER_KM_A_DAY = 2_000
"""A lorry that two drive in turn does not come so far."""


class Step(msgspec.Struct, frozen=True, array_like=True):
    """Until so many hours after the last contact, so many percent."""

    hours: int
    percent: int


class Ladder(msgspec.Struct, frozen=True, array_like=True):
    """`steps`, their hours growing; after the last one `floor_percent`."""

    steps: tuple[Step, ...] = (Step(12, 100), Step(24, 70))
    floor_percent: int = 30

    def percent(self, age_ms: int | None) -> int:
        """For a last contact so long ago; None, for a station without headquarters, is always the whole limit."""
        if age_ms is None:
            return 100
        for step in self.steps:
            if age_ms < step.hours * MS_PER_HOUR:
                return step.percent
        return self.floor_percent


class Rules(msgspec.Struct, frozen=True):
    """A station's own rules. `overrun_ml`: what its pumps may run past a preset.

    `odometer_km_a_day`: by how much an odometer may grow; 0: it has no upper bound.
    """

    ladder: Ladder
    overrun_ml: int
    odometer_km_a_day: int = ODOMETER_KM_A_DAY
