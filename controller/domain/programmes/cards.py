"""Cards: issued, linked to credit cards, lost, replaced."""

from controller.domain.programmes.answering import accept, decline, look_at_purses
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.enrolment import card_ending, matches
from controller.domain.programmes.events import IssueCard, LinkCredit, LoseCard, ReplaceCard
from controller.domain.programmes.folding import fold_plate
from controller.domain.programmes.members import Card, Holder
from controller.domain.programmes.plates import announce
from controller.domain.programmes.reasons import Reason


def issue(books: Books, event: IssueCard) -> Answer:
    """A card for a member, an organisation, a customer or a contract."""
    holder = books.holder_of.get(event.holder)
    if holder is None:
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    plates = tuple(dict.fromkeys(map(fold_plate, event.plates)))
    reason = _cannot_issue(books, event, holder, plates)
    if reason is not None:
        return decline(books, event, reason)
    card = Card(event.card, holder)
    sets = books.rules.product_sets
    card.product_set = event.product_set or next((name for name, kind in sets.items() if kind.default), "")
    card.plates = plates
    _register(books, card)
    if books.rules.plates is not None:
        for plate in plates:
            announce(books, holder, plate, card.number)
    return accept(books, event)


def link_credit(books: Books, event: LinkCredit) -> Answer:
    """The credit cards that pay for this card's sales, in the order in which they are tried."""
    if books.rules.pay_and_go is None:
        return decline(books, event, Reason.NOT_OFFERED)
    card = books.cards.get(event.card)
    if card is None or card.blocked:
        return decline(books, event, Reason.CARD_UNKNOWN if card is None else Reason.CARD_BLOCKED)
    card.credit = event.credit_cards
    return accept(books, event)


def lose(books: Books, event: LoseCard) -> Answer:
    """Cancelled at once."""
    card = books.cards.get(event.card)
    if card is None:
        return decline(books, event, Reason.CARD_UNKNOWN)
    card.blocked = True
    return accept(books, event)


def replace(books: Books, event: ReplaceCard) -> Answer:
    """A new card for the same person: the holder's points are then the new card's."""
    old = books.cards.get(event.old_card)
    if old is None:
        return decline(books, event, Reason.CARD_UNKNOWN)
    holder = old.holder
    look_at_purses(books, holder)
    if event.new_card in books.cards:
        return decline(books, event, Reason.CARD_IN_USE)
    if old.replaced:
        return decline(books, event, Reason.CARD_BLOCKED)
    if holder.cancelled:
        return decline(books, event, Reason.INACTIVE_CANCELLED)
    fields = books.rules.membership.replacement_must_match
    if not all(matches(holder, field, getattr(event.form, field)) for field in fields):
        return decline(books, event, Reason.IDENTITY_MISMATCH)
    new = Card(event.new_card, holder)
    new.product_set, new.plates, new.credit = old.product_set, old.plates, old.credit
    old.blocked = old.replaced = True
    _register(books, new)
    if holder.plates is not None:
        for lists in (holder.plates.bound, holder.plates.waiting):
            if old.number in lists:
                lists[new.number] = lists.pop(old.number)
    return accept(books, event)


def _cannot_issue(books: Books, event: IssueCard, holder: Holder, plates: tuple[str, ...]) -> Reason | None:
    if event.card in books.cards:
        return Reason.CARD_IN_USE
    if holder.cancelled:
        return Reason.INACTIVE_CANCELLED
    if holder.contract is not None and not holder.contract.is_open:
        return Reason.CONTRACT_NOT_VALID
    rule = books.rules.plates
    if rule is not None and len(plates) > rule.per_card:
        return Reason.PLATE_LIMIT
    if rule is not None and any(plate in books.plates for plate in plates):
        return Reason.PLATE_IN_USE
    return None


def _register(books: Books, card: Card) -> None:
    books.cards[card.number] = card
    ending = card_ending(books, card.number)
    if ending is not None:
        books.card_endings.setdefault(ending, []).append(card)
    for plate in card.plates:
        books.card_plates.setdefault(plate, []).append(card)
