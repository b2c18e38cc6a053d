"""What attendant and driver read when a fuel programme refuses something at the station, or gives nothing.

The codes are the programmes' own (`controller.domain.programmes.reasons`); headquarters answers by them too. Those that
only headquarters' desks can meet have no words here.
"""

from controller.domain.programmes.reasons import MEANING, Reason
from controller.domain.reasons import ReasonText

TEXTS: dict[Reason, ReasonText] = {
    Reason.CARD_UNKNOWN: ReasonText(
        "No fuel programme of this station knows this card or code: read it again", "Card not known to the programme"
    ),
    Reason.HOLDER_UNKNOWN: ReasonText(
        "No fuel programme of this station knows this member: ask for the card or phone number again",
        "Member not known to the programme",
    ),
    Reason.PLATE_NOT_BOUND: ReasonText(
        "This plate is bound to no member: ask for the card or the phone number", "Plate bound to no member"
    ),
    Reason.VOUCHER_UNKNOWN: ReasonText(
        "There is no such voucher, or it was cancelled: read its number again", "Voucher not known"
    ),
    Reason.VOUCHER_EXPIRED: ReasonText("The voucher has expired: take another means of payment", "Voucher expired"),
    Reason.CARD_BLOCKED: ReasonText(
        "The card was reported lost or was replaced: ask for the new one", "Card blocked: use the new one"
    ),
    Reason.PRODUCT_NOT_ALLOWED: ReasonText(
        "This card, purse or programme is not for this product: take another means of payment",
        "Not for this product",
    ),
    Reason.PLATE_LIMIT: ReasonText(
        "The card has its full number of plates: it earns nothing with this one", "No more plates on this card"
    ),
    Reason.PLATE_IN_USE: ReasonText("This plate belongs to another member", "Plate of another member"),
    Reason.ALREADY_PRESENTED: ReasonText(
        "A card was shown for this sale already: a sale earns once", "Card shown already for this sale"
    ),
    Reason.ALREADY_REVERSED: ReasonText("This sale was reversed", "Sale was reversed"),
    Reason.PRESENT_TOO_LATE: ReasonText(
        "A card may be shown on the day of the sale only", "Too late: only on the day of the sale"
    ),
    Reason.CONTRACT_NOT_VALID: ReasonText(
        "The customer's contract is not valid: take another means of payment", "Contract not valid"
    ),
    Reason.INACTIVE_CANCELLED: ReasonText(
        "The membership was cancelled, too long without a purchase: the member may join anew", "Membership cancelled"
    ),
    Reason.SUSPENDED: ReasonText(
        "Earning is suspended until headquarters has looked: the member asks there", "Earning suspended: ask us"
    ),
    Reason.NOT_VERIFIED: ReasonText(
        "The phone (or this plate) was not verified at the station: do that first", "Phone or plate not verified"
    ),
    Reason.NOT_ACTIVATED: ReasonText(
        "The membership is not activated: points can be earned, not spent", "Activate your card to spend points"
    ),
    Reason.PROFILE_INCOMPLETE: ReasonText(
        "Name, surname or phone is missing at headquarters: the member fills them in first",
        "Complete your profile to spend points",
    ),
    Reason.NOT_STARTED: ReasonText("The programme has not started this yet", "Not started yet"),
    Reason.PROGRAMME_STOPPED: ReasonText("The programme has ended this", "The programme has ended"),
    Reason.NOT_OFFERED: ReasonText(
        "This programme takes no card after the payment: show it before the next one", "Show the card before you pay"
    ),
    Reason.NEEDS_HEADQUARTERS: ReasonText(
        "Points are kept at headquarters, which does not answer: take another means of payment",
        "Points not available at the moment",
    ),
    Reason.OTP_REQUIRED: ReasonText(
        "Send the member a code to the registered phone, and type it here", "Tell the code sent to your phone"
    ),
    Reason.PIN_REQUIRED: ReasonText("The PIN is missing: the driver types it", "Type your PIN"),
    Reason.PIN_WRONG: ReasonText("The PIN is wrong: let the driver type it again", "PIN wrong: try again"),
    Reason.PIN_LOCKED: ReasonText(
        "Too many wrong PINs: it is locked until headquarters unlocks it", "PIN locked: ask your company"
    ),
    Reason.CODE_REQUIRED: ReasonText("A payment of this amount needs the customer's code", "Type your code"),
    Reason.INSUFFICIENT_POINTS: ReasonText(
        "There are fewer points than that: ask for the balance, and take less", "Not enough points"
    ),
    Reason.INSUFFICIENT_FUNDS: ReasonText(
        "There is not enough money on the account: take another means of payment", "Not enough money left"
    ),
    Reason.DAILY_POINTS_CAP: ReasonText("The most points of a day are reached", "Most points of the day reached"),
    Reason.DAILY_SALES_CAP: ReasonText("The most earning sales of a day are reached", "Most sales of the day reached"),
    Reason.SALE_CAP: ReasonText("The most points of one sale are reached", "Most points of one sale reached"),
}
"""Their words. The driver's are on receipts in the receipt's language (`controller.domain.receipt_words`)."""


def attendant_text(reason: str) -> str:
    """What the attendant reads of a code, whoever gave it; the code itself where nobody knows it."""
    try:
        known = Reason(reason)
    except ValueError:
        return reason
    text = TEXTS.get(known)
    return MEANING[known] if text is None else text.attendant
