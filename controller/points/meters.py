"""The totalisers of one fuelling point, held against the books at every reading.

`controller.domain.meters` says what a movement means; here it is asked, with the time that has passed, and what comes
of it becomes records and troubles. Knows no pump, no decision and no till.
"""

import logging
from dataclasses import dataclass

import msgspec

from controller.domain.meters import Agrees, Changed, Finding, Meter, Short, Unrecorded, back_by, compare, forward_by
from controller.domain.quantities import Unit, volume_text
from controller.domain.records import (
    Delivery,
    MeterChanged,
    Record,
    TotaliserMismatch,
    TotaliserRead,
    UnrecordedDelivery,
)
from controller.domain.seams import US_PER_MS, Now
from controller.site import Site

log = logging.getLogger("forecourt.point")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A reading of this run of the controller, that agreed or was booked."""

    totaliser_ml: int
    at: Now


class Meters:
    """Compares readings of one point's nozzles with the books."""

    def __init__(self, site: Site, number: int, how: Meter) -> None:
        self._site = site
        self._number = number
        self.how = how
        self._seen: dict[int, _Seen] = {}

    def show_troubles(self) -> None:
        """Say again what the journal says is wrong: a restart mends no meter."""
        for point, nozzle in self._site.books.mismatched:
            if point == self._number:
                self._say(nozzle)

    async def read(self, nozzle: int, totaliser_ml: int) -> tuple[Record, ...]:
        """A reading while nothing runs: what lies between it and the books left while nobody listened.

        Returns the rows that say so; none if it says what the books say.
        """
        now = self._site.clock.now()
        if rows := self._reading(nozzle, totaliser_ml, now):
            await self._site.write_surely(*rows)
            self._say(nozzle)
        self._seen[nozzle] = _Seen(totaliser_ml, now)
        return rows

    def _reading(self, nozzle: int, totaliser_ml: int, now: Now) -> tuple[Record, ...]:
        """The rows of a reading; none if it says what the books say."""
        here = TotaliserRead(self._number, nozzle, totaliser_ml)
        known_ml, untold_ml = self._site.books.totaliser_ml(self._number, nozzle), self._untold_ml(nozzle)
        if known_ml is None:
            return (here,)
        found = self._found(nozzle, known_ml, totaliser_ml, now, untold_ml)
        if isinstance(found, Short):
            return self._mismatch(nozzle, untold_ml, known_ml, totaliser_ml, found), here
        record = self._record(nozzle, self.stands_ml(nozzle) or 0, totaliser_ml, found)
        if record is None:
            return (here,) if untold_ml else ()
        return (record,)

    def stands_ml(self, nozzle: int) -> int | None:
        """Where the totaliser stands by all that the books know; None if it was never read."""
        known_ml = self._site.books.totaliser_ml(self._number, nozzle)
        return None if known_ml is None else forward_by(self.how, known_ml, self._untold_ml(nozzle))

    def rows(self, delivery: Delivery) -> tuple[Record, ...]:
        """The rows of a delivery: what ran before it, itself, and what its totaliser did not count."""
        before_ml, after_ml, nozzle = delivery.totaliser_before_ml, delivery.totaliser_after_ml, delivery.nozzle
        if after_ml is None:
            return (delivery,)
        now = self._site.clock.now()
        if before_ml is None:
            self._seen[nozzle] = _Seen(after_ml, now)
            return (delivery,)
        untold_ml = self._untold_ml(nozzle)
        sold_ml = delivery.volume_ml + untold_ml
        found = self._found(nozzle, before_ml, after_ml, now, sold_ml)
        self._seen[nozzle] = _Seen(after_ml, now)
        if isinstance(found, Short):
            return delivery, self._mismatch(nozzle, sold_ml, before_ml, after_ml, found)
        began_ml = back_by(self.how, after_ml, delivery.volume_ml)
        missing = self._record(nozzle, forward_by(self.how, before_ml, untold_ml), began_ml, found)
        if missing is None and not untold_ml:
            return (delivery,)
        begun = msgspec.structs.replace(delivery, totaliser_before_ml=began_ml)
        return (begun,) if missing is None else (missing, begun)

    def booked(self, nozzle: int) -> None:
        """A delivery of this nozzle is in the books."""
        self._say(nozzle)

    # ---- inside

    def _untold_ml(self, nozzle: int) -> int:
        """What deliveries gave since the books' reading, without one of their own: it is no fuel that nobody knows."""
        return self._site.books.untold_ml.get((self._number, nozzle), 0)

    def _mismatch(self, nozzle: int, sold_ml: int, before_ml: int, after_ml: int, found: Short) -> TotaliserMismatch:
        return TotaliserMismatch(self._number, nozzle, sold_ml, before_ml, after_ml, found.missing_ml)

    def _found(self, nozzle: int, before_ml: int, after_ml: int, now: Now, sold_ml: int = 0) -> Finding:
        return compare(self.how, before_ml, after_ml, self._elapsed_ms(nozzle, before_ml, now), sold_ml)

    def _elapsed_ms(self, nozzle: int, before_ml: int, now: Now) -> int | None:
        """Since the last reading: exactly within one run, by the wall clock across runs, None if that went back."""
        seen = self._seen.get(nozzle)
        if seen is not None and seen.totaliser_ml == before_ml:
            return (now.mono_us - seen.at.mono_us) // US_PER_MS
        elapsed_ms = now.wall_ms - self._from_ms(nozzle, before_ml)
        return elapsed_ms if elapsed_ms >= 0 else None

    def _from_ms(self, nozzle: int, before_ml: int) -> int:
        """When the totaliser was last known to stand there."""
        seen = self._seen.get(nozzle)
        if seen is not None and seen.totaliser_ml == before_ml:
            return seen.at.wall_ms
        known = self._site.books.totaliser.get((self._number, nozzle))
        return known.at_ms if known is not None else 0

    def _record(self, nozzle: int, before_ml: int, after_ml: int, found: Finding) -> Record | None:
        where = f"point {self._number} nozzle {nozzle}"
        match found:
            case Unrecorded(volume_ml):
                log.warning("%s: %d ml left the pump unrecorded", where, volume_ml)
                from_ms, to_ms = self._from_ms(nozzle, before_ml), self._site.wall_ms
                return UnrecordedDelivery(self._number, nozzle, volume_ml, before_ml, after_ml, from_ms, to_ms)
            case Changed():
                log.warning("%s: the totaliser jumped from %d to %d ml: no fuel", where, before_ml, after_ml)
                return MeterChanged(self._number, nozzle, before_ml, after_ml)
            case Agrees() | Short():
                return None

    def _say(self, nozzle: int) -> None:
        wrong = self._site.books.mismatched.get((self._number, nozzle))
        where = f"meter of pump {self._number}, nozzle {nozzle}"
        if wrong is None:
            self._site.trouble(where, None)
            return
        volume = volume_text(wrong.volume_ml, Unit.LITRE).removesuffix(" l")
        missing = volume_text(wrong.missing_ml, Unit.LITRE).removesuffix(" l")
        stuck = wrong.totaliser_before_ml == wrong.totaliser_after_ml
        what = "did not move" if stuck else f"counted {missing} too little"
        self._site.trouble(
            where,
            f"The totaliser {what} during a delivery of {volume}: compare it with the pump's own counter and call "
            "service; until it counts again, fuel that is taken unseen stays unseen",
        )
