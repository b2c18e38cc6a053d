"""The tables of the fuel programmes. Every key is led by the programme: programmes share nothing.

An event is kept as it was entered, for ever; postings are kept as they were made and never changed. An *account* here
is a number for all who touch each other: a member with cards, plates and phone, and who shares any of these.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()
REF_LETTERS = 200

programmes = Table(
    "programmes",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("events", BigInteger, nullable=False),
    Column("postings", BigInteger, nullable=False),
    Column("accounts", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many of each there are: the next numbers."""

events = Table(
    "programme_events",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("ref", String(REF_LETTERS), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("account", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    Column("source", String(16), nullable=False),
    Column("line", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Index("programme_events_by_account", "programme", "account", "at_ms", "number"),
    Index("programme_events_by_kind", "programme", "kind", "at_ms"),
    sqlite_with_rowid=False,
)
"""`at_ms`: when it happened; `booked_ms`: when headquarters heard. `number`: in the order in which it heard. `line`:
the event as a line of JSON; `answer`: what the engine said of it first. `account` 0: an event for all accounts."""

names = Table(
    "programme_names",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("account", BigInteger, nullable=False),
    Column("token_key", LargeBinary(8)),
    Index("programme_names_by_account", "programme", "account"),
    Index("programme_names_by_key", "programme", "token_key"),
    sqlite_with_rowid=False,
)
"""Who is whose: `holder:M1`, `card:...`, `plate:...`, `phone:...`, `voucher:...`. `token_key`: what stations send."""

accounts = Table(
    "programme_accounts",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Index("programme_accounts_by_due", "programme", "due_ms"),
    sqlite_with_rowid=False,
)
"""`last_ms`: of its last event. `due_ms`: when time alone changes something next: an expiry, an inactivity."""

legs = Table(
    "programme_postings",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("leg", Integer, primary_key=True, autoincrement=False),
    Column("ref", String(REF_LETTERS), nullable=False),
    Column("event_ms", BigInteger, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    Column("commodity", String(80), nullable=False),
    Column("account", String(256), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Index("programme_postings_by_account", "programme", "account"),
    sqlite_with_rowid=False,
)
"""The legs of postings; those of one sum to zero."""

balances = Table(
    "programme_balances",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("commodity", String(80), primary_key=True),
    Column("account", String(256), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The sums of legs, moved in the commit that keeps them."""

cursors = Table(
    "programme_cursors",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("station_id", String(64), primary_key=True),
    Column("branch", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Up to which row of a station's branch everything is posted, moved in the commit of the postings."""

waiting = Table(
    "programme_waiting",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("token_key", LargeBinary(8), primary_key=True),
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    sqlite_with_rowid=False,
)
"""Rows (settlements, or tokens shown afterwards) with a token that the programme does not know: a card may be entered
after its first sale."""

codes = Table(
    "programme_codes",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("holder", String(256), primary_key=True),
    Column("code", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""The last one-time password of a holder, as a hash (`codes.Code`)."""

code_asks = Table(
    "programme_code_asks",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("asked_by", String(128), primary_key=True),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""When one-time passwords were asked for in the last hour, by station (`station:...`) and by the keyed hash of what was
shown, or of the phone (`token:...`). A bound is for all programmes together: `programme` is empty."""

verifiers = Table(
    "programme_verifiers",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("verifier", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""What the PIN of an organisation (`holder:...`) or of a voucher's driver (`voucher:...`) is checked by; `version`:
which one of that name it is."""

apart = Table(
    "programme_apart",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("voucher", String(256), primary_key=True),
    Column("station_id", String(64), primary_key=True),
    Column("allotment_id", String(200), primary_key=True),
    Column("points", BigInteger, nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    Column("arrived", Boolean, nullable=False),
    Index("programme_apart_by_allotment", "programme", "station_id", "allotment_id"),
    sqlite_with_rowid=False,
)
"""Points of vouchers that are set apart at stations; below zero, taken back. `arrived`: that row of the station's
journal is posted, and all that came before it."""

voided = Table(
    "programme_voided",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("ref", String(REF_LETTERS), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Redemptions that were given back before they came: they are refused for ever."""

findings = Table(
    "programme_findings",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("claim", String(REF_LETTERS), primary_key=True),
    Column("finding", String(2000), nullable=False),
    Column("found_by", String(200), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What an independent body found of a repair claim: that closes it. It moves no account."""

phones_split = Table(
    "programme_phones_split",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("phone", String(256), primary_key=True),
    Column("from_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("holder", String(256), nullable=False),
    Column("split_by", String(200), nullable=False),
    Column("why", String(500), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Phones that several members gave, or that were transferred: whose they are from a moment on."""

issued = Table(
    "programme_issued",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("customer", String(256), primary_key=True),
    Column("period", String(16), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Index("programme_issued_by_number", "programme", "number", unique=True),
    sqlite_with_rowid=False,
)
"""Rebate statements that were issued, as they were: `answer` is JSON, with the text. `fingerprint`: of the text."""

acts_issued = Table(
    "programme_acts",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("contract", String(256), nullable=False),
    Column("period", String(16), nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Index("programme_acts_by_contract", "programme", "contract", "period"),
    sqlite_with_rowid=False,
)
"""Acts of price change that were issued, and those that correct them, as `issued`."""

oddities = Table(
    "programme_oddities",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    Column("what", String(200), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Rows that could not be posted as they are, for a person to look at."""

posted_again = Table(
    "programme_posted_again",
    metadata,
    Column("programme", String(64), primary_key=True),
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    Column("what", String(200), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("again_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Oddities that were mended: their rows were posted when a person asked for it, and never are again."""
