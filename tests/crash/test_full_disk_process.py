"""No room for the real station process: it says so, lets nothing new go, keeps what runs, and has every row afterwards.

By the operating system's own limit on files (RLIMIT_FSIZE 0: no byte more), and, where this machine lets a test mount
one, by a file system that is full.
"""

import asyncio
import contextlib
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.domain.desk import AuthorisePoint, PointState
from controller.domain.reasons import Reason
from controller.domain.records import Delivery
from sim.control import HangUp, Lift
from tests.crash.corner import CARD, Corner, Day, beside, until
from tests.crash.doomed import POINT
from tests.crash.kills import SOLD, story

LONG_WANT_ML = 6_000
OTHER_POINT, GASOLINE, OTHER_PLATE = 2, 1, "16 SIM 402"
DISK_KB = 2_048
BALLAST = "ballast"
STATION_RUN = ("station", "run", "--config", "station/station.toml", "--simulation")


class SmallDisk(Corner):
    """A station whose data stand on a file system of their own, if this machine allows that."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = self.station_folder / "data"

    def _write_files(self) -> None:
        super()._write_files()
        self.data.mkdir(exist_ok=True)
        if can_mount():
            mount(self.data)

    def end(self) -> None:
        super().end()
        if self.data.is_mount():
            subprocess.run(["umount", str(self.data)], check=True)


def mount(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_KB}k", "tmpfs", str(folder)], check=True)


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            tried = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
        except FileNotFoundError:
            return False
        if tried.returncode == 0:
            subprocess.run(["umount", folder], check=True)
    return tried.returncode == 0


Full = Callable[[Corner], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def by_limit(corner: Corner) -> Iterator[None]:
    """No file of the running station takes a byte more."""
    assert corner.station is not None
    pid = corner.station.pid
    assert pid is not None
    everything = resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, everything))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it was killed meanwhile
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (everything, everything))


@contextlib.contextmanager
def by_ballast(corner: Corner) -> Iterator[None]:
    """Something else has taken all the room that there was."""
    ballast = corner.station_folder / "data" / BALLAST
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1_024))
    try:
        yield
    finally:
        ballast.unlink()


WAYS: list[Full] = [by_ballast, by_limit] if can_mount() else [by_limit]


@pytest.fixture(scope="module")
def corner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corner]:
    corner = SmallDisk(tmp_path_factory.mktemp("full") / "corner")
    with corner:
        corner.start()
        yield corner


@pytest.mark.parametrize("killed", [False, True], ids=["lives", "killed"])
@pytest.mark.parametrize("full", WAYS, ids=lambda way: way.__name__)
def test_without_room_nothing_new_begins_and_what_runs_is_kept(corner: Corner, full: Full, killed: bool) -> None:
    asyncio.run(_without_room(corner, full, killed=killed))


async def _without_room(corner: Corner, full: Full, *, killed: bool) -> None:
    corner.kill_station()
    known, printed = len(corner.rows()), len(corner.slips)
    async with Day(corner) as day:
        meter_ml = await day.meter_ml()
        day.starts()
        async with beside(day.fills(LONG_WANT_ML, card=CARD)) as done:
            await day.fuel_runs(POINT, meter_ml)
            await day.hands(Lift(OTHER_POINT, GASOLINE))
            await day.shows(OTHER_POINT, PointState.CALLING)
            with full(corner):
                refused = await day.told(AuthorisePoint(day.next_id(), OTHER_POINT, OTHER_PLATE, None, None))
                assert refused is not None
                assert refused.reason == Reason.JOURNAL_FULL
                await until(lambda: "free disk space" in day.trouble("journal"), "the terminal says so")
                await done()
                await day.shows(POINT, PointState.COMPLETED)
                assert await day.meter_ml() - meter_ml == LONG_WANT_ML, "what ran was not stopped"
                held = await day.pump()
                assert (held.volume_ml, held.flowing) == (LONG_WANT_ML, False), "the pump keeps what no disk has"
                assert story(corner.rows()[known:]) == ("authorised",)
                if killed:
                    corner.kill_station()
                    if full is by_ballast:
                        corner.ends_with_a_sentence(*STATION_RUN, says="free disk space")
            if killed:
                day.starts()
            await until(lambda: story(corner.rows()[known:]) == SOLD, "there is room, and every row is there")
            await until(lambda: bool(day.seen.points) and not day.trouble("journal"), "it says that all is well")
            await day.hands(HangUp(OTHER_POINT))
            await day.shows(OTHER_POINT, PointState.IDLE)
            await day.hands(Lift(OTHER_POINT, GASOLINE))
            await day.lets_go(OTHER_POINT, plate=OTHER_PLATE)
            await day.hands(HangUp(OTHER_POINT))
            await until(lambda: story(corner.rows()[known:])[3:] == ("authorised", "released"), "he has left")
        await until(lambda: len(corner.slips) > printed, "its receipt")
    (delivery,) = (body.record for body in corner.rows()[known:] if isinstance(body.record, Delivery))
    assert delivery.volume_ml == LONG_WANT_ML
    assert len(corner.slips) == printed + 1
