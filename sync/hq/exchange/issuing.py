"""The programme whose cards are exchanged: which cards it issued, and what other issuers sold to them.

A partner's transaction becomes a sale of the programme with the partner as acquirer, under the ref `partner:ref`, in
the transaction in which its package is kept. Knows no package's bytes.
"""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.events import AnyEvent, ReverseSale, Sale, Tender
from sync.hq.exchange.packages import ListedCard, Transaction
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.ledger import NewEvent, ProgrammeLedger, at_text
from sync.hq.programmes.routing import CARD

SOURCE = "exchange"
MS_PER_S = 1_000


class Issuing:
    """One issuer's own cards, in headquarters' ledger of their programme."""

    def __init__(self, ledger: ProgrammeLedger) -> None:
        self._ledger = ledger

    def cards(self, db: sa.Connection) -> Iterator[ListedCard]:
        """All cards that were ever issued; a lost one, and one whose contract has ended, is stopped."""
        for history in self._ledger.every(db):
            for card in history.engine.books.cards.values():
                contract = card.holder.contract
                ended = card.holder.cancelled or (contract is not None and not contract.is_open)
                yield ListedCard(card.number, card.holder.id, stopped=card.blocked or ended)

    def issued(self, db: sa.Connection, cards: Iterable[str]) -> set[str]:
        """Those of these numbers that are ours."""
        names = [CARD + card for card in cards]
        known = Keeping(db, self._ledger.programme.name).accounts_of(names)
        return {name.removeprefix(CARD) for name in known}

    def book(self, db: sa.Connection, partner: str, sold: Iterable[Transaction], now_ms: int) -> None:
        """Post what a partner sold to our cards, at its time. A card that is not ours is not posted."""
        sold = tuple(sold)
        ours = self.issued(db, {each.card for each in sold})
        local = LocalTime(self._ledger.programme.zone)
        new = [_event(partner, each, local, now_ms) for each in sold if each.card in ours]
        self._ledger.enter(db, new, now_ms)


def ref_of(partner: str, ref: str) -> str:
    """The name of the event that a partner's transaction makes."""
    return f"{partner}:{ref}"


def _event(partner: str, sold: Transaction, local: LocalTime, now_ms: int) -> NewEvent:
    # What a partner's clock says lies ahead has not happened yet: it is booked as of now.
    at_ms = min(int(sold.at.timestamp()) * MS_PER_S, now_ms)
    event: AnyEvent
    if sold.reverses is not None:
        # A reversal comes later than what it takes back: it happens when it is heard of.
        at_ms = now_ms
        event = ReverseSale(
            at=at_text(local, at_ms), ref=ref_of(partner, sold.ref), sale=ref_of(partner, sold.reverses)
        )
    else:
        event = Sale(
            at=at_text(local, at_ms),
            ref=ref_of(partner, sold.ref),
            product=sold.product,
            volume_ml=sold.volume_ml,
            amount_minor=sold.amount_minor,
            tenders=(Tender(kind="account", amount_minor=sold.amount_minor),),
            station=sold.station,
            card=sold.card,
            acquirer=partner,
        )
    return NewEvent(at_ms, event, SOURCE)
