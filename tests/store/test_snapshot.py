"""A running station's journal is read from a copy: whole, with all that was acknowledged, and in nobody's way."""

import contextlib
import shutil
from pathlib import Path

import pytest

from controller.domain.records import Stopped
from controller.store import snapshot
from controller.store.journal import Journal, JournalBusy, JournalError
from controller.store.snapshot import copy_running, readable
from tests.store.rows import STAMP, finish, open_journal, process, seqs, write

WRITE_FOR_EVER = """
import sys
from controller.domain.records import Stopped
from tests.store.rows import STAMP, open_journal
journal = open_journal(sys.argv[1])
journal._db.wal_autocheckpoint(20)
print("ready", flush=True)
while True:
    journal.append([Stopped("x" * 900)] * 3, STAMP)
    print(journal.head_seq, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_a_journal_that_is_written_to_all_the_time_is_copied_whole(path: Path) -> None:
    """Its log is written back every twenty pages, and begun anew: so the copy often has to be made again."""
    child = process(WRITE_FOR_EVER, path)
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        read = 0
        for _ in range(25):
            acknowledged = int(child.stdout.readline())
            with contextlib.suppress(JournalBusy), readable(path) as journal:
                assert journal.verify() == journal.head_seq >= acknowledged
                assert journal.head_seq % 3 == 0, "a commit is whole or not there"
                read += 1
        assert read > 5, "it is nearly never quiet enough"
    finally:
        child.kill()
        finish(child)
    journal = Journal(path)
    assert journal.verify() == journal.head_seq
    journal.close()


def test_a_log_that_is_begun_anew_while_it_is_copied_is_copied_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(path)
    write(journal, 3)
    copyfile, times = shutil.copyfile, [0]

    def copied(source: Path, target: Path) -> None:
        copyfile(source, target)
        times[0] += 1
        if times[0] == 1:  # behind the database's copy, before the log's
            journal._db.execute("PRAGMA wal_checkpoint(RESTART)")
            write(journal, 2)

    monkeypatch.setattr(shutil, "copyfile", copied)
    (tmp_path / "copy").mkdir()
    copy = Journal(copy_running(path, tmp_path / "copy"))
    assert seqs(copy) == [1, 2, 3, 4, 5]
    assert times[0] == 4, "the first copy would have lacked rows or pages"
    copy.close()
    journal.close()


def test_a_log_that_is_always_begun_anew_is_given_up_with_a_sentence(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(journal := open_journal(path), 1)
    numbers = iter(range(1_000))
    monkeypatch.setattr(snapshot, "_head_of", lambda log: b"%d" % next(numbers))
    with pytest.raises(JournalBusy, match="try again when the station is quieter"):
        copy_running(path, tmp_path / "..")
    journal.close()


def test_no_room_for_a_copy_is_said(path: Path, tmp_path: Path) -> None:
    write(journal := open_journal(path), 1)
    with pytest.raises(JournalError, match="make room there, or name another folder in TMPDIR"):
        copy_running(path, tmp_path / "nowhere")
    journal.close()


def test_a_journal_that_nobody_has_open_is_read_itself_and_the_copy_of_a_running_one_is_gone(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    journal = open_journal(path)
    write(journal, 2)
    with readable(path) as copy:
        assert Path(copy.path).parent != path.parent
        journal.append([Stopped("meanwhile")], STAMP)
        assert seqs(copy) == [1, 2]
    assert not list(tmp_path.glob("forecourt-journal-*"))
    journal.close()
    with readable(path) as itself:
        assert Path(itself.path) == path
        assert seqs(itself) == [1, 2, 3]
