"""One payment at this till, from opening the delivery to the receipt. A frozen value; the application replaces it.

Knows what may be asked for in each phase. Sends nothing and shows nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.domain.desk import PayDelivery, Shown, UnpaidView
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
    """`sent` is the command whose answer is awaited: in DOUBT the very same one is sent again.

    `points` pay first, of what was `shown` (None: of the delivery's own token), with the code or PIN in `proof`.
    """

    unpaid: UnpaidView
    phase: Phase
    leased_ms: int
    wish: Wish | None = None
    sent: PayDelivery | None = None
    text: str = ""
    paid_minor: int = 0
    change_minor: int = 0
    receipt: str = ""
    shown: Shown | None = None
    points: int = 0
    proof: str = ""
    point_worth_minor: int = 1
    """What a point pays; 0 where nobody has said it yet."""

    @property
    def due_minor(self) -> int:
        """What is left to be paid with money."""
        return self.unpaid.amount_minor - self.points * self.point_worth_minor

    def command(self, command_id: str, wish: Wish) -> PayDelivery:
        """The payment as the station is asked for it."""
        delivery_id = self.unpaid.delivery_id
        if not self.points:
            code = self.proof if wish.tender is TenderKind.PAY_AND_GO else ""
            return PayDelivery(command_id, delivery_id, wish.tender, wish.given_minor, code=code)
        voucher = "" if self.shown is None else self.shown.voucher
        return PayDelivery(
            command_id,
            delivery_id,
            wish.tender,
            wish.given_minor,
            points=self.points,
            shown=None if voucher else self.shown,
            code=self.proof,
            pin=self.proof,
            voucher=voucher,
        )
