"""A PIN that wrong ones have locked is unlocked by a person of the office. The laboratory has no such event.

Headquarters keeps it among an account's events, so that it counts from its time on, for ever; who did it, and why, are
part of it.
"""

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.events import ClockTick
from controller.domain.programmes.members import Holder
from controller.domain.programmes.purses import Voucher
from controller.domain.programmes.reasons import Reason


class UnlockPin(ClockTick, frozen=True, tag="pin.unlock"):
    """Wrong PINs are forgotten: of a voucher's driver or, without one, of a holder. Beside that only time passes.

    It is none of `AnyEvent`: nobody enters it with a file.
    """

    by: str
    why: str
    holder: str | None = None
    voucher: str | None = None


def unlock(books: Books, event: UnlockPin) -> Answer:
    """The next PIN is the first again."""
    if event.voucher is not None:
        voucher = books.vouchers.get(event.voucher)
        if voucher is None:
            return decline(books, event, Reason.VOUCHER_UNKNOWN)
        voucher.pin_wrong = 0
        return accept(books, event)
    holder = books.holder_of.get(event.holder or "")
    if holder is None:
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    holder.pin_wrong = 0
    return accept(books, event)


def is_locked(books: Books, of: Holder | Voucher) -> bool:
    """Whether so many PINs in a row were wrong that even the right one is refused."""
    if isinstance(of, Voucher):
        rule = books.rules.voucher
        return of.pin_wrong >= (1 if rule is None else rule.wrong_pins)
    proof = books.rules.proofs.get(of.kind)
    return proof is not None and proof.proof == "pin" and of.pin_wrong >= proof.wrong_pins
