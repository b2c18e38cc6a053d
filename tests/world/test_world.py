"""A station's hours from one seed: always the same, and always in agreement, whatever breaks."""

import asyncio
import os
import subprocess
import sys
import threading
import zoneinfo
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from controller.domain.records import Body, Delivery, Record, Stamp
from controller.store.journal import Journal
from sim.door import sim
from sim.headquarters import LinkQuality
from sim.loop import Deadlock, NotInASimulatedWorld, VirtualClock, VirtualLoop, run
from sim.world import Disagreement, Plan, Report, World

REPOSITORY = Path(__file__).parents[2]
HOURS = 1


def live(plan: Plan, folder: Path) -> Report:
    """One world from beginning to end."""
    folder.mkdir(exist_ok=True)

    async def main(loop: VirtualLoop) -> Report:
        return await World(loop, plan, folder).run()

    return run(main)


def _by_command(hash_seed: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "forecourt", "sim", "world", "--hours", str(HOURS), *options],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_one_seed_tells_the_same_story_in_every_process() -> None:
    plan = ("--seed", "11", "--crashes", "2")
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda hash_seed: _by_command(hash_seed, *plan), ("1", "4242"))
    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, second.stderr
    assert first.stdout == second.stdout
    report = msgspec.json.decode(first.stdout, type=Report)
    assert (report.seed, report.epochs) == (11, 3)
    assert report.sales > 10


def test_another_seed_tells_another_story(tmp_path: Path) -> None:
    heads = {live(Plan(seed, 1, sales_a_day=100), tmp_path / str(seed)).journal_head for seed in (1, 2, 3)}
    assert len(heads) == 3


def test_leaving_out_quiet_polls_changes_nothing(tmp_path: Path) -> None:
    plan = Plan(5, 1, sales_a_day=100, crashes=1)
    skipping = live(plan, tmp_path / "skip")
    polling = live(Plan(5, 1, sales_a_day=100, crashes=1, skip=False), tmp_path / "poll")
    assert skipping == polling
    assert skipping.sales > 3


@pytest.mark.parametrize("seed", range(20, 22))
def test_worlds_with_crashes_agree(tmp_path: Path, seed: int) -> None:
    report = live(Plan(seed, 1, sales_a_day=400, crashes=12), tmp_path)
    assert report.epochs == 13
    assert report.sales > 10
    assert report.headquarters_forks == 0


@pytest.mark.parametrize("percent", [20, 60])
def test_worlds_with_a_very_bad_link_agree(tmp_path: Path, percent: int) -> None:
    one_in = {20: 5, 60: 2}[percent]
    # One in two messages lost, and one in four of the answers: six of ten exchanges fail.
    link = LinkQuality(one_in, 5 if percent == 20 else 4, 5)
    report = live(Plan(30, 1, sales_a_day=300, link=link), tmp_path)
    assert report.sales > 8
    assert report.headquarters_forks == 0


@pytest.mark.parametrize(
    "breach",
    [
        lambda loop: loop.run_in_executor(None, int),
        lambda loop: asyncio.to_thread(int),
        lambda loop: loop.create_connection(asyncio.Protocol, "127.0.0.1", 9),
        lambda loop: loop.create_server(asyncio.Protocol, "127.0.0.1", 0),
        lambda loop: asyncio.open_connection("127.0.0.1", 9),
        lambda loop: loop.subprocess_exec(asyncio.SubprocessProtocol, "true"),
        lambda loop: asyncio.create_subprocess_shell("true"),
        lambda loop: loop.add_reader(0, int),
        lambda loop: loop.add_writer(1, int),
        lambda loop: loop.getaddrinfo("localhost", 80),
        lambda loop: loop.call_soon_threadsafe(int),
        lambda loop: loop.call_at(1.5, int),
    ],
)
def test_a_world_has_no_threads_descriptors_processes_or_broken_microseconds(
    breach: Callable[[VirtualLoop], object],
) -> None:
    threads = threading.active_count()

    async def main(loop: VirtualLoop) -> None:
        result = breach(loop)
        if asyncio.iscoroutine(result):
            await result

    with pytest.raises(NotInASimulatedWorld):
        run(main)
    assert threading.active_count() == threads


def test_a_world_in_which_nothing_is_due_is_an_error_and_no_hang() -> None:
    async def main(loop: VirtualLoop) -> None:
        await loop.create_future()

    with pytest.raises(Deadlock):
        run(main)


def test_timers_of_one_moment_run_in_the_order_in_which_they_were_set() -> None:
    said: list[int] = []

    async def main(loop: VirtualLoop) -> None:
        clock = VirtualClock(loop, 0)
        for number in range(20):
            clock.call_at(5, partial(said.append, number))
        await clock.sleep_until(5)

    run(main)
    assert said == list(range(20))


def test_a_falsified_volume_is_found_and_the_message_says_how_to_repeat_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the checks: one delivery of the journal is ten litres more than the pump gave."""
    append = Journal.append
    falsified: list[int] = []

    def lie(self: Journal, records: Sequence[Record], stamp: Stamp) -> tuple[Body, ...]:
        return append(self, [falsify(record) for record in records], stamp)

    def falsify(record: Record) -> Record:
        if falsified or not isinstance(record, Delivery):
            return record
        falsified.append(record.volume_ml)
        return msgspec.structs.replace(record, volume_ml=record.volume_ml + 10_000)

    monkeypatch.setattr(Journal, "append", lie)
    with pytest.raises(Disagreement) as raised:
        live(Plan(3, 1, sales_a_day=120, crashes=2), tmp_path)
    assert falsified
    text = str(raised.value)
    assert "the meters say" in text
    assert "forecourt sim world --seed 3 --hours 1 --sales 120 --crashes 2" in text


def test_each_kind_of_disagreement_has_its_sentence() -> None:
    good = Report(
        seed=1, hours=1, sales=2, volume_ml=10, amount_minor=3, totaliser_ml=12, unrecorded_ml=2, unpaid=0, declined=0,
        headquarters_sales=2, headquarters_volume_ml=10, headquarters_forks=0, epochs=1, receipts=2, rows=9,
        journal_head="",
    )  # fmt: skip
    assert good.disagreements() == []
    for change in (
        {"totaliser_ml": 13}, {"unrecorded_ml": 3}, {"headquarters_sales": 1}, {"headquarters_volume_ml": 9},
        {"unpaid": 1}, {"receipts": 1}, {"receipts": 3},
    ):  # fmt: skip
        assert len(msgspec.structs.replace(good, **change).disagreements()) == 1, change


def test_a_failing_world_ends_with_exit_code_one_and_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: World) -> Report:
        raise Disagreement("the meters say other. Repeat it: forecourt sim world --seed 9")

    monkeypatch.setattr(World, "run", fail)
    monkeypatch.setattr(zoneinfo, "reset_tzpath", lambda to: None)
    result = CliRunner().invoke(sim, ["world", "--seed", "9", "--hours", "1"])
    assert result.exit_code == 1
    assert "Repeat it" in result.output
