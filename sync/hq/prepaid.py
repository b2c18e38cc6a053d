"""Prepaid accounts at headquarters: what was paid in, what stations were promised, and what is free.

free = paid in - sales - grants that reserve - what is set apart at stations and not spent there. No promise is made
beyond it, over all stations. A sale is a fact and is posted even below zero. Knows no HTTP and no bytes.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import sqlalchemy as sa

from controller.domain.allotments import taken_off as is_taken_off
from controller.domain.allotments import token_pot
from controller.domain.headquarters import SetApart
from controller.domain.member_books import voucher_pot
from sync.hq.hold import StoreError
from sync.hq.prepaid_rows import RESERVED, VOIDED
from sync.hq.prepaid_tables import accounts, allotments, allotted_fills, allotted_rows, grants, payments, taken_off
from sync.hq.schema import postings, stations

Commit = Callable[[], AbstractContextManager[sa.Connection]]
"""One transaction of headquarters' database."""
TOLD_MAX = 16
"""Allotments in one acknowledgement; the rest comes with the next."""
VOUCHERS = voucher_pot("")
"""How the pots of vouchers begin, which the fuel programmes set apart: no account has such a name."""
CARDS = token_pot(b"")
"""How the pots of single cards begin, for which a manager has typed something at a station."""


class AccountRefused(StoreError):
    """It is not done; the text says why and what to do."""


class AccountView(msgspec.Struct, frozen=True):
    """A prepaid account. `reserved_minor`: by grants; `allotted_minor`: set apart at stations and not spent."""

    account: str
    balance_minor: int
    reserved_minor: int
    allotted_minor: int

    @property
    def free_minor(self) -> int:
        return self.balance_minor - self.reserved_minor - self.allotted_minor


class GrantView(msgspec.Struct, frozen=True):
    """What a station was promised for one delivery, and nothing has come of yet. `delivered`: it is not paid yet."""

    station: str
    command_id: str
    account: str
    amount_minor: int
    asked_ms: int
    delivered: bool


class Prepaid:
    """All prepaid accounts. Each call is one commit."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit

    def pay_in(self, account: str, payment_id: str, amount_minor: int, now_ms: int) -> AccountView:
        """Money has come, or goes back (below zero). AccountRefused; the same again changes nothing."""
        if account.startswith(VOUCHERS):
            raise AccountRefused(f"{account} is no name for an account: {VOUCHERS} stands before those of vouchers")
        with self._commit() as db:
            if not db.execute(sa.select(accounts).where(accounts.c.account == account).with_for_update()).first():
                db.execute(sa.insert(accounts).values(account=account, opened_ms=now_ms))
            key = payments.c.account == account, payments.c.payment_id == payment_id
            held = db.execute(sa.select(payments.c.amount_minor).where(*key)).scalar()
            if held is not None and held != amount_minor:
                raise AccountRefused(
                    f"payment {payment_id} of {account} was booked with another amount: take another --id"
                )
            view = _view(db, account)
            if held is None:
                if amount_minor < 0 and view.free_minor + amount_minor < 0:
                    raise AccountRefused(f"{account} has less that is free than is to be paid back")
                paid = {"account": account, "payment_id": payment_id, "amount_minor": amount_minor}
                db.execute(sa.insert(payments).values(**paid, paid_ms=now_ms))
            return _view(db, account)

    def allot(self, station: str, account: str, allotment_id: str, amount_minor: int, now_ms: int) -> AccountView:
        """Set money apart at a station. AccountRefused; the same again changes nothing."""
        if is_taken_off(allotment_id):
            raise AccountRefused(f"{allotment_id} is no name for an allotment: take another --id")
        with self._commit() as db:
            if db.execute(sa.select(stations.c.station_id).where(stations.c.station_id == station)).first() is None:
                raise AccountRefused(f"station {station} is not enrolled here: run `forecourt hq enrol` for it")
            self._lock(db, account)
            key = allotments.c.station_id == station, allotments.c.allotment_id == allotment_id
            held = db.execute(sa.select(allotments.c.account, allotments.c.amount_minor).where(*key)).one_or_none()
            if held is not None and tuple(held) != (account, amount_minor):
                raise AccountRefused(f"allotment {allotment_id} of {station} was another: take another --id")
            free_minor = _view(db, account).free_minor
            if held is None:
                if amount_minor > free_minor:
                    raise AccountRefused(
                        f"{account} has less that is free: see `forecourt hq accounts`, and pay in first"
                    )
                named = {"station_id": station, "allotment_id": allotment_id, "account": account}
                booked = {"amount_minor": amount_minor, "booked_ms": now_ms, "arrived": False}
                db.execute(sa.insert(allotments).values(**named, **booked))
            return _view(db, account)

    def grant(self, station: str, command_id: str, account: str, most_minor: int, now_ms: int) -> int | None:
        """Reserve up to `most_minor` (0: all that is free) and say how much; None if this was voided before."""
        with self._commit() as db:
            held = db.execute(sa.select(grants).where(*_grant_key(station, command_id))).one_or_none()
            if held is not None:
                return None if held.state == VOIDED else int(held.amount_minor)
            self._lock(db, account)
            free_minor = max(_view(db, account).free_minor, 0)
            granted = min(most_minor or free_minor, free_minor)
            _insert_grant(db, station, command_id, account, granted, RESERVED, now_ms)
            return granted

    def void(self, station: str, command_id: str, now_ms: int) -> int:
        """Nothing came of this grant: what is free again. A delivery that took it is not undone: 0."""
        with self._commit() as db:
            key = _grant_key(station, command_id)
            held = db.execute(sa.select(grants).where(*key).with_for_update()).one_or_none()
            if held is None:
                _insert_grant(db, station, command_id, "", 0, VOIDED, now_ms)
                return 0
            if held.state == RESERVED and held.delivered_seq is None:
                db.execute(sa.update(grants).where(*key).values(state=VOIDED))
                return int(held.amount_minor)
            return int(held.amount_minor) if held.state == VOIDED else 0

    def view(self, account: str) -> AccountView:
        """One account; one that nobody paid into has nothing."""
        with self._commit() as db:
            return _view(db, account)

    def views(self) -> list[AccountView]:
        """All accounts that were ever paid into, by name."""
        with self._commit() as db:
            names = db.execute(sa.select(accounts.c.account).order_by(accounts.c.account)).scalars().all()
            return [_view(db, name) for name in names]

    def reserving(self) -> list[GrantView]:
        """All grants that reserve money now, the oldest first."""
        which = sa.select(grants).where(grants.c.state == RESERVED, grants.c.amount_minor > 0)
        with self._commit() as db:
            found = db.execute(which.order_by(grants.c.asked_ms, grants.c.station_id, grants.c.command_id)).all()
        return [
            GrantView(
                each.station_id,
                each.command_id,
                each.account,
                each.amount_minor,
                each.asked_ms,
                each.delivered_seq is not None,
            )
            for each in found
        ]

    def release(self, station: str, command_id: str, now_ms: int) -> AccountView:
        """A person knows that nothing will come of a grant: its station's disk is lost. AccountRefused.

        A delivery that comes all the same is posted.
        """
        with self._commit() as db:
            held = db.execute(sa.select(grants).where(*_grant_key(station, command_id))).one_or_none()
        if held is None or not held.account:
            raise AccountRefused(f"{station} has no grant {command_id}: see `forecourt hq grants`")
        if self.void(station, command_id, now_ms) == 0:
            raise AccountRefused(f"the grant {command_id} of {station} was used: its sale settles it")
        return self.view(held.account)

    def _lock(self, db: sa.Connection, account: str) -> None:
        """Two promises at once wait for each other. Without a payment there is nothing to promise."""
        db.execute(sa.select(accounts).where(accounts.c.account == account).with_for_update())


def balance_minor(db: sa.Connection, account: str) -> int:
    """What was paid in, less what all stations' account tenders took."""
    return _sum(db, payments.c.amount_minor, payments.c.account == account) + _sum(
        db, postings.c.amount_minor, postings.c.account == account
    )


def allotments_due(db: sa.Connection, station: str) -> tuple[SetApart, ...]:
    """What is set apart at this station and not in its journal yet, the oldest first.

    Before that, what is to be taken off there: nothing is given twice meanwhile.
    """
    due: list[SetApart] = []
    for table in (taken_off, allotments):
        query = sa.select(table).where(table.c.station_id == station, table.c.arrived.is_(False))
        query = query.order_by(table.c.amount_minor >= 0, table.c.booked_ms, table.c.allotment_id)
        found = db.execute(query.limit(TOLD_MAX - len(due))).all()
        due += [_told(each.allotment_id, each.account, each.amount_minor) for each in found]
    return _with_ends(db, station, due) if due else ()


# ---- inside


def _told(allotment_id: str, account: str, amount_minor: int) -> SetApart:
    if account.startswith((VOUCHERS, CARDS)):
        return SetApart(allotment_id, "", amount_minor, account)
    return SetApart(allotment_id, account, amount_minor)


def _with_ends(db: sa.Connection, station: str, due: Sequence[SetApart]) -> tuple[SetApart, ...]:
    """With the last moment of those that a disk has lost and that end."""
    ids = [each.allotment_id for each in due]
    query = sa.select(allotted_rows.c.allotment_id, allotted_rows.c.valid_until_ms)
    query = query.where(allotted_rows.c.station_id == station, allotted_rows.c.allotment_id.in_(ids))
    ends = {str(each.allotment_id): int(each.valid_until_ms) for each in db.execute(query)}
    return tuple(msgspec.structs.replace(each, valid_until_ms=ends.get(each.allotment_id, 0)) for each in due)


def _view(db: sa.Connection, account: str) -> AccountView:
    reserved = _sum(db, grants.c.amount_minor, grants.c.account == account, grants.c.state == RESERVED)
    return AccountView(account, balance_minor(db, account), reserved, _set_apart_minor(db, account))


def _set_apart_minor(db: sa.Connection, account: str) -> int:
    """By station: what an overrun took beyond it there leaves no less at another."""
    apart = _by_station(db, allotments.c.station_id, allotments.c.amount_minor, allotments.c.account == account)
    mine = allotted_fills.c.account == account, allotted_fills.c.posted.is_(True)
    spent = _by_station(db, allotted_fills.c.station_id, allotted_fills.c.amount_minor, *mine)
    return sum(max(amount - spent.get(station, 0), 0) for station, amount in apart.items())


def _by_station(
    db: sa.Connection, station: sa.Column[str], amount: sa.Column[int], *which: sa.ColumnElement[bool]
) -> dict[str, int]:
    query = sa.select(station, sa.func.sum(amount)).where(*which).group_by(station)
    return {str(name): int(total) for name, total in db.execute(query)}


def _sum(db: sa.Connection, amount: sa.Column[int], *which: sa.ColumnElement[bool]) -> int:
    return int(db.execute(sa.select(sa.func.coalesce(sa.func.sum(amount), 0)).where(*which)).scalar_one())


def _grant_key(station: str, command_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return grants.c.station_id == station, grants.c.command_id == command_id


def _insert_grant(
    db: sa.Connection, station: str, command_id: str, account: str, amount_minor: int, state: str, now_ms: int
) -> None:
    values: dict[str, Any] = {"station_id": station, "command_id": command_id, "account": account, "state": state}
    db.execute(sa.insert(grants).values(**values, amount_minor=amount_minor, asked_ms=now_ms))
