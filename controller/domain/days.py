"""The business day: which day a moment belongs to, in the station's time zone. Knows no clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from controller.domain.seams import MS_PER_S


class BusinessDay:
    """Days that begin at `starts_hour` local time: at 4, a sale at 03:59 belongs to the day before."""

    def __init__(self, zone: ZoneInfo, starts_hour: int) -> None:
        self.zone = zone
        self.starts_hour = starts_hour

    def of(self, wall_ms: int) -> int:
        """The day of a UTC moment as a proleptic ordinal (date.toordinal)."""
        # Local wall time is shifted, not the moment: the day begins at the same hour on both sides of a clock change.
        local = local_time(wall_ms, self.zone).replace(tzinfo=None) - timedelta(hours=self.starts_hour)
        return local.toordinal()


def local_time(wall_ms: int, zone: ZoneInfo) -> datetime:
    """A UTC moment as local time, to the second."""
    return datetime.fromtimestamp(wall_ms // MS_PER_S, UTC).astimezone(zone)
