"""Codes of one use that were used: each station is told of those that others have let go by, while they still live.

And of its own by rows that its disk has lost. By the stations' own rows; one that was used twice before a station could
hear of it is an oddity for a person. Runs within the transaction that stores the rows. Knows no signature and no wire.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table

from controller.domain.codes import FORGOTTEN_AFTER_MS, NONCE_BYTES
from controller.domain.headquarters import UsedCode
from controller.domain.records import Authorised, Body, Released, RowName
from sync.hq.schema import metadata, oddities, rows
from sync.hq.went_back import Chain, on_chain

TOLD_MAX = 64
"""Codes in one acknowledgement, a kilobyte: those that live longest. They live for minutes, so there are few."""
USED_TWICE = "code_used_elsewhere"

used_codes = Table(
    "used_codes",
    metadata,
    Column("station_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", LargeBinary(8), primary_key=True),
    Column("nonce", LargeBinary(NONCE_BYTES), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Index("used_codes_by_nonce", "nonce"),
    Index("used_codes_by_end", "until_ms"),
    sqlite_with_rowid=False,
)
"""By the row that authorised; it goes when nothing came of it, by proof, and some time after the code's end."""


class CodeRows:
    """Of one station."""

    def __init__(self, db: sa.Connection, station: str, now_ms: int) -> None:
        self._db = db
        self._station = station
        self._now_ms = now_ms

    def enter(self, bodies: Sequence[Body]) -> None:
        """In the order of the rows."""
        for body in bodies:
            match body.record:
                case Authorised(evidence=evidence) if evidence.code is not None:
                    self._use(body.name, evidence.code.nonce, evidence.code.until_ms)
                case Released(authorised, proven=True):
                    key = self._named(authorised)
                    self._db.execute(sa.delete(used_codes).filter_by(**key))

    def _use(self, name: RowName, nonce: bytes, until_ms: int) -> None:
        self._db.execute(sa.delete(used_codes).where(used_codes.c.until_ms < self._now_ms - FORGOTTEN_AFTER_MS))
        before = sa.select(used_codes.c.seq).where(used_codes.c.nonce == nonce)
        if self._db.execute(before.limit(1)).first() is not None:
            odd: dict[str, Any] = {**self._named(name), "what": USED_TWICE, "at_ms": self._now_ms}
            self._db.execute(sa.insert(oddities).values(**odd))
        self._db.execute(sa.insert(used_codes).values(**self._named(name), nonce=nonce, until_ms=until_ms))

    def _named(self, name: RowName) -> dict[str, Any]:
        return {"station_id": self._station, "seq": name.seq, "epoch": name.epoch}


def used_elsewhere(db: sa.Connection, station: str, chain: Chain, now_ms: int) -> tuple[UsedCode, ...]:
    """Codes that could still be shown at this station, and of whose use its journal knows nothing.

    `chain`: what its rows stand on; empty where it has none.
    """
    unknown = used_codes.c.station_id != station
    if chain:
        named = (
            rows.c.station_id == station,
            rows.c.seq == used_codes.c.seq,
            rows.c.epoch == used_codes.c.epoch,
            sa.not_(on_chain(chain)),
        )
        lost = sa.select(rows.c.seq).where(*named).correlate(used_codes).scalar_subquery()
        unknown = sa.or_(unknown, lost.is_not(None))
    query = sa.select(used_codes.c.nonce, used_codes.c.until_ms).where(unknown, used_codes.c.until_ms > now_ms)
    found = db.execute(query.order_by(used_codes.c.until_ms.desc(), used_codes.c.nonce).limit(TOLD_MAX))
    return tuple(UsedCode(bytes(each.nonce), each.until_ms) for each in found)
