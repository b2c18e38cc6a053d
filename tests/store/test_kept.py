"""Journals of every schema that there ever was are read, verified, and gone on with: kept files, made at their time."""

import shutil
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from benchmarks.year import write_year
from controller.domain.books import Books
from controller.domain.days import BusinessDay
from controller.domain.records import Stopped
from controller.domain.selection import token_of
from controller.store.journal import SCHEMA_VERSION, Journal
from sim.chance import Chance
from tests.store.kept import CARD, CURSOR, ROWS, stamp
from tests.store.rows import STAMP

DATA = Path(__file__).parents[1] / "data"
HEADS = {
    1: "5453587a2ecaa4705586181e5659180522cf47ba8f7cdf634b8569af8c3eb36d",
    2: "af064b914dc1d869adc79d42984e7a4bf93cefe80d49504ff8a096013cdf456a",
}
"""By schema: the hash of the last row. It never changes, whatever becomes of the file."""


@pytest.fixture(params=HEADS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copy(DATA / f"journal-{request.param}.db", tmp_path))


def test_every_schema_has_its_kept_file() -> None:
    assert set(HEADS) == set(range(1, SCHEMA_VERSION + 1))
    assert {path.name for path in DATA.glob("journal-*.db")} == {f"journal-{version}.db" for version in HEADS}


def test_a_kept_journal_is_read_as_it_was_written(path: Path) -> None:
    journal = Journal(path)
    assert journal.head_hash.hex() == HEADS[int(path.stem[-1])]
    assert journal.cursor == CURSOR
    bodies = list(journal.replay())
    assert [body.record for body in bodies] == list(ROWS)
    assert [body.stamp for body in bodies] == [stamp(seq) for seq in range(1, len(ROWS) + 1)]
    assert journal.verify() == len(ROWS)
    journal.close()


def test_a_kept_journal_goes_on_and_is_of_the_newest_schema(path: Path) -> None:
    for time in (1, 2):
        journal = Journal(path, randomness=Chance(time, "keys"))
        journal.begin_epoch(b"epoch--%d" % time)
        again = ROWS[4]
        (body,) = journal.append([again], STAMP)
        assert body.record == again
        assert list(journal.replay())[-1].record == again
        assert journal.verify() == len(ROWS) + time
        assert journal._db.execute("PRAGMA user_version").get == SCHEMA_VERSION
        journal.close()


def test_in_an_old_journal_only_new_rows_can_be_erased(path: Path) -> None:
    journal = Journal(path, randomness=Chance(1, "keys"))
    journal.begin_epoch(b"epoch--1")
    journal.append([ROWS[4], Stopped("x")], STAMP)
    assert journal.erase(CARD.key)
    shown = [token for body in journal.replay() if (token := token_of(body.record)) == CARD]
    sealed_from_the_start = int(path.stem[-1]) > 1
    assert len(shown) == (0 if sealed_from_the_start else 2)
    journal.close()


def test_a_year_away_from_headquarters_is_one_whole_chain(tmp_path: Path) -> None:
    """A day of the year here; `benchmarks/journal.py` does all of it."""
    sales = 2_000
    journal = Journal(tmp_path / "journal.db", randomness=Chance(1, "keys"))
    write_year(journal, sales)
    assert journal.verify() == 3 * sales
    assert journal.cursor == 0
    books = Books(BusinessDay(ZoneInfo("Europe/Istanbul"), 4))
    for body in journal.replay():
        books.apply(body)
    assert (books.sums.sales, books.sums.deliveries, books.receipt_number) == (sales, sales, sales)
    assert not books.unpaid
    journal.close()
