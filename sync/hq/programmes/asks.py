"""What is asked at the desk of the fuel programmes, and what it answers. Only shapes; they travel as JSON.

Amounts are minor units of the programme's currency, volumes thousandths of a litre or cubic metre.
"""

import msgspec

from controller.domain.programmes.answers import Act, StatementLine
from sync.hq.programmes.office_asks import (
    AgainAnswer,
    AgainAsk,
    OfficeAnswer,
    OfficeAsk,
    ProgrammeAsk,
    SplitAnswer,
    SplitAsk,
    TogetherAnswer,
    TogetherAsk,
    UnlockAsk,
)
from sync.hq.programmes.vat import VatLine


class EnterAsk(ProgrammeAsk, frozen=True, tag="enter"):
    """`lines`: events, one a line; `where`: what to call them in messages."""

    where: str
    lines: str


class BalancesAsk(ProgrammeAsk, frozen=True, tag="balances"):
    holder: str = ""


class StatementAsk(ProgrammeAsk, frozen=True, tag="statement"):
    customer: str
    period: str


class IssueAsk(ProgrammeAsk, frozen=True, tag="issue"):
    """Issue a rebate statement: from then on it stays as it is. Once; the same again is answered by what was issued."""

    customer: str
    period: str


class ActAsk(ProgrammeAsk, frozen=True, tag="act"):
    contract: str
    period: str


class IssueActAsk(ProgrammeAsk, frozen=True, tag="issue_act"):
    """Issue an act of price change: from then on it stays as it is. Once, as IssueAsk.

    `correction`: issue a correcting act where what was issued says otherwise than is known now.
    """

    contract: str
    period: str
    correction: bool = False


class PostAsk(ProgrammeAsk, frozen=True, tag="post"):
    """Post what stations sent, and what is due. Is done by itself after each batch of a running headquarters."""


class ListAsk(ProgrammeAsk, frozen=True, tag="list"):
    pass


class VatAsk(ProgrammeAsk, frozen=True, tag="vat"):
    period: str


class PinAsk(ProgrammeAsk, frozen=True, tag="pin"):
    """Set what a PIN is checked by: of an organisation, or of a voucher's driver."""

    name: str
    verifier: str
    voucher: bool = False


class AllotAsk(ProgrammeAsk, frozen=True, tag="allot"):
    """Set points of a voucher apart at a station; below zero, take them back. `name`: the office's own name of it."""

    voucher: str
    station: str
    name: str
    points: int


class ClaimsAsk(ProgrammeAsk, frozen=True, tag="claims"):
    """Claims for repairs: those that are open, or all of them."""

    all: bool = False


class FindingAsk(ProgrammeAsk, frozen=True, tag="finding"):
    """What an independent body found of a claim. `by`: who that is."""

    claim: str
    finding: str
    by: str


class OdditiesAsk(ProgrammeAsk, frozen=True, tag="oddities"):
    """Rows of stations that could not be posted as they are; with `all` also those that were posted again since."""

    all: bool = False


class MemberAsk(ProgrammeAsk, frozen=True, tag="member"):
    """All of one member, for who answers them. `name`: of the member, or a card, a phone or a plate of theirs."""

    name: str


Ask = (
    EnterAsk
    | BalancesAsk
    | StatementAsk
    | IssueAsk
    | ActAsk
    | IssueActAsk
    | PostAsk
    | ListAsk
    | VatAsk
    | PinAsk
    | UnlockAsk
    | OfficeAsk
    | AllotAsk
    | ClaimsAsk
    | FindingAsk
    | OdditiesAsk
    | AgainAsk
    | TogetherAsk
    | SplitAsk
    | MemberAsk
)


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


class Correction(msgspec.Struct, frozen=True):
    """What a statement that was issued says otherwise of a sale than is known now. The card is masked.

    `of`: its period; `statement`: its number. `why`: `late` (it stood in none), `reversed`, `taken off` (it accrues
    nothing in that period any more), or `rated anew`: then only the difference stands here.
    """

    of: str
    statement: int
    why: str
    sale: str
    at: str
    card: str
    plate: str | None
    station: str
    product: str
    volume_ml: int
    amount_minor: int
    discount_minor: int


class StatementAnswer(msgspec.Struct, frozen=True):
    """A rebate statement. Cards are masked. `open`: the period is not over, and more may come.

    The sums are those of `lines`; `vat` and `due_minor`, what is to be invoiced, are with `corrections`. `number` is 0
    and the last three are empty before it is issued; `document` is the text as it was issued.
    """

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
    corrections: tuple[Correction, ...] = ()
    due_minor: int = 0
    number: int = 0
    issued: str = ""
    fingerprint: str = ""
    document: str = ""


class IssuedAct(msgspec.Struct, frozen=True):
    """An act as it was issued, or would be: `number` is 0, and the last three are empty, before it is.

    One that corrects another has in `before` what was issued until then, and in `corrects` the number of the last of
    these; `reason`: why no discount is due any more.
    """

    currency: str
    decimals: int
    act: Act
    before: Act | None = None
    corrects: int = 0
    reason: str = ""
    number: int = 0
    issued: str = ""
    fingerprint: str = ""
    document: str = ""


class ActAnswer(msgspec.Struct, frozen=True):
    """The act of price change as the month is known now, or the reason why there is none.

    `issued`: what was issued of the month. `draft`: what would be issued next; None where nothing would.
    """

    programme: str
    contract: str
    period: str
    currency: str
    decimals: int
    reason: str
    discount_minor: int
    act: Act | None
    issued: tuple[IssuedAct, ...] = ()
    draft: IssuedAct | None = None


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
    """`locked`: by wrong PINs, and it stays so."""

    name: str
    locked: bool = False


class StationPart(msgspec.Struct, frozen=True):
    """What a station may still spend of a voucher by itself. `asked_back`: of that, what it was told to give back."""

    station: str
    left: int
    asked_back: int


class AllotAnswer(msgspec.Struct, frozen=True):
    """`free`: points of the voucher that are set apart nowhere."""

    voucher: str
    free: int
    stations: tuple[StationPart, ...]


class Evidence(msgspec.Struct, frozen=True):
    """A purchase of the damaged vehicle's fuel. The card is masked."""

    ref: str
    at: str
    card: str
    station: str
    volume_ml: int
    amount_minor: int


class Claim(msgspec.Struct, frozen=True):
    """A claim for a repair. `finding`, `by`, `found_at` are empty while it is open."""

    ref: str
    at: str
    plate: str
    damaged_at: str
    repair_minor: int
    evidence: tuple[Evidence, ...]
    finding: str
    by: str
    found_at: str


class ClaimsAnswer(msgspec.Struct, frozen=True):
    programme: str
    currency: str
    decimals: int
    claims: tuple[Claim, ...]


class FindingAnswer(msgspec.Struct, frozen=True):
    claim: str


class Oddity(msgspec.Struct, frozen=True):
    """A row, named by its station and its place in that station's journal, and what is the matter with it.

    `again`: when it was posted again; empty while it waits for a person.
    """

    station: str
    row: str
    what: str
    at: str
    again: str = ""


class OdditiesAnswer(msgspec.Struct, frozen=True):
    oddities: tuple[Oddity, ...]


class CardShown(msgspec.Struct, frozen=True):
    """A card, masked."""

    card: str
    state: str


class LotShown(msgspec.Struct, frozen=True):
    """Points with one expiry (empty: never). `voucher`: masked; empty for what is free."""

    purse: str
    voucher: str
    points: int
    expires: str


class SaleShown(msgspec.Struct, frozen=True):
    """A sale (`kind`: sale, reversed) or a redemption (redeemed, given_back); `points`: that it earned or took."""

    ref: str
    at: str
    kind: str
    station: str
    product: str
    card: str
    volume_ml: int
    amount_minor: int
    points: int


class MemberAnswer(msgspec.Struct, frozen=True):
    """`balances` as those of BalancesAnswer; `sales`: the last ones, the newest first. Phone and cards are masked."""

    programme: str
    currency: str
    decimals: int
    holder: str
    kind: str
    name: str
    phone: str
    state: tuple[str, ...]
    cards: tuple[CardShown, ...]
    plates: tuple[str, ...]
    balances: tuple[Balance, ...]
    lots: tuple[LotShown, ...]
    sales: tuple[SaleShown, ...]


DeskAnswer = (
    EnterAnswer
    | BalancesAnswer
    | StatementAnswer
    | ActAnswer
    | PostAnswer
    | ListAnswer
    | VatAnswer
    | PinAnswer
    | OfficeAnswer
    | TogetherAnswer
    | SplitAnswer
    | AllotAnswer
    | ClaimsAnswer
    | FindingAnswer
    | OdditiesAnswer
    | AgainAnswer
    | MemberAnswer
)
