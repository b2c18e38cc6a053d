"""What stations need of a programme: a row for each token, in the columns that `forecourt whitelist` imports.

Pure: books in, rows of text out. Balances are as of the moment of the list; stations say so.
"""

from collections.abc import Callable, Iterator, Mapping

from controller.domain.memberships import MEMBER_COLUMNS
from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import NEVER_MS
from controller.domain.programmes.members import APP, Card, Holder
from controller.domain.programmes.rules import Product
from controller.domain.programmes.vouchers import has_expired
from controller.domain.quantities import decimal_text
from controller.domain.tokens import check_card_number, fold_phone, fold_plate

COLUMNS = (
    "card",
    "plate",
    "phone",
    "voucher",
    "account",
    "status",
    "products",
    "funds",
    "valid_until",
    "pin_verifier",
    "pin_version",
    *MEMBER_COLUMNS,
)


def rows_of(
    books: Books, grades: Mapping[str, Product], split: Mapping[str, str], as_of: str
) -> Iterator[dict[str, str]]:
    """Rows of an account's cards, plates and phones, but for those that no station can read. `as_of`: ISO 8601.

    `split`: phones that are another's than who gave them first, with whose.
    """
    for card in books.cards.values():
        row = {"card": card.number, "status": "stopped" if card.blocked else "active"}
        if _readable(check_card_number, card.number):
            yield row | _of_card(books, card, grades) | _member(books, card.holder, card, as_of)
    if "plate" in books.programme.tokens:
        for plate, holder in books.plates.items():
            if _readable(fold_plate, plate):
                yield {"plate": plate, "status": "active"} | _funds(holder) | _member(books, holder, None, as_of)
        for plate, cards in books.card_plates.items():
            live = [card for card in cards if not card.blocked]
            if books.rules.plates is None and len(live) == 1 and _readable(fold_plate, plate):
                row = {"plate": plate, "status": "active"} | _of_card(books, live[0], grades)
                yield row | _member(books, live[0].holder, live[0], as_of)
    if "phone" in books.programme.tokens:
        first = {phone: holder for phone, holder in books.phones.items() if phone not in split}
        named = {phone: books.holder_of[name] for phone, name in split.items() if name in books.holder_of}
        for phone, holder in (first | named).items():
            if _readable(fold_phone, phone):
                yield {"phone": phone, "status": "active"} | _funds(holder) | _member(books, holder, None, as_of)


def vouchers_of(books: Books, pins: Mapping[str, tuple[str, int]], as_of: str) -> Iterator[dict[str, str]]:
    """Rows of those vouchers of an account of which something is set apart at stations. `pins`: by voucher, what the
    driver's PIN is checked by, and which one it is.

    A voucher is good there until the first of its points expire; a later list knows of the others.
    """
    for holder in books.holders:
        for voucher in [voucher for purse in holder.purses.values() for voucher in purse.vouchers]:
            if voucher.id not in pins:
                continue
            verifier, version = pins[voucher.id]
            gone = voucher.cancelled or has_expired(books, voucher) or holder.cancelled
            held = [lot.expiry_ms for lot, _ in voucher.free() if lot.expiry_ms < NEVER_MS]
            last = "" if gone or not held else str(books.time.local(held[0] - 1).date())
            row = {"voucher": voucher.id, "status": "stopped" if gone else "active", "valid_until": last}
            pin = {"pin_verifier": verifier, "pin_version": str(version) if version else ""}
            yield row | pin | _funds(holder) | _member(books, holder, None, as_of)


def _of_card(books: Books, card: Card, grades: Mapping[str, Product]) -> dict[str, str]:
    kind = books.rules.product_sets.get(card.product_set)
    allowed: list[str] = []
    for product in () if kind is None else kind.products:
        allowed += [grade for grade, meant in grades.items() if meant == product] or [product]
    return {"products": ";".join(allowed)} | _funds(card.holder)


def _funds(holder: Holder) -> dict[str, str]:
    """Who pays: an account here, or whoever stands at the till."""
    if holder.kind != "contract" or holder.contract is None:
        funds = "none"
    else:
        funds = "prepaid" if holder.contract.prepaid else "postpaid"
    return {"account": holder.id, "funds": funds}


def _member(books: Books, holder: Holder, card: Card | None, as_of: str) -> dict[str, str]:
    rule, plates = books.rules.plates, holder.plates
    owner = APP if card is None else card.number
    bound = [] if plates is None else [plate for list_ in plates.bound.values() for plate in list_]
    here = [] if plates is None else plates.bound.get(owner, [])
    waiting = [] if plates is None else sorted(plate for plate in plates.verified if plate not in books.plates)
    most = None if rule is None else (rule.in_app if owner == APP else rule.per_card)
    discount = holder.discount
    per_litre = None if discount is None else discount.per_litre_minor
    percent = None if discount is None else discount.percent_bp
    if card is not None and rule is None:
        bound = list(card.plates)
    purses = [
        f"{name}:{books.all_points(purse)}/{books.balance(purse)}" for name, purse in sorted(holder.purses.items())
    ]
    return {
        "programme": books.programme.name,
        "holder": holder.id,
        "product_set": "" if card is None else card.product_set,
        "contract_valid": _yes(holder.contract is None or holder.contract.is_open),
        "cancelled": _yes(holder.cancelled),
        "suspended": _yes(holder.suspended),
        "verified": _yes(holder.verified),
        "remote": _yes(holder.channel in ("web", "app")),
        "activated": _yes(holder.activated),
        "organisation": _yes(holder.kind == "organisation"),
        "plates": ";".join(plate for plate in bound if _readable(fold_plate, plate)),
        "plates_full": _yes(most is not None and len(here) >= most),
        "per_litre": decimal_text(per_litre, books.programme.currency.decimals) if per_litre else "",
        "percent_bp": str(percent) if percent else "",
        "purses": ";".join(purses),
        "as_of": as_of,
        "plates_waiting": ";".join(plate for plate in waiting if _readable(fold_plate, plate)),
        "plates_free": "" if most is None else str(max(most - len(here), 0)),
        "pay_and_go": _yes(card is not None and bool(card.credit)),
    }


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _readable(fold: Callable[[str], str], text: str) -> bool:
    """Whether a station could read such a token at all."""
    try:
        fold(text)
    except ValueError:
        return False
    return True
