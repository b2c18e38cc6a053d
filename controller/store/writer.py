"""The journal on the event loop: commits on one thread in production, inline in a simulated world.

Appends that arrive while a commit runs share the next one. Knows no record's meaning.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from controller.domain.records import Body, Record, Row, RowName, Stamp
from controller.domain.seams import US_PER_MS, Clock
from controller.store.journal import Journal, JournalUnwritable

T = TypeVar("T")
MAX_GROUP = 200
"""Appends that share one commit at most: a bound on how long the first of them waits."""


class JournalWriter(Protocol):
    """What the controller and the sync see of the journal."""

    @property
    def head(self) -> RowName | None: ...

    @property
    def head_hash(self) -> bytes: ...

    @property
    def head_seq(self) -> int: ...

    @property
    def cursor(self) -> int: ...

    async def append(self, *records: Record) -> tuple[Body, ...]:
        """Return when the records are on disk. JournalUnwritable if they could not be written."""
        ...

    async def rows_after(self, seq: int, limit: int) -> list[Row]: ...

    async def row_at(self, seq: int) -> Row | None: ...

    async def set_cursor(self, seq: int) -> None: ...

    async def with_journal(self, work: Callable[[Journal], T]) -> T:
        """What `work` gives, done where the journal lives. Appends wait for it: keep it short."""
        ...

    def on_append(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the event loop after each commit."""
        ...

    async def close(self) -> None: ...


class _Base:
    def __init__(self, journal: Journal, clock: Clock, boot: bytes) -> None:
        self._journal = journal
        self._clock = clock
        self._boot = boot
        self._callbacks: list[Callable[[], None]] = []
        self._head = journal.head
        self._head_hash = journal.head_hash
        self._cursor = journal.cursor

    @property
    def head(self) -> RowName | None:
        return self._head

    @property
    def head_hash(self) -> bytes:
        return self._head_hash

    @property
    def head_seq(self) -> int:
        return self._head.seq if self._head else 0

    @property
    def cursor(self) -> int:
        return self._cursor

    def on_append(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def _stamp(self) -> Stamp:
        now = self._clock.now()
        return Stamp(now.wall_ms, self._boot, now.mono_us // US_PER_MS, self._clock.quality)

    def _appended(self, head: RowName | None, head_hash: bytes) -> None:
        self._head, self._head_hash = head, head_hash
        for callback in self._callbacks:
            callback()


class InlineWriter(_Base):
    """For a simulated world: no thread. A commit takes `delay_us()` of the world's time."""

    def __init__(self, journal: Journal, clock: Clock, boot: bytes, delay_us: Callable[[], int]) -> None:
        super().__init__(journal, clock, boot)
        self._delay_us = delay_us
        self._busy_until_us = 0

    async def append(self, *records: Record) -> tuple[Body, ...]:
        stamp = self._stamp()
        bodies = self._journal.append(records, stamp)
        # One disk: a later commit never returns before an earlier one, so that the books take rows in their order.
        self._busy_until_us = max(self._clock.now().mono_us, self._busy_until_us) + self._delay_us()
        await self._clock.sleep_until(self._busy_until_us)
        self._appended(self._journal.head, self._journal.head_hash)
        return bodies

    async def rows_after(self, seq: int, limit: int) -> list[Row]:
        return self._journal.rows_after(seq, limit)

    async def row_at(self, seq: int) -> Row | None:
        return self._journal.row_at(seq)

    async def set_cursor(self, seq: int) -> None:
        self._journal.set_cursor(seq)
        self._cursor = seq

    async def with_journal(self, work: Callable[[Journal], T]) -> T:
        return work(self._journal)

    async def close(self) -> None:
        self._journal.close()


class _Append:
    def __init__(self, records: Sequence[Record], stamp: Stamp, future: asyncio.Future[tuple[Body, ...]]) -> None:
        self.records = records
        self.stamp = stamp
        self.future = future


class _Call:
    def __init__(self, work: Callable[[Journal], object], future: asyncio.Future[object]) -> None:
        self.work = work
        self.future = future


class ThreadWriter(_Base):
    """For production: the journal lives on one thread of its own, which groups commits.

    Create it on the event loop that will use it.
    """

    def __init__(self, journal: Journal, clock: Clock, boot: bytes) -> None:
        super().__init__(journal, clock, boot)
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._jobs: queue.SimpleQueue[_Append | _Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    async def append(self, *records: Record) -> tuple[Body, ...]:
        self._check_open()
        future: asyncio.Future[tuple[Body, ...]] = self._loop.create_future()
        self._jobs.put(_Append(records, self._stamp(), future))
        # A caller that goes away does not take the commit back: it is journalled, and its effect is not done.
        return await asyncio.shield(future)

    async def rows_after(self, seq: int, limit: int) -> list[Row]:
        return await self._call(lambda journal: journal.rows_after(seq, limit))

    async def row_at(self, seq: int) -> Row | None:
        return await self._call(lambda journal: journal.row_at(seq))

    async def set_cursor(self, seq: int) -> None:
        await self._call(lambda journal: journal.set_cursor(seq))
        self._cursor = seq

    async def with_journal(self, work: Callable[[Journal], T]) -> T:
        return await self._call(work)

    async def close(self) -> None:
        """Finish what is queued, then close the file."""
        self._closed = True
        self._jobs.put(None)
        finished = self._loop.create_future()

        def wait() -> None:
            self._thread.join()
            self._loop.call_soon_threadsafe(finished.set_result, None)

        threading.Thread(target=wait, name="journal-close", daemon=True).start()
        await finished

    def _check_open(self) -> None:
        if self._closed:
            raise JournalUnwritable("the journal is closed: the station is being stopped")

    async def _call(self, work: Callable[[Journal], T]) -> T:
        self._check_open()
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Call(work, future))  # type: ignore[arg-type]  # T is the future's own type
        return await future

    def _work(self) -> None:
        held: _Append | _Call | None
        running = True
        while running:
            held = self._jobs.get()
            group: list[_Append] = []
            while isinstance(held, _Append):
                group.append(held)
                if len(group) >= MAX_GROUP:
                    held = None
                    break
                try:
                    held = self._jobs.get_nowait()
                except queue.Empty:
                    break
            else:
                running = held is not None
            if group:
                self._commit(group)
            if isinstance(held, _Call):
                self._answer(held)
        self._journal.close()

    def _commit(self, group: list[_Append]) -> None:
        records = [record for job in group for record in job.records]
        try:
            bodies = self._journal.append(records, group[-1].stamp)
        except Exception as error:  # noqa: BLE001  # whatever it is belongs to those who wait for the commit
            if len(group) > 1 and not isinstance(error, JournalUnwritable):
                # One of them brought something that is no record: the others must not pay for it.
                for job in group:
                    self._commit([job])
                return
            for job in group:
                self._post(job.future, error)
            return
        head, head_hash = self._journal.head, self._journal.head_hash
        # Before the callers wake: when append() returns, the head is at their rows or beyond.
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._appended, head, head_hash)
        taken = 0
        for job in group:
            share = bodies[taken : taken + len(job.records)]
            taken += len(job.records)
            self._post(job.future, share)

    def _answer(self, job: _Call) -> None:
        try:
            result = job.work(self._journal)
        except Exception as error:  # noqa: BLE001  # belongs to the caller
            self._post(job.future, error)
        else:
            self._post(job.future, result)

    def _post(self, future: asyncio.Future[T], result: object) -> None:
        def deliver() -> None:
            if future.done():
                return
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # T is what the work returned

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(deliver)


__all__ = ["InlineWriter", "JournalUnwritable", "JournalWriter", "ThreadWriter"]
