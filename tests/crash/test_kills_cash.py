"""A cash sale through kills of the real station process at each of its steps, and kills while a list is exchanged.

See `tests.crash.kills`.
"""

import asyncio
from collections.abc import Iterator

import pytest

from controller.domain.records import Authorised, Body, Delivery
from controller.store.whitelist_file import WHITELIST_FILE, about_of
from tests.crash import doomed
from tests.crash.corner import CARD, Corner, Day, beside, until
from tests.crash.doomed import POINT
from tests.crash.kills import CASH, SOLD, WANT_ML, assert_all_agree, killed_at, open_corner, steps, story

LONG_WANT_ML = 9_000
OTHER_POINT, GASOLINE, OTHER_PLATE = 2, 1, "16 SIM 402"
IMPORT = ("whitelist", "import", "--config", "station/station.toml", "cards.csv")


@pytest.fixture(scope="module")
def corner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corner]:
    with open_corner(tmp_path_factory.mktemp("kills") / "corner") as corner:
        yield corner


@pytest.mark.parametrize("step", steps(CASH))
def test_killed_at_this_step_a_cash_sale_is_one_delivery_one_sale_one_receipt(corner: Corner, step: str) -> None:
    killed_at(corner, step, CASH)


def test_killed_while_it_takes_a_new_list_it_takes_it_after_the_start(corner: Corner) -> None:
    version = _list_version(corner)
    known = len(corner.rows())

    async def killed() -> None:
        corner.kill_station()
        async with Day(corner) as day:
            begun_ml, others_ml = await day.meter_ml(), await day.meter_ml(OTHER_POINT)
            day.starts(doomed.LIST_SWITCHES)
            async with beside(day.fills(LONG_WANT_ML, card=CARD)) as done:
                await day.fuel_runs(POINT, begun_ml)
                corner.run(*IMPORT)
                other = day.fills(WANT_ML, number=OTHER_POINT, nozzle=GASOLINE)
                async with beside(other, day.lets_go(OTHER_POINT, plate=OTHER_PLATE)) as other_done:
                    await corner.dies(doomed.LIST_SWITCHES)
                    assert story(corner.rows()[known:]) == ("authorised",)
                    day.starts()
                    await other_done()
                await done()
            await until(lambda: story(corner.rows()[known:]).count("settlement") == 2, "both are sold")
            assert await day.meter_ml() - begun_ml == LONG_WANT_ML
            assert await day.meter_ml(OTHER_POINT) - others_ml == WANT_ML

    asyncio.run(killed())
    rows = corner.rows()[known:]
    assert sorted(story(rows)) == sorted(2 * SOLD)
    assert _volumes(rows) == {POINT: [LONG_WANT_ML], OTHER_POINT: [WANT_ML]}
    assert _versions(rows) == {POINT: version, OTHER_POINT: version + 1}


@pytest.mark.parametrize(("step", "newer"), [(doomed.LIST_MADE, 0), (doomed.LIST_PLACED, 1)])
def test_an_import_that_is_killed_leaves_the_old_list_or_the_new_one(corner: Corner, step: str, newer: int) -> None:
    version = _list_version(corner)
    known = len(corner.rows())

    async def killed() -> None:
        async with Day(corner) as day:
            begun_ml = await day.meter_ml()
            async with beside(day.fills(LONG_WANT_ML, card=CARD)) as done:
                await day.fuel_runs(POINT, begun_ml)
                corner.run(*IMPORT, step=step)
                assert _list_version(corner) == version + newer
                other = day.fills(WANT_ML, number=OTHER_POINT, nozzle=GASOLINE)
                async with beside(other, day.lets_go(OTHER_POINT, plate=OTHER_PLATE)) as other_done:
                    await other_done()
                await done()
            await until(lambda: story(corner.rows()[known:]).count("settlement") == 2, "both are sold")

    asyncio.run(killed())
    rows = corner.rows()[known:]
    assert _volumes(rows) == {POINT: [LONG_WANT_ML], OTHER_POINT: [WANT_ML]}
    assert _versions(rows) == {POINT: version, OTHER_POINT: version + newer}
    corner.run(*IMPORT)
    assert _list_version(corner) == version + newer + 1
    assert not list((corner.station_folder / "data").glob(f"{WHITELIST_FILE}.new*"))


def _list_version(corner: Corner) -> int:
    about = about_of(corner.station_folder / "data" / WHITELIST_FILE)
    assert about is not None
    return about.version


def _volumes(rows: list[Body]) -> dict[int, list[int]]:
    volumes: dict[int, list[int]] = {}
    for body in rows:
        if isinstance(body.record, Delivery):
            volumes.setdefault(body.record.point, []).append(body.record.volume_ml)
    return volumes


def _versions(rows: list[Body]) -> dict[int, int]:
    """Of the list by which each point was let go."""
    records = [body.record for body in rows if isinstance(body.record, Authorised)]
    return {record.point: record.evidence.list_version for record in records}


def test_when_all_is_over_pumps_paper_journal_and_headquarters_tell_the_same(corner: Corner) -> None:
    assert_all_agree(corner)
