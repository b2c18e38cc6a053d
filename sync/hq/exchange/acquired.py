"""What stations of ours sold to the cards of another issuer: settled sales on its account, as transactions.

Stations know such cards by the list that headquarters makes of a partner's service data: their account is
`issuer:NAME`. The journal has a card's keyed hash only, so numbers are found again through the cards that the partner
listed. Reads headquarters' tables; knows no package.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from controller.domain.programmes.rules import Product
from controller.domain.records import Delivery, RowName, decode_body
from controller.domain.tokens import KeyedHash, TokenKind
from sync.hq.exchange.packages import Transaction
from sync.hq.schema import rows, sales

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A sale on a partner's account by a card that the partner never listed: nobody there knows whose it is."""

    ref: str
    amount_minor: int


def issuer_account(partner: str) -> str:
    """The account that stations have for all cards of a partner."""
    return f"issuer:{partner}"


def sold_to(
    db: sa.Connection,
    partner: str,
    cards: Iterable[str],
    list_key: bytes,
    product_of: Callable[[str], Product],
    end_ms: int,
) -> Iterator[Transaction | Unlisted]:
    """All settled sales to a partner's cards that ended before `end_ms`, the earliest first.

    `list_key`: by which the network's lists hash card numbers.
    """
    hashed = KeyedHash(list_key, TokenKind.CARD).of
    number_of = {hashed(card): card for card in cards}
    same = sa.and_(rows.c.station_id == sales.c.station_id, rows.c.seq == sales.c.seq, rows.c.epoch == sales.c.epoch)
    query = (
        sa.select(sales.c.station_id, sales.c.seq, sales.c.epoch, sales.c.delivered_ms, rows.c.body)
        .join(rows, same)
        .where(
            sales.c.account == issuer_account(partner),
            sales.c.receipt_number.is_not(None),
            sales.c.delivered_ms < end_ms,
        )
        .order_by(sales.c.delivered_ms, sales.c.station_id, sales.c.seq)
    )
    for found in db.execute(query):
        delivery = decode_body(bytes(found.body)).record
        assert isinstance(delivery, Delivery)  # the table has no other rows
        ref = f"{found.station_id}/{RowName(bytes(found.epoch), found.seq).text}"
        card = None if delivery.token is None else number_of.get(delivery.token.key)
        if card is None:
            yield Unlisted(ref, delivery.amount_minor)
            continue
        yield Transaction(
            ref=ref,
            at=_EPOCH + timedelta(milliseconds=found.delivered_ms),
            card=card,
            station=found.station_id,
            product=product_of(delivery.grade),
            volume_ml=delivery.volume_ml,
            amount_minor=delivery.amount_minor,
        )
