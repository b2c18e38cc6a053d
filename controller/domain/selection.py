"""Which rows of a journal a person wants to see: by kind, pump, card or plate, and time. Knows no file."""

from dataclasses import dataclass, field

from controller.domain.records import Authorised, Body, Delivery, Record, Released, RowName, kind_of
from controller.domain.tokens import TokenRef


@dataclass(slots=True)
class Selection:
    """Ask it for each row in order. None and empty mean: any.

    A row that names no pump and no card, but a row that does (a settlement names its delivery), is taken with it.
    """

    kinds: frozenset[str] = frozenset()
    point: int | None = None
    token_key: bytes | None = None
    from_ms: int | None = None
    """The first moment that counts, UTC."""
    until_ms: int | None = None
    """The first that does not."""
    _meant: set[RowName] = field(default_factory=set)
    """Authorisations and deliveries that were taken and that a row to come may name."""

    def takes(self, body: Body) -> bool:
        record = body.record
        if not self._is_about(record):
            return False
        if isinstance(record, Authorised | Delivery):
            self._meant.add(body.name)
        at_ms = body.stamp.wall_ms
        return (
            (not self.kinds or kind_of(record) in self.kinds)
            and (self.from_ms is None or at_ms >= self.from_ms)
            and (self.until_ms is None or at_ms < self.until_ms)
        )

    def _is_about(self, record: Record) -> bool:
        if self.point is None and self.token_key is None:
            return True
        named = _names(record)
        if named in self._meant:
            self._meant.discard(named)  # nothing else will name it
            return True
        if self.point is not None and getattr(record, "point", None) != self.point:
            return False
        token = token_of(record)
        return self.token_key is None or (token is not None and token.key == self.token_key)


def token_of(record: Record) -> TokenRef | None:
    """The card or plate that this row is about."""
    token = getattr(record, "token", None)
    return token if isinstance(token, TokenRef) else None


def _names(record: Record) -> RowName | None:
    """The row that this one ends."""
    if isinstance(record, Released | Delivery):
        return record.authorised
    name = getattr(record, "delivery", None)
    return name if isinstance(name, RowName) else None
