"""Headquarters' tables of prepaid accounts: what was paid in, promised to stations, and set apart at them.

Each leads its primary key with `account` or `station_id`, so that it can be distributed. Knows no rule.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, String, Table, Text

from sync.hq.schema import metadata

accounts = Table(
    "accounts",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("opened_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Opened by the first payment. Its row is what two promises at once wait for."""

payments = Table(
    "payments",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("payment_id", String(64), primary_key=True),
    Column("amount_minor", BigInteger, nullable=False),
    Column("paid_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What was paid in; below zero, paid back. `payment_id` is the office's own name of it."""

grants = Table(
    "grants",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("command_id", String(128), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("authorised_seq", BigInteger),
    Column("authorised_epoch", LargeBinary(8)),
    Column("delivered_seq", BigInteger),
    Column("delivered_epoch", LargeBinary(8)),
    Index("grants_by_account", "account", "state"),
    Index("grants_by_authorised", "station_id", "authorised_seq"),
    Index("grants_by_delivered", "station_id", "delivered_seq"),
    sqlite_with_rowid=False,
)
"""What a station was promised for one delivery. Once voided it stays so, also where the void came before the question
(`amount_minor` is 0 then). The names are those of the station's rows, as they come."""

allotments = Table(
    "allotments",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("allotment_id", String(200), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    Column("arrived", Boolean, nullable=False),
    Index("allotments_by_account", "account"),
    sqlite_with_rowid=False,
)
"""What is set apart at stations. `arrived`: the station's journal has it; also where a manager typed it there."""

ended = Table(
    "authorisations_ended",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    sqlite_with_rowid=False,
)
"""Authorisations (by their rows) of prepaid fuel whose delivery came, or what a totaliser told of it: a disk that went
back has them open once more."""

allotted_fills = Table(
    "allotted_fills",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    Column("account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("posted", Boolean, nullable=False),
    Index("allotted_fills_by_account", "account"),
    sqlite_with_rowid=False,
)
"""Deliveries (or what a totaliser told of a lost one) that took from what was set apart; `posted` once they are in the
balance, from then on they leave less set apart."""

allotted_rows = Table(
    "allotted_rows",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    Column("account", Text, nullable=False),
    Column("allotment_id", String(200), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("valid_until_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The stations' rows of what is set apart; with an empty `allotment_id`, of voucher points that were spent there. By
them it is known what a disk that went back has lost."""

taken_off = Table(
    "allotments_taken_off",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("allotment_id", String(200), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    Column("arrived", Boolean, nullable=False),
    Column("seq", BigInteger),
    Column("epoch", LargeBinary(8)),
    sqlite_with_rowid=False,
)
"""What a station is told that has lost rows with its disk, below zero: they spent so much. No allotment: it sets
nothing apart. `seq` and `epoch`: the station's row of it, once that came."""
