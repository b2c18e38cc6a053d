"""One payment at this till, from opening the delivery to the receipt. A frozen value; the application replaces it.

Knows what may be asked for in each phase. Sends nothing and shows nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.domain.desk import PayDelivery, UnpaidView
from controller.domain.records import TenderKind


class Phase(StrEnum):
    """OPENING waits for the lease, OPEN for the attendant, PAYING for the station; DOUBT: its answer was lost."""

    OPENING = "opening"
    OPEN = "open"
    PAYING = "paying"
    DOUBT = "doubt"
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class Wish:
    """How the customer pays. It may be said before the delivery is open, as fast fingers do."""

    tender: TenderKind
    given_minor: int


@dataclass(frozen=True, slots=True)
class Payment:
    """`sent` is the command whose answer is awaited: in DOUBT the very same one is sent again."""

    unpaid: UnpaidView
    phase: Phase
    leased_ms: int
    wish: Wish | None = None
    sent: PayDelivery | None = None
    text: str = ""
    paid_minor: int = 0
    change_minor: int = 0
    receipt: str = ""
