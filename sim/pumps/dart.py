"""The pump's end of DART: the twin of `controller.pumps.dart`, made from the same frame codec.

It answers frames, and keeps a pump's state whether or not anybody polls it. What happens at the head becomes
visible to turns that begin strictly later, so that the answer at one moment does not depend on the order in
which things happened at that moment. Knows no port and no clock.
"""

from collections import deque
from enum import Enum, auto

from controller.domain.quantities import UnitPrice
from controller.pumps.dart import transactions as dart
from controller.pumps.dart.errors import BadBlock, FrameError
from controller.pumps.dart.frame import TX_MAX, Control, Frame, decode, encode, split
from controller.pumps.dart.settings import PRICE_MAX, DartSettings
from controller.pumps.dart.transactions import State
from sim.pumps.head import HeadChange, PumpHead

REPLY_LATENCY_US = 25_000
"""What most pumps take."""
NAKS_MAX = 3


class Signal(Enum):
    """What moves a pump from state to state."""

    PRICED = auto()
    RESET = auto()
    AUTHORIZE = auto()
    FIRST_VOLUME = auto()
    NOZZLE_IN = auto()
    STOP = auto()
    PRESET_REACHED = auto()
    SUSPEND = auto()
    RESUME = auto()
    SWITCH_OFF = auto()


LIVE = (State.AUTHORIZED, State.FILLING, State.SUSPENDED)
STATES: dict[tuple[State, Signal], State] = {
    (State.NOT_PROGRAMMED, Signal.PRICED): State.COMPLETED,
    (State.COMPLETED, Signal.RESET): State.RESET,
    (State.MAX, Signal.RESET): State.RESET,
    (State.SWITCHED_OFF, Signal.RESET): State.RESET,
    (State.RESET, Signal.RESET): State.RESET,
    (State.RESET, Signal.AUTHORIZE): State.AUTHORIZED,
    (State.AUTHORIZED, Signal.FIRST_VOLUME): State.FILLING,
    (State.SWITCHED_OFF, Signal.STOP): State.COMPLETED,
    (State.MAX, Signal.STOP): State.COMPLETED,
    (State.MAX, Signal.NOZZLE_IN): State.COMPLETED,
    **{(state, signal): State.COMPLETED for state in LIVE for signal in (Signal.NOZZLE_IN, Signal.STOP)},
    **{(state, Signal.PRESET_REACHED): State.MAX for state in LIVE},
    (State.AUTHORIZED, Signal.SUSPEND): State.SUSPENDED,
    (State.FILLING, Signal.SUSPEND): State.SUSPENDED,
    (State.SUSPENDED, Signal.RESUME): State.AUTHORIZED,  # FILLING again if something has run
    **{(state, Signal.SWITCH_OFF): State.SWITCHED_OFF for state in State},
}
"""What is not here leaves the pump as it is."""


class DartTwin:
    """One DART pump at the other end of a line.

    `wrap_to`: the TX# after F, 1 or 0. `sends_filling`: it sends running values by itself. `programmed`: it
    has prices; else it begins NOT PROGRAMMED. `has_totals`: it knows DC101.
    """

    def __init__(
        self,
        head: PumpHead,
        settings: DartSettings,
        *,
        wrap_to: int = 1,
        reply_latency_us: int = REPLY_LATENCY_US,
        sends_filling: bool = True,
        programmed: bool = True,
        has_totals: bool = True,
    ) -> None:
        self.head = head
        self.settings = settings
        self.reply_latency_us = reply_latency_us
        self.state = State.RESET if programmed else State.NOT_PROGRAMMED
        self.log: list[dart.ToPump] = []
        """The transactions that were acted upon, for tests."""
        self._wrap_to = wrap_to
        self._sends_filling = sends_filling
        self._has_totals = has_totals
        self._seen: deque[tuple[int, HeadChange, int]] = deque()
        self._nozzle = 0
        self._out = False
        self._allowed: tuple[int, ...] = tuple(range(1, settings.nozzles + 1))
        self._shown_volume = 0
        self._status_due = self._nozzle_due = self._filled_due = False
        self._others: list[dart.ToMaster] = []
        self._tx = 0
        self._unacked: bytes | None = None
        self._naks = 0
        self._last_tx: int | None = None
        self._last_body = b""
        head.listeners.append(self._head_changed)

    def _head_changed(self, change: HeadChange, nozzle: int, at_us: int) -> None:
        self._seen.append((at_us, change, nozzle))

    # --- the line's side ------------------------------------------------------------------------------------

    def hears(self, data: bytes) -> bool:
        """Whether this is said to us."""
        return bool(data) and data[0] == self.settings.address

    def has_news(self, now_us: int) -> bool:
        """Something to send, or about to be."""
        self.head.advance(now_us)
        due = self._status_due or self._nozzle_due or self._filled_due
        return due or bool(self._seen or self._others) or self._unacked is not None

    @property
    def quiet_answer(self) -> bytes:
        """What it says to a poll when it has no news."""
        return encode(Frame(self.settings.address, Control.EOT))

    @property
    def alarm_codes(self) -> range:
        """DC5 is one byte."""
        return range(0x100)

    def alarm(self, code: int, _now_us: int) -> bool:
        """Report a fault at the next poll: True, it can always be told."""
        self._others.append(dart.Alarmed(code))
        return True

    def power_cycle(self, now_us: int, *, forgets: bool = False) -> None:
        """The electronics start again: link numbers from 0, what was to be sent is forgotten.

        `forgets`: prices and the delivery too; the totalisers never.
        """
        self._tx = 0
        self._unacked = self._last_tx = None
        self._status_due = self._nozzle_due = True
        self._others = [dart.Alarmed(0x01)]
        if forgets:
            self._observe(now_us)
            self.head.reset(now_us)
            self.state = State.NOT_PROGRAMMED
            self._shown_volume = 0
            self._filled_due = False

    def receive(self, data: bytes, now_us: int) -> bytes:
        """The answer to what came over the line in one turn; empty if it is none of ours, or damaged."""
        self._observe(now_us)
        answer = b""
        for piece in split(data):
            try:
                frame = decode(piece)
            except FrameError:
                continue  # a damaged frame is never answered
            if frame.address == self.settings.address:
                answer += self._answer(frame, now_us)
        return answer

    def _answer(self, frame: Frame, now_us: int) -> bytes:
        match frame.control:
            case Control.POLL:
                return self._polled(now_us)
            case Control.DATA:
                return self._data(frame, now_us)
            case Control.ACK:
                self._acked(frame.tx)
            case Control.ACK_POLL:
                self._acked(frame.tx)
                return self._polled(now_us)
            case Control.NAK if self._unacked is not None:
                self._naks += 1
                if self._naks >= NAKS_MAX:
                    self._naks = self._tx = 0
            case _:
                pass
        return b""

    def _acked(self, tx: int) -> None:
        if self._unacked is not None and tx == self._tx:
            self._unacked = None
            self._naks = 0
            self._tx = self._next(self._tx)

    def _next(self, tx: int) -> int:
        return tx + 1 if tx < TX_MAX else self._wrap_to

    def _reply(self, control: Control, tx: int = 0, body: bytes = b"") -> bytes:
        return encode(Frame(self.settings.address, control, tx, body))

    def _data(self, frame: Frame, now_us: int) -> bytes:
        last = self._last_tx
        if last is not None and frame.tx == last and (last != 0 or frame.body == self._last_body):
            return self._reply(Control.ACK, frame.tx)  # the acknowledgement was lost: not done twice
        if last is not None and frame.tx != 0 and frame.tx != (last + 1 if last < TX_MAX else 1):
            return self._reply(Control.NAK, frame.tx)
        try:
            items = dart.to_pump(frame.body)
        except BadBlock:
            return self._reply(Control.NAK, frame.tx)
        self._last_tx, self._last_body = frame.tx, frame.body
        for item in items:
            self._act(item, now_us)
        return self._reply(Control.ACK, frame.tx)

    def _polled(self, now_us: int) -> bytes:
        if self._unacked is None:
            volume = self._volume_digits(now_us)
            if self._sends_filling and self.state is State.FILLING and volume != self._shown_volume:
                self._filled_due = True
            items = self._pending(now_us)
            if not items:
                return self.quiet_answer
            self._unacked = dart.block(items)
        return self._reply(Control.DATA, self._tx, self._unacked)

    def _pending(self, now_us: int) -> tuple[dart.ToMaster, ...]:
        """All that is to be said, in one block; at most three of the long ones."""
        items: list[dart.ToMaster] = []
        if self._status_due:
            items.append(dart.Status(self.state))
        if self._filled_due:
            self._shown_volume = self._volume_digits(now_us)
            items.append(dart.Filled(self._shown_volume, self._amount_digits(now_us)))
        if self._nozzle_due:
            price = self._price_digits(self._nozzle) if self._nozzle else 0
            items.append(dart.NozzleState(price, self._nozzle, self._out))
        self._status_due = self._filled_due = self._nozzle_due = False
        items += self._others[:3]
        del self._others[:3]
        return tuple(items)

    # --- the state machine ----------------------------------------------------------------------------------

    def _observe(self, now_us: int) -> None:
        """Take note of what happened at the head strictly before `now_us`."""
        self.head.advance(now_us)
        while self._seen and self._seen[0][0] < now_us:
            _, change, nozzle = self._seen.popleft()
            match change:
                case HeadChange.LIFTED:
                    self._nozzle, self._out = nozzle, True
                    self._nozzle_due = True
                case HeadChange.HUNG_UP:
                    self._out = False
                    self._nozzle_due = True
                    self._signal(Signal.NOZZLE_IN, now_us)
                case HeadChange.PRESET_REACHED:
                    self._signal(Signal.PRESET_REACHED, now_us)
                case HeadChange.FLOW_STOPPED:
                    pass
        if self.state is State.AUTHORIZED and self._volume_digits(now_us):
            self._signal(Signal.FIRST_VOLUME, now_us)

    def _signal(self, signal: Signal, now_us: int) -> None:
        after = STATES.get((self.state, signal))
        if after is None or after is self.state:
            return
        if signal is Signal.RESUME and self._volume_digits(now_us):
            after = State.FILLING
        if after in (State.COMPLETED, State.MAX) and self._sends_filling:
            self._filled_due = True
        self.state = after
        self._status_due = True

    def _act(self, item: dart.ToPump, now_us: int) -> None:
        self.log.append(item)
        match item:
            case dart.Command(order):
                self._command(order, now_us)
            case dart.AllowNozzles(nozzles):
                self._allowed = nozzles
            case dart.PresetVolume(volume):
                self.head.limit(now_us, volume_ml=self.settings.volume_ml(volume))
            case dart.PresetAmount(amount):
                self.head.limit(now_us, amount_minor=self.settings.amount_minor(amount))
            case dart.Prices(prices):
                self._programme(prices, now_us)
            case dart.IdentityLost():
                self._suspend(now_us)
            case dart.IdentityRegained():
                self._resume(now_us)
            case dart.AskTotal(counter) if self._has_totals:
                self._total(counter, now_us)
            case _:
                pass

    def _command(self, order: dart.Order, now_us: int) -> None:
        match order:
            case dart.Order.RETURN_STATUS:
                self._status_due = self._nozzle_due = True
            case dart.Order.RETURN_IDENTITY:
                self._others.append(dart.Identity(1234, 1, 100))
            case dart.Order.RETURN_FILLING:
                self._filled_due = True
            case dart.Order.RETURN_PRICES:
                self._nozzle_due = True
            case dart.Order.RESET if (self.state, Signal.RESET) in STATES:
                self.head.reset(now_us)
                self._shown_volume = 0
                self._signal(Signal.RESET, now_us)
            case dart.Order.AUTHORIZE if self.state is State.RESET:
                self._signal(Signal.AUTHORIZE, now_us)
                self._permit(now_us)
            case dart.Order.STOP:
                self.head.forbid(now_us)
                self._signal(Signal.STOP, now_us)
            case dart.Order.SWITCH_OFF:
                self.head.forbid(now_us)
                self._signal(Signal.SWITCH_OFF, now_us)
            case dart.Order.SUSPEND:
                self._suspend(now_us)
            case dart.Order.RESUME:
                self._resume(now_us)
            case _:
                pass

    def _permit(self, now_us: int) -> None:
        # A hang-up of this very moment counts as later than the order, so it has taken the permission back.
        if not any(change is HeadChange.HUNG_UP for _, change, _ in self._seen):
            self.head.permit(self._allowed, now_us)

    def _suspend(self, now_us: int) -> None:
        if (self.state, Signal.SUSPEND) in STATES:
            self.head.forbid(now_us)
            self._signal(Signal.SUSPEND, now_us)

    def _resume(self, now_us: int) -> None:
        if (self.state, Signal.RESUME) in STATES:
            self._signal(Signal.RESUME, now_us)
            self._permit(now_us)

    def _programme(self, prices: tuple[int, ...], now_us: int) -> None:
        if len(prices) != len(self.head.nozzles) or self.state in (*LIVE, State.MAX):
            return
        self.head.set_prices([UnitPrice(price, self.settings.price_decimals) for price in prices])
        self._nozzle_due = True
        self._signal(Signal.PRICED, now_us)

    # --- digits ---------------------------------------------------------------------------------------------

    def _volume_digits(self, now_us: int) -> int:
        return self.head.volume_ml(now_us) // self.settings.volume_ml(1) % 10**8

    def _amount_digits(self, now_us: int) -> int:
        return self.head.amount_minor(now_us) // self.settings.amount_minor(1) % 10**8

    def _price_digits(self, nozzle: int) -> int:
        return self.settings.price_digits(self.head.price(nozzle), most=PRICE_MAX) or 0

    def _total(self, counter: int, now_us: int) -> None:
        numbers = range(1, len(self.head.nozzles) + 1)
        of_money, which = bool(counter & 0x10), counter & 0x0F
        if which != 9 and which not in numbers:
            return
        wanted = numbers if which == 9 else (which,)
        if of_money:
            unit = self.settings.amount_minor(1)
            value = sum(self.head.totaliser_minor(n, now_us) for n in wanted) // unit
        else:
            unit = self.settings.total_ml(1)
            value = sum(self.head.totaliser_ml(n, now_us) for n in wanted) // unit
        value %= 10**10
        self._others.append(dart.Total(counter, value, value, 0))
