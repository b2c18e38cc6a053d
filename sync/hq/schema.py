"""Headquarters' tables: one schema for SQLite and PostgreSQL.

Every table that grows leads its primary key with `station_id`, so that it can be distributed by it; nothing here
knows of shards. Quantities are integers with their unit in the name. Knows no rule and no connection.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = 1

metadata = MetaData()

schema = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

stations = Table(
    "stations",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("public_key", LargeBinary(32), nullable=False),
    Column("enrolled_ms", BigInteger, nullable=False),
    Column("branch", Integer, nullable=False, default=-1),
    # Running totals, moved in the commit that stores the rows; `recount` makes them again from the rows' tables.
    Column("rows", BigInteger, nullable=False, default=0),
    Column("sales", BigInteger, nullable=False, default=0),
    Column("volume_ml", BigInteger, nullable=False, default=0),
    Column("amount_minor", BigInteger, nullable=False, default=0),
    Column("unpaid", BigInteger, nullable=False, default=0),
    sqlite_with_rowid=False,
)
"""`branch`: the one that last grew, -1 before the first row. `unpaid`: deliveries that are not closed."""

branches = Table(
    "branches",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("branch", Integer, primary_key=True, autoincrement=False),
    Column("parent", Integer, nullable=False),
    Column("fork_seq", BigInteger, nullable=False),
    Column("head_epoch", LargeBinary(8), nullable=False),
    Column("head_seq", BigInteger, nullable=False),
    Column("head_hash", LargeBinary(32), nullable=False),
    Column("grown_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""A station's chain, and what grew beside it from restored disks. Leaves `parent` (-1: none) after row `fork_seq`."""

rows = Table(
    "rows",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    Column("branch", Integer, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

sales = Table(
    "sales",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    Column("delivered_ms", BigInteger, nullable=False),
    Column("point", Integer, nullable=False),
    Column("grade", Text, nullable=False),
    Column("unit", String(8), nullable=False),
    Column("volume_ml", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("account", Text, nullable=False),
    Column("settled_seq", BigInteger),
    Column("settled_epoch", LargeBinary(8)),
    Column("settled_ms", BigInteger),
    Column("receipt_number", BigInteger),
    sqlite_with_rowid=False,
)
"""A delivery (`seq`, `epoch` are its row's), and its settlement once there is one: then it is a sale. A delivery that
was a test measure is closed by that row's name in `settled_seq`, and has no `receipt_number`: it is none."""

postings = Table(
    "postings",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    Column("tender", Integer, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    Index("postings_by_account", "account"),
    sqlite_with_rowid=False,
)
"""What settlements (`seq`, `epoch`) did to accounts: an `account` tender takes its amount from the balance. So does
prepaid fuel of a lost delivery, by the row of the totaliser's word (`unreserved`)."""

oddities = Table(
    "oddities",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    Column("what", String(40), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Rows that are kept and count nothing, for a person to look at: a delivery settled twice, or not known."""

requests = Table(
    "requests",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("command_id", String(128), primary_key=True),
    Column("asked", LargeBinary, nullable=False),
    Column("reply", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
