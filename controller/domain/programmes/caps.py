"""Limits of what can be earned, over all stations together: of one sale, of a day, of a day's sales. Pure."""

from controller.domain.programmes.reasons import Reason


def cut_points(caps: dict[str, int], points: int, day_points: int, day_sales: int) -> tuple[int, Reason | None]:
    """Points of a sale after the limits, where the holder's day has `day_points` and `day_sales` already.

    The tightest limit gives the reason; of two that leave the same, the day's points, the day's sales, the sale.
    """
    left, reason = points, None
    room = max(caps["day_points"] - day_points, 0) if "day_points" in caps else points
    if room < left:
        left, reason = room, Reason.DAILY_POINTS_CAP
    if left > 0 and "day_sales" in caps and day_sales >= caps["day_sales"]:
        left, reason = 0, Reason.DAILY_SALES_CAP
    if caps.get("sale_points", points) < left:
        left, reason = caps["sale_points"], Reason.SALE_CAP
    return left, reason
