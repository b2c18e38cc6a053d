"""Claims, disputes and faults: what a person asks for afterwards, and what the books say to it."""

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import to_ms
from controller.domain.programmes.events import AdjustFault, ClaimYes, Dispute, moment
from controller.domain.programmes.folding import fold_plate
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.sale_book import NOBODY, REVERSED


def claim_repair(books: Books, event: ClaimYes) -> Answer:
    """Damage by the fuel: covered where this plate was fuelled by card before it. Open until a finding is recorded."""
    rule, sales = books.rules.claim, books.sales
    if rule is None:
        return decline(books, event, Reason.NOT_OFFERED)
    damaged_ms = to_ms(moment(event.damaged_at, "damaged_at"))
    evidence = []
    for number in books.by_plate.get(fold_plate(event.plate), ()):
        card = books.cards.get(sales.card_of(number))
        counts = card is not None and card.product_set in rule.product_sets
        if counts and sales.at_ms[number] < damaged_ms and not sales.is_flagged(number, REVERSED):
            evidence.append(sales.names[number])
    if not evidence:
        return decline(books, event, Reason.NOT_COVERED)
    books.claims[event.ref] = tuple(evidence)
    return accept(books, event, claim="open", evidence=tuple(evidence))


def record_finding(books: Books, claim: str, finding: str) -> None:
    """What an independent body found closes a claim. KeyError for a claim that is not open."""
    if claim in books.claim_findings:
        raise KeyError(claim)
    _ = books.claims[claim]
    books.claim_findings[claim] = finding


def dispute(books: Books, event: Dispute) -> Answer:
    """A member says that a purchase is not right, within the days that the programme gives."""
    rule, sales = books.rules.dispute, books.sales
    if rule is None:
        return decline(books, event, Reason.NOT_OFFERED)
    number = sales.find(event.sale)
    if number is None:
        return decline(books, event, Reason.SALE_UNKNOWN)
    if sales.holder[number] == NOBODY:
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    holder = books.holders[sales.holder[number]]
    for purse in holder.purses.values():
        books.look_at_points(purse)
    if sales.is_flagged(number, REVERSED):
        return decline(books, event, Reason.ALREADY_REVERSED)
    if books.day > books.time.local(sales.at_ms[number]).toordinal() + rule.days:
        return decline(books, event, Reason.DISPUTE_TOO_LATE)
    books.disputes[number] = books.now_ms
    return accept(books, event)


def adjust_fault(books: Books, event: AdjustFault) -> Answer:
    """Points by hand, where the station's journal shows that a reader or POS was out of order."""
    rule, purses = books.rules.fault, books.rules.purses
    if rule is None or not purses:
        return decline(books, event, Reason.NOT_OFFERED)
    holder = books.holder_of.get(event.member)
    if holder is None or holder.kind not in ("person", "organisation"):
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    purse = books.purse(holder, next(iter(purses)))
    books.look_at_points(purse)
    reason: Reason | None = None
    if holder.cancelled:
        reason = Reason.INACTIVE_CANCELLED
    elif not event.fault_in_journal:
        reason = Reason.FAULT_NOT_FOUND
    elif not event.approved_by_second:
        reason = Reason.APPROVAL_MISSING
    elif event.points > rule.points_max:
        reason = Reason.MANUAL_LIMIT
    if reason is not None:
        return decline(books, event, reason)
    books.add_points(event.ref, purse, "company:adjusted", books.lot_expiry_ms, event.points)
    books.settle(purse, event.ref)
    return accept(books, event, points=event.points)
