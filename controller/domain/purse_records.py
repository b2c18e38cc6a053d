"""Journal records of card purses: what was to be taken from a card, what became of it, and what came back.

    purse_intended -> purse_debited (with what it allowed, `authorised`, in the same commit) -> delivery or released
                   -> purse_refunded

`purse_intended` is on disk before the card is asked, and its name (epoch, seq) is what the card writes down with the
debit. Where the answer was lost, `purse_resolved` says what the card itself said when it was seen again; where the card
cannot say it any more, `purse_released` closes the case by headquarters' word. Knows no card and no session.
"""

from enum import StrEnum

import msgspec

from controller.domain.card_proof import CardProof
from controller.domain.names import RowName
from controller.domain.tokens import TokenRef


class PurseUnit(StrEnum):
    """What a purse holds. Points are not spent at a pump."""

    MONEY = "money_minor"
    VOLUME = "volume_ml"


class CardSeen(msgspec.Struct, frozen=True, array_like=True):
    """How old a card is by its own word: the sequence of its entitlement and its count of commits, 0 where none is."""

    sequence: int = 0
    counter: int = 0


class DebitName(msgspec.Struct, frozen=True, array_like=True):
    """The debit that a card remembers: `station` by the number under which cards know it, `maximum` in its unit."""

    station: int
    epoch: bytes
    seq: int
    maximum: int


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """What a debit put on the card's own counters of the day and month: what its fill takes at most."""

    volume_ml: int
    amount_minor: int


class PurseFate(StrEnum):
    """What a card said of a debit when it was seen again."""

    NOT_APPLIED = "not_applied"
    APPLIED = "applied"
    REFUNDED = "refunded"
    UNKNOWN = "unknown"
    """Another debit came after it, elsewhere: only headquarters can tell, from the cards' Transaction MACs."""


class PurseIntended(msgspec.Struct, frozen=True, array_like=True, tag="purse_intended"):
    """At most `maximum` is about to be taken from a card's purse. On disk before the card is asked.

    `station`: the number by which cards know this station. `before`: the debit that the card remembers until then.
    `value`: what the purse held. `counted`: with the debit, in its commit.
    """

    point: int
    token: TokenRef
    station: int
    unit: PurseUnit
    maximum: int
    value: int
    before: DebitName | None
    counted: Counted | None = None


class PurseDebited(msgspec.Struct, frozen=True, array_like=True, tag="purse_debited"):
    """The card has taken the maximum out. `proof` is None where the card keeps no Transaction MAC."""

    intended: RowName
    proof: CardProof | None


class PurseResolved(msgspec.Struct, frozen=True, array_like=True, tag="purse_resolved"):
    """What became of a debit: as the card answered at once, or said later. `text` is for people."""

    intended: RowName
    fate: PurseFate
    text: str


class PurseRefunded(msgspec.Struct, frozen=True, array_like=True, tag="purse_refunded"):
    """What a fill left of the debit is on the card again: the case is closed.

    With `amount` 0 and without `proof` nothing was left, and the card was not asked.
    """

    intended: RowName
    amount: int
    proof: CardProof | None


class PurseReleased(msgspec.Struct, frozen=True, array_like=True, tag="purse_released"):
    """Headquarters has taken over what is left of a debit (`amount`) and signed that: the case is closed here."""

    intended: RowName
    amount: int
    signature: bytes
    till: str
    command_id: str
