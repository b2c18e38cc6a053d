"""What a programme's TOML may say: kinds of rule, each with the date from which it holds. Only shapes, no behaviour.

Of rules of one kind and name, the one with the latest `from` that is not after a day is in force on it; `until`, where
given, is the first day on which it is not any more.
"""

from datetime import date
from typing import Annotated, Literal

import msgspec

Product = Literal["gasoline", "diesel", "autogas", "cng"]
PRODUCTS: tuple[Product, ...] = ("gasoline", "diesel", "autogas", "cng")
TenderKind = Literal["cash", "electronic", "account", "pay_and_go", "points"]
HolderKind = Literal["person", "organisation"]
ProfileField = Literal["name", "surname", "phone", "birth_date"]
TokenKind = Literal["card", "qr", "phone", "member", "plate"]
MOST = 1_000_000_000_000_000
"""Of any amount, volume or number of points: beyond all that is sold, and whole in 64 bits with room to multiply."""
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Name = Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[a-z0-9_-]+$")]


class ProgrammeTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who runs it, where, and which tokens it knows."""

    name: Name
    title: str
    operator: str
    country: str
    currency: str
    zone: str
    tokens: tuple[TokenKind, ...]
    unknown_token: Literal["accept", "decline"]
    point_worth_minor: Positive = 1


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    since: date = msgspec.field(name="from")
    until: date | None = None


class StageRule(Rule, frozen=True):
    """What the programme does at all. Before the first: nothing."""

    earning: bool
    spending: bool
    merged_into: str = ""


class PurseRule(Rule, frozen=True):
    """A balance of points, and what it may be spent on."""

    name: Name
    products: tuple[Product, ...]


class EarnRule(Rule, frozen=True):
    """Points for a sale: a share of the amount (`basis_points`), or `points` for every full `every_minor`.

    `tenders`: counts what was paid by these; empty: all but what points paid. `cards`: only cards whose numbers begin
    so; such a rule takes the place of those without `cards` for them.
    """

    name: Name
    purse: Name
    products: tuple[Product, ...]
    kind: Literal["percent", "steps"]
    basis_points: Count = 0
    points: Count = 0
    every_minor: Count = 0
    tenders: tuple[TenderKind, ...] = ()
    cards: tuple[str, ...] = ()


class ExpiryRule(Rule, frozen=True):
    """Points earned in a year are gone when this day, `years` later, begins. Without the rule they stay."""

    years: Positive
    month: Annotated[int, msgspec.Meta(ge=1, le=12)]
    day: Annotated[int, msgspec.Meta(ge=1, le=31)]


class InactivityRule(Rule, frozen=True):
    """Without a purchase for so long, membership and cards are cancelled."""

    months: Positive
    delete_points: bool


class MembershipRule(Rule, frozen=True):
    """Who may become a member, and what it takes to earn and to spend."""

    consents: tuple[str, ...] = ()
    age_min: Count = 0
    refused_phones: tuple[str, ...] = ()
    earning_needs: Literal["nothing", "verification", "verification_if_remote"] = "nothing"
    own_stations_only: bool = False
    spending_needs_activation: bool = False
    spending_needs: tuple[ProfileField, ...] = ()
    replacement_must_match: tuple[ProfileField, ...] = ()
    first_use_accepts_terms: bool = False


class ProofRule(Rule, frozen=True):
    """How a holder proves a redemption. `wrong_pins`: so many in a row lock the PIN."""

    holder: HolderKind
    proof: Literal["none", "otp", "pin"]
    wrong_pins: Positive = 3


class VoucherRule(Rule, frozen=True):
    """Vouchers of organisations. `allotted_to_stations`: they can be spent while headquarters is away."""

    wrong_pins: Positive
    allotted_to_stations: bool


class PlateRule(Rule, frozen=True):
    """Plates as tokens of members."""

    per_card: Positive
    in_app: Positive
    changes_a_year: Count
    sold_takes_back: Literal["after_sale", "all"]


class CapRule(Rule, frozen=True):
    """A limit over all stations together."""

    limit: Literal["sale_points", "day_points", "day_sales"]
    most: Count


class AbuseRule(Rule, frozen=True):
    """What stops earning until a person has looked. Two stations are distant unless a list of `near` names both."""

    tank_ml_a_day: Positive
    minutes_between_stations: Positive
    near: tuple[tuple[str, ...], ...] = ()


class DisputeRule(Rule, frozen=True):
    """A purchase may be disputed until the end of the day so many days after its own."""

    days: Count


class FaultRule(Rule, frozen=True):
    """Points by hand after a fault: the most of one adjustment."""

    points_max: Positive


class SmsRule(Rule, frozen=True):
    """Activation by a text message: keyword, the last digits of the card, names, date of birth."""

    to: str
    keyword: str
    digits: Positive
    card_digits: Positive


class PayAndGoRule(Rule, frozen=True):
    """Sales charged to linked credit cards. `without_code_minor`: the most that needs no code; 0 is no limit."""

    without_code_minor: Count
    member_may_reverse: bool


class ProductSetRule(Rule, frozen=True):
    """A kind of card: what it buys, and whether its sales accrue the contract's rebate. `default`: if none is named."""

    name: Name
    products: tuple[Product, ...]
    rebate: bool
    default: bool = False


class PrepaidRule(Rule, frozen=True):
    """Accounts paid in advance. `offline`: whether a limit is sent to the station for times without headquarters."""

    offline: Literal["limit", "needs_headquarters"]


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From so much volume in a month: so much discount for each cubic metre."""

    from_ml: Count
    discount_per_m3_minor: Count


class OrderRule(Rule, frozen=True):
    """A dated table of tiers, published with the programme; `order.publish` adds others."""

    name: str
    tiers: tuple[Tier, ...]


class Switch(Rule, frozen=True):
    """Something that the programme has, with nothing to set."""


class ClaimRule(Rule, frozen=True):
    """Repairs are covered where cards of these product sets were used for the plate before the damage."""

    product_sets: tuple[Name, ...]


class Rung(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Below this age of the last contact, this share of a limit."""

    hours: Positive
    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]


class OfflineRule(Rule, frozen=True):
    """What a station does without headquarters: how limits shrink with the age of the last contact."""

    ladder: tuple[Rung, ...]
    floor_percent: Annotated[int, msgspec.Meta(ge=0, le=100)]


class ProgrammeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file as it is written."""

    programme: ProgrammeTable
    stage: tuple[StageRule, ...]
    purse: tuple[PurseRule, ...] = ()
    earn: tuple[EarnRule, ...] = ()
    expiry: tuple[ExpiryRule, ...] = ()
    inactivity: tuple[InactivityRule, ...] = ()
    membership: tuple[MembershipRule, ...] = ()
    proof: tuple[ProofRule, ...] = ()
    voucher: tuple[VoucherRule, ...] = ()
    plates: tuple[PlateRule, ...] = ()
    cap: tuple[CapRule, ...] = ()
    abuse: tuple[AbuseRule, ...] = ()
    dispute: tuple[DisputeRule, ...] = ()
    fault: tuple[FaultRule, ...] = ()
    sms: tuple[SmsRule, ...] = ()
    pay_and_go: tuple[PayAndGoRule, ...] = ()
    product_set: tuple[ProductSetRule, ...] = ()
    rebate: tuple[Switch, ...] = ()
    prepaid: tuple[PrepaidRule, ...] = ()
    volume_discount: tuple[Switch, ...] = ()
    order: tuple[OrderRule, ...] = ()
    claim: tuple[ClaimRule, ...] = ()
    present_after: tuple[Switch, ...] = ()
    draw: tuple[Switch, ...] = ()
    offline: tuple[OfflineRule, ...] = ()
