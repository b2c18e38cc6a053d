"""The pump's end of the two-wire protocol: the twin of `controller.pumps.two_wire`, made from the same words.

It answers commands, and keeps a pump's state whether or not anybody polls it. What happens at the head becomes
visible to turns that begin strictly later, so that the answer at one moment does not depend on the order in which
things happened at that moment. What is said to other pumps matters to it in two states only: then it hears that too.
Knows no port and no clock.
"""

from collections import deque
from enum import Enum, auto

from controller.domain.quantities import UnitPrice
from controller.pumps.two_wire import blocks
from controller.pumps.two_wire.blocks import GradeTotals, Level, MoneyPreset, Price, SpecialFunction, VolumePreset
from controller.pumps.two_wire.errors import FrameError
from controller.pumps.two_wire.frame import (
    MONEY_WORDS,
    STOP_ALL,
    Command,
    Status,
    Word,
    pump_of,
    status_byte,
    to_digits,
)
from controller.pumps.two_wire.settings import TwoWireSettings
from sim.pumps.head import HeadChange, PumpHead

REPLY_LATENCY_US = 30_000
"""What most pumps take."""
VERSION = "0107"


class Signal(Enum):
    """What moves a pump from state to state."""

    LIFTED = auto()
    HUNG_UP_DRY = auto()
    HUNG_UP_SOLD = auto()
    AUTHORISE = auto()
    READY = auto()
    """Authorised, and the handle is up."""
    STOP_DRY = auto()
    STOP_SOLD = auto()
    LEFT_DOWN = auto()
    """The delivery was read and the pump was left, handle down."""
    LEFT_UP = auto()


ENDED = (Status.PEOT, Status.FEOT)
RESTING = (Status.OFF, Status.CALL)
LIVE = (Status.AUTHORISED, Status.BUSY)
STATES: dict[tuple[Status, Signal], Status] = {
    (Status.OFF, Signal.LIFTED): Status.CALL,
    (Status.CALL, Signal.HUNG_UP_DRY): Status.OFF,
    (Status.CALL, Signal.HUNG_UP_SOLD): Status.OFF,
    (Status.OFF, Signal.AUTHORISE): Status.AUTHORISED,
    (Status.CALL, Signal.AUTHORISE): Status.BUSY,
    (Status.AUTHORISED, Signal.READY): Status.BUSY,
    (Status.AUTHORISED, Signal.STOP_DRY): Status.OFF,
    (Status.BUSY, Signal.HUNG_UP_DRY): Status.OFF,
    (Status.BUSY, Signal.HUNG_UP_SOLD): Status.FEOT,  # PEOT if a preset bounds it, OFF on an old board
    (Status.BUSY, Signal.STOP_DRY): Status.CALL,
    (Status.BUSY, Signal.STOP_SOLD): Status.STOPPED,
    (Status.STOPPED, Signal.AUTHORISE): Status.BUSY,
    (Status.STOPPED, Signal.HUNG_UP_SOLD): Status.FEOT,
    **{(state, Signal.LEFT_DOWN): Status.OFF for state in ENDED},
    **{(state, Signal.LEFT_UP): Status.CALL for state in ENDED},
}
"""What is not here leaves the pump as it is."""


class TwoWireTwin:
    """One two-wire pump at the other end of a line.

    `settings.old_board` and `settings.wide` say what kind of pump it is. `has_totals`, `has_version`: it answers
    those questions. `keeps_grade`: a preset for one grade holds it to that grade; old firmware gives any all the same.
    `break_stops`: a break of half a second on the line stops it.
    """

    def __init__(
        self,
        head: PumpHead,
        settings: TwoWireSettings,
        *,
        reply_latency_us: int = REPLY_LATENCY_US,
        has_totals: bool = True,
        has_version: bool = True,
        keeps_grade: bool = True,
        break_stops: bool = False,
    ) -> None:
        self.head = head
        self.settings = settings
        self.reply_latency_us = reply_latency_us
        self.state = Status.OFF
        self.log: list[Command | blocks.ToPump] = []
        """What was acted upon, for tests; status polls are left out."""
        self._has_totals = has_totals
        self._has_version = has_version
        self._keeps_grade = keeps_grade
        self._break_stops = break_stops
        self._seen: deque[tuple[int, HeadChange, int]] = deque()
        self._out = head.nozzle_out is not None
        self._wants_block = False
        self._data_error = False
        self._was_read = False
        self._preset: VolumePreset | MoneyPreset | None = None
        self._bounded = False
        self._allowed: tuple[int, ...] = ()
        self._transaction = blocks.Transaction(1, Level.FIRST, 0, 0, 0, settings.wide)
        head.listeners.append(self._head_changed)

    def _head_changed(self, change: HeadChange, nozzle: int, at_us: int) -> None:
        self._seen.append((at_us, change, nozzle))

    # --- what goes wrong in it ------------------------------------------------------------------------------

    @property
    def alarm_codes(self) -> range:
        """Any: no word of the protocol carries one."""
        return range(0x100)

    def alarm(self, _code: int, now_us: int) -> bool:
        """Nothing says what is wrong: a pump that delivers stops by itself, another shows a data error once."""
        self._observe(now_us)
        if self.state in LIVE:
            self._halt(now_us)
            return True
        shows_one, self._data_error = self._data_error, True
        return not shows_one

    def power_cycle(self, now_us: int, *, forgets: bool = False) -> None:
        """The electronics start again: a delivery that ran is over, and an end that was not read is shown again.

        `forgets`: it knows of no delivery any more. Totals and prices are kept in any case.
        """
        self._observe(now_us)
        self.head.forbid(now_us)
        self._preset = None
        self._wants_block = self._data_error = self._was_read = False
        if forgets:
            self.head.reset(now_us)
            self._transaction = blocks.Transaction(1, Level.FIRST, 0, 0, 0, self.settings.wide)
            self.state = Status.CALL if self._out else Status.OFF
        elif self.state in (*LIVE, Status.STOPPED):
            if self._volume_digits(now_us):
                self._end(self.head.selected, now_us)
            if self.state not in ENDED:
                self.state = Status.CALL if self._out else Status.OFF

    # --- the line's side ------------------------------------------------------------------------------------

    def hears(self, data: bytes) -> bool:
        """Whether this is said to us, or concerns us although it is not."""
        if not data:
            return False
        if data[0] == Word.START:
            return self._wants_block
        mine = data[0] == STOP_ALL or pump_of(data[0]) == self.settings.pump_id
        return mine or self._wants_block or (self.state in ENDED and self._was_read)

    def has_news(self, now_us: int) -> bool:
        """The next poll may bring something else than the quiet answer."""
        self.head.advance(now_us)
        return bool(self._seen) or self.state not in RESTING or self._wants_block or self._data_error

    @property
    def quiet_answer(self) -> bytes:
        """What it says to a poll when it has no news."""
        return status_byte(self.state, self.settings.pump_id)

    def broken(self, now_us: int) -> None:
        """The line was open for half a second. Most pumps stop, some do not care."""
        self._observe(now_us)
        if self._break_stops:
            self._halt(now_us)

    def receive(self, data: bytes, now_us: int) -> bytes:
        """The answer to what came over the line in one turn; empty if there is none."""
        self._observe(now_us)
        answer = b""
        while data:
            if data[0] == Word.START:
                end = data.find(Word.END) + 1 or len(data)
                answer += self._block(data[:end], now_us)
            else:
                end = 1
                answer += self._byte(data[0], now_us)
            data = data[end:]
        return answer

    def _byte(self, byte: int, now_us: int) -> bytes:
        self._wants_block = False
        if byte == STOP_ALL:
            self._halt(now_us)
            return b""
        try:
            command = Command(byte >> 4)
        except ValueError:
            return b""
        if pump_of(byte) != self.settings.pump_id:
            self._left()
            return b""
        if command is Command.STATUS:
            return self._status()
        self.log.append(command)
        if command is not Command.TRANSACTION:
            self._left()
        return self._command(command, now_us)

    def _status(self) -> bytes:
        state = Status.DATA_ERROR if self._data_error else self.state
        self._data_error = False
        return status_byte(state, self.settings.pump_id)

    def _left(self) -> None:
        """Another pump was polled, or another command came."""
        if self._was_read:
            self._signal(Signal.LEFT_UP if self._out else Signal.LEFT_DOWN)

    def _command(self, command: Command, now_us: int) -> bytes:
        match command:
            case Command.AUTHORISE:
                self._authorise(now_us)
            case Command.STOP:
                self._halt(now_us)
            case Command.DATA_NEXT:
                self._wants_block = True
                return status_byte(Status.SEND_DATA, self.settings.pump_id)
            case Command.TRANSACTION:
                self._was_read = self.state in ENDED
                return blocks.to_master_bytes(self._transaction)
            case Command.TOTALS if self._has_totals:
                return blocks.to_master_bytes(self._totals(now_us))
            case Command.MONEY if self.state is Status.BUSY:
                return to_digits(self._amount_digits(now_us) % 10**MONEY_WORDS, MONEY_WORDS)
        return b""

    def _block(self, data: bytes, now_us: int) -> bytes:
        if not self._wants_block:
            return b""
        self._wants_block = False
        try:
            item = blocks.to_pump(data)
        except FrameError:
            self._data_error = True
            return b""
        self.log.append(item)
        match item:
            case SpecialFunction(blocks.VERSION) if self._has_version:
                return blocks.to_master_bytes(blocks.Version(VERSION))
            case Price() if self.state is Status.OFF and item.grade <= len(self.head.nozzles):
                self._programme(item)
            case VolumePreset() | MoneyPreset() if self.state in RESTING and self._has_grade(item.grade):
                self._preset = item
            case _:
                self._data_error = True
        return b""

    def _has_grade(self, grade: int | None) -> bool:
        return grade is None or grade <= len(self.head.nozzles)

    # --- the state machine ----------------------------------------------------------------------------------

    def _observe(self, now_us: int) -> None:
        """Take note of what happened at the head strictly before `now_us`."""
        self.head.advance(now_us)
        while self._seen and self._seen[0][0] < now_us:
            at_us, change, nozzle = self._seen.popleft()
            match change:
                case HeadChange.LIFTED:
                    self._out = True
                    self._signal(Signal.READY if self.state is Status.AUTHORISED else Signal.LIFTED)
                case HeadChange.HUNG_UP:
                    self._out = False
                    self._hung_up(nozzle, max(at_us, now_us))
                case _:
                    pass  # at its preset the pump is busy until the nozzle is hung up

    def _hung_up(self, nozzle: int, now_us: int) -> None:
        if self.state not in (Status.BUSY, Status.STOPPED):
            self._signal(Signal.HUNG_UP_DRY)
        else:
            self._end(nozzle, now_us)

    def _end(self, nozzle: int, now_us: int) -> None:
        """A delivery is over: what ran is a transaction from now on."""
        volume = self._volume_digits(now_us)
        if volume:
            price_digits, volume_digits, money_digits = (
                blocks.WIDE_DIGITS if self.settings.wide else blocks.NARROW_DIGITS
            )
            self._transaction = blocks.Transaction(
                nozzle,
                Level.FIRST,
                self._price_digits(nozzle) % 10**price_digits,
                volume % 10**volume_digits,
                self._amount_digits(now_us) % 10**money_digits,
                self.settings.wide,
            )
        self._signal(Signal.HUNG_UP_SOLD if volume else Signal.HUNG_UP_DRY)

    def _signal(self, signal: Signal) -> None:
        after = STATES.get((self.state, signal))
        if after is None:
            return
        if after is Status.FEOT:
            self._was_read = False
            if self.settings.old_board:
                after = Status.OFF
            elif self._bounded:
                after = Status.PEOT
        self.state = after

    def _authorise(self, now_us: int) -> None:
        if (self.state, Signal.AUTHORISE) not in STATES:
            return
        preset = self._preset
        if self.state in RESTING:
            self.head.reset(now_us)
            self._bounded = preset is not None
            match preset:
                case VolumePreset(volume):
                    self.head.limit(now_us, volume_ml=self.settings.preset_volume_ml(volume))
                case MoneyPreset(amount):
                    self.head.limit(now_us, amount_minor=self.settings.amount_minor(amount))
            self._allowed = tuple(range(1, len(self.head.nozzles) + 1))
            if preset is not None and preset.grade is not None and self._keeps_grade:
                self._allowed = (preset.grade,)
            self._preset = None
        self._signal(Signal.AUTHORISE)
        # A hang-up of this very moment counts as later than the order, so it has taken the permission back.
        if not any(change is HeadChange.HUNG_UP for _, change, _ in self._seen):
            self.head.permit(self._allowed, now_us)

    def _halt(self, now_us: int) -> None:
        if self.state in LIVE:
            self.head.forbid(now_us)
        self._signal(Signal.STOP_SOLD if self._volume_digits(now_us) else Signal.STOP_DRY)

    def _programme(self, item: Price) -> None:
        if item.level is Level.FIRST:
            prices = [nozzle.price for nozzle in self.head.nozzles]
            prices[item.grade - 1] = UnitPrice(item.price, self.settings.price_decimals)
            self.head.set_prices(prices)

    # --- digits ---------------------------------------------------------------------------------------------

    def _totals(self, now_us: int) -> tuple[GradeTotals, ...]:
        modulo = 10**blocks.TOTAL_DIGITS
        return tuple(
            GradeTotals(
                grade,
                self.head.totaliser_ml(grade, now_us) // self.settings.total_ml(1) % modulo,
                self.head.totaliser_minor(grade, now_us) // self.settings.amount_minor(1) % modulo,
                self._price_digits(grade) % 10**blocks.PRICE_DIGITS,
                self._price_digits(grade) % 10**blocks.PRICE_DIGITS,
            )
            for grade in range(1, len(self.head.nozzles) + 1)
        )

    def _volume_digits(self, now_us: int) -> int:
        return self.head.volume_ml(now_us) // self.settings.volume_ml(1)

    def _amount_digits(self, now_us: int) -> int:
        return self.head.amount_minor(now_us) // self.settings.amount_minor(1)

    def _price_digits(self, nozzle: int) -> int:
        return self.settings.price_digits(self.head.price(nozzle), most=10 ** blocks.WIDE_DIGITS[0] - 1) or 0
