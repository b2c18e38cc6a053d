"""The journal: what a row costs beyond the bare commit of its bytes, and what a year of 730,000 sales costs at a start
and at its verification.

The bare commit is made in the same run, in turns with the journal's: the disk is the same at the same moment.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import apsw

from benchmarks.report import Check, Report
from benchmarks.year import SALES, commits, write_year
from controller.domain.books import Books
from controller.domain.books_state import encode_books, fingerprint
from controller.domain.days import BusinessDay
from controller.domain.records import Record, Row, Stamp
from controller.domain.seams import ClockQuality
from controller.keeper import Opened, open_books
from controller.machine import MachineRandomness
from controller.store.checkpoint import Checkpoint, CheckpointFile
from controller.store.journal import Journal

TURNS, COMMITS_A_TURN = 100, 24
RATE = 0.8
START_LIMIT_S = 3.0
VERIFY_LIMIT_S = 20.0
ROWS_BEHIND = 2_000
"""What was written since the checkpoint: many hours of a busy station."""
STAMP = Stamp(1_767_225_600_000, b"one boot", 1, ClockQuality.SYNCHRONISED)
DAY = BusinessDay(ZoneInfo("Europe/Istanbul"), 4)


def measure() -> Report:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours_s, bare_s = _appends(folder)
        path = folder / "year.db"
        wrote_s = _timed(lambda: _year(path))
        size_mb = path.stat().st_size / 1e6
        verify_s = _timed(lambda: _verify(path))
        file = CheckpointFile(folder / "year.checkpoint")
        replay_s = _timed(lambda: _start(path, file))
        _checkpoint(path, file)
        start_s = _timed(lambda: _start(path, file))
        checkpoint_mb = file.path.stat().st_size / 1e6
    made = TURNS * COMMITS_A_TURN
    rates = f"{made / ours_s:,.0f} a second; the bare commit of the same bytes {made / bare_s:,.0f}"
    year = f"{SALES:,} sales, {3 * SALES:,} rows, {size_mb:,.0f} MB, written in {wrote_s:.0f} s"
    behind = f"checkpoint of {checkpoint_mb:.1f} MB, {ROWS_BEHIND:,} rows behind it; without it {replay_s:.1f} s"
    return Report(
        "journal",
        [
            Check("an append", ours_s / made * 1e6, bare_s / RATE / made * 1e6, "us"),
            Check("start from a checkpoint", start_s, START_LIMIT_S, "s"),
            Check("verify", verify_s, VERIFY_LIMIT_S, "s"),
        ],
        [("append", rates), ("the year", year), ("start", behind)],
    )


def _timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def _appends(folder: Path) -> tuple[float, float]:
    """Seconds of all appends by the journal, and of the bare commits of the same bytes."""
    journal = Journal(folder / "journal.db", randomness=MachineRandomness())
    journal.begin_epoch(bytes(8))
    bare = apsw.Connection(str(folder / "bare.db"))
    for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
        bare.execute(f"PRAGMA {setting}")
    bare.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, epoch BLOB, kind TEXT, body BLOB, hash BLOB)")
    records: list[Record] = [record for rows in commits(TURNS * COMMITS_A_TURN // 3) for record in rows]
    ours_s = bare_s = 0.0
    for first in range(0, len(records), COMMITS_A_TURN):
        some = records[first : first + COMMITS_A_TURN]
        ours_s += _timed(lambda some=some: [journal.append([record], STAMP) for record in some])  # type: ignore[misc]
        rows = journal.rows_after(first, COMMITS_A_TURN)
        bare_s += _timed(lambda rows=rows, first=first: _commit_bare(bare, rows, first))  # type: ignore[misc]
    bare.close()
    journal.close()
    return ours_s, bare_s


def _commit_bare(bare: apsw.Connection, rows: list[Row], first: int) -> None:
    for seq, row in enumerate(rows, first + 1):
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", (seq, bytes(8), "delivery", row.body, row.hash))
        bare.execute("COMMIT")


def _year(path: Path) -> None:
    journal = Journal(path, randomness=MachineRandomness())
    write_year(journal)
    journal.close()


def _verify(path: Path) -> None:
    journal = Journal(path)
    rows = journal.verify()
    assert rows == 3 * SALES, rows
    journal.close()


def _start(path: Path, file: CheckpointFile) -> Opened:
    """As the daemon does it, from the closed file to the books."""
    journal = Journal(path, randomness=MachineRandomness())
    opened = open_books(journal, DAY, file)
    assert opened.books.sums.sales == SALES
    journal.close()
    return opened


def _checkpoint(path: Path, file: CheckpointFile) -> None:
    journal = Journal(path)
    at = journal.head_seq - ROWS_BEHIND
    books = Books(DAY)
    for body in journal.replay(0, at):
        books.apply(body)
    row = journal.row_at(at)
    assert row is not None
    name = journal.opened(row).name
    file.save(Checkpoint(fingerprint(DAY), name, row.hash, encode_books(books)))
    journal.close()


if __name__ == "__main__":
    measure().show()
