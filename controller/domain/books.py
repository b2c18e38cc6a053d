"""The books: all that the station knows by reading its journal from the first row to the last.

A fold: `apply()` takes one row at a time, in order, and nothing else changes anything. So a restart, a replay
and a simulated world end in the same books. Knows no file, no pump and no clock.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, fields

from controller.domain.codes import UsedCodes
from controller.domain.days import BusinessDay
from controller.domain.grants import Grants
from controller.domain.lists import Cap, Level, Measure, Window
from controller.domain.member_books import MemberBooks
from controller.domain.pin_records import PinUnlocked
from controller.domain.programme_records import Presented, Quoted
from controller.domain.purse_records import PurseReleased
from controller.domain.purses import Purses
from controller.domain.records import (
    Allotted,
    Authorised,
    Body,
    Declined,
    Delivery,
    MeterChanged,
    OdometerReset,
    PriceChanged,
    Released,
    RowName,
    Settlement,
    Started,
    TestMeasure,
    TotaliserMismatch,
    TotaliserRead,
    UnrecordedDelivery,
    Unreserved,
)
from controller.domain.usage import Usage, key_of

ManagersWord = Allotted | PinUnlocked | PurseReleased | Unreserved | OdometerReset
REMEMBERED = 2_000
"""Settled deliveries and commands that are kept for repeats: days of a busy station, and a bound."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A settled delivery."""

    name: RowName
    delivery: Delivery
    ended_ms: int
    settlement_name: RowName
    settlement: Settlement
    settled_ms: int


@dataclass(frozen=True, slots=True)
class Unpaid:
    """A delivery that waits."""

    name: RowName
    delivery: Delivery
    ended_ms: int


@dataclass(slots=True)
class Sums:
    """Totals over the whole journal."""

    deliveries: int = 0
    volume_ml: int = 0
    amount_minor: int = 0
    sales: int = 0
    sales_volume_ml: int = 0
    sales_amount_minor: int = 0
    unrecorded_ml: int = 0
    declined: int = 0
    tests: int = 0
    tested_ml: int = 0
    """Of the deliveries: what went through a test measure and back into the tank."""
    short_ml: int = 0
    """What deliveries said beyond what totalisers moved."""


@dataclass(frozen=True, slots=True)
class Known:
    """A totaliser's last reading that the journal accounts for, and when its row was written (UTC)."""

    totaliser_ml: int
    at_ms: int


@dataclass(slots=True)
class Books:
    """The state. Read it freely; change it by `apply()` only."""

    business_day: BusinessDay
    open: dict[int, tuple[RowName, Authorised]] = field(default_factory=dict)
    """By fuelling point: what was authorised and has neither a delivery nor a release yet."""
    unpaid: dict[RowName, Unpaid] = field(default_factory=dict)
    settled: OrderedDict[RowName, Sale] = field(default_factory=OrderedDict)
    last_delivery: dict[int, tuple[RowName, Delivery]] = field(default_factory=dict)
    totaliser: dict[tuple[int, int], Known] = field(default_factory=dict)
    """By point and nozzle."""
    untold_ml: dict[tuple[int, int], int] = field(default_factory=dict)
    """By point and nozzle: what deliveries gave since that reading, where the pump did not give its totaliser."""
    mismatched: dict[tuple[int, int], TotaliserMismatch] = field(default_factory=dict)
    """By point and nozzle: where the totaliser counted less than the last delivery."""
    tested: OrderedDict[RowName, RowName] = field(default_factory=OrderedDict)
    """By delivery: the row that says it was a test measure."""
    prices: dict[str, PriceChanged] = field(default_factory=dict)
    """By grade: the last change of its price."""
    price_changes: OrderedDict[RowName, PriceChanged] = field(default_factory=OrderedDict)
    desk_words: OrderedDict[RowName, ManagersWord] = field(default_factory=OrderedDict)
    """What a manager has said of an account, a PIN, a card's purse, a reservation or an odometer."""
    usage: Usage = field(default_factory=Usage)
    """What counts against limits, allotments and PINs."""
    purses: Purses = field(default_factory=Purses)
    """Card purses that something is still owed to."""
    members: MemberBooks = field(default_factory=MemberBooks)
    """What fuel programmes gave and took here."""
    codes: UsedCodes = field(default_factory=UsedCodes)
    """Codes of one use that were used."""
    grants: Grants = field(default_factory=Grants)
    """What headquarters has granted and must hear of."""
    commands: OrderedDict[tuple[str, str], RowName] = field(default_factory=OrderedDict)
    """By till and command id: the row that the command made."""
    receipt_number: int = 0
    sums: Sums = field(default_factory=Sums)
    epochs: int = 0
    seq: int = 0
    """Of the last row that was taken."""

    def adopt(self, other: "Books") -> None:
        """Be as `other` from now on: for all who hold these books. `other` is used up by it."""
        for own in fields(self):
            setattr(self, own.name, getattr(other, own.name))

    def apply(self, body: Body) -> None:
        """Take the next row."""
        name, record = body.name, body.record
        self.seq = name.seq
        self.usage.apply(body, self.business_day)
        self.purses.apply(body)
        self.members.apply(body)
        self.grants.apply(body)
        match record:
            case Started():
                self.epochs += 1
            case Authorised():
                self.open[record.point] = (name, record)
                if record.evidence.code is not None:
                    self.codes.use(name.text, record.evidence.code, body.stamp.wall_ms)
                self._remember_command(record.till, record.command_id, name)
            case Released():
                self._close(record.authorised)
                self.codes.end(record.authorised.text, unused=record.proven)
            case Delivery():
                self._deliver(name, record, body.stamp.wall_ms)
            case Settlement():
                self._settle(name, record, body.stamp.wall_ms)
            case UnrecordedDelivery():
                self._read(record.point, record.nozzle, record.totaliser_after_ml, body)
                self.sums.unrecorded_ml += record.volume_ml
            case Declined():
                self.sums.declined += 1
            case TotaliserRead():
                self._read(record.point, record.nozzle, record.totaliser_ml, body)
            case MeterChanged():
                self._read(record.point, record.nozzle, record.totaliser_after_ml, body)
            case TotaliserMismatch():
                self.mismatched[record.point, record.nozzle] = record
                self.sums.short_ml += record.missing_ml
            case TestMeasure():
                self._test(name, record)
            case PriceChanged():
                self.prices[record.grade] = self.price_changes[name] = record
                if len(self.price_changes) > REMEMBERED:
                    self.price_changes.popitem(last=False)
                self._remember_command(record.till, record.command_id, name)
            case Allotted() | PinUnlocked() | PurseReleased() | Unreserved() | OdometerReset() if record.till:
                self.desk_words[name] = record
                if len(self.desk_words) > REMEMBERED:
                    self.desk_words.popitem(last=False)
                self._remember_command(record.till, record.command_id, name)
            case Presented() | Quoted():
                self._remember_command(record.till, record.command_id, name)
            case _:
                pass

    def totaliser_ml(self, point: int, nozzle: int) -> int | None:
        """The last reading that the journal accounts for."""
        known = self.totaliser.get((point, nozzle))
        return None if known is None else known.totaliser_ml

    def unpaid_at(self, point: int) -> list[Unpaid]:
        """The deliveries that wait at a fuelling point, the oldest first."""
        return [unpaid for unpaid in self.unpaid.values() if unpaid.delivery.point == point]

    def used_on(self, token_key: bytes, day: int) -> tuple[int, int]:
        """Volume (thousandths) and amount (minor units) that count for a token on a business day, by the last row."""
        usage, key = self.usage, key_of(Level.CARD, token_key)
        volume_ml, amount_minor = (
            usage.used(key, Cap(Level.CARD, Window.DAY, measure, 1), day, usage.elapsed.ms)
            for measure in (Measure.VOLUME, Measure.AMOUNT)
        )
        return volume_ml, amount_minor

    def _deliver(self, name: RowName, record: Delivery, wall_ms: int) -> None:
        if record.authorised is not None:
            self._close(record.authorised)
            self.codes.end(record.authorised.text, unused=False)
        self.unpaid[name] = Unpaid(name, record, wall_ms)
        self.last_delivery[record.point] = (name, record)
        nozzle = record.point, record.nozzle
        if record.totaliser_after_ml is not None:
            self.totaliser[nozzle] = Known(record.totaliser_after_ml, wall_ms)
            self.untold_ml.pop(nozzle, None)
            self.mismatched.pop(nozzle, None)
        elif nozzle in self.totaliser:
            self.untold_ml[nozzle] = self.untold_ml.get(nozzle, 0) + record.volume_ml
        self.sums.deliveries += 1
        self.sums.volume_ml += record.volume_ml
        self.sums.amount_minor += record.amount_minor

    def _settle(self, name: RowName, record: Settlement, wall_ms: int) -> None:
        unpaid = self.unpaid.pop(record.delivery, None)
        if unpaid is None:
            return
        self.settled[record.delivery] = Sale(unpaid.name, unpaid.delivery, unpaid.ended_ms, name, record, wall_ms)
        if len(self.settled) > REMEMBERED:
            self.settled.popitem(last=False)
        self._remember_command(record.till, record.command_id, name)
        self.receipt_number = max(self.receipt_number, record.receipt_number)
        self.sums.sales += 1
        self.sums.sales_volume_ml += unpaid.delivery.volume_ml
        self.sums.sales_amount_minor += record.amount_minor

    def _test(self, name: RowName, record: TestMeasure) -> None:
        unpaid = self.unpaid.pop(record.delivery, None)
        if unpaid is None:
            return
        self.tested[record.delivery] = name
        if len(self.tested) > REMEMBERED:
            self.tested.popitem(last=False)
        self._remember_command(record.till, record.command_id, name)
        self.sums.tests += 1
        self.sums.tested_ml += unpaid.delivery.volume_ml

    def _read(self, point: int, nozzle: int, totaliser_ml: int, body: Body) -> None:
        self.totaliser[point, nozzle] = Known(totaliser_ml, body.stamp.wall_ms)
        self.untold_ml.pop((point, nozzle), None)

    def _close(self, authorised: RowName) -> None:
        for point, (name, _) in list(self.open.items()):
            if name == authorised:
                del self.open[point]

    def _remember_command(self, till: str, command_id: str, name: RowName) -> None:
        if command_id:
            self.commands[till, command_id] = name
            if len(self.commands) > REMEMBERED:
                self.commands.popitem(last=False)
