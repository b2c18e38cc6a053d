"""The whole station in processes of its own, as a newcomer starts it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from controller.config import load
from controller.daemon import JOURNAL_FILE
from controller.domain.desk import PointState
from controller.domain.records import Authorised, Delivery, Settlement, Started
from controller.machine import MachineClock
from controller.station import read_books
from controller.store.journal import Journal
from sim.attendant import Attendant
from sim.backstage import Backstage, Cast
from sim.chance import Chance
from sim.control import ControlClient
from sim.site import STATION_ID
from sim.till import RemoteTill
from sync.hq.store import Totals

DEADLINE_S = 60
SALES = 4
KILLS = 2
"""The named steps of a sale are each killed in `tests/crash`; here whoever stands at the pumps sees nothing of it."""


def test_the_headless_demo_sells_and_all_books_agree() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "forecourt", "demo", "--headless", "--sales", "5", "--seed", "42"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S * 6,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["sales"] == summary["headquarters_sales"] == 5
    assert summary["volume_ml"] == summary["totaliser_ml"] == summary["headquarters_volume_ml"] > 0
    assert len(bytes.fromhex(summary["journal_head"])) == 32
    assert done.stdout.count("TOTAL") == 5
    assert done.stdout.count("SIMULATION") >= 10, "every receipt says twice that it is simulated"


def test_killing_the_controller_in_mid_delivery_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    cast = Cast(seed=11, tempo="brisk", served=SALES, questions=True, flow_ml_per_s=2_000)
    with Backstage(tmp_path / "demo", cast) as backstage:
        backstage.start()
        meters_ml = asyncio.run(_sell_with_kills(backstage))
        assert backstage.end_station() == 0
        totals = _totals(backstage)
        config = load(backstage.station_folder / "station.toml")
        journal = Journal(config.data / JOURNAL_FILE)
        try:
            books = read_books(journal, config)
            records = [body.record for body in journal.replay()]
        finally:
            journal.close()

    deliveries = [record for record in records if isinstance(record, Delivery)]
    assert len(deliveries) == SALES
    assert sum(record.volume_ml for record in deliveries) == meters_ml
    assert sum(isinstance(record, Settlement) for record in records) == SALES
    assert sum(isinstance(record, Started) for record in records) == KILLS + 1, "each start is a new epoch"
    assert books.sums.unrecorded_ml == 0
    assert not books.unpaid
    assert sum(isinstance(record, Authorised) for record in records) >= SALES
    assert (totals.sales, totals.volume_ml, totals.forks) == (SALES, meters_ml, 0)


async def _sell_with_kills(backstage: Backstage) -> int:
    """Serve all customers, killing the controller whenever a pump runs; returns the meters' sum."""
    clock = MachineClock()
    control = ControlClient(backstage.ports.control)
    till = RemoteTill(backstage.station_url, backstage.till_token(), control, clock)
    attendant = Attendant(till, till.window, clock, Chance(1, "till-1"), reaction_ms=(50, 200))
    following = asyncio.ensure_future(till.follow())
    serving = asyncio.ensure_future(attendant.run())

    def fuelling() -> bool:
        return any(point.state is PointState.FUELLING and point.volume_ml > 0 for point in till.snapshot().points)

    try:
        for _ in range(KILLS):
            await _until(clock, lambda: _true(fuelling()), "a pump runs", following, serving)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            backstage.kill_station()
            backstage.start_station()
            till.forget()
            serving = asyncio.ensure_future(attendant.run())
        await _until(clock, lambda: _true(till.snapshot().sales >= SALES), f"{SALES} sales", following, serving)
        await _until(clock, lambda: _true(_totals(backstage).sales >= SALES), "headquarters has them", following)
        return (await control.totals()).totaliser_ml
    finally:
        for task in (following, serving):
            task.cancel()
        await asyncio.gather(following, serving, return_exceptions=True)
        await till.close()
        await control.close()


async def _true(value: bool) -> bool:
    return value


async def _until(
    clock: MachineClock, met: Callable[[], Awaitable[bool]], what: str, *watched: "asyncio.Future[None]"
) -> None:
    deadline_us = clock.now().mono_us + DEADLINE_S * 1_000_000
    while not await met():
        for task in watched:
            if task.done():
                task.result()
        if clock.now().mono_us > deadline_us:
            pytest.fail(f"after {DEADLINE_S} s still not: {what}")
        await clock.sleep_until(clock.now().mono_us + 20_000)


def _totals(backstage: Backstage) -> Totals:
    answer = httpx.get(
        f"{backstage.headquarters_url}/v1/stations/{STATION_ID}/totals",
        headers={"authorization": f"Bearer {backstage.read_token}"},
        trust_env=False,
    )
    return msgspec.json.decode(answer.raise_for_status().content, type=Totals)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backstage]:
    """A demonstration at which nobody sells. Who ends it stands last."""
    cast = Cast(seed=1, tempo="easy", served=0, questions=False, flow_ml_per_s=600)
    with Backstage(tmp_path_factory.mktemp("running") / "demo", cast) as backstage:
        backstage.start()
        yield backstage


def test_a_second_controller_on_the_same_journal_is_refused_with_a_sentence(running: Backstage) -> None:
    config = running.station_folder / "station.toml"
    text = config.read_text(encoding="utf-8")
    other = running.station_folder / "other.toml"
    other.write_text(text.replace(f"port = {running.ports.api}", "port = 0"), encoding="utf-8")
    second = _forecourt(running.folder, "station", "run", "--config", str(other), "--simulation")
    same_port = _forecourt(running.folder, "station", "run", "--config", str(config), "--simulation")

    assert second.returncode == 1
    assert "in use by another process" in second.stderr
    assert same_port.returncode == 1
    assert "another program may have the port" in same_port.stderr
    assert "Traceback" not in second.stderr + same_port.stderr


def test_a_simulated_station_is_never_run_as_a_real_one(tmp_path: Path) -> None:
    made = _forecourt(tmp_path, "station", "init", "st", "--simulated")
    assert made.returncode == 0, made.stderr

    real = _forecourt(tmp_path, "station", "run", "--config", "st/station.toml")

    assert real.returncode == 1
    assert "simulated = true" in real.stderr


def test_a_wrong_key_in_station_toml_is_named_with_its_line(tmp_path: Path) -> None:
    made = _forecourt(tmp_path, "station", "init", "st")
    assert made.returncode == 0, made.stderr
    path = tmp_path / "st" / "station.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("time_zone =", "timezone ="), encoding="utf-8")

    wrong = _forecourt(tmp_path, "station", "run", "--config", "st/station.toml")

    assert wrong.returncode == 1
    assert "station.timezone" in wrong.stderr
    assert "line 9" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def _forecourt(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "forecourt", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        check=False,
    )


def test_sigterm_ends_every_process_in_order(running: Backstage) -> None:
    assert running.end_all() == {"station": 0, "headquarters": 0, "bench": 0}
