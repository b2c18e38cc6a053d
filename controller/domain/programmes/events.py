"""The events of a programme: what the laboratory reads and the engine takes. Shapes, and what a line must be.

Checked once, here: unknown types and fields, wrong kinds of values and half-filled records are refused. Amounts are
minor units, volumes thousandths, `at` ISO 8601 with an offset.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

from controller.domain.programmes.dates import FIRST_YEAR, LAST_YEAR, parse_period
from controller.domain.programmes.rules import MOST, Count, HolderKind, Positive, Product, TenderKind, Tier

Id = Annotated[str, msgspec.Meta(min_length=1)]
BasisPoints = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    pass


class Event(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False, tag_field="type", tag=False
):
    """`at`: when it happened; `ref`: its name, never used twice."""

    at: Id
    ref: Id


class Enrol(Event, frozen=True, tag="member.enrol"):
    member: Id
    kind: HolderKind
    consents: tuple[str, ...]
    name: str | None = None
    surname: str | None = None
    phone: str | None = None
    birth_date: date | None = None
    channel: Literal["station", "sms", "web", "app"] = "station"


class Activate(Event, frozen=True, tag="member.activate"):
    member: Id
    channel: str


class Verify(Event, frozen=True, tag="member.verify"):
    member: Id
    plate: Id | None = None


class Review(Event, frozen=True, tag="member.review"):
    member: Id
    outcome: Literal["clear", "take_back"]


class Sms(Event, frozen=True, tag="sms"):
    sender: str = msgspec.field(name="from")
    to: str
    text: str


class Discount(_Table, frozen=True):
    """What a contract's sales accrue: one of the two."""

    per_litre_minor: Count | None = None
    percent_bp: BasisPoints | None = None


class OpenContract(Event, frozen=True, tag="contract.open"):
    customer: Id | None = None
    discount: Discount | None = None
    period: Literal["month", "half"] | None = None
    contract: Id | None = None
    prepaid: bool | None = None


class CloseContract(Event, frozen=True, tag="contract.close"):
    contract: Id | None = None
    customer: Id | None = None


class IssueCard(Event, frozen=True, tag="card.issue"):
    holder: Id
    card: Id
    product_set: Literal["lpg", "automatic"] | None = None
    plates: tuple[Id, ...] = ()


class CreditCard(_Table, frozen=True):
    """A linked credit card, and whether its bank accepts."""

    token: Id
    accepts: bool


class LinkCredit(Event, frozen=True, tag="card.link_credit"):
    card: Id
    credit_cards: tuple[CreditCard, ...]


class LoseCard(Event, frozen=True, tag="card.lost"):
    card: Id


class Form(_Table, frozen=True):
    """What a person wrote on a form."""

    name: str | None = None
    surname: str | None = None
    birth_date: date | None = None
    phone: str | None = None


class ReplaceCard(Event, frozen=True, tag="card.replace"):
    old_card: Id
    new_card: Id
    form: Form


class AddPlate(Event, frozen=True, tag="plate.add"):
    member: Id
    plate: Id


class SoldPlate(Event, frozen=True, tag="plate.sold"):
    member: Id
    plate: Id


class ChangePlate(Event, frozen=True, tag="plate.change"):
    member: Id
    plate: Id
    new_plate: Id


class Tender(_Table, frozen=True):
    kind: TenderKind
    amount_minor: Count


class Sale(Event, frozen=True, tag="sale"):
    product: Product
    volume_ml: Count
    amount_minor: Count
    tenders: tuple[Tender, ...]
    station: Id
    card: Id | None = None
    plate: Id | None = None
    phone: Id | None = None
    qr: Id | None = None
    member: Id | None = None
    acquirer: Id | None = None
    offline: bool = False


class ReverseSale(Event, frozen=True, tag="sale.reverse"):
    sale: Id
    by: Literal["member", "company"] = "company"


class PresentAfter(Event, frozen=True, tag="present.after"):
    card: Id
    sale: Id


class Proof(_Table, frozen=True):
    """What the holder (or the driver) could show."""

    otp: bool = False
    pin: Literal["ok", "wrong"] | None = None
    voucher: Id | None = None
    driver_pin: Literal["ok", "wrong"] | None = None


class Redeem(Event, frozen=True, tag="redeem"):
    holder: Id
    product: Product
    points: Positive
    proof: Proof
    station: Id | None = None
    offline: bool = False


class CreateVoucher(Event, frozen=True, tag="voucher.create"):
    organisation: Id
    voucher: Id
    points: Positive
    user_may_manage: bool
    plate: Id | None = None


class CancelVoucher(Event, frozen=True, tag="voucher.cancel"):
    organisation: Id
    voucher: Id
    user_may_manage: bool


class PayIn(Event, frozen=True, tag="account.pay_in"):
    contract: Id
    amount_minor: Annotated[int, msgspec.Meta(ge=-MOST, le=MOST)]


class PublishOrder(Event, frozen=True, tag="order.publish"):
    order: Id
    valid_from: date
    tiers: tuple[Tier, ...]


class ClosePeriod(Event, frozen=True, tag="period.close"):
    period: str
    contract: Id | None = None
    customer: Id | None = None


class Dispute(Event, frozen=True, tag="dispute"):
    sale: Id


class ClaimYes(Event, frozen=True, tag="claim.yes"):
    plate: Id
    damaged_at: Id
    repair_minor: Count


class AdjustFault(Event, frozen=True, tag="adjust.fault"):
    member: Id
    points: Positive
    fault_in_journal: bool
    approved_by_second: bool


class ClockTick(Event, frozen=True, tag="clock"):
    pass


class Prize(_Table, frozen=True):
    rank: int | str
    count: Count


class HoldDraw(Event, frozen=True, tag="draw"):
    seed: str
    prizes: tuple[Prize, ...]


AnyEvent = (
    Enrol
    | Activate
    | Verify
    | Review
    | Sms
    | OpenContract
    | CloseContract
    | IssueCard
    | LinkCredit
    | LoseCard
    | ReplaceCard
    | AddPlate
    | SoldPlate
    | ChangePlate
    | Sale
    | ReverseSale
    | PresentAfter
    | Redeem
    | CreateVoucher
    | CancelVoucher
    | PayIn
    | PublishOrder
    | ClosePeriod
    | Dispute
    | ClaimYes
    | AdjustFault
    | ClockTick
    | HoldDraw
)


class FieldError(ValueError):
    """A field of an event is wrong: `field` names it ("tenders[0].kind"), the text says what was expected."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def decode(line: bytes) -> AnyEvent:
    """One line as an event. FieldError says what is wrong with it; its `at` is looked at by `moment`."""
    try:
        event = _decoder.decode(line)
    except msgspec.ValidationError as error:
        raise _field_error(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FieldError("", f"not a line of JSON: {error}") from error
    check = _CHECKS.get(type(event))
    if check is not None:
        check(event)
    return event


def moment(text: str, field: str) -> datetime:
    """ISO 8601 with an offset as an aware moment. FieldError if it is not."""
    try:
        found = datetime.fromisoformat(text)
        if "T" in text and found.tzinfo is not None and FIRST_YEAR <= found.year <= LAST_YEAR:
            return found
    except ValueError:
        pass
    raise FieldError(field, f"expected date and time with offset such as 2026-01-31T12:00:00+03:00, got {text!r}")


def _field_error(text: str) -> FieldError:
    what, _, path = text.partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    for start in ("Object contains unknown field `", "Object missing required field `"):
        if what.startswith(start):
            name = what.removeprefix(start).rstrip("`")
            unknown = "unknown" in start
            return FieldError(
                f"{where}.{name}" if where else name, "there is no such field" if unknown else "expected, but missing"
            )
    return FieldError(where, f"{what[:1].lower()}{what[1:]}".replace("`", ""))


def _check_open(event: AnyEvent) -> None:
    assert isinstance(event, OpenContract)
    if (event.customer is None) == (event.contract is None):
        raise FieldError("customer", "expected either customer (with discount) or contract (with prepaid)")
    other = "customer" if event.contract is None else "contract"
    for name in ("prepaid",) if event.contract is None else ("discount", "period"):
        if getattr(event, name) is not None:
            raise FieldError(name, f"there is no such field with {other}")
    if event.contract is not None and event.prepaid is None:
        raise FieldError("prepaid", "expected, but missing")
    if event.customer is not None:
        if event.discount is None:
            raise FieldError("discount", "expected, but missing")
        if (event.discount.per_litre_minor is None) == (event.discount.percent_bp is None):
            raise FieldError("discount", "expected either per_litre_minor or percent_bp")


def _check_close(event: AnyEvent) -> None:
    assert isinstance(event, CloseContract)
    if (event.customer is None) == (event.contract is None):
        raise FieldError("contract", "expected either contract or customer")


def _check_period(event: AnyEvent) -> None:
    assert isinstance(event, ClosePeriod)
    try:
        parse_period(event.period)
    except ValueError as error:
        raise FieldError("period", str(error)) from error
    if event.contract is not None and event.customer is not None:
        raise FieldError("customer", "expected either contract or customer, or none of them")


def _check_claim(event: AnyEvent) -> None:
    assert isinstance(event, ClaimYes)
    moment(event.damaged_at, "damaged_at")


def _check_draw(event: AnyEvent) -> None:
    assert isinstance(event, HoldDraw)
    try:
        seed = bytes.fromhex(event.seed)
    except ValueError as error:
        raise FieldError("seed", f"expected hex digits, two a byte, got {event.seed!r}") from error
    if not seed:
        raise FieldError("seed", "expected at least one byte")


_CHECKS: dict[type[Event], Callable[[AnyEvent], None]] = {
    OpenContract: _check_open,
    CloseContract: _check_close,
    ClosePeriod: _check_period,
    ClaimYes: _check_claim,
    HoldDraw: _check_draw,
}
