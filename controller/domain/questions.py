"""What a station asks headquarters on the request lane, and what it is answered. The wire packs these as they are.

Each question has a command id (not in here): asked again under it, it gets the first answer. An answer may come late,
twice or never; what was asked for and never heard of is voided as soon as somebody hears. Only shapes.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from controller.domain.memberships import PurseState
from controller.domain.tokens import TokenKind

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Word = Annotated[str, msgspec.Meta(max_length=64)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Key = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]


class Heard(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """No answer came in time: it may have been done or not."""


class GrantAsk(msgspec.Struct, frozen=True, array_like=True, tag="grant"):
    """May this prepaid account buy, and up to how much? What is granted is reserved until a sale or a void."""

    account: Name
    most_minor: Amount
    """What the station would let out at most; 0: as much as there is."""


class GrantAnswer(msgspec.Struct, frozen=True, array_like=True, tag="grant"):
    amount_minor: int


class VoidAsk(msgspec.Struct, frozen=True, array_like=True, tag="void"):
    """What was asked under this command id (a grant, a redemption) has come to nothing: give it back.

    Also for one whose answer was never heard, and for one that never arrived: that one is then refused for ever.
    """

    command_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class VoidAnswer(msgspec.Struct, frozen=True, array_like=True, tag="void"):
    """`given_back`: points or minor units; 0 where nothing was taken."""

    given_back: int


class PointsAsk(msgspec.Struct, frozen=True, array_like=True, tag="points"):
    """How many points does the holder of this token have? `token_key`: its keyed hash."""

    token_kind: TokenKind
    token_key: Key


class PointsAnswer(msgspec.Struct, frozen=True, array_like=True, tag="points"):
    programme: str
    purses: tuple[PurseState, ...]
    as_of_ms: int


class CodeAsk(msgspec.Struct, frozen=True, array_like=True, tag="code"):
    """Send a one-time password to the registered phone of the holder of this token."""

    token_kind: TokenKind
    token_key: Key


class CodeAnswer(msgspec.Struct, frozen=True, array_like=True, tag="code"):
    """`sent_to`: the phone, masked."""

    sent_to: str


class PhoneAsk(msgspec.Struct, frozen=True, array_like=True, tag="phone"):
    """Is this the code that was sent to this phone? A phone's token: its number's keyed hash.

    Each wrong one counts; after too many it is refused, and another must be sent.
    """

    token_kind: TokenKind
    token_key: Key
    code: Name


class PhoneAnswer(msgspec.Struct, frozen=True, array_like=True, tag="phone"):
    """`right`: the phone is proven, and the code is used up."""

    right: bool


class RedeemAsk(msgspec.Struct, frozen=True, array_like=True, tag="redeem"):
    """Spend points of the holder of this token on a delivery that waits to be paid.

    `product`: the programmes' word for the grade ("diesel"). `delivery`: its row's name, as text. Of the proofs, those
    that the programme asks for: `code` the one-time password, `pin` the organisation's PIN; or a `voucher` by its id
    and the driver's PIN (`pin`): then the token may be the voucher itself.
    """

    token_kind: TokenKind
    token_key: Key
    product: Name
    points: Amount
    delivery: Name
    at_ms: int
    code: Word = ""
    pin: Word = ""
    voucher: Word = ""


class RedeemAnswer(msgspec.Struct, frozen=True, array_like=True, tag="redeem"):
    """Taken. `worth_minor`: what the points pay; `purses`: what is left."""

    programme: str
    points: int
    worth_minor: int
    purses: tuple[PurseState, ...]


Question = GrantAsk | VoidAsk | PointsAsk | CodeAsk | PhoneAsk | RedeemAsk
QuestionAnswer = GrantAnswer | VoidAnswer | PointsAnswer | CodeAnswer | PhoneAnswer | RedeemAnswer


class Outcome(msgspec.Struct, frozen=True):
    """How a question ended. `answer` only where it was answered; `reason` (a code) and `text` where it was refused."""

    heard: Heard
    answer: QuestionAnswer | None = None
    reason: str = ""
    text: str = ""
