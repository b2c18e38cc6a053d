"""What a card session finds out: facts, as they go over the pipe from a reader's process and into a decision.

Knows no command. Dates and sequences are facts here: whether they are good is for the rules to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from card_io.application import PurseUnit, masked
from card_io.counters import Counters
from card_io.entitlement import Entitlement

Assurance = Literal["proven", "identified"]


@dataclass(frozen=True, slots=True)
class Purse:
    """What may be spent offline. `counter` is the card's count of commits, where it keeps one."""

    value: int
    unit: PurseUnit
    counter: int | None = None


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What is known of a card.

    "proven": it holds its key, and UID, number and issuer are its own. "identified": it has a UID, which anybody
    can copy; number and issuer are None. `uid` is 4, 7 or 10 bytes (7 when proven). `entitlement` is signed by
    headquarters for this card; None when the card has none or this station has no key to check it. `counters` and
    `purse` are None when the card has none, and `purse` when this station has no debit key.
    """

    uid: bytes
    card_number: str | None
    issuer: str | None
    assurance: Assurance
    scheme: str | None = None
    key_version: int | None = None
    entitlement: Entitlement | None = None
    counters: Counters | None = None
    purse: Purse | None = None

    def __post_init__(self) -> None:
        if (self.assurance == "proven") == (self.card_number is None):
            raise ValueError("a proven card has a number, an identified one has none")

    def __repr__(self) -> str:
        number = "none" if self.card_number is None else masked(self.card_number)
        return f"CardFacts(uid=..{self.uid[-2:].hex()}, number={number}, {self.issuer}, {self.assurance})"
