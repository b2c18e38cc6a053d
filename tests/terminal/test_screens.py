"""The screens at several sizes, offline, and with a picture that grows old."""

import asyncio

import pytest
from msgspec.structs import replace

from controller.api.client import StationUnreachable
from controller.domain.desk import AuthorisePoint, LinkView, PointState, StopAll
from terminal.app import TerminalApp
from terminal.glance import Mood
from terminal.station import Station
from terminal.view import clock_text
from terminal.widgets.tile import Tile
from tests.terminal.fake import AT_MS, FakeClock, FakeStation, FakeTill, forecourt, ids
from tests.terminal.stage import MIDDLE, SMALL, WIDE, Stage, on_stage, play


def tiles(stage: Stage) -> list[Tile]:
    return [tile for tile in stage.app.screen_stack[0].query(Tile) if tile.display]


@pytest.mark.parametrize(("size", "first_page", "pages"), [(SMALL, 8, 4), (MIDDLE, 15, 3), (WIDE, 32, 1)])
def test_thirty_two_pumps_at_each_size(size: tuple[int, int], first_page: int, pages: int) -> None:
    async def scene() -> None:
        async with on_stage(FakeStation(forecourt(32)), size) as stage:
            await stage.until(lambda: len(tiles(stage)) == first_page, f"{first_page} tiles")
            await stage.sees(" 1 · IDLE")
            assert ("Page" in stage.text) == (pages > 1)
            if pages > 1:
                await stage.keys("+")
                await stage.sees(f"Page 2 of {pages}")
                await stage.sees("▲ calling: 4")
                await stage.sees(f"{first_page + 1:>2} · IDLE")
            await stage.sees("F12 STOP ALL")
            assert all(len(line) == size[0] for line in stage.text.splitlines())

    play(scene)


def test_the_head_tells_station_till_headquarters_and_clock_and_troubles_say_what_to_do() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            head = stage.line("Kuzey Petrol")
            assert "till-1" in head
            assert "HQ ● 0" in head
            assert clock_text(AT_MS) in head
            station.publish(replace(station.now, link=LinkView(True, False, 14, AT_MS)))
            station.trouble("Pump 3", "No paper: put a roll in")
            await stage.sees(f"HQ ■ 14 waiting since {clock_text(AT_MS)[:5]}")
            await stage.sees("▲ Pump 3: No paper: put a roll in")

    play(scene)


def test_a_till_without_a_station_shows_its_frame_and_says_what_to_do() -> None:
    station = FakeStation()
    station.up = False

    async def scene() -> None:
        async with on_stage(station, ready=False) as stage:
            await stage.sees("Waiting for the station")
            await stage.sees("see that it is running")
            await stage.keys("4 enter")
            await stage.sees("No link to the station: nothing was sent")
            await stage.keys("f12")
            await stage.sees("USE THE EMERGENCY SWITCH")
            station.come_back()
            await stage.sees("Kuzey Petrol")
            await stage.sees("CALLING")

    play(scene)
    assert not station.of(StopAll)


def test_the_frame_comes_before_the_station_is_asked() -> None:
    order: list[str] = []
    station = FakeStation()

    def open_station() -> FakeTill:
        order.append("station")
        return station.till("till-1")

    async def scene() -> None:
        app = TerminalApp(
            open_station, monotonic_ms=FakeClock(), new_id=ids("x"), on_first_frame=lambda: order.append("frame")
        )
        async with app.run_test(size=SMALL) as pilot:
            stage = Stage(app, pilot, FakeClock())
            await stage.sees("CALLING")

    play(scene)
    assert order == ["frame", "station"]


def test_an_old_picture_turns_grey_and_sells_nothing_until_it_lives_again() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            stage.clock.now_ms += 2_000
            stage.app.tick()
            assert Mood.STALE not in {row.mood for tile in tiles(stage) for row in tile.rows}
            stage.clock.now_ms += 10_001
            stage.app.tick()
            assert {row.mood for tile in tiles(stage) for row in tile.rows} == {Mood.STALE}
            await stage.sees("NO LINK 12 s")
            await stage.sees("only stops are sent")
            await stage.keys("4 enter")
            await stage.sees("nothing was sent")
            station.publish()
            await stage.until(lambda: not stage.app.view.stale)
            assert Mood.STALE not in {row.mood for tile in tiles(stage) for row in tile.rows}
            assert "NO LINK" not in stage.text

    play(scene)
    assert not station.of(AuthorisePoint)


def test_the_till_comes_back_after_the_stream_broke() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            station.cut()
            await stage.until(lambda: stage.app.view.link_text)
            station.come_back()
            station.change(1, lambda p: replace(p, state=PointState.FUELLING, amount_minor=700))
            await stage.until(lambda: not stage.app.view.link_text)
            await stage.sees("FUELLING")

    play(scene)


def test_only_what_changed_is_painted() -> None:
    station = FakeStation(forecourt(32))

    async def scene() -> None:
        async with on_stage(station, WIDE) as stage:
            await stage.until(lambda: len(tiles(stage)) == 32)
            await stage.pilot.pause()
            before = [tile.repaints for tile in tiles(stage)]
            station.change(7, lambda p: replace(p, volume_ml=p.volume_ml + 10))
            await stage.sees("28.17 l")
            painted = [tile.repaints - had for tile, had in zip(tiles(stage), before, strict=True)]
            assert sum(painted) == painted[6] == 1

    play(scene)


def test_a_calling_tile_blinks_at_one_hertz_and_a_quiet_one_does_not() -> None:
    async def scene() -> None:
        async with on_stage(FakeStation()) as stage:
            lit = []
            for _ in range(4):
                stage.app.tick()
                lit.append([tile.rows[0].lit for tile in tiles(stage)])
                stage.clock.now_ms += 500
            assert [row[3] for row in lit] == [True, False, True, False]
            assert all(row[0] for row in lit)

    play(scene)


def test_a_demonstration_says_simulation_before_the_station_answers() -> None:
    async def look() -> None:
        app = TerminalApp(_nowhere, monotonic_ms=lambda: 0, new_id=lambda: "1", demonstration=True)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            assert app.view.snapshot is None
            assert app.view.simulated

    asyncio.run(look())


def _nowhere() -> Station:
    raise StationUnreachable("not yet")
