"""The engine: one event at a time, in order, into the books of one programme.

`decide` is what the laboratory asks: a sale may be declined. `post` is headquarters' face: what was delivered is a fact
and is booked, even below zero; a quote for a station is `quoting.quote`. Knows no clock, file or network.
"""

from collections.abc import Callable
from typing import Any

from controller.domain.programmes import (
    abuse,
    cards,
    claims,
    contracts,
    draw,
    enrolment,
    periods,
    plates,
    redeeming,
    reversing,
    sales,
    unlocking,
    vouchers,
)
from controller.domain.programmes.answering import accept
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.events import (
    Activate,
    AddPlate,
    AdjustFault,
    AnyEvent,
    CancelVoucher,
    ChangePlate,
    ClaimYes,
    ClockTick,
    CloseContract,
    ClosePeriod,
    CreateVoucher,
    Dispute,
    Enrol,
    FieldError,
    HoldDraw,
    IssueCard,
    LinkCredit,
    LoseCard,
    OpenContract,
    PayIn,
    PresentAfter,
    PublishOrder,
    Redeem,
    ReplaceCard,
    ReverseSale,
    Review,
    Sale,
    Sms,
    SoldPlate,
    Verify,
)
from controller.domain.programmes.ledger import Posting
from controller.domain.programmes.programme import Programme
from controller.domain.programmes.sale_book import OTHER_REF

_HANDLERS: dict[type[AnyEvent], Callable[[Books, Any], Answer]] = {
    Enrol: enrolment.enrol,
    Activate: enrolment.activate,
    Verify: enrolment.verify,
    Review: abuse.review,
    Sms: enrolment.text_message,
    OpenContract: contracts.open_contract,
    CloseContract: contracts.close_contract,
    IssueCard: cards.issue,
    LinkCredit: cards.link_credit,
    LoseCard: cards.lose,
    ReplaceCard: cards.replace,
    AddPlate: plates.add,
    SoldPlate: plates.sold,
    ChangePlate: plates.change,
    Sale: sales.sell,
    ReverseSale: reversing.reverse,
    PresentAfter: sales.present_after,
    Redeem: redeeming.redeem,
    CreateVoucher: vouchers.create,
    CancelVoucher: vouchers.cancel,
    PayIn: contracts.pay_in,
    PublishOrder: contracts.publish_order,
    ClosePeriod: periods.close,
    Dispute: claims.dispute,
    ClaimYes: claims.claim_repair,
    AdjustFault: claims.adjust_fault,
    ClockTick: accept,
    unlocking.UnlockPin: unlocking.unlock,
    HoldDraw: draw.hold_draw,
}


class Engine:
    """One programme and its books. `sink`, where one is given, gets each posting."""

    def __init__(self, programme: Programme, sink: Callable[[Posting], None] | None = None) -> None:
        self.books = Books(programme, sink)

    def decide(self, event: AnyEvent, at_ms: int) -> Answer:
        """The answer to an event, at its time (UTC). FieldError for a ref that was used before."""
        self._begin(event, at_ms)
        return _HANDLERS[type(event)](self.books, event)

    def post(self, event: AnyEvent, at_ms: int, *, granted: bool = False) -> Answer:
        """As `decide`, but a sale is a fact, and what a station took of a voucher while it was alone: it is booked
        whatever would have refused it. `granted`: so is this redemption, which was granted before."""
        self._begin(event, at_ms)
        if isinstance(event, Sale):
            return sales.sell(self.books, event, delivered=True)
        if isinstance(event, Redeem) and (event.offline or granted):
            return redeeming.given_out(self.books, event)
        return _HANDLERS[type(event)](self.books, event)

    def _begin(self, event: AnyEvent, at_ms: int) -> None:
        refs = self.books.sales.refs
        if event.ref in refs:
            raise FieldError("ref", f"{event.ref!r} was used before: each event has a ref of its own")
        self.books.advance(at_ms)
        refs[event.ref] = OTHER_REF
