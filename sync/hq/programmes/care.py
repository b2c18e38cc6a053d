"""All of one member for whoever answers them: state, cards, plates, points by lot, the last sales. Pure; books in.

Cards, phones and vouchers are masked: who reads this needs none of them whole.
"""

from collections.abc import Iterator

import msgspec

from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import NEVER_MS
from controller.domain.programmes.folding import fold_phone, fold_plate
from controller.domain.programmes.lots import LotAccount
from controller.domain.programmes.members import Holder
from controller.domain.programmes.rules import PRODUCTS
from controller.domain.programmes.sale_book import REVERSED
from controller.domain.programmes.unlocking import is_locked
from controller.domain.tokens import mask_card, mask_phone, mask_voucher
from sync.hq.programmes.asks import Balance, CardShown, LotShown, MemberAnswer, SaleShown
from sync.hq.programmes.routing import CARD, HOLDER, PHONE, PLATE

SALES_SHOWN = 10


def names_like(text: str) -> list[str]:
    """What an operator may have typed of a member, in the order in which it is looked for."""
    typed = text.strip()
    card = "".join(typed.replace("-", " ").split())
    return [HOLDER + typed, CARD + typed, CARD + card, PHONE + fold_phone(typed), PLATE + fold_plate(typed)]


def holder_of(books: Books, name: str) -> Holder | None:
    """Whose name, card, phone or plate it is; also of a card that is blocked."""
    kind, _, value = name.partition(":")
    if kind + ":" == HOLDER:
        return books.holder_of.get(value)
    if kind + ":" == CARD:
        card = books.cards.get(value)
        return None if card is None else card.holder
    if kind + ":" == PHONE:
        return books.phones.get(value)
    cards = books.card_plates.get(value, ())
    return books.plates.get(value) or next((card.holder for card in cards), None)


def shown(books: Books, holder: Holder, balances: tuple[Balance, ...]) -> MemberAnswer:
    """What there is of a member in books that have come to the present."""
    currency = books.programme.currency
    mine = [card for card in books.cards.values() if card.holder is holder]
    plates = [] if holder.plates is None else [plate for some in holder.plates.bound.values() for plate in some]
    plates += [plate for card in mine for plate in card.plates if not card.blocked]
    return MemberAnswer(
        books.programme.name,
        currency.code,
        currency.decimals,
        holder.id,
        holder.kind,
        " ".join(filter(None, (holder.name, holder.surname))),
        mask_phone(holder.phone) if holder.phone else "",
        tuple(_state(books, holder)),
        tuple(
            CardShown(mask_card(card.number), "replaced" if card.replaced else "lost" if card.blocked else "active")
            for card in mine
        ),
        tuple(dict.fromkeys(plates)),
        tuple(map(_masked, balances)),
        tuple(_lots(books, holder)),
        tuple(_sales(books, holder)),
    )


def _masked(balance: Balance) -> Balance:
    kind, _, name = balance.account.partition(":")
    return msgspec.structs.replace(balance, account=f"{kind}:{mask_voucher(name)}") if kind == "voucher" else balance


def _state(books: Books, holder: Holder) -> Iterator[str]:
    for name in ("activated", "verified", "cancelled", "suspended"):
        if getattr(holder, name):
            yield name
    if is_locked(books, holder):
        yield "PIN locked"
    for purse in holder.purses.values():
        yield from (f"voucher {mask_voucher(each.id)} locked" for each in purse.vouchers if is_locked(books, each))
    if holder.contract is not None:
        yield "open" if holder.contract.is_open else "closed"


def _lots(books: Books, holder: Holder) -> Iterator[LotShown]:
    for name, purse in sorted(holder.purses.items()):
        accounts: list[tuple[str, LotAccount]] = [("", purse)]
        accounts += [(mask_voucher(voucher.id), voucher) for voucher in purse.vouchers]
        for voucher, account in accounts:
            for lot, left in account.free():
                expires = "" if lot.expiry_ms >= NEVER_MS else books.time.text(lot.expiry_ms)
                yield LotShown(name, voucher, left, expires)


def _sales(books: Books, holder: Holder) -> Iterator[SaleShown]:
    sales = books.sales
    mine = [number for number, whose in enumerate(sales.holder) if whose == holder.index]
    for number in sorted(mine, key=lambda number: sales.at_ms[number], reverse=True)[:SALES_SHOWN]:
        reversed_, taken = sales.is_flagged(number, REVERSED), sales.redemptions.get(number)
        kind = ("given_back" if reversed_ else "redeemed") if taken else ("reversed" if reversed_ else "sale")
        card = sales.card_of(number)
        yield SaleShown(
            sales.names[number],
            books.time.text(sales.at_ms[number]),
            kind,
            sales.station_of(number),
            "" if taken else PRODUCTS[sales.product[number]],
            mask_card(card) if card else "",
            sales.volume_ml[number],
            sales.amount_minor[number],
            -sum(points for _, points in taken[1]) if taken else sales.earned[number],
        )
