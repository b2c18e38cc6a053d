"""The journal's file: append-only rows, chained, in SQLite by apsw: WAL, synchronous=FULL, one connection.

The file is locked for as long as it is open, so that no second process can write into it. What a row shows of a
person is sealed on its way to disk (`controller.store.sealing`). Knows what a row is, not what the records mean.
Synchronous: `controller.store.writer` brings it to the event loop.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw

from controller.domain.records import (
    GENESIS,
    Body,
    DamagedRow,
    Record,
    Row,
    RowName,
    Stamp,
    decode_body,
    kind_of,
    open_row,
    seal_row,
)
from controller.domain.seams import Randomness
from controller.store import sealing
from controller.store.sealing import Seals

FILE_NAME = "journal.db"
"""In a station's data folder."""
SCHEMA_VERSION = 2
APPLICATION_ID = 0x46434A31
"""Written into the file's head ("FCJ1"), so that another database is not taken for a journal."""
READ_CHUNK = 2_000

_FIRST_SCHEMA = """
CREATE TABLE rows (
    seq   INTEGER PRIMARY KEY,
    epoch BLOB NOT NULL,
    kind  TEXT NOT NULL,
    body  BLOB NOT NULL,
    hash  BLOB NOT NULL
) STRICT;
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
_STEPS = (_FIRST_SCHEMA, sealing.SCHEMA)
"""By the version that a file has (0: it is new), what makes the next one of it. Rows are never touched."""


class JournalError(Exception):
    """Something is wrong with the journal; the text says what, where, and what to do next."""


class JournalBusy(JournalError):
    """Another process has this journal open."""


class JournalUnwritable(JournalError):
    """The disk is full or broken: nothing was written, and the journal stands as it was."""


class JournalDamaged(JournalError):
    """The file is no journal, or its chain is broken."""


class Journal:
    """One station's journal. Give `path` ":memory:" for one that lives as long as the object.

    `randomness` makes the keys of the seals: only who reads can do without.
    """

    def __init__(self, path: str | Path, *, randomness: Randomness | None = None, vfs: str | None = None) -> None:
        self.path = str(path)
        self._epoch = b""
        try:
            self._db = apsw.Connection(self.path, vfs=vfs)
        except apsw.CantOpenError as error:
            raise JournalError(
                f"{self.path}: the journal cannot be opened ({error}). Check that its folder exists and is writable"
            ) from error
        self._seals = Seals(self._db, randomness)
        try:
            self._prepare()
            self._read_head()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        db = self._db
        try:
            # Exclusive from the first read on: the lock keeps every other process out, and goes with this one,
            # however it ends. It must be set before WAL is entered.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            # Looked at before WAL is entered: that would already change a file that is none of ours.
            version = self._version()
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            # A page that is made over holds nothing of what stood there: it may have been a key.
            db.execute("PRAGMA secure_delete = ON")
            db.execute("BEGIN IMMEDIATE")
            for step in _STEPS[version:]:
                db.execute(step)
            if version < SCHEMA_VERSION:
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.execute("COMMIT")
        except apsw.BusyError as error:
            raise JournalBusy(
                f"{self.path} is in use by another process: only one controller may run on a journal. "
                "Stop the other one first"
            ) from error
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise JournalDamaged(
                f"{self.path} is damaged or no database ({error}): keep the file, and see docs/recovery.md"
            ) from error
        except (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError) as error:
            raise JournalUnwritable(
                f"{self.path} cannot be written ({error}): free disk space or mend the disk"
            ) from error

    def _version(self) -> int:
        """Of its schema; 0 for a file without content. JournalDamaged if it is no journal that we know."""
        if self._db.execute("SELECT count(*) FROM sqlite_schema").get == 0:
            return 0
        if self._db.execute("PRAGMA application_id").get != APPLICATION_ID:
            raise JournalDamaged(f"{self.path} is a database, but no journal of this product: name another file")
        version: int = self._db.execute("PRAGMA user_version").get
        if not 0 < version <= SCHEMA_VERSION:
            raise JournalDamaged(
                f"{self.path} has schema {version}, this program knows {SCHEMA_VERSION}: use the newer program"
            )
        return version

    def _read_head(self) -> None:
        self.head: RowName | None = None
        self.head_hash = GENESIS
        with self._reading():
            found = self._db.execute("SELECT seq, body, hash FROM rows ORDER BY seq DESC LIMIT 1").fetchone()
            self.cursor = self._db.execute("SELECT max(seq) FROM marks WHERE name = 'sent'").get or 0
        if found is not None:
            seq, body, self.head_hash = found
            try:
                self.head = decode_body(body).name
            except DamagedRow as error:
                raise self._damaged(seq, str(error)) from error

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except apsw.Error as error:
            raise JournalDamaged(
                f"{self.path} cannot be read ({error}): keep the file, and see docs/recovery.md"
            ) from error

    @property
    def head_seq(self) -> int:
        return self.head.seq if self.head else 0

    def begin_epoch(self, epoch: bytes) -> None:
        """All rows from now on carry `epoch`: once at each start of the controller, from fresh randomness."""
        self._epoch = epoch

    def append(self, records: Sequence[Record], stamp: Stamp) -> tuple[Body, ...]:
        """Write `records` in one commit; when this returns they are on disk.

        JournalUnwritable if the disk refuses: then none is written and the next try starts from the same head.
        """
        if not self._epoch:
            raise RuntimeError("begin_epoch() comes before the first append()")
        if not records:
            return ()
        bodies: list[Body] = []
        try:
            previous_hash = self._write(records, stamp, bodies)
        except apsw.Error as error:
            raise JournalUnwritable(
                f"{self.path} cannot be written ({error}): free disk space or mend the disk; nothing was lost"
            ) from error
        self.head, self.head_hash = bodies[-1].name, previous_hash
        return tuple(bodies)

    def _write(self, records: Sequence[Record], stamp: Stamp, bodies: list[Body]) -> bytes:
        """Rows and the keys of their seals, or neither. Gives the last row's hash, and `bodies` as they will read."""
        previous_hash = self.head_hash
        values: list[tuple[int, bytes, str, bytes, bytes]] = []
        try:
            for seq, record in enumerate(records, self.head_seq + 1):
                name = RowName(self._epoch, seq)
                row = seal_row(previous_hash, Body(name, stamp, self._seals.seal(name, record)))
                previous_hash = row.hash
                bodies.append(Body(name, stamp, record))
                values.append((seq, self._epoch, kind_of(record), row.body, row.hash))
            self._db.execute("BEGIN IMMEDIATE")
            self._seals.write_new()
            self._db.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", values)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                with contextlib.suppress(apsw.Error):  # the disk may refuse that too: the next try ends it
                    self._db.execute("ROLLBACK")
            elif values and self._is_written(*values[-1]):
                # The commit was done: what failed came after it, as when the log is written back.
                self._seals.written()
                return previous_hash
            self._seals.forgotten()
            raise
        self._seals.written()
        return previous_hash

    def _is_written(self, seq: int, _epoch: bytes, _kind: str, _body: bytes, row_hash: bytes) -> bool:
        with contextlib.suppress(apsw.Error):
            return bool(self._db.execute("SELECT hash = ? FROM rows WHERE seq = ?", (row_hash, seq)).get)
        return False

    def rows_after(self, seq: int, limit: int) -> list[Row]:
        """At most `limit` rows after `seq`, in order."""
        with self._reading():
            found = self._db.execute("SELECT body, hash FROM rows WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
            return [Row(body, row_hash) for body, row_hash in found]

    def row_at(self, seq: int) -> Row | None:
        with self._reading():
            found = self._db.execute("SELECT body, hash FROM rows WHERE seq = ?", (seq,)).fetchone()
        return Row(*found) if found else None

    def set_cursor(self, seq: int) -> None:
        """Remember that headquarters has everything up to `seq`.

        Only saves work, since headquarters states its position: so a disk that refuses it is no error.
        """
        if seq == self.cursor:
            return
        self.cursor = seq
        with contextlib.suppress(apsw.Error):
            self._db.execute(
                "INSERT INTO marks VALUES ('sent', ?) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq", (seq,)
            )

    def replay(self, after: int = 0, limit: int | None = None) -> Iterator[Body]:
        """Every row behind `after`, at most `limit`, each checked against the one before it.

        JournalDamaged at the first that fails.
        """
        for seq, body in self._chained(after, limit):
            yield self._opened(seq, body)

    def verify(self) -> int:
        """Check every row against the one before it, and return how many there are. JournalDamaged as `replay`."""
        return sum(1 for _ in self._chained(0))

    def bodies_after(self, seq: int, limit: int) -> list[Body]:
        """Rows for reading; the chain is not checked here. DamagedRow at the first that cannot be read."""
        return [self.opened(row) for row in self.rows_after(seq, limit)]

    def opened(self, row: Row) -> Body:
        """A row as it is read, its seal opened. DamagedRow if it cannot be."""
        return self._seals.open(decode_body(row.body))

    def erase(self, subject: bytes) -> bool:
        """Destroy the key under which what rows show of `subject` (a token's keyed hash) is sealed; False if none is.

        JournalUnwritable if the disk refuses: then try again.
        """
        try:
            return self._seals.destroy(subject)
        except apsw.Error as error:
            raise JournalUnwritable(
                f"{self.path} cannot be written ({error}): free disk space or mend the disk, and erase again"
            ) from error

    def _opened(self, seq: int, body: Body) -> Body:
        try:
            return self._seals.open(body)
        except DamagedRow as error:
            raise self._damaged(seq, str(error)) from error

    def _chained(self, seq: int, limit: int | None = None) -> Iterator[tuple[int, Body]]:
        """Number and body, its seal closed, of every row behind `seq`."""
        before = self.row_at(seq) if seq else None
        if seq and before is None:
            raise self._damaged(seq, "it is missing")
        previous_hash = before.hash if before else GENESIS
        last = None if limit is None else seq + limit
        while rows := self.rows_after(seq, READ_CHUNK if last is None else min(READ_CHUNK, last - seq)):
            for row in rows:
                seq += 1
                try:
                    body = open_row(previous_hash, row)
                except DamagedRow as error:
                    raise self._damaged(seq, str(error)) from error
                if body.name.seq != seq:
                    raise self._damaged(seq, "it is missing")
                previous_hash = row.hash
                yield seq, body

    def _damaged(self, seq: int, what: str) -> JournalDamaged:
        return JournalDamaged(f"{self.path}: row {seq}: {what}. Keep the file, see docs/recovery.md")

    def close(self) -> None:
        self._db.close()
