"""Prices that headquarters sets by the list: taken when they begin to hold, and then as a change at the desk is."""

import functools
from pathlib import Path
from unittest import mock

import pytest

from controller.config import parse
from controller.domain.desk import ChangePrice, PointState
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import Reason
from controller.domain.records import PriceChanged, PriceSource
from controller.domain.seams import ClockQuality
from controller.store.whitelist_file import Provenance
from controller.store.whitelist_import import Way, import_files
from sim.loop import VirtualClock
from tests.station.house import CARDS_CSV, DIESEL, GASOLINE, START_MS, House, _toml, story

OLD, NEW, NEXT = UnitPrice(4412, 2), UnitPrice(4510, 2), UnitPrice(4620, 2)
BY_LIST = '\n[prices]\nset_by = "list"\n'
NOW, SOON = "2026-01-01T03:00+03:00", "2026-01-01T03:10+03:00"
"""When the story begins, and ten minutes later."""
YESTERDAY, TOMORROW = "2025-12-31T06:00+03:00", "2026-01-02T06:00+03:00"


class Priced(House):
    """A house whose prices are headquarters'."""

    def __init__(self, *given: object, **settings: object) -> None:
        super().__init__(*given, **settings)  # type: ignore[arg-type]
        self.config = parse(_toml(self.yard) + BY_LIST, self.folder / "station.toml")

    def publish(self: House, *rows: str, version: int = 1) -> None:
        """Put a list with these prices in place: `diesel,45.10,MOMENT,STATIONS`."""
        sources = {"cards.csv": CARDS_CSV, "prices.csv": "\n".join(["price_of,price,from,stations", *rows, ""])}
        for name, text in sources.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        way = Way(self._list_secret, self.config.currency, self.config.zone)
        files: list[Path] = [self.folder / name for name in sources]
        import_files(self.list_path, files, way, Provenance(version, 0, "", ""))

    @property
    def changes(self) -> list[PriceChanged]:
        return [record for record in self.records if isinstance(record, PriceChanged)]

    async def restart(self) -> None:
        await self.kill()
        await self.start()
        await self.state(1, PointState.IDLE)
        await self.wait(3)

    async def change(self: House, grade: str = "diesel", price: str = "44.99") -> str:
        result = await self.command(ChangePrice(self.next_id(), grade, price))
        return "done" if result.done else result.reason


priced = functools.partial(story, kind=Priced)


@priced()
async def test_a_price_is_at_the_pumps_from_its_moment_on(house: Priced) -> None:
    house.publish(f"diesel,45.10,{SOON},", version=7)
    await house.wait(9 * 60)
    assert house.head(1).price(DIESEL) == OLD
    assert not house.changes
    await house.wait(75)
    assert house.head(1).price(DIESEL) == NEW
    change = house.changes[0]
    assert change == PriceChanged("diesel", NEW, OLD, "", "", PriceSource.HEADQUARTERS, 7, START_MS + 600_000)
    await house.cash_delivery(1, 10_000)
    assert house.deliveries[-1].amount_minor == 45_100
    await house.wait(60)
    assert len(house.changes) == 1


@priced()
async def test_who_fuels_at_that_moment_pays_the_price_that_was_authorised(house: Priced) -> None:
    await house.calls(1)
    await house.authorise(1)
    house.squeeze(1, 10_000)
    await house.shown_ml(3_000)
    house.publish(f"diesel,45.10,{YESTERDAY},")
    await house.until(lambda: bool(house.changes), 10)
    await house.wait(1)
    assert "Still the old price" in house.point(1).text
    assert house.head(2).price(DIESEL) == NEW, "it was idle"
    await house.shown_ml(10_000)
    house.hang_up(1)
    await house.state(1, PointState.IDLE)
    await house.wait(20)
    assert house.deliveries[0].amount_minor == 44_120
    assert not house.point(1).text
    assert house.head(1).price(DIESEL) == NEW


@priced()
async def test_what_began_while_the_controller_was_down_holds_from_the_start_and_stays(house: Priced) -> None:
    await house.kill()
    house.publish(f"diesel,44.80,{YESTERDAY},", f"diesel,45.10,{NOW},")
    await house.start()
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    assert [change.price for change in house.changes] == [NEW], "yesterday's is over"
    await house.restart()
    assert len(house.changes) == 1
    assert house.head(1).price(DIESEL) == NEW


@pytest.mark.parametrize(
    "rows",
    [
        [f"diesel,45.10,{NOW},TR-9999"],
        [f"kerosene,45.10,{NOW},"],
        [f"diesel,45.10,{TOMORROW},"],
    ],
    ids=["of another station", "of a grade that is not sold here", "to come"],
)
@priced()
async def test_other_prices_of_the_network_do_no_harm(house: Priced, rows: list[str]) -> None:
    house.publish(*rows)
    await house.wait(60)
    assert not house.changes
    assert not house.snapshot.troubles


@priced()
async def test_a_price_of_its_own_goes_before_the_one_for_all(house: Priced) -> None:
    station = house.config.file.station.id
    house.publish(f"diesel,45.10,{NOW},{station};TR-0002", f"diesel,46.20,{NOW},")
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)


@priced()
async def test_the_desk_does_not_change_what_headquarters_sets_and_only_that(house: Priced) -> None:
    house.publish(f"diesel,45.10,{TOMORROW},")
    await house.wait(10)
    assert await house.change() == Reason.PRICE_BY_HEADQUARTERS
    assert await house.change("autogas", "24.00") == "done"
    house.list_path.unlink()
    await house.wait(10)
    assert await house.change() == Reason.PRICE_BY_HEADQUARTERS, "nobody said otherwise meanwhile"


@story()
async def test_where_the_desk_sets_prices_the_list_changes_none(house: House) -> None:
    await Priced.change(house)
    Priced.publish(house, f"diesel,45.10,{YESTERDAY},")
    await house.wait(30)
    assert house.head(1).price(DIESEL) == UnitPrice(4499, 2)


@priced()
async def test_a_price_that_the_pumps_cannot_show_is_said_and_the_old_one_stays(house: Priced) -> None:
    house.publish(f"diesel,45.101,{NOW},", f"autogas,12345.00,{NOW},")
    await house.wait(10)
    assert not house.changes
    assert "from 2026-01-01 03:00 is not taken ('45.101': the pumps of this grade show 2 decimals)" in house.trouble(
        "price of diesel"
    )
    assert "it stays 44.12" in house.trouble("price of diesel")
    assert "show at most 9999.99" in house.trouble("price of autogas")
    house.publish(f"diesel,45.10,{NOW},", version=2)
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    assert not house.trouble("price of diesel")


@priced()
async def test_an_edit_of_station_toml_does_not_go_before_headquarters(house: Priced) -> None:
    house.publish(f"diesel,45.10,{NOW},")
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    text = _toml().replace('price = "44.12"', 'price = "46.00"')
    house.config = parse(text + BY_LIST, house.folder / "station.toml")
    await house.restart()
    assert house.head(1).price(DIESEL) == NEW
    assert house.changes[-1].file_price == UnitPrice(4600, 2)
    house.config = parse(text, house.folder / "station.toml")
    await house.restart()
    assert house.head(1).price(DIESEL) == NEW, "the desk sets prices now, and has not yet"
    assert await house.change() == "done"


@priced()
async def test_an_older_list_and_a_corrected_one(house: Priced) -> None:
    house.publish(f"diesel,45.10,{NOW},", version=2)
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    house.publish(f"diesel,43.00,{YESTERDAY},", version=3)
    await house.wait(20)
    assert house.head(1).price(DIESEL) == NEW, "older than the one in force"
    house.publish(f"diesel,46.20,{NOW},", version=4)
    await house.until(lambda: house.head(1).price(DIESEL) == NEXT, 30)
    assert house.changes[-1].list_version == 4


@priced()
async def test_a_full_disk_puts_it_off(house: Priced) -> None:
    house.disk_full = lambda records: isinstance(records[0], PriceChanged)
    house.publish(f"diesel,45.10,{NOW},")
    await house.wait(20)
    assert house.head(1).price(DIESEL) == OLD
    house.disk_full = None
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)


class Drifting(VirtualClock):
    """A wall clock that nobody keeps right, and that somebody may set."""

    @property
    def quality(self) -> ClockQuality:
        return ClockQuality.FREE_RUNNING

    def set_by(self, hours: int) -> None:
        self.start_ms += hours * 3_600_000


@priced()
async def test_a_clock_that_is_set_forward_by_mistake_and_back_brings_no_price(house: Priced) -> None:
    await house.kill()
    clock = house.clock = Drifting(house.loop, START_MS)
    house.publish(f"diesel,45.10,{YESTERDAY},", f"diesel,46.20,{TOMORROW},")
    await house.start()
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    clock.set_by(48)
    await house.wait(20)
    assert house.head(1).price(DIESEL) == NEW
    assert "The clock was set forward" in house.trouble("price of diesel")
    clock.set_by(-48)
    await house.wait(20)
    assert not house.trouble("price of diesel")
    clock.set_by(48)
    with mock.patch("controller.domain.list_prices.SETTLE_MS", 60_000):
        await house.wait(90)
    assert house.head(1).price(DIESEL) == NEXT, "it has lasted"
    clock.set_by(-48)
    await house.wait(30)
    assert house.head(1).price(DIESEL) == NEXT, "forward only, while nobody knows which clock was right"
    assert "set the clock right" in house.trouble("price of diesel")


@priced()
async def test_a_clock_that_is_right_again_takes_back_what_came_too_early(house: Priced) -> None:
    house.publish(f"diesel,45.10,{YESTERDAY},", f"diesel,46.20,{TOMORROW},")
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    house.clock.start_ms += 48 * 3_600_000
    await house.until(lambda: house.head(1).price(DIESEL) == NEXT, 30)
    house.clock.start_ms -= 48 * 3_600_000
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    await house.wait(10)
    assert not house.snapshot.troubles
    assert [change.price for change in house.changes] == [NEW, NEXT, NEW]


@priced()
async def test_a_start_in_1970_keeps_the_price(house: Priced) -> None:
    house.publish("diesel,43.00,,", f"diesel,45.10,{NOW},")
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    await house.kill()
    house.clock = Drifting(house.loop, 0)
    await house.start()
    await house.wait(30)
    assert house.head(1).price(DIESEL) == NEW
    assert len(house.changes) == 1


@priced()
async def test_a_price_that_came_too_early_and_has_none_before_it_is_said(house: Priced) -> None:
    house.publish(f"diesel,45.10,{YESTERDAY},")
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    house.publish(f"diesel,46.20,{TOMORROW},", version=2)
    house.clock.start_ms += 48 * 3_600_000
    await house.until(lambda: house.head(1).price(DIESEL) == NEXT, 30)
    house.clock.start_ms -= 48 * 3_600_000
    await house.wait(30)
    assert house.head(1).price(DIESEL) == NEXT
    assert "46.20 from 2026-01-02 06:00" in house.trouble("price of diesel")
    assert "none on the list holds now: ask headquarters for one" in house.trouble("price of diesel")
    house.publish(f"diesel,45.10,{YESTERDAY},", f"diesel,46.20,{TOMORROW},", version=3)
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    await house.wait(10)
    assert not house.trouble("price of diesel")


@priced()
async def test_a_day_of_the_desk_and_back_to_the_list(house: Priced) -> None:
    house.publish(f"diesel,45.10,{NOW},")
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 30)
    by_list = house.config
    house.config = parse(_toml(house.yard), house.folder / "station.toml")
    await house.restart()
    assert await house.change() == "done"
    await house.until(lambda: house.head(1).price(DIESEL) == UnitPrice(4499, 2), 30)
    house.config = by_list
    await house.restart()
    assert house.head(1).price(DIESEL) == NEW
    assert [change.source for change in house.changes[-2:]] == [PriceSource.STATION, PriceSource.HEADQUARTERS]
    await house.restart()
    assert len(house.changes) == 3


@pytest.mark.parametrize("moment", ["before price_changed", "after price_changed"])
@priced()
async def test_prices_of_one_pump_that_change_together_are_all_there_after_a_kill_in_the_middle(
    house: Priced, moment: str
) -> None:
    house.publish(f"diesel,45.10,{SOON},", f"gasoline,44.90,{SOON},", f"autogas,25.00,{SOON},")
    await house.wait(9 * 60 + 50)
    assert not house.changes
    house.kill_when(moment)
    await house.until(lambda: house.dead, 30)
    await house.restart()
    await house.wait(10)
    assert [(change.grade, change.price) for change in house.changes] == [
        ("gasoline", UnitPrice(4490, 2)),
        ("diesel", NEW),
        ("autogas", UnitPrice(2500, 2)),
    ]
    assert house.head(1).price(GASOLINE) == UnitPrice(4490, 2)
    assert house.head(1).price(DIESEL) == NEW
    assert not house.snapshot.troubles


@priced()
async def test_a_pump_that_is_away_at_that_moment_gets_the_price_when_it_is_back(house: Priced) -> None:
    house.publish(f"diesel,45.10,{SOON},")
    await house.wait(9 * 60)
    house.wires[1].cut = True
    await house.until(lambda: bool(house.changes), 90)
    await house.wait(60)
    assert house.head(1).price(DIESEL) == OLD
    house.wires[1].cut = False
    await house.until(lambda: house.head(1).price(DIESEL) == NEW, 60)
