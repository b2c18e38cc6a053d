"""Lists over a link that goes wrong: files that change on the way, full disks, others at the list, sudden ends."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.config import load
from controller.store.whitelist_file import WHITELIST_FILE, changing
from sim.loop import VirtualClock
from sync.hq.hold import StoreError
from sync.list_fetch import EVERY_US, NotNow
from sync.list_files import ROOM_BYTES, ListFiles
from sync.runner import LinkDown
from sync.wire import ListAsk
from tests.store.test_whitelist_commands import CARDS
from tests.sync.peers import STATION
from tests.sync.test_lists import InPlace, Street, fleet, wait

OTHER = CARDS.replace("KUZEY", "DOGU")
PATIENCE_S = 30


class Restless(Street):
    """Something happens at headquarters before each answer."""

    before: Callable[[], None] = staticmethod(lambda: None)

    async def post(self, path: str, body: bytes) -> bytes:
        self.before()
        assert len(self.asked) < 500, "it asks without a pause"
        try:
            return await super().post(path, body)
        except StoreError as error:
            raise LinkDown(str(error)) from error


@pytest.fixture
def street(tmp_path: Path) -> Restless:
    return Restless(tmp_path)


def trouble(street: Street) -> str:
    return street.states[-1].list_trouble


def test_a_file_that_is_being_copied_is_fetched_once_it_stands_still(street: Restless) -> None:
    street.publish(CARDS)
    path = street.folder / "lists" / "1.list"
    whole = path.read_bytes()
    path.write_bytes(b"")

    def grow() -> None:
        path.write_bytes(whole[: path.stat().st_size + 1])

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert isinstance(street, Restless)
        await wait(clock, 10 * EVERY_US)
        assert len(street.asked) < 210, "twice in half a minute at most"
        assert "free disk space" not in "".join(state.list_trouble for state in street.states)
        street.before = lambda: None
        path.write_bytes(whole)
        await wait(clock, EVERY_US)
        assert street.version == 1
        assert not trouble(street)

    street.before = grow
    street.live(tell)


def test_a_file_that_was_cut_off_at_headquarters_is_fetched_as_soon_as_it_is_another(street: Restless) -> None:
    street.publish(CARDS)
    path = street.folder / "lists" / "1.list"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert "it was cut off" in trouble(street)
        path.write_bytes(whole)
        await wait(clock, EVERY_US)
        assert street.version == 1

    street.live(tell)


def test_what_a_power_cut_left_is_not_gone_on_with_twice(street: Restless) -> None:
    street.publish(fleet(4_000))
    incoming = street.station / "data" / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "1.list").write_bytes(bytes(60_000))
    (incoming / "9.list").write_bytes(b"of another day")

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert street.version == 1
        assert not trouble(street)
        assert not list(incoming.iterdir())

    street.live(tell)


def test_a_list_leaves_room_for_the_journal(street: Restless) -> None:
    street.publish(CARDS)

    async def tell(street: Street, clock: VirtualClock, files: InPlace) -> None:
        assert street.version == 1
        files.free = ROOM_BYTES + 2_000
        street.publish(fleet(4_000))
        (street.folder / "lists" / "1-2.delta").unlink()
        street.asked.clear()
        await wait(clock, EVERY_US)
        assert street.version == 1
        assert street.asked == ["2.list"], "nothing is fetched that there is no room for"
        assert "MB of disk, and 100 MB are left to the journal; 101 MB are free. Make room" in trouble(street)
        files.free = 1 << 40
        await wait(clock, EVERY_US)
        assert street.version == 2
        assert not trouble(street)

    street.live(tell)


def test_what_was_fetched_goes_when_others_fill_the_disk(street: Restless) -> None:
    files = InPlace(load(street.station / "station.toml"))
    assert files._fetched("1.list", 200_000) == 0
    files._add("1.list", 0, bytes(100_000))
    files.free = ROOM_BYTES
    with pytest.raises(NotNow, match="Make room"):
        files._add("1.list", 100_000, bytes(100_000))
    assert files._size("1.list") == 0


def test_a_list_that_somebody_else_changes_waits_and_is_not_fetched_again(street: Restless) -> None:
    street.publish(CARDS)

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert street.version == 1
        street.publish(OTHER)
        street.asked.clear()
        with changing(street.station / "data" / WHITELIST_FILE):
            await wait(clock, 2 * EVERY_US)
            assert "is being changed by another command" in trouble(street)
        await wait(clock, EVERY_US)
        assert street.version == 2
        assert not trouble(street)
        assert street.asked.count("1-2.delta") == 4, "three first words, and one piece"
        assert "2.list" not in street.asked

    street.live(tell)


def test_a_missing_key_is_waited_for_and_nothing_is_fetched_twice(street: Restless) -> None:
    public = street.station / "keys" / "headquarters.pub"
    public.rename(street.folder / "away")
    street.publish(CARDS)

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert f"waits, the old list stays: {public} holds no key" in trouble(street)
        await wait(clock, 20 * EVERY_US)
        (street.folder / "away").rename(public)
        street.asked.clear()
        await wait(clock, EVERY_US)
        assert street.version == 1
        assert not trouble(street)
        assert street.asked == ["1.list", ""], "it was here already"

    street.live(tell)


def test_a_delta_that_did_not_fit_once_is_no_reason_to_fetch_whole_lists_ever_after(street: Restless) -> None:
    street.publish(CARDS)
    street.publish(OTHER)
    lists = street.folder / "lists"
    (lists / "1-2.delta").write_bytes((lists / "1-2.delta").read_bytes()[:-1])
    (lists / "2.list").rename(street.folder / "2.list")
    (lists / "2.list").mkdir()
    street.here("apply", str(lists / "1.list"))

    async def tell(street: Street, clock: VirtualClock, _: InPlace) -> None:
        assert street.version == 1
        (lists / "2.list").rmdir()
        (street.folder / "2.list").rename(lists / "2.list")
        street.here("apply", str(lists / "2.list"))
        await wait(clock, EVERY_US)
        street.publish(CARDS)
        street.asked.clear()
        await wait(clock, EVERY_US)
        assert street.asked == ["2-3.delta", "2-3.delta", ""]
        assert street.version == 3

    street.live(tell)


def test_headquarters_says_which_file_it_cannot_read(street: Restless) -> None:
    (street.folder / "lists" / "3.list").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"3\.list cannot be read \(Is a directory\)"):
        street.lists.answer(ListAsk(STATION, 0, name="3.list"))


def test_a_small_delta_for_a_large_list_is_taken_apart_too(street: Restless) -> None:
    files = InPlace(load(street.station / "station.toml"))
    files._fetched("1-2.delta", 300)
    files._add("1-2.delta", 0, bytes(300))
    with files._list.open("wb") as file:
        file.truncate(1 << 30)
    assert files._takes_long("1-2.delta")
    files.free = ROOM_BYTES + (1 << 30)
    with pytest.raises(NotNow, match="it needs 1025 MB of disk"):
        files._take("1-2.delta")
    assert files._size("1-2.delta") == 300


# ---- with processes: a pipe in the file's place keeps the taking waiting for ever


def waiting_take(station: Path) -> ListFiles:
    files = ListFiles(load(station / "station.toml"))
    folder = station / "data" / "incoming"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "1.list")
    return files


def test_a_station_that_ends_does_not_wait_for_a_list(street: Restless, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.list_files.LARGE_BYTES", -1)

    async def main() -> None:
        taking = asyncio.ensure_future(waiting_take(street.station).take("1.list"))
        async with asyncio.timeout(PATIENCE_S):
            while not multiprocessing.active_children():
                await asyncio.sleep(0.01)
            await asyncio.sleep(0)
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking
            while multiprocessing.active_children():
                await asyncio.sleep(0.01)

    asyncio.run(main())


KILLED = """
import asyncio, multiprocessing, os, signal, sys
from pathlib import Path
import sync.list_files
from controller.config import load

async def main():
    sync.list_files.LARGE_BYTES = -1
    files = sync.list_files.ListFiles(load(Path(sys.argv[1]) / "station.toml"))
    taking = asyncio.ensure_future(files.take("1.list"))
    while not multiprocessing.active_children():
        await asyncio.sleep(0.01)
    print(multiprocessing.active_children()[0].pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_station_that_is_killed_leaves_no_process_behind(street: Restless) -> None:
    waiting_take(street.station)
    program = street.folder / "killed.py"
    program.write_text(KILLED)
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, str(program), str(street.station)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    ) as killed:
        assert killed.stdout is not None
        pid = int(killed.stdout.readline())
        # The child of the killed one has the same output: it ends when the last that could write to it does.
        rest, _ = killed.communicate(timeout=PATIENCE_S)
    assert not rest
    assert not Path(f"/proc/{pid}/exe").exists()
