"""Who shows something at the station: a sale's token as a holder, and what is known of that holder. Changes nothing."""

from dataclasses import dataclass

from controller.domain.programmes.books import Books
from controller.domain.programmes.events import Sale
from controller.domain.programmes.folding import fold_phone, fold_plate
from controller.domain.programmes.ledger import MONEY
from controller.domain.programmes.members import APP, Card, Holder
from controller.domain.programmes.plates import plate_standing
from controller.domain.programmes.quoting import ANONYMOUS, SaleFacts, Standing
from controller.domain.programmes.reasons import Reason


@dataclass(slots=True)
class Shown:
    """`token`: the text that was shown first. `reason`: why it names nobody who may use it; then `holder` is None."""

    holder: Holder | None = None
    card: Card | None = None
    plate: str = ""
    token: str = ""
    reason: Reason | None = None
    by_plate_alone: bool = False


def shown_at(books: Books, sale: Sale) -> Shown:
    """The holder of a sale's token. Of several tokens, the card speaks, then QR, phone, member, plate."""
    shown = _token_of(books, sale)
    shown.plate = "" if sale.plate is None else fold_plate(sale.plate)
    return shown


def _token_of(books: Books, sale: Sale) -> Shown:
    tokens = books.programme.tokens
    if sale.card is not None:
        return by_card(books, sale.card) if "card" in tokens else Shown(token=sale.card, reason=Reason.CARD_UNKNOWN)
    if sale.qr is not None:
        return _by_qr(books, sale.qr) if "qr" in tokens else Shown(token=sale.qr, reason=Reason.CARD_UNKNOWN)
    if sale.phone is not None:
        return _member(books.phones.get(fold_phone(sale.phone)) if "phone" in tokens else None, sale.phone)
    if sale.member is not None:
        return _member(books.holder_of.get(sale.member) if "member" in tokens else None, sale.member)
    return Shown() if sale.plate is None else _by_plate(books, fold_plate(sale.plate))


def by_card(books: Books, number: str) -> Shown:
    card = books.cards.get(number)
    if card is None:
        return Shown(token=number, reason=Reason.CARD_UNKNOWN)
    if card.blocked:
        return Shown(card=card, token=number, reason=Reason.CARD_BLOCKED)
    return Shown(card.holder, card, token=number)


def standing_of(books: Books, shown: Shown, *, watched: bool) -> Standing:
    """What headquarters knows of the one who buys. `watched`: their day is kept, for limits and against abuse."""
    holder = shown.holder
    if holder is None:
        return ANONYMOUS if shown.reason is None else Standing(token_reason=shown.reason)
    contract, card = holder.contract, shown.card
    use = books.day_use.get(holder.index) if watched else None
    number = APP if card is None else card.number
    plate = "none" if shown.by_plate_alone else plate_standing(books, holder, shown.plate, number)
    return Standing(
        holder=holder.id,
        by_card=card is not None and not shown.by_plate_alone,
        product_set="" if card is None else card.product_set,
        contract_valid=contract is None or contract.is_open,
        cancelled=holder.cancelled,
        suspended=holder.suspended,
        verified=holder.verified,
        remote=holder.channel in ("web", "app"),
        plate=plate,
        discount=holder.discount,
        balance_minor=(
            books.ledger.balance(MONEY, contract.account)
            if contract is not None and contract.prepaid and holder.kind == "contract"
            else None
        ),
        day_points=0 if use is None else use.points,
        day_sales=0 if use is None else use.sales,
    )


def facts_of(sale: Sale, shown: Shown, *, code_given: bool = False) -> SaleFacts:
    """A sale's tenders, summed by what counts alike; and the card's number, also where a QR code stood for the card."""
    cash = electronic = charged = points = 0
    for tender in sale.tenders:
        if tender.kind == "cash":
            cash += tender.amount_minor
        elif tender.kind == "electronic":
            electronic += tender.amount_minor
        elif tender.kind == "pay_and_go":
            electronic += tender.amount_minor
            charged += tender.amount_minor
        elif tender.kind == "points":
            points += tender.amount_minor
    return SaleFacts(
        sale.product,
        sale.volume_ml,
        sale.amount_minor,
        cash,
        electronic,
        charged,
        points,
        "" if shown.card is None or shown.by_plate_alone else shown.card.number,
        sale.offline,
        code_given,
        sale.acquirer is not None,
    )


def _by_qr(books: Books, code: str) -> Shown:
    """A QR code stands for a card, or for a member."""
    if code in books.cards:
        return by_card(books, code)
    holder = books.holder_of.get(code)
    if holder is None or holder.kind not in ("person", "organisation"):
        return Shown(token=code, reason=Reason.CARD_UNKNOWN)
    return Shown(holder, token=code)


def _member(holder: Holder | None, token: str) -> Shown:
    if holder is None or holder.kind not in ("person", "organisation"):
        return Shown(token=token, reason=Reason.HOLDER_UNKNOWN)
    return Shown(holder, token=token)


def _by_plate(books: Books, plate: str) -> Shown:
    if "plate" in books.programme.tokens:
        owner = books.plates.get(plate)
        if owner is not None:
            return Shown(owner, token=plate, by_plate_alone=True)
        cards = [card for card in books.card_plates.get(plate, ()) if not card.blocked]
        if books.rules.plates is None and len(cards) == 1:
            return Shown(cards[0].holder, cards[0], token=plate, by_plate_alone=True)
    return Shown(token=plate, reason=Reason.PLATE_NOT_BOUND)
