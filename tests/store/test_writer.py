"""The writer brings the journal to the event loop: in order, in groups, each error to the one whom it concerns."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from controller.domain.records import Body, Record, Stamp, Stopped
from controller.domain.seams import ClockQuality
from controller.store.journal import Journal, JournalUnwritable
from controller.store.writer import MAX_GROUP, InlineWriter, ThreadWriter
from sim.loop import VirtualClock, VirtualLoop, run
from tests.printing.clocks import HandClock
from tests.store.rows import EPOCH, open_journal, seqs

BOOT = b"boot-one"
PATIENCE_S = 30


class SlowJournal(Journal):
    """Commits wait until they are let through, and may be told to fail."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begin_epoch(EPOCH)
        self.may_go = threading.Event()
        self.commits: list[int] = []
        self.full = False

    def append(self, records: Sequence[Record], stamp: Stamp) -> tuple[Body, ...]:
        assert self.may_go.wait(PATIENCE_S)
        if self.full:
            raise JournalUnwritable("the disk is full")
        bodies = super().append(records, stamp)
        self.commits.append(len(records))
        return bodies


@pytest.fixture
def journal(tmp_path: Path) -> SlowJournal:
    return SlowJournal(tmp_path / "journal.db")


async def tries(writer: ThreadWriter, *records: Record) -> tuple[Body, ...] | Exception:
    try:
        return await writer.append(*records)
    except Exception as error:  # noqa: BLE001  # the test looks at it
        return error


def test_appends_that_wait_share_commits_and_keep_their_order(journal: SlowJournal, tmp_path: Path) -> None:
    async def main() -> None:
        writer = ThreadWriter(journal, HandClock(), BOOT)
        appends = [asyncio.ensure_future(writer.append(Stopped(str(n)))) for n in range(MAX_GROUP + 60)]
        await asyncio.sleep(0)
        journal.may_go.set()
        bodies = [(await append)[0] for append in appends]
        assert [body.name.seq for body in bodies] == list(range(1, MAX_GROUP + 61))
        assert [body.record for body in bodies] == [Stopped(str(n)) for n in range(MAX_GROUP + 60)]
        assert len(journal.commits) < 10, "they shared commits"
        assert max(journal.commits) <= MAX_GROUP
        await writer.close()

    asyncio.run(main())
    again = Journal(tmp_path / "journal.db")
    assert len(seqs(again)) == MAX_GROUP + 60
    again.close()


def test_several_records_of_one_append_stand_together(journal: SlowJournal) -> None:
    async def main() -> None:
        journal.may_go.set()
        writer = ThreadWriter(journal, HandClock(), BOOT)
        pairs = await asyncio.gather(*(writer.append(Stopped(f"{n}a"), Stopped(f"{n}b")) for n in range(20)))
        for first, second in pairs:
            assert second.name.seq == first.name.seq + 1
        assert await writer.append() == ()
        await writer.close()

    asyncio.run(main())


def test_when_an_append_returns_the_head_is_there_and_the_listeners_know(journal: SlowJournal) -> None:
    async def main() -> None:
        journal.may_go.set()
        writer = ThreadWriter(journal, HandClock(), BOOT)
        heard: list[int] = []
        writer.on_append(lambda: heard.append(writer.head_seq))
        for _ in range(30):
            (body,) = await writer.append(Stopped("x"))
            assert writer.head == body.name
            assert heard[-1] == writer.head_seq
        row = await writer.row_at(writer.head_seq)
        assert row is not None
        assert row.hash == writer.head_hash
        await writer.close()

    asyncio.run(main())


def test_a_full_disk_reaches_all_who_wait_and_then_it_works_again(journal: SlowJournal) -> None:
    async def main() -> None:
        writer = ThreadWriter(journal, HandClock(), BOOT)
        journal.full = True
        waiting = [asyncio.ensure_future(tries(writer, Stopped("x"))) for _ in range(5)]
        await asyncio.sleep(0)
        journal.may_go.set()
        assert all(isinstance(outcome, JournalUnwritable) for outcome in await asyncio.gather(*waiting))
        assert writer.head is None
        journal.full = False
        (body,) = await writer.append(Stopped("y"))
        assert body.name.seq == 1
        await writer.close()

    asyncio.run(main())


def test_something_that_is_no_record_harms_only_who_brought_it(journal: SlowJournal) -> None:
    async def main() -> None:
        writer = ThreadWriter(journal, HandClock(), BOOT)
        records = [Stopped("good"), Stopped(object()), Stopped("good too")]  # type: ignore[arg-type]  # it is meant
        waiting = [asyncio.ensure_future(tries(writer, record)) for record in records]
        await asyncio.sleep(0)
        journal.may_go.set()
        first, bad, last = await asyncio.gather(*waiting)
        assert isinstance(bad, TypeError)
        assert isinstance(first, tuple)
        assert isinstance(last, tuple)
        assert [first[0].name.seq, last[0].name.seq] == [1, 2]
        await writer.close()

    asyncio.run(main())


def test_close_finishes_what_is_queued_and_lets_nothing_more_in(journal: SlowJournal, tmp_path: Path) -> None:
    async def main() -> None:
        writer = ThreadWriter(journal, HandClock(), BOOT)
        waiting = [asyncio.ensure_future(writer.append(Stopped("x"))) for _ in range(10)]
        reading = asyncio.ensure_future(writer.rows_after(0, 100))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(writer.close())
        journal.may_go.set()
        await closing
        await asyncio.gather(*waiting)
        assert len(await reading) == 10
        with pytest.raises(JournalUnwritable, match="the station is being stopped"):
            await writer.append(Stopped("late"))
        with pytest.raises(JournalUnwritable, match="the station is being stopped"):
            await writer.row_at(1)
        await writer.close()

    asyncio.run(main())
    again = Journal(tmp_path / "journal.db")
    assert again.head_seq == 10
    again.close()


def test_a_caller_that_goes_away_does_not_take_its_row_back(journal: SlowJournal) -> None:
    async def main() -> None:
        writer = ThreadWriter(journal, HandClock(), BOOT)
        waiting = asyncio.ensure_future(writer.append(Stopped("gone")))
        await asyncio.sleep(0)
        waiting.cancel()
        journal.may_go.set()
        (body,) = await writer.append(Stopped("next"))
        assert waiting.cancelled()
        assert body.name.seq == 2
        await writer.close()

    asyncio.run(main())


def test_reads_come_after_the_writes_that_were_asked_for_before(journal: SlowJournal) -> None:
    async def main() -> None:
        writer = ThreadWriter(journal, HandClock(), BOOT)
        waiting = asyncio.ensure_future(writer.append(Stopped("x")))
        await asyncio.sleep(0)
        reading = asyncio.ensure_future(writer.rows_after(0, 9))
        cursor = asyncio.ensure_future(writer.set_cursor(1))
        await asyncio.sleep(0)
        journal.may_go.set()
        assert len(await reading) == 1
        await asyncio.gather(waiting, cursor)
        assert writer.cursor == 1
        await writer.close()

    asyncio.run(main())


def test_a_stamp_carries_both_clocks_and_their_quality(journal: SlowJournal) -> None:
    async def main() -> None:
        journal.may_go.set()
        clock = HandClock()
        clock.mono_us = 7_654_321
        writer = ThreadWriter(journal, clock, BOOT)
        (body,) = await writer.append(Stopped("x"))
        assert body.stamp == Stamp(0, BOOT, 7_654, ClockQuality.SIMULATED)
        await writer.close()

    asyncio.run(main())


def test_a_simulated_commit_takes_the_worlds_time() -> None:
    async def main(loop: VirtualLoop) -> None:
        clock = VirtualClock(loop, 0)
        writer = InlineWriter(open_journal(":memory:"), clock, BOOT, lambda: 5_000)
        heard: list[int] = []
        writer.on_append(lambda: heard.append(loop.now_us))
        (body,) = await writer.append(Stopped("x"))
        assert (body.name.seq, loop.now_us, heard) == (1, 5_000, [5_000])
        assert writer.head == body.name
        await writer.set_cursor(1)
        assert writer.cursor == 1
        assert len(await writer.rows_after(0, 9)) == 1
        await writer.close()

    run(main)


def test_simulated_commits_return_in_the_order_of_their_rows_whatever_they_take() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        delays = iter([9_000, 1, 0, 4_000, 0])
        writer = InlineWriter(open_journal(":memory:"), VirtualClock(loop, 0), BOOT, lambda: next(delays))
        returned: list[int] = []

        async def append() -> None:
            (body,) = await writer.append(Stopped("x"))
            returned.append(body.name.seq)

        await asyncio.gather(*(append() for _ in range(5)))
        assert loop.now_us == 13_001, "one disk does one thing after the other"
        await writer.close()
        return returned

    assert run(main) == [1, 2, 3, 4, 5]


def test_a_simulated_full_disk_is_an_error_at_once() -> None:
    async def main(loop: VirtualLoop) -> None:
        journal = open_journal(":memory:")
        writer = InlineWriter(journal, VirtualClock(loop, 0), BOOT, lambda: 1)
        journal._db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(JournalUnwritable):
            await writer.append(Stopped("x" * 100_000))
        assert writer.head is None
        await writer.close()

    run(main)


def test_work_is_done_where_the_journal_lives_and_its_error_is_the_callers(journal: SlowJournal) -> None:
    async def main() -> None:
        journal.may_go.set()
        writer = ThreadWriter(journal, HandClock(), BOOT)
        await writer.append(Stopped("x"))
        assert await writer.with_journal(lambda given: (given.verify(), threading.current_thread().name)) == (
            1,
            "journal",
        )
        with pytest.raises(ZeroDivisionError):
            await writer.with_journal(lambda _: 1 // 0)
        await writer.append(Stopped("y"))
        await writer.close()

    asyncio.run(main())
