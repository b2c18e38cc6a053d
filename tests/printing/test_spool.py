"""No slip is lost, whatever happens to disk, printer or controller."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from controller.printing.escpos import MODELS
from controller.printing.spool import (
    REPRINT_NOTICE,
    RETRY_MAX_US,
    MemorySpool,
    PrinterError,
    PrintQueue,
    Slip,
    Spool,
    SpoolDirectory,
    SpoolError,
    Waiting,
    slip_name,
)
from sim.printer import PrinterTwin
from tests.printing.clocks import HandClock


class Killed(BaseException):
    """kill -9: nothing after it runs, no clean-up either."""


class Paper:
    """A printer that takes slips, or fails as it is told: `failures` are used up first."""

    def __init__(self, *failures: PrinterError) -> None:
        self.slips: list[bytes] = []
        self.attempts = 0
        self._failures = list(failures)

    async def print(self, data: bytes) -> None:
        self.attempts += 1
        if self._failures:
            raise self._failures.pop(0)
        self.slips.append(data)


NO_PRINTER = PrinterError("Switch the printer on.", begun=False)
NO_PAPER = PrinterError("Put paper in.", begun=True)


def a_slip(number: int = 1, copy: int = 0) -> Slip:
    return Slip(slip_name(number, copy), f"receipt {number}\n", f"bytes {number}".encode())


@pytest.fixture(params=["directory", "memory"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    return SpoolDirectory(tmp_path / "spool") if request.param == "directory" else MemorySpool()


def test_a_slip_waits_until_it_is_printed(spool: Spool) -> None:
    assert spool.put(a_slip(2))
    assert spool.put(a_slip(1, copy=1))
    assert spool.put(a_slip(1_000_000))
    assert spool.put(a_slip(1))
    waiting = tuple(job.name for job in spool.waiting())
    assert waiting == ("receipt-000001", "receipt-000001-copy-1", "receipt-000002", "receipt-1000000")
    assert spool.read("receipt-000002") == b"bytes 2"
    spool.begin("receipt-000002")
    assert Waiting("receipt-000002", begun=True) in spool.waiting()
    spool.put_back("receipt-000002")
    assert Waiting("receipt-000002", begun=False) in spool.waiting()
    for name in waiting:
        spool.begin(name)
        spool.finish(name)
    assert spool.waiting() == ()


def test_a_slip_is_put_once_whatever_has_become_of_it(spool: Spool) -> None:
    assert spool.put(a_slip())
    assert not spool.put(a_slip())
    spool.begin(a_slip().name)
    assert not spool.put(a_slip())
    spool.finish(a_slip().name)
    assert not spool.put(a_slip())
    assert spool.waiting() == ()


def test_a_name_that_would_leave_the_directory_is_refused(spool: Spool) -> None:
    with pytest.raises(ValueError, match="names no slip"):
        spool.put(Slip("../receipt-1", "", b""))


def test_the_copy_to_read_is_a_file_of_its_own(tmp_path: Path) -> None:
    SpoolDirectory(tmp_path).put(a_slip())
    assert (tmp_path / "receipt-000001.txt").read_text() == "receipt 1\n"
    assert (tmp_path / "receipt-000001.escpos").read_bytes() == b"bytes 1"


@pytest.mark.parametrize("step", range(7))
def test_a_kill_at_any_step_of_putting_leaves_a_whole_slip_or_none(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six steps: fsync, rename and fsync of the directory, for each of two files; then it is done."""
    with monkeypatch.context() as patch:
        die_at(step, patch)
        if step < 6:
            with pytest.raises(Killed):
                SpoolDirectory(tmp_path).put(a_slip())
        else:
            SpoolDirectory(tmp_path).put(a_slip())
    spool = SpoolDirectory(tmp_path)
    for job in spool.waiting():
        assert spool.read(job.name) == b"bytes 1"
    spool.put(a_slip())  # the journal is replayed
    assert spool.waiting() == (Waiting("receipt-000001", begun=False),)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["receipt-000001.escpos", "receipt-000001.txt"]


@pytest.mark.parametrize("step", range(5))
def test_a_kill_at_any_step_of_printing_never_loses_the_slip_nor_gives_two_originals(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rename and fsync to `sending`; the printer; rename and fsync to `printed`."""
    SpoolDirectory(tmp_path).put(a_slip())
    paper = Paper()
    with monkeypatch.context() as patch:
        die_at(step, patch)

        async def print_and_die() -> None:
            queue = PrintQueue(SpoolDirectory(tmp_path), paper, HandClock(), lambda _: None)
            queue.submit(a_slip())
            try:
                await run_until(queue, lambda: not queue.names)
            except Killed:
                return

        asyncio.run(print_and_die())

    async def start_again() -> None:
        queue = PrintQueue(SpoolDirectory(tmp_path), paper, HandClock(), lambda _: None)
        queue.submit(a_slip())
        await run_until(queue, lambda: not queue.names)

    asyncio.run(start_again())
    assert paper.slips.count(b"bytes 1") <= 1
    assert set(paper.slips) <= {b"bytes 1", REPRINT_NOTICE + b"bytes 1"}
    assert paper.slips
    assert SpoolDirectory(tmp_path).waiting() == ()


def test_a_full_disk_is_a_sentence_and_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SpoolError, match=r"The disk is full: .* Sales go on"):
            SpoolDirectory(tmp_path).put(a_slip())
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_is_no_directory_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_text("")
    for act in (lambda: SpoolDirectory(path).put(a_slip()), lambda: SpoolDirectory(path).waiting()):
        with pytest.raises(SpoolError, match="check the directory"):
            act()


def test_slips_are_printed_in_the_order_of_their_sales() -> None:
    async def scenario() -> list[bytes]:
        spool, paper = MemorySpool(), Paper()
        spool.put(a_slip(7))  # left from before
        queue = PrintQueue(spool, paper, HandClock(), lambda _: None)
        queue.submit(a_slip(9))
        queue.submit(a_slip(8))
        queue.submit(a_slip(7))
        await run_until(queue, lambda: not queue.names)
        assert spool.waiting() == ()
        return paper.slips

    assert asyncio.run(scenario()) == [b"bytes 7", b"bytes 9", b"bytes 8"]


def test_a_slip_submitted_while_the_queue_rests_is_printed() -> None:
    async def scenario() -> None:
        paper = Paper()
        queue = PrintQueue(MemorySpool(), paper, HandClock(), lambda _: None)
        running = asyncio.create_task(queue.run())
        await turns()
        queue.submit(a_slip())
        await until(lambda: len(paper.slips) == 1)
        await stop(running)

    asyncio.run(scenario())


def test_a_printer_that_is_off_is_tried_again_ever_more_rarely_and_gets_the_original() -> None:
    async def scenario() -> None:
        paper, clock, said = Paper(*[NO_PRINTER] * 6), HandClock(), list[str | None]()
        queue = PrintQueue(MemorySpool(), paper, clock, said.append)
        queue.submit(a_slip())
        running = asyncio.create_task(queue.run())
        pauses = []
        for attempt in range(1, 7):
            await until(lambda attempt=attempt: paper.attempts == attempt)  # type: ignore[misc]
            await turns()
            pauses.append(clock.skip() // 1_000_000)
        await until(lambda: not queue.names)
        await stop(running)
        assert pauses == [1, 2, 4, 8, 15, 15]
        assert max(pauses) * 1_000_000 == RETRY_MAX_US
        assert paper.slips == [b"bytes 1"]
        assert said == ["Switch the printer on.", None]

    asyncio.run(scenario())


def test_a_slip_that_broke_off_is_printed_again_as_a_copy() -> None:
    async def scenario() -> None:
        paper, clock = Paper(NO_PAPER, NO_PRINTER), HandClock()
        spool = MemorySpool()
        queue = PrintQueue(spool, paper, clock, lambda _: None)
        queue.submit(a_slip())
        running = asyncio.create_task(queue.run())
        for attempt in (1, 2):
            await until(lambda attempt=attempt: paper.attempts == attempt)  # type: ignore[misc]
            await turns()
            assert spool.waiting() == (Waiting("receipt-000001", begun=True),)
            clock.skip()
        await until(lambda: not queue.names)
        await stop(running)
        assert paper.slips == [REPRINT_NOTICE + b"bytes 1"]

    asyncio.run(scenario())


def test_a_full_disk_stops_neither_the_sale_nor_its_receipt() -> None:
    async def scenario() -> None:
        spool, paper, said = MemorySpool(), Paper(), list[str | None]()
        spool.full = True
        queue = PrintQueue(spool, paper, HandClock(), said.append)
        queue.submit(a_slip(1))
        await run_until(queue, lambda: not queue.names)
        assert paper.slips == [b"bytes 1"]
        spool.full = False
        queue.submit(a_slip(2))
        assert said == ["The disk is full: the spool could not keep receipt-000001. Free some room.", None]

    asyncio.run(scenario())


def test_one_damaged_file_holds_up_no_other_slip(tmp_path: Path) -> None:
    async def scenario() -> None:
        said = list[str | None]()
        paper, spool = Paper(), SpoolDirectory(tmp_path)
        (tmp_path / "receipt-000001.escpos").mkdir()
        spool.put(a_slip(2))
        queue = PrintQueue(spool, paper, HandClock(), said.append)
        await run_until(queue, lambda: not queue.names)
        assert paper.slips == [b"bytes 2"]
        assert [text and text[:51] for text in said] == ["The receipt spool could not read receipt-000001: Is"]

    asyncio.run(scenario())


def test_a_spool_that_cannot_be_listed_is_said_and_new_slips_are_printed(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "spool"
        path.write_text("")
        paper, said = Paper(), list[str | None]()
        queue = PrintQueue(SpoolDirectory(path), paper, HandClock(), said.append)
        queue.submit(a_slip())
        await run_until(queue, lambda: not queue.names)
        assert paper.slips == [b"bytes 1"]
        assert said[0]
        assert None not in said

    asyncio.run(scenario())


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_notice_of_a_reprint_fits_every_paper(model: object) -> None:
    twin = PrinterTwin(model, 32)  # type: ignore[arg-type]
    (slip,) = twin.feed(REPRINT_NOTICE + b"\x1b@slip\n\x1dV\x42\x00")
    assert slip.text == "  COPY - MAY HAVE BEEN PRINTED\nslip\n"


def die_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Every rename, fsync and print is a step; before the given one, counted from 0, the process dies."""
    left = [step]

    def tick() -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1

    fsync, replace, send = os.fsync, Path.replace, Paper.print

    def dying_fsync(number: int) -> None:
        tick()
        fsync(number)

    def dying_replace(path: Path, target: Path) -> Path:
        if path.exists():  # a rename of nothing changes nothing
            tick()
        return replace(path, target)

    async def dying_print(paper: Paper, data: bytes) -> None:
        tick()
        await send(paper, data)

    patch.setattr(os, "fsync", dying_fsync)
    patch.setattr(Path, "replace", dying_replace)
    patch.setattr(Paper, "print", dying_print)


async def turns(count: int = 10) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(done: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if done():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")


async def run_until(queue: PrintQueue, done: Callable[[], bool]) -> None:
    """Run the queue until `done`, or until it dies."""
    running = asyncio.create_task(queue.run())
    await turns(1)
    await until(lambda: done() or running.done())
    await stop(running)


async def stop(running: Awaitable[None]) -> None:
    task = asyncio.ensure_future(running)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
