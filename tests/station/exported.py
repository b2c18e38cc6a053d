"""A station's journal as events of the laboratory: what it saw, and what it said to each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from controller.domain.lists import ListRow
from controller.domain.programme_records import Presented, Quoted, Redeemed
from controller.domain.quoted import known_of
from controller.domain.records import Authorised, Body, Declined, Delivery, RowName, Settlement, TenderKind
from controller.domain.tokens import TokenKind

TENDERS = {
    TenderKind.CASH: "cash",
    TenderKind.BANK_CARD: "electronic",
    TenderKind.ACCOUNT: "account",
    TenderKind.POINTS: "points",
    TenderKind.PAY_AND_GO: "pay_and_go",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Said:
    """What the station said to an event."""

    result: str
    reason: str | None
    points: int = 0
    rebate_minor: int = 0


@dataclass
class Exported:
    """Of one programme. `names`: tokens in clear, by key; `products`: by grade."""

    programme: str
    names: Mapping[bytes, tuple[TokenKind, str]]
    products: Mapping[str, str]
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    said: dict[str, Said] = field(default_factory=dict)

    def take(self, bodies: Sequence[Body]) -> None:
        """All rows of a day."""
        deliveries = {body.name: body for body in bodies if isinstance(body.record, Delivery)}
        quotes = [body.record for body in bodies if isinstance(body.record, Quoted)]
        quoted = {quote.delivery: quote for quote in quotes if not quote.shown_after}
        plates = _plates(bodies)
        for body in bodies:
            record = body.record
            if isinstance(record, Settlement):
                sold = deliveries[record.delivery]
                self._sale(sold, record, quoted.get(record.delivery), plates.get(record.delivery))
            elif isinstance(record, Quoted) and record.shown_after:
                self._shown(body, record)
            elif isinstance(record, Redeemed):
                self._redeem(body, record, deliveries[record.delivery].record)
            elif isinstance(record, Declined) and record.token is not None:
                self._declined(body, record)
        self.events.sort(key=lambda each: each[0])

    def _sale(self, delivery: Body, paid: Settlement, quoted: Quoted | None, plate: bytes | None) -> None:
        record = delivery.record
        assert isinstance(record, Delivery)
        if quoted is not None and quoted.programme != self.programme:
            return
        token = None if quoted is None else quoted.token
        offline = quoted is not None and known_of(quoted).sale.offline
        shown = {} if token is None else self._named(token.key)
        if plate and "plate" not in shown:
            shown |= self._named(plate)
        event = {
            "type": "sale",
            "product": self.products[record.grade],
            "volume_ml": record.volume_ml,
            "amount_minor": record.amount_minor,
            "tenders": [{"kind": TENDERS[tender.kind], "amount_minor": tender.amount_minor} for tender in paid.tenders],
            "station": "S1",
            "offline": offline,
        }
        said = Said("accepted", None)
        if quoted is not None:
            said = Said("accepted", quoted.reason or None, quoted.points, quoted.rebate_minor)
        self._add(delivery.stamp.wall_ms, delivery.name, event | shown, said)

    def _shown(self, body: Body, record: Quoted) -> None:
        if record.programme == self.programme and record.token is not None:
            event = {"type": "present.after", "sale": record.delivery.text} | self._named(record.token.key)
            self._add(body.stamp.wall_ms, body.name, event, Said("accepted", record.reason or None, record.points))

    def _redeem(self, body: Body, record: Redeemed, delivery: Any) -> None:
        proof = {"voucher": record.voucher, "driver_pin": "ok"} if record.voucher else {"otp": True}
        event = {
            "type": "redeem",
            "holder": record.holder,
            "product": self.products[delivery.grade],
            "points": record.points,
            "proof": proof,
            "station": "S1",
            "offline": record.offline,
        }
        self._add(body.stamp.wall_ms, body.name, event, Said("accepted", None))

    def _declined(self, body: Body, record: Declined) -> None:
        """The pump gave nothing: the laboratory hears of a sale that would have been far too dear."""
        assert record.token is not None
        row = msgspec.msgpack.decode(record.evidence.row, type=ListRow)
        if row.member is None or row.member.programme != self.programme:
            return
        amount = 10**9
        event = {
            "type": "sale",
            "product": self.products[record.evidence.grade],
            "volume_ml": 1_000,
            "amount_minor": amount,
            "tenders": [{"kind": "account", "amount_minor": amount}],
            "station": "S1",
        }
        self._add(body.stamp.wall_ms, body.name, event | self._named(record.token.key), Said("declined", record.reason))

    def _named(self, key: bytes) -> dict[str, str]:
        kind, text = self.names[key]
        return {str(kind): text}

    def _add(self, at_ms: int, name: RowName, event: dict[str, Any], said: Said) -> None:
        at = (EPOCH + timedelta(milliseconds=at_ms)).isoformat()
        self.events.append((at_ms, {"at": at, "ref": name.text} | event))
        self.said[name.text] = said


def _plates(bodies: Sequence[Body]) -> dict[RowName, bytes]:
    """By delivery: the plate that was told beside its token."""
    allowed = {body.name: body.record.evidence.plate_key for body in bodies if isinstance(body.record, Authorised)}
    found = {}
    for body in bodies:
        record = body.record
        if isinstance(record, Delivery) and record.authorised in allowed:
            found[body.name] = allowed[record.authorised]
        elif isinstance(record, Presented):
            found[record.delivery] = record.plate_key
    return found
