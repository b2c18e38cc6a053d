"""What the engine answers to an event: one record, one line of JSON. Only shapes."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from controller.domain.programmes.reasons import Reason

Result = Literal["accepted", "declined"]


class Winner(msgspec.Struct, frozen=True):
    rank: int | str
    member: str


class Act(msgspec.Struct, frozen=True, omit_defaults=True):
    """The act of price change to the acceptance act of a month. Prices are decimal strings for one m3."""

    contract: str
    month: str
    volume_ml: int
    price_before: str
    price_after: str
    amount_before_minor: int
    amount_after_minor: int
    difference_minor: int
    order: str
    discount_per_m3_minor: int


class StatementLine(msgspec.Struct, frozen=True):
    """A sale of a rebate statement."""

    sale: str
    at: str
    card: str
    plate: str | None
    station: str
    product: str
    volume_ml: int
    amount_minor: int
    discount_minor: int


class Statement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer invoices for a period. `lines` is left out where all customers are asked for at once."""

    customer: str
    period: str
    sales: int
    volume_ml: int
    amount_minor: int
    discount_minor: int
    lines: tuple[StatementLine, ...] | UnsetType = UNSET


class PeriodResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What closing a period gave one contract or customer."""

    result: Result
    reason: Reason | None
    discount_minor: int
    contract: str | UnsetType = UNSET
    customer: str | UnsetType = UNSET
    act: Act | UnsetType = UNSET
    statement: Statement | UnsetType = UNSET


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """`balances`: each account that the event touched or examined, after it. The rest only where it says something."""

    ref: str
    result: Result
    reason: Reason | None
    balances: dict[str, int]
    points: int | UnsetType = UNSET
    """Earned by this event, or taken back (negative)."""
    rebate_minor: int | UnsetType = UNSET
    provisional: bool | UnsetType = UNSET
    """A limit over all stations may still cut what was earned: the station could not ask."""
    charged: str | UnsetType = UNSET
    """The linked credit card that accepted."""
    debt_minor: int | UnsetType = UNSET
    plate_bound: str | UnsetType = UNSET
    terms_accepted: bool | UnsetType = UNSET
    """The first use of a card."""
    discount_minor: int | UnsetType = UNSET
    act: Act | UnsetType = UNSET
    statement: Statement | UnsetType = UNSET
    results: tuple[PeriodResult, ...] | UnsetType = UNSET
    evidence: tuple[str, ...] | UnsetType = UNSET
    claim: Literal["open"] | UnsetType = UNSET
    winners: tuple[Winner, ...] | UnsetType = UNSET
    seed_sha256: str | UnsetType = UNSET
    member: str | UnsetType = UNSET
    """Whom a message activated."""
