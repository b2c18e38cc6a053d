"""What is asked at the desk of the fuel programmes, and what it answers. Only shapes; they travel as JSON.

Amounts are minor units of the programme's currency, volumes thousandths of a litre or cubic metre.
"""

import msgspec

from controller.domain.programmes.answers import Act, StatementLine
from sync.hq.programmes.vat import VatLine


class _Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    programme: str


class EnterAsk(_Ask, frozen=True, tag="enter"):
    """`lines`: events, one a line; `where`: what to call them in messages."""

    where: str
    lines: str


class BalancesAsk(_Ask, frozen=True, tag="balances"):
    holder: str = ""


class StatementAsk(_Ask, frozen=True, tag="statement"):
    customer: str
    period: str


class ActAsk(_Ask, frozen=True, tag="act"):
    contract: str
    period: str


class PostAsk(_Ask, frozen=True, tag="post"):
    """Post what stations sent, and what is due. Is done by itself after each batch of a running headquarters."""


class ListAsk(_Ask, frozen=True, tag="list"):
    pass


class VatAsk(_Ask, frozen=True, tag="vat"):
    period: str


class PinAsk(_Ask, frozen=True, tag="pin"):
    """Set what a PIN is checked by: of an organisation, or of a voucher's driver."""

    name: str
    verifier: str
    voucher: bool = False


Ask = EnterAsk | BalancesAsk | StatementAsk | ActAsk | PostAsk | ListAsk | VatAsk | PinAsk


class EnterAnswer(msgspec.Struct, frozen=True):
    """`answers`: of the new events, as the laboratory gives them. `known`: how many were there before."""

    answers: tuple[msgspec.Raw, ...]
    known: int


class Balance(msgspec.Struct, frozen=True):
    account: str
    commodity: str
    amount: int


class BalancesAnswer(msgspec.Struct, frozen=True):
    balances: tuple[Balance, ...]


class TaxedLine(msgspec.Struct, frozen=True):
    """A sum of one product and rate of a statement. Net and tax of the amounts, and of the discounts."""

    product: str
    rate_bp: int
    sales: int
    volume_ml: int
    amount_minor: int
    amount_net_minor: int
    amount_vat_minor: int
    discount_minor: int
    discount_net_minor: int
    discount_vat_minor: int


class StatementAnswer(msgspec.Struct, frozen=True):
    """A rebate statement. Cards are masked. `open`: the period is not over, and more may come."""

    programme: str
    customer: str
    period: str
    currency: str
    decimals: int
    open: bool
    lines: tuple[StatementLine, ...]
    vat: tuple[TaxedLine, ...]
    sales: int
    volume_ml: int
    amount_minor: int
    discount_minor: int


class ActAnswer(msgspec.Struct, frozen=True):
    """The act of price change, or the reason why there is none."""

    programme: str
    contract: str
    period: str
    currency: str
    decimals: int
    reason: str
    discount_minor: int
    act: Act | None


class PostAnswer(msgspec.Struct, frozen=True):
    events: int


class ListAnswer(msgspec.Struct, frozen=True):
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class VatAnswer(msgspec.Struct, frozen=True):
    programme: str
    period: str
    currency: str
    decimals: int
    lines: tuple[VatLine, ...]


class PinAnswer(msgspec.Struct, frozen=True):
    name: str


DeskAnswer = (
    EnterAnswer | BalancesAnswer | StatementAnswer | ActAnswer | PostAnswer | ListAnswer | VatAnswer | PinAnswer
)
