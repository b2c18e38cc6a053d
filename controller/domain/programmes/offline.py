"""What a station may give while headquarters is away: a limit that shrinks with the age of the last contact. Pure."""

from controller.domain.programmes.rules import OfflineRule

MS_PER_HOUR = 3_600_000
ALL_PERCENT = 100


def share_percent(rule: OfflineRule | None, age_ms: int) -> int:
    """The share of a limit that is left, so long after the last contact. Without a rule, nothing is left."""
    if rule is None:
        return 0
    for rung in rule.ladder:
        if age_ms < rung.hours * MS_PER_HOUR:
            return rung.percent
    return rule.floor_percent


def offline_limit(rule: OfflineRule | None, allotted: int, spent: int, age_ms: int) -> int:
    """What is left to spend of what was allotted to one station, in points or minor units, rounded down.

    Headquarters allots no more than there is, so that all stations together cannot spend more.
    """
    return max(allotted * share_percent(rule, age_ms) // ALL_PERCENT - spent, 0)
