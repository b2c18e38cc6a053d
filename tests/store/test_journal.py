"""The journal's file keeps every acknowledged row, belongs to one process, and says in a sentence what is wrong."""

import sqlite3
from pathlib import Path

import apsw
import pytest

from controller.domain.records import GENESIS, Stopped, decode_body, open_row
from controller.store.journal import (
    Journal,
    JournalBusy,
    JournalDamaged,
    JournalError,
    JournalUnwritable,
)
from tests.store.rows import EPOCH, STAMP, START, finish, open_journal, process, seqs, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def tamper(path: Path, statement: str) -> None:
    database = apsw.Connection(str(path))
    database.execute(statement)
    database.close()


def test_rows_are_read_as_they_were_written(path: Path) -> None:
    journal = open_journal(path)
    bodies = journal.append([START, Stopped("a"), Stopped("b")], STAMP)
    assert tuple(journal.replay()) == bodies
    assert [body.name.seq for body in bodies] == [1, 2, 3]
    assert journal.head == bodies[-1].name
    journal.close()


def test_a_reopened_journal_goes_on_where_it_stopped_under_a_new_epoch(path: Path) -> None:
    first = open_journal(path)
    write(first, 3)
    head, head_hash = first.head, first.head_hash
    first.close()
    second = open_journal(path, b"epoch--2")
    assert (second.head, second.head_hash) == (head, head_hash)
    write(second, 2)
    bodies = list(second.replay())
    assert [(body.name.epoch, body.name.seq) for body in bodies] == [
        (EPOCH, 1),
        (EPOCH, 2),
        (EPOCH, 3),
        (b"epoch--2", 4),
        (b"epoch--2", 5),
    ]
    second.close()


def test_ranges_are_chained_so_that_they_can_be_sent_alone(path: Path) -> None:
    journal = open_journal(path)
    write(journal, 10)
    before = journal.row_at(4)
    assert before is not None
    previous_hash = before.hash
    rows = journal.rows_after(4, 3)
    for seq, row in enumerate(rows, 5):
        assert open_row(previous_hash, row).name.seq == seq
        previous_hash = row.hash
    assert len(rows) == 3
    assert journal.rows_after(10, 5) == []
    assert journal.row_at(11) is None
    assert [body.name.seq for body in journal.bodies_after(8, 99)] == [9, 10]
    journal.close()


def test_a_long_journal_is_replayed_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.store.journal.READ_CHUNK", 7)
    journal = open_journal(path)
    write(journal, 22)
    assert seqs(journal) == list(range(1, 23))
    journal.close()


def test_nothing_to_write_writes_nothing(path: Path) -> None:
    journal = open_journal(path)
    assert journal.append([], STAMP) == ()
    assert journal.head is None
    assert journal.head_hash == GENESIS
    journal.close()


def test_an_epoch_comes_before_the_first_row(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(RuntimeError, match="begin_epoch"):
        journal.append([START], STAMP)
    journal.close()


def test_the_cursor_is_kept_and_may_go_back(path: Path) -> None:
    journal = open_journal(path)
    assert journal.cursor == 0
    write(journal, 5)
    journal.set_cursor(5)
    journal.set_cursor(3)
    journal.close()
    journal = Journal(path)
    assert journal.cursor == 3
    journal.close()


def test_each_commit_is_on_disk_before_it_is_acknowledged(path: Path) -> None:
    journal = open_journal(path)
    database = journal._db
    assert database.execute("PRAGMA journal_mode").get == "wal"
    assert database.execute("PRAGMA synchronous").get == 2, "FULL"
    assert database.execute("PRAGMA locking_mode").get == "exclusive"
    journal.close()


def test_a_second_journal_in_the_same_process_is_refused_too(path: Path) -> None:
    journal = open_journal(path)
    with pytest.raises(JournalBusy, match="in use by another process"):
        Journal(path)
    write(journal, 1)
    journal.close()


OPEN = """
import sys
from controller.store.journal import Journal, JournalError
try:
    journal = Journal(sys.argv[1])
except JournalError as error:
    print(type(error).__name__, error)
else:
    print("opened", journal.head_seq)
"""


def test_a_second_process_is_told_that_the_journal_is_in_use(path: Path) -> None:
    journal = open_journal(path)
    write(journal, 1)
    out, err = finish(process(OPEN, path))
    assert out.startswith(f"JournalBusy {path} is in use by another process: only one controller"), err
    assert "Stop the other one first" in out
    write(journal, 1)
    journal.close()
    assert finish(process(OPEN, path))[0] == "opened 2\n"


APPEND_FOR_EVER = """
import sys
from controller.domain.records import Stopped
from tests.store.rows import STAMP, open_journal
journal = open_journal(sys.argv[1], bytes.fromhex(sys.argv[2]))
while True:
    (body, *_) = journal.append([Stopped("x" * 300), Stopped("y")], STAMP)
    print(body.name.seq + 1, flush=True)
"""


def test_no_acknowledged_row_is_lost_when_the_process_is_killed(path: Path) -> None:
    acknowledged = 0
    for round_ in range(3):
        child = process(APPEND_FOR_EVER, path, bytes([round_] * 8).hex())
        assert child.stdout is not None
        heard = [int(child.stdout.readline()) for _ in range(40 + 17 * round_)]
        assert heard[0] == acknowledged + 2, "it goes on from the last row"
        child.kill()
        child.wait()
        # What was in the pipe when it died was acknowledged too.
        heard += [int(line) for line in child.stdout.read().split("\n")[:-1]]
        for stream in (child.stdin, child.stdout, child.stderr):
            assert stream is not None
            stream.close()
        journal = Journal(path)
        assert journal.head_seq >= heard[-1]
        assert seqs(journal) == list(range(1, journal.head_seq + 1))
        assert journal.head_seq % 2 == 0, "a commit is whole or not there"
        acknowledged = journal.head_seq
        journal.close()


def test_a_full_disk_is_said_and_changes_nothing_and_room_heals_it(path: Path) -> None:
    journal = open_journal(path)
    write(journal, 3)
    head, head_hash = journal.head, journal.head_hash
    database = journal._db
    pages = database.execute("PRAGMA page_count").get
    database.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(2):
        with pytest.raises(JournalUnwritable, match=r"full.*free disk space or mend the disk; nothing was lost"):
            journal.append([Stopped("small"), Stopped("x" * 100_000)], STAMP)
        assert (journal.head, journal.head_hash) == (head, head_hash)
        assert seqs(journal) == [1, 2, 3]
    database.execute(f"PRAGMA max_page_count = {pages + 1000}")
    assert write(journal, 1, size=100_000) == [4]
    assert seqs(journal) == [1, 2, 3, 4]
    journal.close()


FULL_DISK = """
import resource, sys
from controller.domain.records import Stopped
from controller.store.journal import JournalUnwritable
from tests.store.rows import STAMP, open_journal, seqs

journal = open_journal(sys.argv[1])
written = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    while True:
        journal.append([Stopped("x" * 5_000)], STAMP)
        written += 1
except JournalUnwritable as error:
    print("unwritable:", error)
for _ in range(3):
    try:
        journal.append([Stopped("x" * 5_000)], STAMP)
        print("written after all")
    except JournalUnwritable:
        pass
    journal.set_cursor(journal.cursor + 1)
print("head is right:", journal.head_seq == written and len(seqs(journal)) == written)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append([Stopped("room again")], STAMP)
print("goes on:", journal.head_seq == written + 1 and len(seqs(journal)) == written + 1)
"""


def test_a_disk_that_takes_no_more_bytes_stops_nothing_but_sales(path: Path) -> None:
    out, err = finish(process(FULL_DISK, path))
    lines = out.splitlines()
    assert not err
    assert lines[0].startswith(f"unwritable: {path} cannot be written (")
    assert lines[1:] == ["head is right: True", "goes on: True"]
    journal = Journal(path)
    assert seqs(journal)[-1] == journal.head_seq
    journal.close()


def test_a_failed_commit_is_rolled_back_whole(path: Path) -> None:
    journal = open_journal(path)
    write(journal, 1)
    head_hash = journal.head_hash
    journal._db.execute("INSERT INTO rows VALUES (3, x'00', 'stranger', x'00', x'00')")
    with pytest.raises(JournalUnwritable):
        journal.append([Stopped("two"), Stopped("three collides")], STAMP)
    assert journal.row_at(2) is None
    assert journal.head_hash == head_hash
    journal._db.execute("DELETE FROM rows WHERE seq = 3")
    assert write(journal, 1) == [2]
    assert seqs(journal) == [1, 2]
    journal.close()


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE rows SET body = (SELECT body FROM rows WHERE seq = 4) WHERE seq = 3", 3),
        ("UPDATE rows SET body = CAST(substr(body, 1, length(body) - 1) || 'b' AS BLOB) WHERE seq = 3", 3),
        ("UPDATE rows SET hash = zeroblob(32) WHERE seq = 3", 3),
        ("UPDATE rows SET body = x'c1' WHERE seq = 3", 3),
        ("DELETE FROM rows WHERE seq = 3", 3),
        ("DELETE FROM rows WHERE seq = 1", 1),
        ("UPDATE rows SET body = x'c1' WHERE seq = 5", 5),
    ],
)
def test_a_tampered_row_is_found_and_named(path: Path, statement: str, row: int) -> None:
    journal = open_journal(path)
    write(journal, 5)
    journal.close()
    tamper(path, statement)
    with pytest.raises(JournalDamaged, match=rf"row {row}: .*docs/recovery\.md"):
        # A damaged last row is found when the journal is opened, any other when it is read.
        list(Journal(path).replay())


def test_the_head_is_what_its_chained_bytes_say(path: Path) -> None:
    journal = open_journal(path)
    write(journal, 2)
    head = journal.head
    journal.close()
    tamper(path, "UPDATE rows SET epoch = x'ffffffffffffffff'")
    journal = Journal(path)
    assert journal.head == head
    journal.close()


def test_another_database_is_refused_and_left_as_it_was(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE customers (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(JournalDamaged, match="no journal of this product: name another file"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_journal_of_a_newer_program_is_refused(path: Path) -> None:
    open_journal(path).close()
    tamper(path, "PRAGMA user_version = 3")
    with pytest.raises(JournalDamaged, match="has schema 3, this program knows 2: use the newer program"):
        Journal(path)


@pytest.mark.parametrize("offset", [0, 4_096, 8_192])
def test_a_damaged_file_is_said_in_a_sentence(path: Path, offset: int) -> None:
    journal = open_journal(path)
    write(journal, 50, size=500)
    journal.close()
    data = bytearray(path.read_bytes())
    data[offset : offset + 4_096] = b"\xa5" * 4_096
    path.write_bytes(data)
    with pytest.raises(JournalDamaged, match=r"docs/recovery\.md"):
        list(Journal(path).replay())


def test_a_file_that_was_cut_off_is_said_in_a_sentence(path: Path) -> None:
    journal = open_journal(path)
    write(journal, 50, size=500)
    journal.close()
    path.write_bytes(path.read_bytes()[:9_000])
    with pytest.raises(JournalDamaged, match=r"docs/recovery\.md"):
        list(Journal(path).replay())


def test_a_text_file_is_no_journal(path: Path) -> None:
    path.write_text("this is the shopping list\n" * 100)
    with pytest.raises(JournalDamaged, match="damaged or no database"):
        Journal(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="Check that its folder exists and is writable"):
        Journal(tmp_path / "nowhere" / "journal.db")


def test_a_journal_may_live_in_memory_for_tests() -> None:
    journal = open_journal(":memory:")
    write(journal, 2)
    assert [decode_body(row.body).name.seq for row in journal.rows_after(0, 9)] == [1, 2]
    journal.close()
