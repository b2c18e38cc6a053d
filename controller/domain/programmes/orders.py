"""Orders: dated tables of volume tiers, and the discount a month's volume gets by them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.domain.programmes.rules import Tier
from controller.domain.quantities import MILLI


@dataclass(frozen=True, slots=True)
class Order:
    """`valid_from`: the first day it holds (date.toordinal). A later order replaces it whole."""

    name: str
    valid_from: int
    tiers: tuple[Tier, ...]

    def tier(self, volume_ml: int) -> Tier | None:
        """The highest tier that a month's volume reaches."""
        reached = [tier for tier in self.tiers if tier.from_ml <= volume_ml]
        return max(reached, key=lambda tier: tier.from_ml) if reached else None


def in_force(orders: Iterable[Order], day: int) -> Order | None:
    """The order with the latest first day that is not after `day`; of two, the one published later."""
    found: Order | None = None
    for order in orders:
        if order.valid_from <= day and (found is None or order.valid_from >= found.valid_from):
            found = order
    return found


def discount_minor(volume_ml: int, tier: Tier) -> int:
    """For the whole month's volume at once, rounded down once."""
    return volume_ml * tier.discount_per_m3_minor // MILLI
