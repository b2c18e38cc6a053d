"""Which names an event touches: by them it comes to its account. Pure; knows no database.

Two events that share a name belong to one account, for they may bear upon each other: a card and its holder, a plate
that was one member's and is now another's. So each account can be replayed alone.
"""

import re

from controller.domain.programmes.events import (
    Activate,
    AddPlate,
    AdjustFault,
    AnyEvent,
    CancelVoucher,
    ChangePlate,
    ClaimYes,
    CloseContract,
    ClosePeriod,
    CreateVoucher,
    Enrol,
    IssueCard,
    LinkCredit,
    LoseCard,
    OpenContract,
    PayIn,
    PresentAfter,
    PublishOrder,
    Redeem,
    ReplaceCard,
    Review,
    Sale,
    Sms,
    SoldPlate,
    Verify,
)
from controller.domain.programmes.folding import fold_phone, fold_plate
from controller.domain.programmes.programme import Programme
from controller.domain.programmes.unlocking import UnlockPin
from controller.domain.tokens import TokenKind, check_card_number, fold_voucher, token_key
from controller.domain.tokens import fold_phone as checked_phone
from controller.domain.tokens import fold_plate as checked_plate

HOLDER = "holder:"
CARD = "card:"
PLATE = "plate:"
PHONE = "phone:"
VOUCHER = "voucher:"
QR = "qr:"
"""A card or a member, as a code to be scanned: the same text, hashed as what it is shown as."""
SALE = "sale:"
"""The ref of a sale that did not come yet, and of which something was said: a reversal, a dispute."""
ENDING = "ending:"
"""The last digits of a card, by which a text message names it."""


def names_of(programme: Programme, event: AnyEvent) -> list[str]:
    """The names that an event touches; none for one that stands alone, or that names a sale only."""
    match event:
        case UnlockPin():
            return [VOUCHER + event.voucher] if event.voucher else [HOLDER + (event.holder or "")]
        case Enrol():
            phone = [PHONE + fold_phone(event.phone)] if event.phone else []
            return [HOLDER + event.member, *_code(programme, event.member), *phone]
        case Activate() | Review() | AdjustFault():
            return [HOLDER + event.member]
        case Verify():
            return [HOLDER + event.member, *([PLATE + fold_plate(event.plate)] if event.plate else [])]
        case OpenContract() | CloseContract() | ClosePeriod():
            return [HOLDER + (event.customer or event.contract or "")]
        case IssueCard():
            return [
                HOLDER + event.holder,
                *_card(programme, event.card),
                *(PLATE + fold_plate(p) for p in event.plates),
            ]
        case LinkCredit() | LoseCard():
            return _card(programme, event.card)
        case ReplaceCard():
            return [*_card(programme, event.old_card), *_card(programme, event.new_card)]
        case AddPlate() | SoldPlate():
            return [HOLDER + event.member, PLATE + fold_plate(event.plate)]
        case ChangePlate():
            return [HOLDER + event.member, PLATE + fold_plate(event.plate), PLATE + fold_plate(event.new_plate)]
        case Sale():
            return _of_sale(programme, event)
        case PresentAfter():
            return _card(programme, event.card)
        case Redeem():
            return [HOLDER + event.holder, *([VOUCHER + event.proof.voucher] if event.proof.voucher else [])]
        case CreateVoucher() | CancelVoucher():
            return [HOLDER + event.organisation, VOUCHER + event.voucher]
        case PayIn():
            return [HOLDER + event.contract]
        case ClaimYes():
            return [PLATE + fold_plate(event.plate)]
        case Sms():
            return _of_message(programme, event.text)
    return []


def is_for_all(event: AnyEvent) -> bool:
    """Whether an event bears upon every account."""
    return isinstance(event, PublishOrder) or (
        isinstance(event, ClosePeriod) and event.contract is None and event.customer is None
    )


def token_key_of(secret: bytes, name: str) -> bytes | None:
    """The keyed hash under which stations send a token; None for a name that is none, or that no station can read."""
    kind, _, value = name.partition(":")
    try:
        match kind + ":":
            case "card:":
                return token_key(secret, TokenKind.CARD, check_card_number(value))
            case "plate:":
                return token_key(secret, TokenKind.PLATE, checked_plate(value))
            case "phone:":
                return token_key(secret, TokenKind.PHONE, checked_phone(value))
            case "voucher:":
                return token_key(secret, TokenKind.VOUCHER, fold_voucher(value))
            case "qr:":
                return token_key(secret, TokenKind.QR, value.strip())
    except ValueError:
        return None
    return None


def _card(programme: Programme, number: str) -> list[str]:
    rules = programme.file.sms
    return [CARD + number, *_code(programme, number), *([ENDING + number[-rules[0].digits :]] if rules else [])]


def _code(programme: Programme, text: str) -> list[str]:
    return [QR + text] if "qr" in programme.tokens else []


def _of_sale(programme: Programme, sale: Sale) -> list[str]:
    found = []
    if sale.card is not None:
        found += _card(programme, sale.card)
    if sale.qr is not None:
        found += [*_card(programme, sale.qr), HOLDER + sale.qr]
    if sale.phone is not None:
        found.append(PHONE + fold_phone(sale.phone))
    if sale.member is not None:
        found.append(HOLDER + sale.member)
    if sale.plate is not None:
        found.append(PLATE + fold_plate(sale.plate))
    return found


def _of_message(programme: Programme, text: str) -> list[str]:
    rules = programme.file.sms
    if not rules:
        return []
    return [ENDING + digits[-rules[0].digits :] for digits in re.findall(rf"[0-9]{{{rules[0].digits},}}", text)]
