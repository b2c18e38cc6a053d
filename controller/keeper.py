"""How a station comes to its books at start, and how it makes sure of them.

With a checkpoint: the books of then, and the rows behind it; the whole journal is then read again beside the running
station, slowly, and must give the same. Without one: the whole journal, before anything else. From then on second books
are made of the rows that the disk gives back, and hourly the station's own are held against them. The rows are the
truth: where the two differ, the books become what the rows say, and a person is told.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from controller.domain.books import Books
from controller.domain.books_compare import compared
from controller.domain.books_state import DamagedBooks, decode_books, differing, encode_books, fingerprint
from controller.domain.days import BusinessDay
from controller.domain.seams import US_PER_MS, Clock
from controller.store.checkpoint import Checkpoint, CheckpointFile
from controller.store.journal import Journal, JournalDamaged
from controller.store.writer import JournalWriter

ROWS_A_STEP = 50
PAUSE_MS = 10
"""Between two steps: the pumps, the tills and the journal's own commits go first."""
CHECKPOINT_EVERY_S = 3_600

log = logging.getLogger("forecourt.station")


@dataclass(frozen=True, slots=True)
class Opened:
    """The books of a start. `checked`: books of their own, as far as they are read from the rows; `doubted`: the
    checkpoint that those must come to, None where none was used."""

    books: Books
    checked: Books
    doubted: Checkpoint | None


def open_books(journal: Journal, business_day: BusinessDay, file: CheckpointFile) -> Opened:
    """The books of a journal. JournalDamaged if a row that is read is not right."""
    kept = file.load()
    if kept is not None:
        books = _from_checkpoint(journal, business_day, kept)
        if books is not None:
            return Opened(books, Books(business_day), kept)
    books = Books(business_day)
    for body in journal.replay():
        books.apply(body)
    return Opened(books, decode_books(encode_books(books), business_day), None)


def _from_checkpoint(journal: Journal, business_day: BusinessDay, kept: Checkpoint) -> Books | None:
    """None if it is of another program, another configuration or another journal."""
    row = journal.row_at(kept.name.seq)
    if kept.fingerprint != fingerprint(business_day) or row is None or row.hash != kept.hash:
        log.info("the checkpoint does not fit: the whole journal is read")
        return None
    try:
        books = decode_books(kept.state, business_day)
    except DamagedBooks as error:
        log.warning("the checkpoint cannot be read, so the whole journal is: %s", error)
        return None
    for body in journal.replay(books.seq):
        books.apply(body)
    return books


class BooksKeeper:
    """Reads the journal beside the running station, holds the station's books against it, and keeps checkpoints."""

    def __init__(
        self,
        opened: Opened,
        file: CheckpointFile,
        writer: JournalWriter,
        clock: Clock,
        trouble: Callable[[str, str | None], None],
        changed: Callable[[], None],
    ) -> None:
        """`trouble`: where, and what is wrong; `changed`: called when the books have become others."""
        self._books = opened.books
        self._checked = opened.checked
        self._doubted = opened.doubted
        self._file = file
        self._writer = writer
        self._clock = clock
        self._trouble = trouble
        self._changed = changed

    async def run(self) -> None:
        """Until cancelled. The journal goes on whatever is found."""
        try:
            if self._doubted is not None:
                await self._read_to(lambda: self._doubted.name.seq if self._doubted else 0)
                await self._compare(self._doubted)
                self._doubted = None
            while True:
                await self._hold_against_the_rows()
                await self._writer.with_journal(self._save)
                await self._sleep_ms(CHECKPOINT_EVERY_S * 1_000)
        except JournalDamaged as error:
            # The rows behind the checkpoint were whole, so the station can go on selling.
            self._trouble("journal check", f"An old row of the journal is damaged: {error}")
        await asyncio.Event().wait()

    async def _read_to(self, end: Callable[[], int]) -> None:
        """Take rows until the books that are read from them stand at this one."""
        while (left := end() - self._checked.seq) > 0:
            await self._writer.with_journal(lambda journal, left=left: self._step(journal, left))  # type: ignore[misc]
            await self._sleep_ms(PAUSE_MS)

    def _step(self, journal: Journal, left: int) -> None:
        for body in journal.replay(self._checked.seq, min(left, ROWS_A_STEP)):
            self._checked.apply(body)

    async def _compare(self, kept: Checkpoint) -> None:
        same = await self._writer.with_journal(lambda _: encode_books(self._checked) == kept.state)
        if same:
            log.info("the whole journal gives the books of the checkpoint at %s", kept.name.text)
            return
        await self._put_right()

    async def _hold_against_the_rows(self) -> None:
        """Hold the station's books against those of the rows: a piece at a time, at the same row each time.

        The rows are read where commits are made; here is what is left of it on the event loop, a millisecond in ten.
        """
        await self._read_to(lambda: self._books.seq)
        for wrong in compared(self._checked, self._books):
            if wrong:
                await self._put_right()
                return
            await self._sleep_ms(PAUSE_MS)
            await self._read_to(lambda: self._books.seq)

    async def _put_right(self) -> None:
        """The station's books become what the rows give."""
        await self._read_to(lambda: self._books.seq)
        # From here to the end nobody else has a turn: no row comes between.
        wrong = differing(self._checked, self._books)
        self._books.adopt(decode_books(encode_books(self._checked), self._books.business_day))
        self._trouble(
            "books",
            f"This station had books that its journal does not give ({', '.join(wrong) or 'in the past'}). "
            "The journal counts, and the books are right again: look at what is unpaid, and report this",
        )
        self._changed()

    def _save(self, journal: Journal) -> None:
        checked = self._checked
        row = journal.row_at(checked.seq)
        if row is None:
            return  # nothing is written yet
        name = journal.opened(row).name
        try:
            self._file.save(Checkpoint(fingerprint(checked.business_day), name, row.hash, encode_books(checked)))
        except OSError as error:
            log.warning("%s cannot be written (%s): the next start reads more of the journal", self._file.path, error)

    async def _sleep_ms(self, ms: int) -> None:
        await self._clock.sleep_until(self._clock.now().mono_us + ms * US_PER_MS)
