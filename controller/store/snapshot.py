"""A journal to read while the station that owns it runs: from a copy of its files, which nobody else has open.

The database is copied before its log. Whatever of the log is being written back meanwhile is still in the log, so the
copy of the log mends the copy of the database, as it does after a power cut: unless the log was begun anew in between,
which its head tells. Then the copy is made again. Nothing is locked, and SQLite opens nothing but the copy.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from controller.store.journal import Journal, JournalBusy, JournalError

TRIES = 20
"""The log is begun anew once in some hundred sales: a second try is rare."""
_LOG_HEAD_BYTES = 32


@contextlib.contextmanager
def readable(path: Path) -> Iterator[Journal]:
    """The journal of a station that does not run, or else a copy of it, for as long as the context lasts.

    JournalError says what is wrong, or that there is no room for a copy.
    """
    try:
        journal = Journal(path)
    except JournalBusy:
        with tempfile.TemporaryDirectory(prefix="forecourt-journal-") as folder:
            journal = Journal(copy_running(path, Path(folder)))
            with contextlib.closing(journal):
                yield journal
        return
    with contextlib.closing(journal):
        yield journal


def copy_running(path: Path, folder: Path) -> Path:
    """Copy a journal that is being written to into `folder`: all that was acknowledged before the call is in it."""
    log, copy = _log_of(path), folder / path.name
    try:
        for _ in range(TRIES):
            head = _head_of(log)
            shutil.copyfile(path, copy)
            _log_of(copy).unlink(missing_ok=True)
            if head:
                shutil.copyfile(log, _log_of(copy))
            if _head_of(log) == head:
                return copy
    except OSError as error:
        raise JournalError(
            f"{path} cannot be copied to {folder} ({error.strerror}): make room there, or name another folder in TMPDIR"
        ) from error
    raise JournalBusy(f"{path} is written to faster than it can be copied: try again when the station is quieter")


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _head_of(log: Path) -> bytes:
    """Another one each time the log is begun anew; empty while there is none."""
    try:
        with log.open("rb") as file:
            return file.read(_LOG_HEAD_BYTES)
    except FileNotFoundError:
        return b""
