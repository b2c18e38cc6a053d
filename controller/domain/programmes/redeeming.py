"""Spending points: from a purse with the holder's proof, or from a voucher with the driver's PIN."""

from typing import Literal

import msgspec

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer
from controller.domain.programmes.books import Books
from controller.domain.programmes.events import Redeem
from controller.domain.programmes.lots import LotAccount, Piece
from controller.domain.programmes.members import Holder
from controller.domain.programmes.programme import RuleSet
from controller.domain.programmes.purses import Purse, Voucher
from controller.domain.programmes.quoting import not_running
from controller.domain.programmes.reasons import Reason
from controller.domain.programmes.vouchers import has_expired, top_up, usable


def redeem(books: Books, event: Redeem) -> Answer:
    """Pay with points. Reasons in the order of all events: token, holder, activation, start, offline, proof, amount."""
    holder = books.holder_of.get(event.holder)
    if holder is None or holder.kind not in ("person", "organisation"):
        return decline(books, event, Reason.HOLDER_UNKNOWN)
    purse_name = books.rules.purse_of.get(event.product)
    if purse_name is None:
        return decline(books, event, cannot_spend(books.rules, holder) or Reason.PRODUCT_NOT_ALLOWED)
    purse = books.purse(holder, purse_name)
    books.look_at_points(purse)
    voucher: Voucher | None = None
    if event.proof.voucher is not None:
        voucher = usable(books, holder, event.proof.voucher)
        if voucher is None:
            return decline(books, event, Reason.VOUCHER_UNKNOWN)
        books.look_at_points(voucher)
        if has_expired(books, voucher):
            return decline(books, event, Reason.VOUCHER_EXPIRED)
        if voucher.purse_name != purse_name:
            return decline(books, event, Reason.PRODUCT_NOT_ALLOWED)
    account = purse if voucher is None else voucher
    reason = cannot_spend(books.rules, holder) or _offline(books.rules, event, voucher)
    reason = reason or _proof(books.rules, event, holder, voucher)
    if reason is None and event.points > books.balance(account):
        reason = Reason.INSUFFICIENT_POINTS
    if reason is not None:
        return decline(books, event, reason)
    return _spend(books, event, holder, account)


def given_out(books: Books, event: Redeem) -> Answer:
    """Points that were given out, by headquarters or by a station that was alone: a fact, whatever would refuse it now.

    What a voucher has not comes from its purse, also below zero; then the answer says why it would have been refused.
    """
    holder = books.holder_of.get(event.holder)
    voucher = books.vouchers.get(event.proof.voucher or "")
    answer = redeem(books, event)
    if answer.result == "accepted" or holder is None:
        return answer
    if voucher is not None and holder.purses.get(voucher.purse_name) is voucher.purse:
        top_up(books, event.ref, voucher, event.points)
        spent = _spend(books, event, holder, voucher)
    elif event.proof.voucher is None and event.product in books.rules.purse_of:
        spent = _overspend(books, event, holder, books.purse(holder, books.rules.purse_of[event.product]))
    else:
        return answer
    return msgspec.structs.replace(spent, reason=answer.reason)


def cannot_spend(rules: RuleSet, holder: Holder) -> Reason | None:
    """Why this holder cannot spend points at all on this day."""
    membership = rules.membership
    if holder.cancelled:
        return Reason.INACTIVE_CANCELLED
    if membership.spending_needs_activation and not holder.activated:
        return Reason.NOT_ACTIVATED
    if not all(getattr(holder, field) for field in membership.spending_needs):
        return Reason.PROFILE_INCOMPLETE
    return not_running(rules, spending=True)


def _overspend(books: Books, event: Redeem, holder: Holder, purse: Purse) -> Answer:
    """What the purse has not is a debt there."""
    there = min(event.points, sum(left for _, left in purse.free()))
    pieces = purse.take(there) if there else []
    if there < event.points:
        books.put(purse, books.lot_expiry_ms, there - event.points)
        pieces.append((books.lot_expiry_ms, event.points - there))
    return _spent(books, event, holder, purse, pieces)


def _spend(books: Books, event: Redeem, holder: Holder, account: LotAccount) -> Answer:
    return _spent(books, event, holder, account, account.take(event.points))


def _spent(books: Books, event: Redeem, holder: Holder, account: LotAccount, pieces: list[Piece]) -> Answer:
    assert isinstance(account, Purse | Voucher)
    books.move_points(event.ref, account, "company:redeemed", -event.points)
    books.sales.redeemed(event.ref, books.now_ms, holder.index, account, pieces, event.station or "")
    return accept(books, event)


def _offline(rules: RuleSet, event: Redeem, voucher: Voucher | None) -> Reason | None:
    """Without headquarters only what was set apart for stations can be spent."""
    if not event.offline:
        return None
    apart = voucher is not None and rules.voucher is not None and rules.voucher.allotted_to_stations
    return None if apart else Reason.NEEDS_HEADQUARTERS


def _proof(rules: RuleSet, event: Redeem, holder: Holder, voucher: Voucher | None) -> Reason | None:
    if voucher is not None:
        most = 1 if rules.voucher is None else rules.voucher.wrong_pins
        reason, voucher.pin_wrong = _try_pin(event.proof.driver_pin, voucher.pin_wrong, most)
        return reason
    rule = rules.proofs.get(holder.kind)
    if rule is None or rule.proof == "none":
        return None
    if rule.proof == "otp":
        return None if event.proof.otp else Reason.OTP_REQUIRED
    reason, holder.pin_wrong = _try_pin(event.proof.pin, holder.pin_wrong, rule.wrong_pins)
    return reason


def _try_pin(pin: Literal["ok", "wrong"] | None, wrong: int, most: int) -> tuple[Reason | None, int]:
    """The answer to a PIN, and how many were wrong in a row after it."""
    if wrong >= most:
        return Reason.PIN_LOCKED, wrong
    if pin is None:
        return Reason.PIN_REQUIRED, wrong
    if pin == "ok":
        return None, 0
    wrong += 1
    return (Reason.PIN_LOCKED if wrong >= most else Reason.PIN_WRONG), wrong
