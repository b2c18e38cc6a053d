"""What a station's journal says of fuel programmes: tokens shown, points given and taken here, redemptions in doubt.

A fold over the rows, part of the books. The list knows more of a holder, as of some earlier moment; this is what
happened here since. Knows no list, no rule and no clock.
"""

from typing import TypeVar

import msgspec

from controller.domain.pin_records import PinLocked, PinTried
from controller.domain.programme_records import (
    Presented,
    Quoted,
    Redeemed,
    RedeemIntended,
    RedeemVoided,
    RulesTaken,
)
from controller.domain.records import Authorised, Body, Delivery, RowName, Settlement, TestMeasure

REMEMBERED = 2_000
"""Deliveries, intents and commands that are kept for repeats: days of a busy station, and a bound."""
KEPT_MS = 62 * 24 * 3_600_000
"""So long what was given here is added to the list's word; a list that is older than that says no balance."""

_Value = TypeVar("_Value")


class Given(msgspec.Struct, frozen=True, array_like=True):
    """Points that a holder got here, or (below zero) spent. `at_ms`: of the row; `ended_ms`: of the delivery, UTC."""

    at_ms: int
    ended_ms: int
    purse: str
    points: int
    earned: bool


class BoundPlate(msgspec.Struct, frozen=True, array_like=True):
    """A plate that a purchase bound here, and the token that was shown for it. Keyed hashes."""

    plate: bytes
    token: bytes


class MemberBooks(msgspec.Struct):
    """As plain values. Rows are named by their text. Change it by `apply()` only."""

    vehicles: dict[int, bytes] = {}
    """By point: the plate that was told for the open authorisation."""
    plates: dict[str, bytes] = {}
    """By delivery: the plate that was told for it."""
    presented: dict[str, Presented] = {}
    """By delivery: what was shown for it while it waited unpaid."""
    quoted: dict[str, Quoted] = {}
    """By delivery: the last word of a programme on it."""
    redeemed: dict[str, Redeemed] = {}
    """By delivery: the points that paid of it."""
    intended: dict[str, RedeemIntended] = {}
    """By request id: nobody here knows what became of it."""
    voided: dict[str, RedeemVoided] = {}
    """By request id: it came to nothing."""
    wrong_pins: dict[str, bool] = {}
    """By request id: a voucher's PIN was wrong; whether that locked it."""
    given: dict[str, list[Given]] = {}
    """By `holder_key`, in the order of the rows."""
    bound: dict[str, list[BoundPlate]] = {}
    """By `holder_key`: plates that were bound by purchases here."""
    spent: dict[str, int] = {}
    """By pot: points of vouchers that were spent here."""
    commands: dict[str, RowName] = {}
    """By row: the delivery for which a till's command showed a token."""
    rules: list[str] = []
    """Versions of rules whose text is in the journal."""
    taken: dict[str, RulesTaken] = {}
    """By programme: the rules that came last."""

    def apply(self, body: Body) -> None:
        """Take the next row."""
        record, at_ms = body.record, body.stamp.wall_ms
        match record:
            case Authorised():
                self.vehicles[record.point] = record.evidence.plate_key
            case Delivery():
                plate = self.vehicles.pop(record.point, b"")
                if plate and record.authorised is not None:
                    _keep(self.plates, body.name.text, plate)
            case Presented():
                _keep(self.presented, record.delivery.text, record)
                _keep(self.commands, body.name.text, record.delivery)
            case Quoted():
                _keep(self.quoted, record.delivery.text, record)
                if record.command_id:
                    _keep(self.commands, body.name.text, record.delivery)
                self._give(record, at_ms)
            case RedeemIntended():
                self.intended[record.request_id] = record
            case RedeemVoided():
                self.intended.pop(record.request_id, None)
                _keep(self.voided, record.request_id, record)
            case PinTried(right=False, request_id=request_id) | PinLocked(request_id=request_id) if request_id:
                _keep(self.wrong_pins, request_id, isinstance(record, PinLocked))
            case Redeemed():
                self._redeem(record, at_ms)
            case Settlement() | TestMeasure():
                self.presented.pop(record.delivery.text, None)
            case RulesTaken():
                self.rules.append(record.version)
                self.taken[record.programme] = record
            case _:
                pass

    def points_since(self, holder: str, purse: str, since_ms: int) -> int:
        """What a holder's purse got here after that moment, less what it spent. `holder`: its `holder_key`."""
        found = self.given.get(holder, ())
        return sum(given.points for given in found if given.purse == purse and given.at_ms > since_ms)

    def earned_between(self, holder: str, from_ms: int, until_ms: int) -> tuple[int, int]:
        """Points and earning sales here of deliveries that ended from that moment on, and before the other."""
        found = [
            given.points
            for given in self.given.get(holder, ())
            if given.earned and given.points > 0 and from_ms <= given.ended_ms < until_ms
        ]
        return sum(found), len(found)

    def _give(self, record: Quoted, at_ms: int) -> None:
        if not record.holder:
            return
        holder = holder_key(record.programme, record.holder)
        if record.bound_plate and record.token is not None:
            self.bound.setdefault(holder, []).append(BoundPlate(record.bound_plate, record.token.key))
        if record.points:
            self._note(holder, Given(at_ms, record.ended_ms, record.purse, record.points, earned=True))

    def _redeem(self, record: Redeemed, at_ms: int) -> None:
        self.intended.pop(record.request_id, None)
        _keep(self.redeemed, record.delivery.text, record)
        if record.voucher:
            # Also what headquarters granted here: it takes that from what is set apart here first.
            pot = voucher_pot(record.voucher)
            self.spent[pot] = self.spent.get(pot, 0) + record.points
        if record.holder and not record.voucher:
            holder = holder_key(record.programme, record.holder)
            self._note(holder, Given(at_ms, at_ms, record.purse, -record.points, earned=False))

    def _note(self, holder: str, given: Given) -> None:
        kept = [each for each in self.given.get(holder, ()) if each.at_ms > given.at_ms - KEPT_MS]
        self.given[holder] = [*kept, given]


def holder_key(programme: str, holder: str) -> str:
    """A holder of a programme, under one name."""
    return f"{programme}/{holder}"


def voucher_pot(voucher: str) -> str:
    """The pot of what is set apart here of a voucher."""
    return f"voucher:{voucher}"


def _keep(kept: dict[str, _Value], key: str, value: _Value) -> None:
    """As the newest; the oldest goes where there are too many."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]
