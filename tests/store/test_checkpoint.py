"""A start from a checkpoint gives the books of the whole journal, or is no start from a checkpoint."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import apsw
import pytest

from controller.domain import books_compare, books_state
from controller.domain.books import Books
from controller.domain.books_state import (
    DamagedBooks,
    decode_books,
    differing,
    encode_books,
    fingerprint,
    fold_code,
    shape_of,
)
from controller.domain.days import BusinessDay
from controller.domain.records import Body, Stopped
from controller.keeper import CHECKPOINT_EVERY_S, BooksKeeper, Opened, open_books
from controller.store.checkpoint import Checkpoint, CheckpointFile
from controller.store.journal import Journal, JournalDamaged
from controller.store.writer import InlineWriter
from sim.chance import Chance
from sim.loop import VirtualClock, VirtualLoop, run
from tests.domain.rows import delivery
from tests.store.years import EPOCH, mixed, write

DAY = BusinessDay(ZoneInfo("Europe/Istanbul"), 4)
SEED = 5
SALES = 90


def whole(journal: Journal, day: BusinessDay = DAY) -> Books:
    books = Books(day)
    for body in journal.replay():
        books.apply(body)
    return books


class Place:
    """A journal with rows, and where its checkpoint is kept."""

    def __init__(self, folder: Path, seed: int = SEED) -> None:
        self.path = folder / "journal.db"
        self.file = CheckpointFile(folder / "journal.checkpoint")
        self.rows = mixed(seed, SALES)
        self.journal = Journal(self.path, randomness=Chance(1, "keys"))

    def fill(self, share: int = 100) -> None:
        """Write the rows up to this per cent of them."""
        write(self.journal, self.rows[self.journal.head_seq : len(self.rows) * share // 100])

    def opened(self) -> Opened:
        return open_books(self.journal, DAY, self.file)

    def save(self, *, day: BusinessDay = DAY, state: bytes | None = None) -> None:
        books = whole(self.journal, day)
        row = self.journal.row_at(books.seq)
        assert row is not None
        name = self.journal.opened(row).name
        self.file.save(Checkpoint(fingerprint(day), name, row.hash, state or encode_books(books)))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def keep(place: Place, tell: Callable[["Kept"], Coroutine[None, None, None]]) -> "Kept":
    """Run a keeper in virtual time beside what `tell` does."""

    async def main(loop: VirtualLoop) -> Kept:
        kept = Kept(place, VirtualClock(loop, 0))
        running = asyncio.ensure_future(kept.keeper.run())
        try:
            await tell(kept)
            assert not running.done(), running.result()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return kept

    return run(main)


class Kept:
    """A station's books and their keeper, without the station."""

    def __init__(self, place: Place, clock: VirtualClock) -> None:
        self.clock = clock
        self.place = place
        self.opened = place.opened()
        self.books = self.opened.books
        self.writer = InlineWriter(place.journal, clock, b"boot-one", lambda: 1_000)
        self.troubles: dict[str, str | None] = {}
        self.changes = 0
        self.keeper = BooksKeeper(self.opened, place.file, self.writer, clock, self.troubles.__setitem__, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    async def sell(self, count: int) -> None:
        """Rows, and into the books, as the running station does it."""
        for _ in range(count):
            for body in await self.writer.append(delivery(1_000)):
                self.books.apply(body)
            await self.wait(0.007)

    async def wait(self, seconds: float) -> None:
        await self.clock.sleep_until(self.clock.now().mono_us + round(seconds * 1_000_000))


@pytest.mark.parametrize("seed", range(SEED, SEED + 6))
def test_books_come_back_from_their_bytes_as_they_were_and_go_on_the_same(tmp_path: Path, seed: int) -> None:
    place = Place(tmp_path, seed)
    place.fill(60)
    books = whole(place.journal)
    state = encode_books(books)
    again = decode_books(state, DAY)
    assert again == books
    assert encode_books(again) == state
    place.fill()
    for body in place.journal.replay(books.seq):
        again.apply(body)
    assert again == whole(place.journal), f"seed {seed}"
    assert encode_books(again) == encode_books(whole(place.journal))
    place.journal.close()


def test_every_field_of_the_books_was_moved_by_the_rows_of_these_tests(place: Place) -> None:
    """Otherwise the tests above say nothing about it."""
    place.fill()
    empty = Books(DAY)
    assert set(differing(whole(place.journal), empty)) == set(books_state._FIELDS)
    place.journal.close()


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"\x91\x92\xa4nope\xc4\x01\x00", b"\x91\x92\xa4open\xc4\x01\x00"])
def test_other_bytes_are_no_books(damage: bytes) -> None:
    with pytest.raises(DamagedBooks):
        decode_books(damage, DAY)


def test_a_start_reads_only_the_rows_behind_the_checkpoint(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.fill(80)
    place.save()
    at = place.journal.head_seq
    place.fill()
    read: list[int] = []
    replay = Journal.replay

    def watched(self: Journal, after: int = 0) -> Iterator[Body]:
        read.append(after)
        return replay(self, after)

    monkeypatch.setattr(Journal, "replay", watched)
    opened = place.opened()
    assert read == [at]
    assert opened.doubted is not None
    assert opened.books == whole(place.journal)
    place.journal.close()


def _no_file(place: Place) -> None:
    place.file.path.unlink()


def _bent(place: Place) -> None:
    data = bytearray(place.file.path.read_bytes())
    data[len(data) // 2] ^= 1
    place.file.path.write_bytes(data)


def _short(place: Place) -> None:
    place.file.path.write_bytes(place.file.path.read_bytes()[:-100])


def _empty(place: Place) -> None:
    place.file.path.write_bytes(b"")


def _other_hour(place: Place) -> None:
    place.save(day=BusinessDay(DAY.zone, 5))


def _other_zone(place: Place) -> None:
    place.save(day=BusinessDay(ZoneInfo("Europe/Kyiv"), 4))


def _other_books(place: Place) -> None:
    place.save(state=b"\x91\x92\xa4nope\xc4\x01\x00")


def _folder(place: Place) -> None:
    place.file.path.unlink()
    place.file.path.mkdir()


@pytest.mark.parametrize(
    "harm", [_no_file, _bent, _short, _empty, _other_hour, _other_zone, _other_books, _folder], ids=lambda f: f.__name__
)
def test_without_a_checkpoint_that_fits_the_whole_journal_is_read(place: Place, harm: Callable[[Place], None]) -> None:
    place.fill()
    place.save()
    harm(place)
    opened = place.opened()
    assert opened.doubted is None
    assert opened.books == opened.checked == whole(place.journal)
    place.journal.close()


def test_a_checkpoint_of_another_journal_or_of_a_later_row_is_not_used(place: Place, tmp_path: Path) -> None:
    place.fill()
    place.save()
    place.journal.close()
    for share in (100, 50):
        (tmp_path / str(share)).mkdir()
        other = Place(tmp_path / str(share), seed=SEED + (share == 100))
        other.fill(share)
        other.file.path.write_bytes(place.file.path.read_bytes())
        opened = other.opened()
        assert opened.doubted is None
        assert opened.books == whole(other.journal)
        other.journal.close()


CHANGES = {
    "books": ("self.epochs += 1", "self.epochs += 2"),
    "usage": ("HOUR_MS = 3_600_000", "HOUR_MS = 3_600_001"),
    "allotments": ("known.ids[allotment_id] = ", "known.ids[pot] = "),
    "pins": ("TRIES = 3", "TRIES = 4"),
    "purses": ("case.spent = 0", "case.spent = 1"),
    "elapsed": ("max(forward_ms, 0)", "max(forward_ms, 1)"),
    "days": ("timedelta(hours=", "timedelta(minutes="),
    "lists": ('WEEK = "week"', 'WEEK = "weeks"'),
    "records": ("proven: bool = True", "proven: bool = False"),
}
"""One of each kind: a function's code, a module's table, a default, an enumeration."""


@pytest.mark.parametrize("module", CHANGES)
def test_a_program_that_folds_otherwise_has_another_fingerprint(module: str) -> None:
    code = fold_code()
    name, (before, after) = f"controller.domain.{module}", CHANGES[module]
    path = Path(str(sys.modules[name].__file__))
    source = path.read_text()
    assert before in source, "this test looks for a line that is not there any more"
    same = compile(source, str(path), "exec", dont_inherit=True)
    assert shape_of(code | {name: same}) == shape_of(code)
    changed = compile(source.replace(before, after), str(path), "exec", dont_inherit=True)
    assert shape_of(code | {name: changed}) != shape_of(code)


def test_the_keeper_makes_a_checkpoint_and_the_next_start_uses_it(place: Place) -> None:
    place.fill()

    async def tell(kept: Kept) -> None:
        await kept.wait(1)
        assert place.file.load() is not None
        await kept.sell(70)
        await kept.wait(CHECKPOINT_EVERY_S + 10)

    kept = keep(place, tell)
    saved = place.file.load()
    assert saved is not None
    assert saved.name.seq == kept.books.seq == place.journal.head_seq
    assert place.file.path.stat().st_mode & 0o777 == 0o600
    opened = place.opened()
    assert opened.doubted == saved
    assert opened.books == kept.books == whole(place.journal)
    assert not kept.troubles
    place.journal.close()


def test_the_whole_journal_read_beside_the_running_station_gives_the_books_of_the_checkpoint(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.fill(70)
    place.save()
    place.fill(90)

    async def tell(kept: Kept) -> None:
        assert kept.opened.doubted is not None
        await kept.sell(200)
        await kept.wait(60)

    with caplog.at_level(logging.INFO):
        kept = keep(place, tell)
    assert "the whole journal gives the books of the checkpoint" in caplog.text
    assert (kept.troubles, kept.changes) == ({}, 0)
    assert kept.books == whole(place.journal)
    place.journal.close()


def test_books_that_the_journal_does_not_give_are_said_and_become_what_it_gives(place: Place) -> None:
    place.fill(70)
    books = whole(place.journal)
    books.unpaid.clear()
    books.sums.volume_ml += 1
    place.save(state=encode_books(books))
    place.fill(90)

    async def tell(kept: Kept) -> None:
        held = kept.books
        await kept.sell(200)
        await kept.wait(60)
        assert kept.books is held, "who holds the books holds the right ones"
        await kept.sell(10)

    kept = keep(place, tell)
    text = kept.troubles["books"]
    assert text is not None
    assert all(name in text for name in ("unpaid", "sums"))
    assert "The journal counts" in text
    assert kept.changes == 1
    assert kept.books == whole(place.journal)
    assert place.opened().books == kept.books, "the next checkpoint is right"
    place.journal.close()


def _loses_what_is_unpaid(books: Books) -> None:
    books.unpaid.popitem()


def _miscounts_use(books: Books) -> None:
    days = books.usage.days[next(iter(books.usage.days))]
    days[0].volume_ml += 1


def _time_goes_wrong(books: Books) -> None:
    books.usage.elapsed.ms += 1


def _miscounts_sales(books: Books) -> None:
    books.sums.sales += 1


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        (_loses_what_is_unpaid, "unpaid"),
        (_miscounts_use, "usage"),
        (_time_goes_wrong, "usage"),
        (_miscounts_sales, "sums"),
    ],
)
def test_books_that_go_wrong_while_the_station_runs_are_found_within_the_hour(
    place: Place, fault: Callable[[Books], None], field: str
) -> None:
    place.fill()

    async def tell(kept: Kept) -> None:
        held = kept.books
        await kept.wait(CHECKPOINT_EVERY_S // 2)
        await kept.sell(20)
        assert kept.troubles == {}
        fault(kept.books)
        await kept.wait(CHECKPOINT_EVERY_S // 2 - 2)
        await kept.sell(10)
        await kept.wait(120)
        assert kept.books is held

    kept = keep(place, tell)
    assert field in str(kept.troubles["books"])
    assert kept.changes == 1
    assert kept.books == whole(place.journal)
    place.journal.close()


def test_right_books_are_never_called_wrong_whatever_comes_between(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books_compare, "PIECE", 3)
    place.fill(50)

    async def tell(kept: Kept) -> None:
        place.journal.begin_epoch(EPOCH)
        for record in place.rows[kept.books.seq :]:
            for written in await kept.writer.append(record):
                kept.books.apply(written)
            await kept.wait(0.003)
        await kept.wait(5)

    kept = keep(place, tell)
    assert (kept.troubles, kept.changes) == ({}, 0)
    place.journal.close()


def test_an_old_row_that_is_damaged_is_said_and_the_station_goes_on(place: Place) -> None:
    place.fill(90)
    place.save()
    place.journal.close()
    database = apsw.Connection(str(place.path))
    database.execute("UPDATE rows SET hash = zeroblob(32) WHERE seq = 20")
    database.close()
    place.journal = Journal(place.path, randomness=Chance(2, "keys"))
    place.journal.begin_epoch(EPOCH)

    async def tell(kept: Kept) -> None:
        await kept.wait(60)
        await kept.sell(3)

    kept = keep(place, tell)
    assert "row 20" in str(kept.troubles["journal check"])
    place.file.path.unlink()
    with pytest.raises(JournalDamaged, match="row 20"):
        place.opened()
    place.journal.close()


def test_a_disk_that_refuses_the_checkpoint_harms_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.fill(50)
    place.file = CheckpointFile(place.path.parent / "nowhere" / "journal.checkpoint")

    async def tell(kept: Kept) -> None:
        await kept.sell(5)
        await kept.wait(CHECKPOINT_EVERY_S + 10)

    kept = keep(place, tell)
    assert "the next start reads more of the journal" in caplog.text
    assert kept.books == whole(place.journal)
    place.journal.close()


def test_a_new_station_has_no_checkpoint_before_its_first_row(place: Place) -> None:
    async def tell(kept: Kept) -> None:
        await kept.wait(10)
        assert place.file.load() is None
        place.journal.begin_epoch(EPOCH)
        for body in await kept.writer.append(Stopped("x")):
            kept.books.apply(body)
        await kept.wait(CHECKPOINT_EVERY_S)

    keep(place, tell)
    assert place.file.load() is not None
    place.journal.close()


def test_a_destroyed_checkpoint_is_gone_and_may_be_destroyed_again(place: Place) -> None:
    place.fill(20)
    place.save()
    place.file.destroy()
    place.file.destroy()
    assert place.file.load() is None
    assert not list(place.path.parent.glob("*checkpoint*"))
    place.journal.close()
