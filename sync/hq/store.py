"""Headquarters' database: rows and everything derived from them, in one commit a batch.

The same statements run on SQLite (the default) and PostgreSQL. SQLite is used through one connection, in WAL with
synchronous=FULL: what was acknowledged is on disk. The caller brings verified rows and the time; signatures, bytes
and HTTP are not known here.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.pool import StaticPool

from controller.domain.records import Body, Row
from sync.hq.append import Append
from sync.hq.hold import FileHold, StoreError, StoreFull
from sync.hq.prepaid import balance_minor
from sync.hq.schema import (
    SCHEMA_VERSION,
    branches,
    metadata,
    oddities,
    requests,
    rows,
    sales,
    schema,
    stations,
)
from sync.wire import Acknowledgement, Position, StationUnknown

LOCK_TIMEOUT_MS = 5_000


class Totals(msgspec.Struct, frozen=True):
    """A station's books. `sales`, `volume_ml`, `amount_minor` count settled deliveries; `head` names the last row."""

    station: str
    sales: int
    volume_ml: int
    amount_minor: int
    rows: int
    head: str
    forks: int
    deliveries_unpaid: int
    oddities: int


# Statements of every batch are built once: building one costs more than running it.
_KEY = sa.select(stations.c.public_key).where(stations.c.station_id == sa.bindparam("station"))
_HOME = sa.select(stations).where(stations.c.station_id == sa.bindparam("station")).with_for_update()


class Store:
    """One database. Calls are synchronous and made from one thread at a time."""

    def __init__(self, engine: sa.Engine, hold: FileHold | None = None) -> None:
        self._engine = engine
        self._hold = hold
        with self.commit() as db:
            metadata.create_all(db)
            version = db.execute(sa.select(schema.c.version)).scalar()
            if version is None:
                db.execute(sa.insert(schema).values(version=SCHEMA_VERSION))
            elif version != SCHEMA_VERSION:
                raise StoreError(
                    f"the database has schema {version}, this program {SCHEMA_VERSION}: update the program"
                )

    @classmethod
    def in_memory(cls) -> Self:
        """An empty database that lives as long as this object."""
        return cls(_sqlite_engine("sqlite://"))

    @classmethod
    def open(cls, database: Path | str) -> Self:
        """A SQLite file, created if need be, or a database URL. StoreError, StoreBusy."""
        if isinstance(database, str):
            try:
                return cls(sa.create_engine(database, pool_pre_ping=True))
            except (exc.ArgumentError, exc.NoSuchModuleError, ImportError) as error:
                raise StoreError(f"the `database` of hq.toml cannot be opened: {error}") from error
        hold = FileHold(database)
        try:
            return cls(_sqlite_engine(f"sqlite:///{database}"), hold)
        except BaseException:
            hold.release()
            raise

    def close(self) -> None:
        self._engine.dispose()
        if self._hold is not None:
            self._hold.release()

    def say_url(self, url: str) -> None:
        """Note for other processes where the holder of this database listens."""
        if self._hold is not None:
            self._hold.say(url)

    def enrol(self, station: str, public_key: bytes, now_ms: int, *, replace: bool = False) -> None:
        """Make a station known by its key. The same again changes nothing; another key wants `replace`."""
        with self.commit() as db:
            held = db.execute(sa.select(stations.c.public_key).where(stations.c.station_id == station)).scalar()
            if held == public_key:
                return
            if held is None:
                db.execute(sa.insert(stations).values(station_id=station, public_key=public_key, enrolled_ms=now_ms))
            elif replace:
                db.execute(sa.update(stations).where(stations.c.station_id == station).values(public_key=public_key))
            else:
                raise StoreError(f"station {station} is enrolled with another key: add --replace if it has a new one")

    def public_key(self, station: str) -> bytes:
        """The enrolled key. StationUnknown."""
        with self.commit() as db:
            key = db.execute(_KEY, {"station": station}).scalar()
        if key is None:
            raise StationUnknown(f"station {station[:64]} is not enrolled here: run `forecourt hq enrol` for it")
        return bytes(key)

    def append(
        self, station: str, after_seq: int, previous_hash: bytes, new: Sequence[tuple[Row, Body]], now_ms: int
    ) -> Acknowledgement:
        """Store what is new of rows whose chain was checked, and say what is on disk.

        StationUnknown; NameReused; StoreFull and StoreError, each with nothing stored.
        """
        with self.commit() as db:
            home = db.execute(_HOME, {"station": station}).one_or_none()
            if home is None:
                raise StationUnknown(f"station {station} is not enrolled here")
            return Append(db, station, home.branch, now_ms).run(after_seq, previous_hash, new)

    def balance_minor(self, account: str) -> int:
        """What was paid in, less what all stations' account tenders took."""
        with self.commit() as db:
            return balance_minor(db, account)

    def reply_of(self, station: str, command_id: str) -> tuple[bytes, bytes] | None:
        """What was asked under this id, and what was replied."""
        query = sa.select(requests.c.asked, requests.c.reply).where(
            requests.c.station_id == station, requests.c.command_id == command_id
        )
        with self.commit() as db:
            found = db.execute(query).one_or_none()
        return None if found is None else (bytes(found.asked), bytes(found.reply))

    def keep_reply(self, station: str, command_id: str, asked: bytes, reply: bytes, now_ms: int) -> None:
        """In the place of one that was kept under this id."""
        with self.commit() as db:
            db.execute(sa.delete(requests).filter_by(station_id=station, command_id=command_id))
            db.execute(
                sa.insert(requests).values(
                    station_id=station, command_id=command_id, asked=asked, reply=reply, at_ms=now_ms
                )
            )

    def totals(self, station: str) -> Totals:
        """The running totals. StationUnknown."""
        with self.commit() as db:
            home = db.execute(sa.select(stations).where(stations.c.station_id == station)).one_or_none()
            if home is None:
                raise StationUnknown(f"station {station[:64]} is not enrolled here")
            mine = db.execute(sa.select(branches).where(branches.c.station_id == station)).all()
            odd = _count(db, oddities, station)
        heads = {b.branch: Position(bytes(b.head_epoch), b.head_seq, bytes(b.head_hash)) for b in mine}
        head = heads[home.branch].name.text if home.branch in heads else ""
        return Totals(
            station,
            home.sales,
            home.volume_ml,
            home.amount_minor,
            home.rows,
            head,
            max(len(mine) - 1, 0),
            home.unpaid,
            odd,
        )

    def recount(self, station: str) -> Totals:
        """The totals, counted again from the tables of rows and sales."""
        told = self.totals(station)
        settled = sales.c.receipt_number.is_not(None)
        closed = sales.c.settled_seq.is_not(None)
        mine = sales.c.station_id == station
        query = sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(sales.c.volume_ml), 0),
            sa.func.coalesce(sa.func.sum(sales.c.amount_minor), 0),
        ).where(mine, settled)
        with self.commit() as db:
            count, volume_ml, amount_minor = db.execute(query).one()
            unpaid = db.execute(sa.select(sa.func.count()).select_from(sales).where(mine, ~closed)).scalar_one()
            kept = _count(db, rows, station)
        return msgspec.structs.replace(
            told,
            sales=count,
            volume_ml=int(volume_ml),
            amount_minor=int(amount_minor),
            rows=kept,
            deliveries_unpaid=unpaid,
        )

    def rows_of(self, station: str) -> Iterator[tuple[int, Row]]:
        """All rows of a station with their branch, by seq and then branch."""
        query = sa.select(rows.c.branch, rows.c.body, rows.c.hash).where(rows.c.station_id == station)
        with self.commit() as db:
            found = db.execute(query.order_by(rows.c.seq, rows.c.branch)).all()
        for row in found:
            yield row.branch, Row(bytes(row.body), bytes(row.hash))

    def station_ids(self) -> list[str]:
        """All stations that are enrolled, in order."""
        with self.commit() as db:
            return list(db.execute(sa.select(stations.c.station_id).order_by(stations.c.station_id)).scalars())

    def bodies(self, station: str, after_seq: int, seqs: int) -> tuple[list[bytes], bool]:
        """The bytes of a station's rows with the next `seqs` numbers, of all branches; whether there are later ones."""
        mine = rows.c.station_id == station
        query = sa.select(rows.c.body).where(mine, rows.c.seq > after_seq, rows.c.seq <= after_seq + seqs)
        later = sa.select(rows.c.seq).where(mine, rows.c.seq > after_seq + seqs).limit(1)
        with self.commit() as db:
            found = [bytes(body) for body in db.execute(query.order_by(rows.c.seq, rows.c.branch)).scalars()]
            return found, db.execute(later).first() is not None

    @contextmanager
    def commit(self) -> Iterator[sa.Connection]:
        """One transaction; what is done in it is on disk afterwards, or nothing of it. StoreFull, StoreError."""
        try:
            with self._engine.begin() as db:
                yield db
        except exc.DBAPIError as error:
            raise _in_words(error) from error


def _count(db: sa.Connection, table: sa.Table, station: str) -> int:
    return db.execute(sa.select(sa.func.count()).select_from(table).where(table.c.station_id == station)).scalar_one()


def _sqlite_engine(url: str) -> sa.Engine:
    engine = sa.create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver's guess
        connection.execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _in_words(error: exc.DBAPIError) -> StoreError:
    code = getattr(error.orig, "sqlite_errorname", "") or getattr(error.orig, "sqlstate", "") or ""
    if code in {"SQLITE_FULL", "53100"}:
        return StoreFull("headquarters' disk is full and nothing was stored: make room; stations will send it again")
    return StoreError(
        f"headquarters' database failed and nothing was stored ({error.orig}): check its disk; stations will send again"
    )
