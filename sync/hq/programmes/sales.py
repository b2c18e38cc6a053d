"""What a station's rows say, as events of a programme: a settled delivery is a sale. Pure; knows no database.

The token of a sale is what the station quoted for, else what the delivery was authorised by; its number is known here
only, by its keyed hash. A sale happened when its delivery ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from controller.domain.programme_records import Presented, Quoted, Redeemed
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.events import AnyEvent, PresentAfter, Proof, Redeem, Sale, Tender
from controller.domain.programmes.rules import MOST, Product
from controller.domain.programmes.rules import TenderKind as ProgrammeTender
from controller.domain.records import Body, Delivery, RowName, Settlement, TenderKind
from controller.domain.tokens import TokenRef
from sync.hq.programmes.ledger import STATION, NewEvent, at_text
from sync.hq.programmes.routing import CARD, HOLDER, PHONE, PLATE, QR

_TENDERS: dict[TenderKind, ProgrammeTender] = {
    TenderKind.CASH: "cash",
    TenderKind.BANK_CARD: "electronic",
    TenderKind.ACCOUNT: "account",
    TenderKind.CARD_PURSE: "electronic",
    TenderKind.POINTS: "points",
    TenderKind.PAY_AND_GO: "pay_and_go",
}
"""The value on a card itself was paid for before: it is no money of an account here, and no cash."""


@dataclass(frozen=True, slots=True)
class Sold:
    """A delivery with the settlement that counts. `quoted`: what the station quoted for it, in the journal's order.

    `received_ms`: when headquarters got the settlement: nothing happened later than that, whatever a clock says.
    `told_plate`: the keyed hash of the plate that was told at the pump, beside the token that the fuel was let out on.
    """

    station: str
    delivery: Body
    settlement: Body
    quoted: tuple[Body, ...]
    received_ms: int
    told_plate: bytes = b""

    @property
    def ref(self) -> str:
        return ref_of(self.station, self.delivery.name)

    @property
    def at_ms(self) -> int:
        ended = [record.ended_ms for record in self._quotes() if record.ended_ms > 0]
        return min(ended[0] if ended else self.delivery.stamp.wall_ms, self.received_ms)

    @property
    def is_beyond(self) -> bool:
        """Whether it has a number that no event has (`MOST`): a meter, a till or a memory has gone wrong."""
        delivery, settlement = self.delivery.record, self.settlement.record
        assert isinstance(delivery, Delivery)
        assert isinstance(settlement, Settlement)
        paid = (each.amount_minor for each in settlement.tenders)
        return not all(0 <= number <= MOST for number in (delivery.volume_ml, delivery.amount_minor, *paid))

    def token(self, programme: str) -> TokenRef | None:
        """What names the buyer to a programme; None where another programme was quoted for, or nothing was shown."""
        epoch = self.settlement.name.epoch  # of another branch's quotes nothing came
        quotes = [record for record in self._quotes(epoch) if not record.shown_after]
        for quote in quotes:
            if quote.programme == programme:
                return quote.token
        record = self.delivery.record
        assert isinstance(record, Delivery)
        if quotes:
            return None
        told = [body.record for body in self.quoted if isinstance(body.record, Presented)]
        return told[-1].token if told else record.token

    def plate_key(self, programme: str) -> bytes:
        """The vehicle's plate beside the token: its keyed hash; empty where none was told."""
        bound = [record.bound_plate for record in self._quotes() if record.programme == programme]
        told = [body.record.plate_key for body in self.quoted if isinstance(body.record, Presented)]
        # What was shown while it waited goes before what was told at the pump, as at the station.
        return next(filter(None, bound), told[-1] if told else self.told_plate)

    def shown_after(self, programme: str) -> list[Body]:
        """Tokens that were shown when the fuel was out."""
        return [
            body
            for body in self.quoted
            if isinstance(body.record, Quoted) and body.record.shown_after and body.record.programme == programme
        ]

    def _quotes(self, epoch: bytes = b"") -> list[Quoted]:
        return [
            body.record
            for body in self.quoted
            if isinstance(body.record, Quoted) and (not epoch or body.name.epoch == epoch)
        ]


def ref_of(station: str, row: RowName) -> str:
    """The name of an event that a row made."""
    return f"{station}/{row.text}"


def product_of(grades: Mapping[str, Product], grade: str) -> Product | None:
    """The programmes' word for a station's grade: by the table, else the grade's own code."""
    found = grades.get(grade)
    return found or next((product for product in get_args(Product) if product == grade), None)


def sale_of(sold: Sold, product: Product, name: str, plate: str, local: LocalTime) -> NewEvent:
    """The sale. `name`: of its token ("card:...") or holder, empty for nobody's. `plate`: beside it, empty for none."""
    delivery, settlement = sold.delivery.record, sold.settlement.record
    assert isinstance(delivery, Delivery)
    assert isinstance(settlement, Settlement)
    kind, _, value = name.partition(":")
    sale = Sale(
        at=at_text(local, sold.at_ms),
        ref=sold.ref,
        product=product,
        volume_ml=delivery.volume_ml,
        amount_minor=delivery.amount_minor,
        tenders=tuple(Tender(kind=_TENDERS[each.kind], amount_minor=each.amount_minor) for each in settlement.tenders),
        station=sold.station,
        card=value if kind + ":" == CARD else None,
        plate=value if kind + ":" == PLATE else plate or None,
        phone=value if kind + ":" == PHONE else None,
        member=value if kind + ":" == HOLDER else None,
        qr=value if kind + ":" == QR else None,
    )
    return NewEvent(sold.at_ms, sale, STATION)


def shown_of(sold: Sold, shown: Body, card: str, local: LocalTime) -> NewEvent:
    """A card that was shown afterwards."""
    at_ms = max(min(shown.stamp.wall_ms, sold.received_ms), sold.at_ms)
    event = PresentAfter(at=at_text(local, at_ms), ref=ref_of(sold.station, shown.name), card=card, sale=sold.ref)
    return NewEvent(at_ms, event, STATION)


def redemption_of(station: str, body: Body, product: Product, holder: str, at_ms: int, local: LocalTime) -> NewEvent:
    """Points that a station took from a voucher while headquarters was away: it has looked at the driver's PIN."""
    record = body.record
    assert isinstance(record, Redeemed)
    event: AnyEvent = Redeem(
        at=at_text(local, at_ms),
        ref=ref_of(station, body.name),
        holder=holder,
        product=product,
        points=record.points,
        proof=Proof(voucher=record.voucher, driver_pin="ok"),
        station=station,
        offline=True,
    )
    return NewEvent(at_ms, event, STATION)


def of_delivery(bodies: Sequence[Body], delivery: RowName) -> tuple[Body, ...]:
    """Of these rows, the quotes of a delivery, and what was shown for it."""
    return tuple(
        body for body in bodies if isinstance(body.record, Quoted | Presented) and body.record.delivery == delivery
    )
