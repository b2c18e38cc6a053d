"""How often one-time passwords may be asked for within an hour: of one phone or token, and by one station. Durable.

A token is counted before anybody looks whether it is known, and an unknown one as a known one: what is answered does
not tell them apart. Knows no phone and no member.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from controller.domain.seams import MS_PER_S
from sync.hq.programmes.tables import code_asks

HOUR_MS = 3_600 * MS_PER_S
TOKEN_AN_HOUR = 5
STATION_AN_HOUR = 100
_ALL = ""
"""In the place of a programme: they are counted together."""


def by_station(station: str) -> str:
    return f"station:{station}"


def by_token(key: bytes) -> str:
    """Of a token, or of the phone that a code goes to: its keyed hash."""
    return f"token:{key.hex()}"


class CodeBounds:
    """The table, within one transaction."""

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def wait_ms(self, askers: Sequence[str], now_ms: int) -> int:
        """How long until another may be asked for by all of these; 0 for now."""
        return max((self._wait_ms(asked_by, now_ms) for asked_by in askers), default=0)

    def count(self, askers: Sequence[str], now_ms: int) -> None:
        """One more, for each of these; what is older than an hour is forgotten."""
        self._db.execute(sa.delete(code_asks).where(code_asks.c.programme == _ALL, sa.not_(_counts(now_ms))))
        for asked_by in dict.fromkeys(askers):
            at_ms = self._asked(asked_by, now_ms)
            number = sum(1 for each in at_ms if each == now_ms)
            new = {"asked_by": asked_by, "at_ms": now_ms, "number": number}
            self._db.execute(sa.insert(code_asks).values(programme=_ALL, **new))

    def _wait_ms(self, asked_by: str, now_ms: int) -> int:
        most = STATION_AN_HOUR if asked_by.startswith(by_station("")) else TOKEN_AN_HOUR
        at_ms = self._asked(asked_by, now_ms)
        return at_ms[-most] + HOUR_MS - now_ms if len(at_ms) >= most else 0

    def _asked(self, asked_by: str, now_ms: int) -> list[int]:
        query = sa.select(code_asks.c.at_ms).where(*self._of(asked_by), _counts(now_ms))
        return list(self._db.execute(query.order_by(code_asks.c.at_ms, code_asks.c.number)).scalars())

    def _of(self, asked_by: str) -> tuple[sa.ColumnElement[bool], ...]:
        return code_asks.c.programme == _ALL, code_asks.c.asked_by == asked_by


def _counts(now_ms: int) -> sa.ColumnElement[bool]:
    """The last hour's, also after a clock was set back a little. One that was far ahead locks nobody out for long."""
    return code_asks.c.at_ms.between(now_ms - HOUR_MS + 1, now_ms + HOUR_MS)
