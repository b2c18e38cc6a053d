"""The pump's end of AZT 2.0: the twin of `controller.pumps.azt2`, made from the same frame codec.

It answers requests, and keeps a pump's state and its last delivery whether or not anybody asks. What happens at the
head becomes visible to turns that begin strictly later, so that the answer at one moment does not depend on the
order in which things happened at that moment. Knows no port and no clock.
"""

from collections import deque
from enum import Enum, auto

from controller.domain.quantities import UnitPrice
from controller.pumps.azt2 import messages as azt
from controller.pumps.azt2.errors import FrameError
from controller.pumps.azt2.frame import Answer, Reply, Request, decode_request, encode_reply, split
from controller.pumps.azt2.messages import Command, State
from controller.pumps.azt2.settings import AztSettings
from sim.pumps.head import HeadChange, PumpHead

REPLY_LATENCY_US = 20_000
COUNTER_DIGITS = 10
VERSION = "00000200"
NOZZLE = 1


class Signal(Enum):
    """What moves a pump from state to state."""

    NOZZLE_OUT = auto()
    NOZZLE_IN = auto()
    DOSED = auto()
    """A dose was set at the pump's own keys."""
    AUTHORISE = auto()
    START = auto()
    FIRST_VOLUME = auto()
    STOP = auto()
    DOSE_REACHED = auto()
    CONFIRM = auto()


AT_NOZZLE = (State.HUNG, State.LIFTED)
LIVE = (State.AUTHORISED, State.FUELLING)
STATES: dict[tuple[State, Signal], State] = {
    (State.HUNG, Signal.NOZZLE_OUT): State.LIFTED,
    (State.LIFTED, Signal.NOZZLE_IN): State.HUNG,
    **{(state, Signal.DOSED): State.DOSED for state in AT_NOZZLE},
    (State.DOSED, Signal.STOP): State.HUNG,  # LIFTED if the nozzle is out
    **{(state, Signal.AUTHORISE): State.AUTHORISED for state in (*AT_NOZZLE, State.DOSED)},
    (State.AUTHORISED, Signal.START): State.FUELLING,
    (State.AUTHORISED, Signal.FIRST_VOLUME): State.FUELLING,
    **{
        (state, signal): State.FINISHED
        for state in LIVE
        for signal in (Signal.STOP, Signal.NOZZLE_IN, Signal.DOSE_REACHED)
    },
    (State.FINISHED, Signal.CONFIRM): State.HUNG,  # LIFTED if the nozzle is out
}
"""What is not here leaves the pump as it is, and is answered by CAN."""

_SIGNALS = {
    Command.AUTHORISE: Signal.AUTHORISE,
    Command.STOP: Signal.STOP,
    Command.CONFIRM: Signal.CONFIRM,
    Command.START: Signal.START,
}


class AztTwin:
    """One AZT pump at the other end of a line.

    `lacks`: commands that it does not know (NAK). `full_at_rest`: 35 is answered while it rests, with the last
    delivery; else CAN. `counter_digits`: of each of the two totalisers.
    """

    def __init__(
        self,
        head: PumpHead,
        settings: AztSettings,
        *,
        reply_latency_us: int = REPLY_LATENCY_US,
        lacks: frozenset[Command] = frozenset(),
        full_at_rest: bool = True,
        counter_digits: int = COUNTER_DIGITS,
    ) -> None:
        self.head = head
        self.settings = settings
        self.reply_latency_us = reply_latency_us
        self.state = State.HUNG
        self.log: list[Request] = []
        """The requests that were done, for tests."""
        self._lacks = lacks
        self._full_at_rest = full_at_rest
        self._counter_digits = counter_digits
        self._seen: deque[tuple[int, HeadChange]] = deque()
        self._out = False
        self._reason = azt.REASON_NORMAL
        self._dose: int | None = None
        """Raw volume; None for a full tank."""
        self._has_dose = False
        self._limit_ml: int | None = None
        self._values_read = False
        self._told: azt.Status | None = None
        head.listeners.append(self._head_changed)

    def _head_changed(self, change: HeadChange, _nozzle: int, at_us: int) -> None:
        self._seen.append((at_us, change))

    # --- the line's side ------------------------------------------------------------------------------------

    def hears(self, data: bytes) -> bool:
        """Whether this is said to us."""
        return any(request.channel == self.settings.channel for request in _requests(data))

    def has_news(self, now_us: int) -> bool:
        """Its status is another than it said last, or about to be."""
        self.head.advance(now_us)
        return bool(self._seen) or self._status != self._told

    @property
    def quiet_answer(self) -> bytes:
        """Its status: what it says to a poll when nothing has changed."""
        return encode_reply(Reply(Answer.DATA, azt.said_bytes(self._status)))

    def receive(self, data: bytes, now_us: int) -> bytes:
        """The answer to what came over the line in one turn; empty if it is none of ours, or damaged."""
        self._observe(now_us)
        answer = b""
        for request in _requests(data):
            if request.channel == self.settings.channel:
                answer += encode_reply(self._answer(request, now_us))
        return answer

    # --- what people do at the pump -------------------------------------------------------------------------

    def set_dose_at_pump(self, volume: int, now_us: int) -> None:
        """The customer keys in a dose, in raw digits. Nothing happens unless the pump rests."""
        self._observe(now_us)
        if self._signal(Signal.DOSED):
            self._dose, self._has_dose = volume, True

    # --- what goes wrong in it ------------------------------------------------------------------------------

    @property
    def alarm_codes(self) -> range:
        """The reason is one digit; 0 is an end as it should be."""
        return range(1, 10)

    def alarm(self, code: int, now_us: int) -> bool:
        """The delivery ends for this reason. Nothing else is told: False while none runs."""
        self._observe(now_us)
        if self.state not in LIVE:
            return False
        self.head.forbid(now_us)
        self._signal(Signal.STOP)
        self._reason = code
        return True

    def power_cycle(self, now_us: int, *, forgets: bool = False) -> None:
        """The electronics start again: a delivery that ran is over, and waits to be confirmed.

        `forgets`: an empty battery, so it rests, and knows of no delivery.
        """
        self._observe(now_us)
        self.head.forbid(now_us)
        self._has_dose = self._values_read = False
        if forgets:
            self.state = State.LIFTED if self._out else State.HUNG
        else:
            self._signal(Signal.STOP)

    # --- requests -------------------------------------------------------------------------------------------

    def _answer(self, request: Request, now_us: int) -> Reply:
        if request.command not in set(Command) - self._lacks:
            return Reply(Answer.NAK)
        command = Command(request.command)
        if command not in azt.ACTIONS:
            said = self._said(command, now_us)
            if said is None:
                return Reply(Answer.CAN)
            self.log.append(request)
            return Reply(Answer.DATA, azt.said_bytes(said, counter_digits=self._counter_digits))
        if not self._done(command, request.data, now_us):
            return Reply(Answer.CAN)
        self.log.append(request)
        return Reply(Answer.ACK)

    def _said(self, command: Command, now_us: int) -> azt.Said | None:
        match command:
            case Command.STATUS:
                self._told = self._status
                return self._status
            case Command.RUNNING:
                return azt.Running(self._volume_digits(now_us) % 10**azt.RUNNING_DIGITS)
            case Command.FULL:
                return self._full(now_us)
            case Command.TOTALS:
                modulo = 10**self._counter_digits
                volume = self.head.totaliser_ml(NOZZLE, now_us) // self.settings.total_ml(1)
                amount = self.head.totaliser_minor(NOZZLE, now_us) // self.settings.amount_minor(1)
                return azt.Counters(volume % modulo, amount % modulo)
            case Command.VERSION:
                return azt.Text(VERSION)
            case Command.READ_DOSE if self._has_dose:
                return azt.Text(azt.dose_bytes(self._dose).decode("ascii"))
            case Command.ADDRESS:
                return azt.Text(f"{self.settings.channel:03d}")
        return None

    def _full(self, now_us: int) -> azt.Full | None:
        finished = self.state is State.FINISHED
        if not finished and not self._full_at_rest:
            return None
        self._values_read |= finished
        amount = self.head.amount_minor(now_us) // self.settings.amount_minor(1)
        price = self.settings.price_digits(self.head.price(NOZZLE), most=azt.PRICE_MAX) or 0
        volume = self._volume_digits(now_us)
        return azt.Full(volume % 10**azt.FULL_VOLUME_DIGITS, amount % 10**azt.AMOUNT_DIGITS, price)

    def _done(self, command: Command, data: bytes, now_us: int) -> bool:
        match command:
            case Command.PRICE:
                return self._take_price(data)
            case Command.DOSE:
                return self._take_dose(data)
            case Command.AUTHORISE if not self._has_dose:
                return False
            case Command.CONFIRM if not self._values_read:
                return False
        if not self._signal(_SIGNALS[command]):
            return False
        match command:
            case Command.AUTHORISE:
                self._begin(now_us)
            case Command.STOP:
                self.head.forbid(now_us)
        return True

    def _take_price(self, data: bytes) -> bool:
        if len(data) != azt.PRICE_DIGITS or not data.isdigit() or self.state not in (*AT_NOZZLE, State.DOSED):
            return False
        self.head.set_prices([UnitPrice(int(data), self.settings.price_decimals)])
        return True

    def _take_dose(self, data: bytes) -> bool:
        try:
            dose = azt.dose_of(data)
        except ValueError:
            return False
        if self.state not in AT_NOZZLE or dose == 0:
            return False
        self._dose, self._has_dose = dose, True
        return True

    def _begin(self, now_us: int) -> None:
        self._has_dose = self._values_read = False
        self._limit_ml = None if self._dose is None else self.settings.volume_ml(self._dose)
        self.head.reset(now_us)
        self.head.limit(now_us, volume_ml=self._limit_ml)
        # A hang-up of this very moment counts as later than the order, so it has taken the permission back.
        if not any(change is HeadChange.HUNG_UP for _, change in self._seen):
            self.head.permit([NOZZLE], now_us)

    # --- the state machine ----------------------------------------------------------------------------------

    @property
    def _status(self) -> azt.Status:
        return azt.Status(self.state, self._reason if self.state is State.FINISHED else azt.REASON_NORMAL)

    def _observe(self, now_us: int) -> None:
        """Take note of what happened at the head strictly before `now_us`."""
        self.head.advance(now_us)
        while self._seen and self._seen[0][0] < now_us:
            _, change = self._seen.popleft()
            match change:
                case HeadChange.LIFTED:
                    self._out = True
                    self._signal(Signal.NOZZLE_OUT)
                case HeadChange.HUNG_UP:
                    self._out = False
                    self._finish(Signal.NOZZLE_IN, now_us)
                case HeadChange.PRESET_REACHED:
                    self._finish(Signal.DOSE_REACHED, now_us)
                case _:
                    pass
        if self.state is State.AUTHORISED and self._volume_digits(now_us):
            self._signal(Signal.FIRST_VOLUME)

    def _finish(self, signal: Signal, now_us: int) -> None:
        if self._signal(signal) and self.state is State.FINISHED:
            over = self._limit_ml is not None and self.head.volume_ml(now_us) > self._limit_ml
            self._reason = azt.REASON_OVERFILL if over else azt.REASON_NORMAL

    def _signal(self, signal: Signal) -> bool:
        """Whether the pump has made a move."""
        after = STATES.get((self.state, signal))
        if after is None:
            return False
        if after is State.HUNG and self._out:
            after = State.LIFTED
        if after is State.FINISHED:
            self._reason = azt.REASON_NORMAL
            self._values_read = False
        if signal in (Signal.STOP, Signal.CONFIRM):
            self._has_dose = False
        self.state = after
        return True

    def _volume_digits(self, now_us: int) -> int:
        return self.head.volume_ml(now_us) // self.settings.volume_ml(1)


def _requests(data: bytes) -> list[Request]:
    """The good requests among these bytes: a damaged one is never answered."""
    found = []
    for piece in split(data):
        try:
            found.append(decode_request(piece))
        except FrameError:
            continue
    return found
