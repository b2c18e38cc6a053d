"""Journal records of fuel programmes at a station: what they give on a sale, and what their points pay of one.

Only shapes; the rules are in `controller.domain.programmes`. `controller.domain.records` has all other kinds.
"""

import msgspec

from controller.domain.names import RowName
from controller.domain.tokens import TokenRef


class Quoted(msgspec.Struct, frozen=True, array_like=True, tag="quoted"):
    """What a fuel programme gives on a delivery, as this station saw it: in the commit of its settlement, before it.

    Where the token was shown afterwards (`shown_after`), a row of its own. `version`: which rules (a digest of the
    programme's text, which is in the journal: `RulesTaken`). `standing`: what was known of buyer and sale, as it was
    quoted from (msgpack, `controller.domain.quoted.QuotedFrom`), so that the quote can be made again. `reason`: why
    it earns nothing, or less; empty otherwise. `ended_ms`: when the delivery ended: rules are those of its day.
    `points` or `rebate_minor`: what it earns. `provisional`: a limit over all stations may still cut it. `balance`:
    points of that purse with these, by what was known at `as_of_ms`; None where nothing was known.
    """

    delivery: RowName
    programme: str
    version: str
    holder: str
    token: TokenRef | None
    ended_ms: int
    standing: bytes
    reason: str = ""
    purse: str = ""
    points: int = 0
    rebate_minor: int = 0
    provisional: bool = False
    balance: int | None = None
    as_of_ms: int = 0
    shown_after: bool = False
    till: str = ""
    command_id: str = ""
    bound_plate: bytes = b""
    """The keyed hash of a plate that this purchase binds to the holder."""


class Presented(msgspec.Struct, frozen=True, array_like=True, tag="presented"):
    """A token was shown for a delivery that waits to be paid: its settlement will be quoted for it.

    `plate_key`: of the vehicle, where a plate was told beside the token.
    """

    delivery: RowName
    token: TokenRef
    till: str
    command_id: str
    plate_key: bytes = b""


class RulesTaken(msgspec.Struct, frozen=True, array_like=True, tag="rules"):
    """From now on this station quotes by these rules: the whole text of a programme's file, or of headquarters' list.

    Once a version, and again where it comes back after another.
    """

    programme: str
    version: str
    text: str


class RedeemIntended(msgspec.Struct, frozen=True, array_like=True, tag="redeem_intended"):
    """Headquarters is about to be asked to take points for a delivery: on disk before it is asked.

    `request_id`: of the question. Until `Redeemed` or `RedeemVoided` names it, nobody here knows what became of it.
    """

    delivery: RowName
    request_id: str
    token: TokenRef
    points: int
    voucher: str = ""


class ChargeIntended(msgspec.Struct, frozen=True, array_like=True, tag="charge_intended"):
    """Headquarters is about to be asked whether a holder's code is right, which uses it up: on disk before it is asked.

    The delivery is to be charged `amount_minor`. `request_id`: of the question, by this delivery and this code: asked
    again for them, whatever became of the payment, it gets the first answer.
    """

    delivery: RowName
    request_id: str
    token: TokenRef
    amount_minor: int


class Redeemed(msgspec.Struct, frozen=True, array_like=True, tag="redeemed"):
    """Points were taken and pay `worth_minor` of a delivery: in the commit of its settlement, before it.

    `offline`: from what was allotted to this station (a voucher), without headquarters.
    """

    delivery: RowName
    request_id: str
    programme: str
    token: TokenRef
    points: int
    worth_minor: int
    voucher: str = ""
    offline: bool = False
    holder: str = ""
    purse: str = ""
    pot: str = ""
    """What was set apart here, and paid it; empty where headquarters took the points."""


class RedeemVoided(msgspec.Struct, frozen=True, array_like=True, tag="redeem_voided"):
    """A redemption came to nothing, and headquarters knows it: `given_back` points. `reason`: why it was refused."""

    request_id: str
    given_back: int
    reason: str = ""
