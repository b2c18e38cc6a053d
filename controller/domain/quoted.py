"""A fuel programme's word on a delivery of this station: what is known of buyer and sale, the quote, and its row.

From the list's row and the journal alone, so that the quote can be made again from what its own row keeps. Pure: knows
no file, no clock and no till.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from controller.domain.lists import ListRow, Status
from controller.domain.member_books import KEPT_MS, MemberBooks, holder_key
from controller.domain.memberships import Membership
from controller.domain.programme_records import Quoted
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.events import Discount
from controller.domain.programmes.programme import Programme, RuleSet
from controller.domain.programmes.quoting import PlateStanding, Quote, SaleFacts, Standing, quote
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.rules import Product
from controller.domain.records import Delivery, RowName, Tender, TenderKind
from controller.domain.tokens import TokenKind, TokenRef

_MASKED = "*"
_encoder = msgspec.msgpack.Encoder()


class QuotedFrom(msgspec.Struct, frozen=True):
    """All that a quote is made from, beside the rules. `day`: of the delivery's end, in the programme's zone."""

    day: int
    sale: SaleFacts
    standing: Standing


_decoder = msgspec.msgpack.Decoder(QuotedFrom)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who buys, as the list and the journal know. `row`: the token's, None where the list does not know it.

    `vehicle`: the keyed hash of a plate that was told beside the token; `vehicle_row`: what the list has of it.
    """

    token: TokenRef
    row: ListRow | None
    vehicle: bytes = b""
    vehicle_row: ListRow | None = None

    @property
    def member(self) -> Membership | None:
        return self.row.member if self.row is not None else None


@dataclass(frozen=True, slots=True)
class Sold:
    """A delivery and how it is paid. `ended_ms`: UTC. `offline`: headquarters is not heard."""

    name: RowName
    delivery: Delivery
    ended_ms: int
    tenders: tuple[Tender, ...]
    product: Product
    offline: bool


def quoted(programme: Programme, version: str, buyer: Buyer, sold: Sold, members: MemberBooks) -> Quoted:
    """What the programme gives on it, as a row."""
    time = LocalTime(programme.zone)
    day = time.day(sold.ended_ms)
    known = QuotedFrom(
        day=day,
        sale=facts_of(sold, buyer.token),
        standing=standing_of(
            programme.on(day), buyer, programme.name, members, time.midnight(day), time.midnight(day + 1)
        ),
    )
    given = again(programme, known)
    member, standing = buyer.member, known.standing
    balance, as_of_ms = None, 0
    if member is not None and given.purse and standing.holder:
        as_of_ms = member.as_of_ms
        before = balance_of(member, given.purse, members, sold.ended_ms)
        balance = None if before is None else before + given.points
    return Quoted(
        delivery=sold.name,
        programme=programme.name,
        version=version,
        holder=standing.holder,
        token=buyer.token,
        ended_ms=sold.ended_ms,
        standing=_encoder.encode(known),
        reason=given.reason or "",
        purse=given.purse,
        points=given.points,
        rebate_minor=given.rebate_minor,
        provisional=given.provisional,
        balance=balance,
        as_of_ms=as_of_ms,
        bound_plate=buyer.vehicle if standing.plate == "binds" and not standing.cancelled else b"",
    )


def again(programme: Programme, known: QuotedFrom) -> Quote:
    """The quote. The fuel has run, so nothing is declined any more: what would be gives nothing, with its reason."""
    given = quote(programme.on(known.day), known.sale, known.standing)
    return Quote(False, given.reason) if given.declined else given


def known_of(row: Quoted) -> QuotedFrom:
    """What a row was quoted from. msgspec.DecodeError or ValidationError if that cannot be read."""
    return _decoder.decode(row.standing)


def facts_of(sold: Sold, token: TokenRef) -> SaleFacts:
    """The sale as the rules see it. Of a card's number, the digits before the mask: rules for some cards begin so."""
    paid = dict.fromkeys(TenderKind, 0)
    for tender in sold.tenders:
        paid[tender.kind] += tender.amount_minor
    return SaleFacts(
        product=sold.product,
        volume_ml=sold.delivery.volume_ml,
        amount_minor=sold.delivery.amount_minor,
        cash_minor=paid[TenderKind.CASH],
        electronic_minor=sum(paid[kind] for kind in _ELECTRONIC),
        pay_and_go_minor=paid[TenderKind.PAY_AND_GO],
        points_minor=paid[TenderKind.POINTS],
        card=token.shown.partition(_MASKED)[0] if token.kind is TokenKind.CARD else "",
        offline=sold.offline,
        code_given=True,  # the till has asked for it before it settled
    )


def standing_of(
    rules: RuleSet, buyer: Buyer, programme: str, members: MemberBooks, from_ms: int, until_ms: int
) -> Standing:
    """What is known of the buyer. The day of the delivery is from `from_ms` until `until_ms`, UTC."""
    member = buyer.member
    reason = token_reason(buyer)
    if member is None or reason is not None:
        return Standing(token_reason=reason)
    points, sales = members.earned_between(holder_key(programme, member.holder), from_ms, until_ms)
    return Standing(
        holder=member.holder,
        by_card=buyer.token.kind is TokenKind.CARD,
        product_set=member.product_set,
        contract_valid=member.contract_valid,
        cancelled=member.cancelled,
        suspended=member.suspended,
        verified=member.verified,
        remote=member.remote,
        plate=_plate_standing(rules, buyer, member, members),
        discount=_discount(member),
        day_points=points,
        day_sales=sales,
    )


def token_reason(buyer: Buyer) -> Reason | None:
    """What is wrong with the token that was shown."""
    if buyer.row is None:
        return _UNKNOWN[buyer.token.kind]
    return Reason.CARD_BLOCKED if buyer.row.status is Status.STOPPED else None


def balance_of(member: Membership, purse: str, members: MemberBooks, now_ms: int) -> int | None:
    """Points of a purse: the list's word, and what was given and taken here since. None where nothing is known."""
    state = next((state for state in member.purses if state.purse == purse), None)
    if not members_remember(member, now_ms) or (state is None and member.purses):
        return None
    holder = holder_key(member.programme, member.holder)
    return (0 if state is None else state.points) + members.points_since(holder, purse, member.as_of_ms)


def members_remember(member: Membership, now_ms: int) -> bool:
    """Whether all that was given here since the list's word is still known."""
    return member.as_of_ms > now_ms - KEPT_MS


def programme_for(used: Iterable[Programme], token: TokenRef) -> Programme | None:
    """The first programme that takes tokens of this kind and lets those buy that it does not know."""
    kind = str(token.kind)
    for programme in used:
        if kind in programme.tokens and programme.file.programme.unknown_token == "accept":
            return programme
    return None


def _plate_standing(rules: RuleSet, buyer: Buyer, member: Membership, members: MemberBooks) -> PlateStanding:
    plate = buyer.vehicle
    if rules.plates is None or not plate or buyer.token.kind is TokenKind.PLATE:
        return "none"
    bound_here = members.bound.get(holder_key(member.programme, member.holder), [])
    if plate in member.plates or any(each.plate == plate for each in bound_here):
        return "bound"
    of_token = [each for each in bound_here if each.token == buyer.token.key and each.plate not in member.plates]
    if member.plates_full or len(of_token) >= member.plates_free:
        return "plate_limit"
    owner = buyer.vehicle_row.member if buyer.vehicle_row is not None else None
    if owner is not None and owner.programme == member.programme and owner.holder != member.holder:
        return "plate_in_use"
    return "binds" if plate in member.plates_waiting else "not_verified"


def _discount(member: Membership) -> Discount | None:
    if member.per_litre_minor:
        return Discount(per_litre_minor=member.per_litre_minor)
    return Discount(percent_bp=member.percent_bp) if member.percent_bp else None


_ELECTRONIC = (TenderKind.BANK_CARD, TenderKind.CARD_PURSE, TenderKind.PAY_AND_GO)
_UNKNOWN = {
    TokenKind.CARD: Reason.CARD_UNKNOWN,
    TokenKind.QR: Reason.CARD_UNKNOWN,
    TokenKind.PHONE: Reason.HOLDER_UNKNOWN,
    TokenKind.PLATE: Reason.PLATE_NOT_BOUND,
    TokenKind.VOUCHER: Reason.VOUCHER_UNKNOWN,
}
