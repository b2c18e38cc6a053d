"""The whitelist's file: its tables, what it says of itself, and how a new one takes the place of the old.

Rebuildable data, in a file of its own, apart from the journal. A file that stations read is never written to: whoever
changes the list makes a new file beside it, one at a time, and puts it in place whole. So a station that sells goes on
with the list it has until the new one is on disk, and a power cut leaves the one or the other.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import msgspec
import sqlite_utils

from controller.domain.list_digests import BUCKETS, EMPTY, bucket_of, digest, first_key, root, split
from controller.domain.list_parts import InPlace
from controller.domain.tokens import KEY_BYTES

WHITELIST_FILE = "whitelist.db"
"""Its name in a station's data folder."""
FORMAT = 2
"""Of the tables. The first had a column a condition, and said nothing of itself."""
SQLITE_APPLICATION = 0x46435754

ENTRIES = """
CREATE TABLE entries (
    key   BLOB NOT NULL PRIMARY KEY,
    kind  INTEGER NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""In the order of their keys, so that a bucket is one stretch of the file. See `controller.domain.list_entries`."""
CATALOGUE = "CREATE INDEX catalogue ON entries (kind) WHERE kind > 1;"
"""The few that are no tokens: found without reading the millions that are."""
_TABLES = f"""
{ENTRIES}
CREATE TABLE buckets (
    bucket INTEGER PRIMARY KEY,
    count  INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE TABLE about (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    format         INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    count          INTEGER NOT NULL,
    made_at_ms     INTEGER NOT NULL,
    list_key_print TEXT NOT NULL,
    currency       TEXT NOT NULL,
    root           BLOB NOT NULL,
    header         BLOB NOT NULL
) STRICT;
"""
_ABOUT = "format, version, count, made_at_ms, list_key_print, currency, root, header"
INSERT = "INSERT INTO entries VALUES (?, ?, ?)"


class WhitelistError(Exception):
    """The list could not be read or made; the text says what, where and what to do."""


class WhitelistNotNow(WhitelistError):
    """Nothing was wrong with what was to be put in place: somebody else is at it, or there is no room. Try again."""


UNREADABLE = (sqlite3.Error, OSError, ValueError, WhitelistError)
"""What comes of reading a file that is no list, or a damaged one; msgspec's errors are ValueErrors."""


class About(msgspec.Struct, frozen=True):
    """What a list says of itself. `header` is headquarters' signed one, empty where the list was imported here."""

    format: int
    version: int
    count: int
    made_at_ms: int
    list_key_print: str
    currency: str
    root: bytes
    header: bytes = b""

    @property
    def in_place(self) -> InPlace:
        return InPlace(self.version, self.root, bool(self.header))


class Provenance(msgspec.Struct, frozen=True):
    """What of a new list does not follow from its entries."""

    version: int
    made_at_ms: int
    list_key_print: str
    currency: str
    header: bytes = b""


def open_to_read(path: Path) -> sqlite_utils.Database:
    """A list that nobody writes to. sqlite3.Error as the disk gives it."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False
    )
    return sqlite_utils.Database(connection)


def read_about(database: sqlite_utils.Database) -> About:
    """What the list says of itself. WhitelistError, sqlite3.Error or msgspec.ValidationError if it is none."""
    if database.execute("PRAGMA application_id").fetchone()[0] != SQLITE_APPLICATION:
        raise WhitelistError("it is no list of this program, or of an older one")
    found = database.execute(f"SELECT {_ABOUT} FROM about").fetchone()
    if found is None:
        raise WhitelistError("it is half a list")
    about = msgspec.convert(dict(zip(_ABOUT.split(", "), found, strict=True)), About)
    if about.format != FORMAT:
        raise WhitelistError(f"its tables are of format {about.format}, known here is {FORMAT}: update the software")
    return about


def about_of(path: Path) -> About | None:
    """Of the list in place; None if there is none. WhitelistError if it cannot be read."""
    if not path.exists():
        return None
    try:
        database = open_to_read(path)
        try:
            return read_about(database)
        finally:
            database.close()
    except UNREADABLE as error:
        raise WhitelistError(f"{path} cannot be read ({error}): import the list again") from error


def digests_of(database: sqlite_utils.Database) -> list[bytes]:
    """The digests of all buckets, as they stand in the file."""
    found = [EMPTY] * BUCKETS
    for bucket, each in database.execute("SELECT bucket, digest FROM buckets"):
        found[bucket] = each
    return found


def bucket_entries(database: sqlite_utils.Database, bucket: int) -> list[bytes]:
    """One bucket's entries, in order."""
    rows = database.execute(
        "SELECT key, kind, value FROM entries WHERE key >= ? AND key < ?", [first_key(bucket), first_key(bucket + 1)]
    )
    return [key + bytes([kind]) + value for key, kind, value in rows]


def all_buckets(database: sqlite_utils.Database) -> Iterator[tuple[int, list[bytes]]]:
    """Every bucket that has entries, read anew from the rows."""
    rows = database.execute("SELECT key, kind, value FROM entries ORDER BY key")
    for bucket, entries in groupby(rows, lambda row: bucket_of(row[0])):
        yield bucket, [key + bytes([kind]) + value for key, kind, value in entries]


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """The right to put a new list in place. WhitelistError if somebody else is at it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(path.name + ".lock"), "a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WhitelistNotNow(f"{path} is being changed by another command: wait until it is done") from error
        yield


class NewList:
    """A list in the making, beside the one in place. Call it under `changing`, as a context: left without `commit`,
    nothing is left of it.
    """

    def __init__(self, path: Path, *, like: Path | None = None) -> None:
        """Empty, or a copy of `like` that is changed in one transaction."""
        self._path = path
        self._fresh = path.with_name(path.name + ".new")
        self._clean()
        if like is not None:
            shutil.copyfile(like, self._fresh)
        self.database = sqlite_utils.Database(sqlite3.connect(self._fresh, isolation_level=None))
        # Nobody reads this file before it is whole and synced.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
            self.database.execute(f"PRAGMA {pragma}")
        if like is None:
            self.database.conn.executescript(_TABLES + CATALOGUE)
            self.database.execute(f"PRAGMA application_id = {SQLITE_APPLICATION}")
        self.database.execute("BEGIN IMMEDIATE")

    def __enter__(self) -> "NewList":
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()
        self._clean()

    def append(self, entries: Sequence[bytes], first: int, end: int) -> None:
        """Add all entries of these buckets to a list that has only lower ones. `entries` in order."""
        end_of_key = KEY_BYTES
        self.database.conn.executemany(
            INSERT, ((entry[:end_of_key], entry[end_of_key], entry[end_of_key + 1 :]) for entry in entries)
        )
        self.database.conn.executemany(
            "INSERT INTO buckets VALUES (?, ?, ?)",
            [(bucket, len(own), digest(own)) for bucket, own in split(entries, first, end) if own],
        )

    def count_again(self, buckets: Iterable[tuple[int, int, bytes]]) -> None:
        """Replace what stands there of all buckets: number, count of entries, digest."""
        self.database.execute("DELETE FROM buckets")
        self.database.conn.executemany("INSERT INTO buckets VALUES (?, ?, ?)", buckets)

    def put_bucket(self, bucket: int, old: list[bytes], new: list[bytes]) -> None:
        """One bucket's entries instead of others."""
        kept = set(new)
        gone = [[entry[:KEY_BYTES]] for entry in old if entry not in kept]
        known = set(old)
        end_of_key = KEY_BYTES
        connection = self.database.conn
        connection.executemany("DELETE FROM entries WHERE key = ?", gone)
        connection.executemany(
            INSERT,
            [(entry[:end_of_key], entry[end_of_key], entry[end_of_key + 1 :]) for entry in new if entry not in known],
        )
        if new:
            connection.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?)", [bucket, len(new), digest(new)])
        else:
            connection.execute("DELETE FROM buckets WHERE bucket = ?", [bucket])

    def commit(self, provenance: Provenance) -> About:
        """Put it in place, whole and on disk."""
        count = self.database.execute("SELECT coalesce(sum(count), 0) FROM buckets").fetchone()[0]
        about = About(
            format=FORMAT,
            version=provenance.version,
            count=count,
            made_at_ms=provenance.made_at_ms,
            list_key_print=provenance.list_key_print,
            currency=provenance.currency,
            root=root(digests_of(self.database)),
            header=provenance.header,
        )
        self.database.execute("DELETE FROM about")
        self.database.execute(
            f"INSERT INTO about (id, {_ABOUT}) VALUES (1, {', '.join('?' * len(_ABOUT.split(', ')))})",
            [getattr(about, name) for name in _ABOUT.split(", ")],
        )
        self.database.conn.execute("COMMIT")
        self.database.close()
        sync_to_disk(self._fresh)
        os.replace(self._fresh, self._path)
        sync_to_disk(self._path.parent)
        return about

    def _clean(self) -> None:
        for name in (self._fresh, self._fresh.with_name(self._fresh.name + "-journal")):
            name.unlink(missing_ok=True)


def sync_to_disk(path: Path) -> None:
    """What was written of a file, or which files a folder has, outlasts a power cut from now on."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
