"""What is to be seen of a house, and time that passes in it until something is seen.

It must not know who does anything there; see `tests.station.house`.
"""

import asyncio
import inspect
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from controller.config import StationConfig
from controller.domain.books import Books
from controller.domain.days import BusinessDay
from controller.domain.desk import PointState, PointView, Snapshot
from controller.domain.records import Authorised, Body, Declined, Delivery, Record, kind_of
from controller.domain.seams import US_PER_MS, US_PER_S
from controller.station import Station
from controller.store.journal import Journal
from sim.faults import FaultyTwin
from sim.loop import VirtualClock, VirtualLoop

LOOK_MS = 50
ROUNDING_ML = 10
"""A display and a totaliser of hundredths each cut off less than this."""


class Seen:
    """The tiles, the books, the journal, the meters. Who puts the house together sets what is named here."""

    loop: VirtualLoop
    clock: VirtualClock
    folder: Path
    config: StationConfig
    journal: Journal
    station: Station
    pumps: dict[int, FaultyTwin]
    twins: dict[int, Any]
    _life: asyncio.Task[None] | None

    # ---- time

    @property
    def now_us(self) -> int:
        return self.loop.now_us

    async def wait(self, seconds: float) -> None:
        await self.until(lambda: False, seconds, fails=False)

    async def until(self, so: Callable[[], bool], seconds: float = 120, *, fails: bool = True) -> None:
        """Let time pass until it is so. AssertionError, with what the tiles show, if it is not in time."""
        deadline_us = self.now_us + round(seconds * US_PER_S)
        while not so():
            if self._life is not None and self._life.done() and not self._life.cancelled():
                self._life.result()
            if self.now_us >= deadline_us:
                if not fails:
                    return
                raise AssertionError(f"not so within {seconds} s of virtual time: {inspect.getsource(so).strip()}")
            await self.clock.sleep_until(min(self.now_us + LOOK_MS * US_PER_MS, deadline_us))

    async def state(self, number: int, *states: PointState, seconds: float = 120) -> None:
        """Until the tile shows one of these."""
        await self.until(lambda: self.point(number).state in states, seconds)

    # ---- what can be seen

    @property
    def snapshot(self) -> Snapshot:
        return self.station.snapshot()

    @property
    def books(self) -> Books:
        return self.station.site.books

    def point(self, number: int = 1) -> PointView:
        return next(point for point in self.snapshot.points if point.number == number)

    def trouble(self, where: str) -> str:
        return next((trouble.text for trouble in self.snapshot.troubles if trouble.where == where), "")

    @property
    def records(self) -> list[Record]:
        """All that is in the journal, in order."""
        return [body.record for body in self.journal.bodies_after(0, 100_000)]

    @property
    def kinds(self) -> list[str]:
        return [kind_of(record) for record in self.records]

    def story(self) -> list[str]:
        """The kinds of the journal's rows, without starts and readings of totalisers."""
        return [kind for kind in self.kinds if kind not in {"started", "totaliser", "stopped"}]

    @property
    def deliveries(self) -> list[Delivery]:
        return [record for record in self.records if isinstance(record, Delivery)]

    @property
    def authorised(self) -> list[Authorised]:
        return [record for record in self.records if isinstance(record, Authorised)]

    @property
    def reasons(self) -> list[str]:
        """Why tokens were refused, by the journal."""
        return [str(record.reason) for record in self.records if isinstance(record, Declined)]

    def copy_of_disk(self) -> list[Body]:
        """The journal as a power cut at this moment would leave it: from a copy of its files."""
        place = self.folder / "after-a-power-cut"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name in ("journal.db", "journal.db-wal"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, place / name)
        journal = Journal(place / "journal.db")
        try:
            return list(journal.replay())
        finally:
            journal.close()

    def meters_ml(self, number: int | None = None) -> int:
        """The pump's own counters, of all its nozzles; of all pumps, if none is named."""
        twins = self.twins.values() if number is None else [self.twins[number]]
        return sum(
            twin.head.totaliser_ml(nozzle, self.now_us)
            for twin in twins
            for nozzle in range(1, len(twin.head.nozzles) + 1)
        )

    def given_ml(self) -> int:
        """What really ran out of all pumps, whatever their counters say."""
        return sum(pump.head.given_ml(self.now_us) for pump in self.pumps.values())

    def assert_books_agree(self, deliveries: int | None = None) -> None:
        """The meters are the books, and the books are the file: the chain is checked on the way."""
        again = read_books_of(self.copy_of_disk(), self.config)
        assert again.sums == self.books.sums
        assert again.unpaid.keys() == self.books.unpaid.keys()
        assert again.open.keys() == self.books.open.keys()
        sums = self.books.sums
        assert abs(sums.volume_ml + sums.unrecorded_ml - self.meters_ml()) < ROUNDING_ML * (sums.deliveries + 1)
        if deliveries is not None:
            assert sums.deliveries == deliveries


def read_books_of(bodies: Sequence[Body], config: StationConfig) -> Books:
    """The books that rows make."""
    books = Books(BusinessDay(config.zone, config.file.station.business_day_starts))
    for body in bodies:
        books.apply(body)
    return books
