"""What was used of limits: by token, vehicle and account; in a business day, a week, a month. From the journal alone.

A clock may jump. Use that was booked on a later day than today's counts too, so a clock that is set back gives nothing
back; and nothing counts for longer than its window by the time that has really passed, so a clock that jumped ahead
and came back locks nobody for longer. Knows no list and no clock.
"""

from datetime import date

import msgspec

from controller.domain.allotments import Allotments, Held, Lasts, Moment
from controller.domain.days import BusinessDay
from controller.domain.elapsed import Elapsed
from controller.domain.funds import Funds
from controller.domain.lists import Cap, Level, Measure, Window
from controller.domain.pin_records import CodeTried, PinNoted, PinTried, PinUnlocked
from controller.domain.pins import Pins
from controller.domain.records import (
    Allotted,
    Authorised,
    Body,
    Contact,
    Delivery,
    OdometerReset,
    Released,
    Unreserved,
)

HOUR_MS = 3_600_000
LENGTH_MS = {Window.DAY: 25 * HOUR_MS, Window.WEEK: (7 * 24 + 1) * HOUR_MS, Window.MONTH: (31 * 24 + 1) * HOUR_MS}
"""The longest that each can be: an hour more where the clocks are set back."""


class Going(msgspec.Struct, array_like=True):
    """What was authorised last at a point: its row's name, its vehicle, and the odometer that was told."""

    name: str
    vehicle: bytes
    odometer_km: int | None = None


class Reading(msgspec.Struct, array_like=True):
    """An odometer. `at_ms`: elapsed time of the delivery for which it was told."""

    km: int
    at_ms: int


class DayUse(msgspec.Struct, array_like=True):
    """What was taken on a business day. `at_ms`: elapsed time of the last of it."""

    day: int
    at_ms: int
    volume_ml: int = 0
    amount_minor: int = 0
    fills: int = 0


class Usage(msgspec.Struct):
    """All that decisions need of the past, as plain values. Change it by `apply()` only."""

    elapsed: Elapsed = msgspec.field(default_factory=Elapsed)
    days: dict[str, list[DayUse]] = {}
    """By `key_of`, the earliest day first."""
    going: dict[int, Going] = {}
    """By fuelling point."""
    odometers: dict[bytes, Reading] = {}
    """By token: what was told for its last delivery."""
    allotments: Allotments = msgspec.field(default_factory=Allotments)
    pins: Pins = msgspec.field(default_factory=Pins)
    contact_ms: int = 0
    """Elapsed time of the last contact with headquarters that the journal knows."""
    swept_ms: int = 0
    driver_codes: Pins = msgspec.field(default_factory=Pins)
    """Wrong ones, counted as PINs are, and apart from them."""

    def apply(self, body: Body, business_day: BusinessDay) -> None:
        """Take the next row."""
        name, record = body.name.text, body.record
        if self.elapsed.take(body.stamp):
            self._came_back()
        match record:
            case Authorised():
                self.going[record.point] = Going(name, record.vehicle, record.evidence.odometer_km)
                if (own := record.reserved) is not None:
                    where = record.point, record.nozzle, record.price, record.totaliser_before_ml
                    held = Held(own.pot, own.amount_minor, *where, at=self._moment(body))
                    self.allotments.reserve(name, held)
            case Delivery():
                self._deliver(record, business_day.of(body.stamp.wall_ms), self._moment(body))
            case Released():
                self.allotments.let_go(record.authorised.text, proven=record.proven)
            case Unreserved() if record.authorised.text in self.allotments.held:
                self.allotments.spend(record.authorised.text, record.pot, record.spent_minor, self._moment(body))
            case Allotted():
                lasts = Lasts(record.valid_until_ms, self._moment(body)) if record.valid_until_ms else None
                self.allotments.allot(record.pot, record.allotment_id, record.amount_minor, lasts)
            case PinTried():
                key, right = record.token.key, record.right
                self.pins.tried(key, record.version, right=right, wrong=record.wrong, on_card=record.on_card)
            case PinNoted():
                self.pins.noted(record.token.key)
            case PinUnlocked():
                self.pins.unlocked(record.token.key)
                self.driver_codes.forgotten(record.token.key)
            case CodeTried():
                self.driver_codes.tried(record.token.key, record.version, right=record.right, wrong=record.wrong)
            case OdometerReset():
                self.odometers.pop(record.token.key, None)
            case Contact():
                self.contact_ms = self.elapsed.ms
            case _:
                pass

    def used(self, key: str, cap: Cap, day: int, elapsed_ms: int) -> int:
        """What counts against this limit on the business day `day`, in the limit's measure. A fill begins at zero."""
        if cap.window is Window.FILL:
            return 0
        now, length_ms = window_of(cap.window, day), LENGTH_MS[cap.window]
        return sum(
            _measured(use, cap.measure)
            for use in self.days.get(key, ())
            if window_of(cap.window, use.day) >= now and elapsed_ms - use.at_ms < length_ms
        )

    def _moment(self, body: Body) -> Moment:
        return Moment(self.elapsed.ms, body.stamp.wall_ms)

    def _deliver(self, record: Delivery, day: int, now: Moment) -> None:
        if record.token is None:
            return
        vehicle = b""
        going = self.going.get(record.point)
        if going is not None and record.authorised is not None and record.authorised.text == going.name:
            vehicle = going.vehicle
            if going.odometer_km is not None:
                self.odometers[record.token.key] = Reading(going.odometer_km, now.elapsed_ms)
        for level, who in ((Level.CARD, record.token.key), (Level.VEHICLE, vehicle)):
            if who:
                self._count(key_of(level, who), record, day)
        self._count(key_of(Level.ACCOUNT, record.account), record, day)
        if record.funds is Funds.PREPAID:
            name = record.authorised.text if record.authorised else ""
            pot = self.allotments.pot_of(record.token, record.account)
            self.allotments.spend(name, pot, record.amount_minor, now)
        elif record.funds is Funds.CARD_PURSE and record.authorised is not None:
            self.allotments.let_go(record.authorised.text, proven=True)

    def _count(self, key: str, record: Delivery, day: int) -> None:
        self._sweep()
        days = self.days.setdefault(key, [])
        use = next((use for use in days if use.day == day), None)
        if use is None:
            use = DayUse(day, 0)
            days.append(use)
            days.sort(key=lambda each: each.day)
        use.at_ms = self.elapsed.ms
        use.volume_ml += record.volume_ml
        use.amount_minor += record.amount_minor
        use.fills += 1

    def _sweep(self) -> None:
        """Forget what counts for nobody any more, once a month. Time that is in doubt makes nothing old."""
        sure_ms = self.elapsed.ms - self.elapsed.doubtful_ms
        oldest_ms = sure_ms - LENGTH_MS[Window.MONTH]
        if self.swept_ms > oldest_ms:
            return
        self.swept_ms = sure_ms
        kept = {key: [use for use in days if use.at_ms > oldest_ms] for key, days in self.days.items()}
        self.days = {key: days for key, days in kept.items() if days}

    def _came_back(self) -> None:
        """The time that a wrong clock made up has not passed: what was used in it was used just now."""
        now_ms = self.elapsed.ms
        self.contact_ms, self.swept_ms = min(self.contact_ms, now_ms), min(self.swept_ms, now_ms)
        for days in self.days.values():
            for use in days:
                use.at_ms = min(use.at_ms, now_ms)
        for reading in self.odometers.values():
            reading.at_ms = min(reading.at_ms, now_ms)
        self.allotments.came_back(now_ms)


def key_of(level: Level, who: bytes | str) -> str:
    """Under which use is counted: of a token's or vehicle's keyed hash, or of an account."""
    return f"{level}:{who.hex() if isinstance(who, bytes) else who}"


def window_of(window: Window, day: int) -> int:
    """The number of the day, week or month of a business day (date.toordinal); it grows with the day."""
    match window:
        case Window.WEEK:
            return (day - 1) // 7  # day 1 was a Monday
        case Window.MONTH:
            moment = date.fromordinal(day)
            return moment.year * 12 + moment.month
        case _:
            return day


def _measured(use: DayUse, measure: Measure) -> int:
    match measure:
        case Measure.VOLUME:
            return use.volume_ml
        case Measure.AMOUNT:
            return use.amount_minor
        case Measure.FILLS:
            return use.fills
