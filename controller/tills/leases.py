"""Which till has which delivery open: one at a time, and for a while. Knows no payment, and no till's rights."""

from dataclasses import dataclass

from controller.domain.desk import LEASE_MS
from controller.domain.names import RowName
from controller.domain.seams import US_PER_MS
from controller.site import Site


@dataclass(slots=True)
class _Lease:
    till: str
    until_us: int


class Leases:
    """Those of one station. They end with the program."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._leases: dict[RowName, _Lease] = {}

    def holder(self, delivery: RowName) -> str:
        """The till that has this delivery open, or empty."""
        lease = self._leases.get(delivery)
        if lease is None or lease.until_us <= self._site.clock.now().mono_us:
            self._leases.pop(delivery, None)
            return ""
        return lease.till

    def take(self, delivery: RowName, till: str) -> None:
        """This till has it open from now on."""
        until_us = self._site.clock.now().mono_us + LEASE_MS * US_PER_MS
        self._leases[delivery] = _Lease(till, until_us)
        self._site.clock.call_at(until_us, self._site.changed)
        self._site.changed()

    def end(self, delivery: RowName) -> None:
        """Nobody has it open."""
        if self._leases.pop(delivery, None) is not None:
            self._site.changed()
