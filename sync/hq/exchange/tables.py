"""The tables of what is exchanged with other issuers. What grows leads its key with the partner.

A package is kept as the bytes that were signed, for ever: what was agreed can be shown. Knows no rule.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

partners = Table(
    "exchange_partners",
    metadata,
    Column("partner", String(64), primary_key=True),
    Column("own", Boolean, nullable=False),
    Column("public_key", LargeBinary(32), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("zone", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""`own`: this headquarters itself, by the name that partners know it by."""

packages = Table(
    "exchange_packages",
    metadata,
    Column("partner", String(64), primary_key=True),
    Column("direction", String(4), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("day", String(10), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("exchange_by_day", "partner", "direction", "kind", "day"),
    sqlite_with_rowid=False,
)
"""`direction`: "out" or "in". `day`: empty for service data."""

refs = Table(
    "exchange_refs",
    metadata,
    Column("partner", String(64), primary_key=True),
    Column("direction", String(4), primary_key=True),
    Column("ref", String(128), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Each transaction that was sent or taken, and in which package."""

reversals = Table(
    "exchange_reversals",
    metadata,
    Column("partner", String(64), primary_key=True),
    Column("direction", String(4), primary_key=True),
    Column("reversed", String(128), primary_key=True),
    Column("ref", String(128), nullable=False),
    sqlite_with_rowid=False,
)
"""Each transaction that was taken back, and by which."""

cards = Table(
    "exchange_cards",
    metadata,
    Column("partner", String(64), primary_key=True),
    Column("card", String(19), primary_key=True),
    Column("contract", Text, nullable=False),
    Column("stopped", Boolean, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("valid_until", String(10), nullable=False),
    sqlite_with_rowid=False,
)
"""A partner's cards. `listed`: in its newest service data; one that is not any more is refused at stations, and still
known here, for what it bought before."""
