"""Vouchers at the desk: their points set apart at stations, and what may not be done to them meanwhile.

A voucher is cancelled when all that was set apart of it is spent or taken back. Knows no wire.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.events import CancelVoucher
from controller.domain.programmes.purses import Voucher
from controller.domain.programmes.vouchers import has_expired
from controller.domain.tokens import fold_voucher
from sync.hq.programmes.apart import Apart
from sync.hq.programmes.asks import AllotAnswer, AllotAsk, StationPart
from sync.hq.programmes.ledger import NewEvent, ProgrammeLedger
from sync.hq.programmes.routing import VOUCHER
from sync.hq.programmes.statements import DeskError
from sync.hq.schema import stations

NAME_LETTERS = range(1, 65)


def allot(db: sa.Connection, ledger: ProgrammeLedger, ask: AllotAsk, now_ms: int) -> AllotAnswer:
    """Set points of a voucher apart at a station, or take them back; the same again changes nothing. DeskError."""
    books, voucher = _voucher(db, ledger, ask.voucher)
    kept = Apart(db, ledger.programme.name)
    if len(ask.name) not in NAME_LETTERS:
        raise DeskError(f"--id: expected the office's own name of it, of at most {NAME_LETTERS[-1]} letters")
    if db.execute(sa.select(stations.c.station_id).where(stations.c.station_id == ask.station)).first() is None:
        raise DeskError(f"station {ask.station} is not enrolled here: run `forecourt hq enrol` for it")
    allotment_id = f"voucher/{ledger.programme.name}/{voucher.id}/{ask.name}"
    known = kept.known(voucher.id, ask.station, allotment_id)
    if known is not None and known != ask.points:
        raise DeskError(f"{ask.name} of {voucher.id} at {ask.station} was another: take another --id")
    if known is None:
        there = [each for each in kept.at_stations(books, voucher) if each.station == ask.station]
        back = sum(each.left - each.asked_back for each in there)
        if not ask.points:
            raise DeskError("0 points can neither be set apart nor be taken back")
        if ask.points > 0:
            _check_new(ledger, books, voucher, ask.points, _free(books, voucher, kept), now_ms)
        elif -ask.points > back:
            raise DeskError(f"only {max(back, 0)} points of {voucher.id} can be taken back from {ask.station}")
        kept.keep(voucher.id, ask.station, allotment_id, ask.points, now_ms)
    parts = kept.at_stations(books, voucher)
    told = tuple(StationPart(each.station, each.left, each.asked_back) for each in parts)
    return AllotAnswer(voucher.id, _free(books, voucher, kept), told)


def check_cancelled(db: sa.Connection, ledger: ProgrammeLedger, new: Sequence[NewEvent]) -> None:
    """That no voucher is cancelled of which a station could still give something out. DeskError."""
    kept = Apart(db, ledger.programme.name)
    for event in [each.event for each in new if isinstance(each.event, CancelVoucher)]:
        history = ledger.at(db, VOUCHER + event.voucher)
        voucher = None if history is None else history.engine.books.vouchers.get(event.voucher)
        if history is None or voucher is None or voucher.cancelled:
            continue
        for each in kept.at_stations(history.engine.books, voucher):
            if each.left:
                raise DeskError(
                    f"{event.ref} would cancel {event.voucher}, of which {each.left} points are set apart at "
                    f"{each.station}: take them back with `forecourt hq programme allot` first"
                )


def _voucher(db: sa.Connection, ledger: ProgrammeLedger, name: str) -> tuple[Books, Voucher]:
    history = ledger.at(db, VOUCHER + name)
    voucher = None if history is None else history.engine.books.vouchers.get(name)
    if history is None or voucher is None:
        raise DeskError(f"{ledger.programme.name} knows no voucher {name}: enter a voucher.create event first")
    return history.engine.books, voucher


def _free(books: Books, voucher: Voucher, kept: Apart) -> int:
    return books.balance(voucher) - sum(each.left for each in kept.at_stations(books, voucher))


def _check_new(ledger: ProgrammeLedger, books: Books, voucher: Voucher, points: int, free: int, now_ms: int) -> None:
    rule = ledger.programme.on(LocalTime(ledger.programme.zone).day(now_ms)).voucher
    if rule is None or not rule.allotted_to_stations:
        raise DeskError(f"{ledger.programme.name} sets no vouchers apart at stations (allotted_to_stations)")
    if not _readable(voucher.id):
        raise DeskError(f"no station could read a voucher {voucher.id}: give it another id")
    if voucher.cancelled or has_expired(books, voucher):
        raise DeskError(f"{voucher.id} is cancelled, or has expired")
    if points > free:
        raise DeskError(f"{voucher.id} has {free} points that are set apart nowhere")


def _readable(text: str) -> bool:
    """Whether a station calls it the same."""
    try:
        return fold_voucher(text) == text
    except ValueError:
        return False
