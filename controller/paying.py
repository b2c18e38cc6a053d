"""What a payment comes to: the tenders of a settlement, deliveries that pay themselves, the answer to the till.

Pure: knows no lease, no disk and no headquarters.
"""

from controller.domain.books import Sale, Unpaid
from controller.domain.desk import CommandResult, PayDelivery
from controller.domain.funds import Funds
from controller.domain.programme_records import Redeemed
from controller.domain.reasons import Reason
from controller.domain.records import Tender, TenderKind


def tenders_of(command: PayDelivery, amount_minor: int, points: Redeemed | None) -> tuple[Tender, ...] | Reason:
    """How this pays a delivery of `amount_minor`; `points` were taken for it before. Why it cannot, otherwise."""
    paid_minor = 0 if points is None else points.worth_minor
    rest_minor = amount_minor - paid_minor
    if command.given_minor < rest_minor:
        return Reason.TENDER_TOO_SMALL
    if command.tender is not TenderKind.CASH and command.given_minor > rest_minor:
        # Change for a card would be cash paid out on it.
        return Reason.TENDER_TOO_LARGE
    if command.tender is TenderKind.POINTS and (points is None or rest_minor):
        return Reason.POINTS_INVALID
    tenders: list[Tender] = []
    if points is not None:
        tenders.append(Tender(TenderKind.POINTS, paid_minor, paid_minor))
    if points is None or rest_minor or command.given_minor:
        tenders.append(Tender(command.tender, rest_minor, command.given_minor))
    return tuple(tenders)


def pays_itself(unpaid: Unpaid) -> bool:
    """On account, or from a card's purse: no till takes money for it."""
    return unpaid.delivery.funds is not Funds.NONE


def account_tender(unpaid: Unpaid) -> tuple[Tender, ...]:
    """How a delivery on account pays itself, or one from a card's purse."""
    amount_minor = unpaid.delivery.amount_minor
    kind = TenderKind.CARD_PURSE if unpaid.delivery.funds is Funds.CARD_PURSE else TenderKind.ACCOUNT
    return (Tender(kind, amount_minor, amount_minor),)


def charged_tender(unpaid: Unpaid) -> tuple[Tender, ...]:
    """How a delivery pays itself that was let out on a card with linked credit cards."""
    amount_minor = unpaid.delivery.amount_minor
    return (Tender(TenderKind.PAY_AND_GO, amount_minor, amount_minor),)


def voucher_of(command: PayDelivery) -> str:
    """The voucher that is to pay, as it was typed; empty if none is named."""
    return command.voucher or (command.shown.voucher if command.shown is not None else "")


def was_paid_by(sale: Sale, command: PayDelivery, redeemed: Redeemed | None) -> bool:
    """Whether this sale is what the command asked for. `redeemed`: the points that paid of it."""
    points = (0, "") if redeemed is None else (redeemed.points, redeemed.voucher)
    rest = [tender for tender in sale.settlement.tenders if tender.kind is not TenderKind.POINTS]
    paid = (rest[0].kind, rest[0].given_minor) if rest else (command.tender, 0)
    asked = (command.tender, command.given_minor), (command.points, "".join(voucher_of(command).split()))
    return sale.name.text == command.delivery_id and asked == (paid, points)


def paid_answer(command_id: str, sale: Sale, receipt: str) -> CommandResult:
    """What the till is told of a sale."""
    change_minor = sum(tender.given_minor - tender.amount_minor for tender in sale.settlement.tenders)
    return CommandResult(command_id, done=True, change_minor=change_minor, receipt=receipt)
