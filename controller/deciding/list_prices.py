"""Takes headquarters' prices from the list when they begin to hold: on disk first, then at each pump as it is idle.

Runs at a station whose station.toml says `prices.set_by = "list"`. Which price it is, is said in
`controller.domain.list_prices`. Knows no pump's protocol, no till and no file.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

from controller.domain.days import local_time
from controller.domain.list_entries import Catalogue, ListPrice
from controller.domain.list_prices import SteadyTime, in_force, next_ms, prices_of, to_take
from controller.domain.prices import PriceField, price_shown
from controller.domain.quantities import same_price
from controller.domain.records import PriceChanged, PriceSource
from controller.domain.seams import US_PER_MS, ClockQuality
from controller.site import Site
from controller.store.writer import JournalUnwritable

EVERY_MS = 5_000
"""So often it looks for a new list, and at the clock, which may have been set."""

log = logging.getLogger("forecourt.station")


class ListPrices:
    """The list's prices at one station. `start()` it before the pumps are told anything, then `run()` it."""

    def __init__(
        self, site: Site, fields: Mapping[str, Sequence[PriceField]], on_change: Callable[[str], None]
    ) -> None:
        """`fields`, by grade: what its pumps can show. `on_change` hears of each grade whose price is another now."""
        self._site = site
        self._fields = fields
        self._on_change = on_change
        self._catalogue: Catalogue | None = None
        """The last that could be read: a list that cannot be read now takes no price from headquarters' hands."""
        self._own: dict[str, tuple[ListPrice, ...]] = {}
        """Of that list, by grade: a network may have many prices for many stations."""
        self._time = SteadyTime()

    def sets(self, grade: str) -> bool:
        """Whether the list names a price of this grade for this station, of now or later."""
        if self._catalogue is None:
            self._read()
        return bool(self._own.get(grade))

    async def start(self) -> None:
        """Take what has begun to hold while the controller was down."""
        await self._look(lambda grade: None)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            wait_ms = await self._look(self._on_change)
            clock = self._site.clock
            await clock.sleep_until(clock.now().mono_us + wait_ms * US_PER_MS)

    async def _look(self, on_change: Callable[[str], None]) -> int:
        """Take what holds now. Returns in how many milliseconds to look again."""
        self._read()
        clock = self._site.clock
        now_ms = self._time.read(clock.now(), clock.quality)
        wait_ms = EVERY_MS
        for grade in self._site.file_grades:
            own = self._own.get(grade, ())
            try:
                await self._take(grade, own, now_ms, on_change)
            except JournalUnwritable as error:
                log.warning("the list's price of %s could not be written, it is tried again: %s", grade, error)
            due_ms = next_ms(own, now_ms)
            if due_ms is not None:
                wait_ms = min(wait_ms, due_ms - now_ms)
        return wait_ms

    async def _take(self, code: str, own: Sequence[ListPrice], now_ms: int, on_change: Callable[[str], None]) -> None:
        site = self._site
        price, changed = site.grade(code).price, site.books.prices.get(code)
        sure = site.clock.quality is not ClockQuality.FREE_RUNNING
        due = to_take(own, price, changed, now_ms, sure=sure)
        trouble = ""
        if due is None:
            trouble = self._doubt(own, changed, now_ms)
        else:
            try:
                shown = price_shown(due.price, self._fields.get(code, ()))
            except ValueError as error:
                trouble = (
                    f"Headquarters' price of {code} from {self._moment(due.from_ms)} is not taken ({error}): it stays "
                    f"{price}. Ask headquarters for a price that the pumps can show"
                )
            else:
                assert self._catalogue is not None  # there is no price without a list
                file_price = site.file_grades[code].price
                version = self._catalogue.version
                source = PriceSource.HEADQUARTERS
                await site.write(PriceChanged(code, shown, file_price, "", "", source, version, due.from_ms))
                if not same_price(shown, price):
                    on_change(code)
        site.trouble(f"price of {code}", trouble or None)

    def _doubt(self, own: Sequence[ListPrice], changed: PriceChanged | None, now_ms: int) -> str:
        """A sentence where a price waits, or came too early, because of the clock."""
        site = self._site
        later = in_force(own, site.wall_ms)
        if self._time.doubts and later is not None and later.from_ms > now_ms:
            return (
                f"The clock was set forward, and by it headquarters' price of {later.price} from "
                f"{self._moment(later.from_ms)} holds: it is taken within an hour. Is the clock right? "
                "Restart the controller to take it now"
            )
        if changed is None or changed.source is not PriceSource.HEADQUARTERS or changed.from_ms <= now_ms:
            return ""
        early = (
            f"The price of {changed.grade} is headquarters' {changed.price} from {self._moment(changed.from_ms)}, and "
            "by this clock that is still to come"
        )
        if in_force(own, now_ms) is None:
            return f"{early}. It stays, since none on the list holds now: ask headquarters for one"
        return (
            f'{early}: set the clock right. If it is right, set prices.set_by = "desk" in station.toml, restart, and '
            "change the price here"
        )

    def _read(self) -> None:
        catalogue = self._site.lists.catalogue()
        if catalogue is not None and catalogue is not self._catalogue:
            site, self._catalogue = self._site, catalogue
            self._own = {grade: prices_of(catalogue.prices, grade, site.station) for grade in site.file_grades}

    def _moment(self, at_ms: int) -> str:
        return f"{local_time(at_ms, self._site.books.business_day.zone):%Y-%m-%d %H:%M}"
