"""Vouchers: points of an organisation set apart for one driver or vehicle. Made, cancelled, found."""

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.events import CancelVoucher, CreateVoucher
from controller.domain.programmes.folding import fold_plate
from controller.domain.programmes.members import Holder
from controller.domain.programmes.purses import Purse, Voucher
from controller.domain.programmes.quoting import not_running
from controller.domain.programmes.reasons import Reason


def create(books: Books, event: CreateVoucher) -> Answer:
    """Take points out of the available ones of the programme's first purse, with the lots they came from."""
    if books.rules.voucher is None or not books.rules.purses:
        return decline(books, event, Reason.NOT_OFFERED)
    holder = books.holder_of.get(event.organisation)
    if holder is None or holder.kind != "organisation":
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    name = next(iter(books.rules.purses))
    purse = books.purse(holder, name)
    books.look_at_points(purse)
    reason = _cannot_create(books, event, holder, purse)
    if reason is not None:
        return decline(books, event, reason)
    plate = None if event.plate is None else fold_plate(event.plate)
    voucher = books.vouchers[event.voucher] = Voucher(event.voucher, purse, name, plate)
    purse.vouchers.append(voucher)
    for expiry_ms, points in purse.take(event.points):
        books.add_points(event.ref, voucher, purse.name, expiry_ms, points)
    return accept(books, event)


def cancel(books: Books, event: CancelVoucher) -> Answer:
    """The rest returns to the lots it came from."""
    holder = books.holder_of.get(event.organisation)
    if holder is None:
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    voucher = usable(books, holder, event.voucher)
    if voucher is None:
        return decline(books, event, Reason.VOUCHER_UNKNOWN)
    books.look_at_points(voucher)
    if has_expired(books, voucher):
        return decline(books, event, Reason.VOUCHER_EXPIRED)
    if not event.user_may_manage:
        return decline(books, event, Reason.PERMISSION_MISSING)
    rest = books.balance(voucher)
    for expiry_ms, points in voucher.take(rest) if rest else ():
        books.move_points(event.ref, voucher, voucher.purse.name, -points)
        # The posting above has both legs: only the lot is left to be filled.
        voucher.purse.add(expiry_ms, points)
    voucher.cancelled = True
    books.settle(voucher.purse, event.ref)
    return accept(books, event)


def top_up(books: Books, ref: str, voucher: Voucher, points: int) -> None:
    """Bring a voucher to so many points, out of its purse; what that has not either is a debt there."""
    purse = voucher.purse
    lack = points - sum(left for _, left in voucher.free())
    there = min(lack, sum(left for _, left in purse.free()))
    pieces = purse.take(there) if there > 0 else []
    for expiry_ms, part in pieces:
        books.add_points(ref, voucher, purse.name, expiry_ms, part)
    debt = lack - sum(part for _, part in pieces)
    if debt > 0:
        books.add_points(ref, purse, voucher.name, books.lot_expiry_ms, -debt)
        # The posting above has both legs.
        books.put(voucher, books.lot_expiry_ms, debt)


def usable(books: Books, holder: Holder, name: str) -> Voucher | None:
    """A holder's own voucher that was not cancelled."""
    voucher = books.vouchers.get(name)
    if voucher is None or voucher.cancelled or voucher not in _own(holder, voucher.purse_name):
        return None
    return voucher


def _own(holder: Holder, purse: str) -> list[Voucher]:
    found = holder.purses.get(purse)
    return [] if found is None else found.vouchers


def has_expired(books: Books, voucher: Voucher) -> bool:
    return voucher.closed or voucher.last_expiry_ms <= books.now_ms


def _cannot_create(books: Books, event: CreateVoucher, holder: Holder, purse: Purse) -> Reason | None:
    if event.voucher in books.vouchers:
        return Reason.VOUCHER_EXISTS
    if holder.cancelled:
        return Reason.INACTIVE_CANCELLED
    reason = not_running(books.rules, spending=True)
    if reason is None and not event.user_may_manage:
        reason = Reason.PERMISSION_MISSING
    if reason is None and event.points > books.balance(purse):
        reason = Reason.INSUFFICIENT_POINTS
    return reason
