"""A DART pump as the controller sees it: orders in, events out, a phase moved by what the pump's status says.

How it works. `PHASES` is the state machine: for each phase of a delivery and each DC1 the move to make. What
the core still wants to know or to have done is never queued; it is derived, at each turn, from the phase and
the facts (`_wish`), so that a restart, a lost answer or a stop in the middle needs no case of its own. A wish
is asked, polled for, asked again a bounded number of times, and then answered by `_failed`.

Two rules stand above all: a pump that holds a delivery is never RESET before its `Clear` has come, and an
`Authorise` that the pump may have fuelled with is never sent again.

Knows frames only through the link, and no clock, port or journal.
"""

from collections import Counter
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from controller.domain.quantities import Currency, UnitPrice
from controller.pumps.core import Turn
from controller.pumps.dart import frame as dart
from controller.pumps.dart import link as links
from controller.pumps.dart.frame import State
from controller.pumps.words import (
    Alarm,
    Authorise,
    Authorised,
    Calling,
    Clear,
    Completed,
    Fuelling,
    Idle,
    LinkFault,
    Offline,
    Online,
    Order,
    Preset,
    PumpEvent,
    Refusal,
    Refused,
    SetPrices,
    Stop,
    Totals,
)

POLLS_FOR_ANSWER = 6
"""A pump that has the answer gives it at the next poll or two; after so many the question is put again."""
ASK_TRIES_MAX = 3
CONFIRM_TRIES_MAX = 6
"""Orders: every second try asks for the status instead, since a pump that is already there reports no change."""
POLLS_WITHOUT_FILLING = 4
"""While fuelling: a pump that does not send its values by itself is asked after so many polls."""
NOZZLES_MAX = 8
"""DC101 has counters for eight."""
NO_PRICES = 0x100
"""`Alarm.code`, above DART's own one-byte codes: the pump is NOT PROGRAMMED."""
ALARM_TEXTS = {
    0x01: "the pump's processor restarted",
    0x03: "the pump's memory (RAM) is faulty",
    0x04: "the pump's program memory is faulty",
    0x06: "the pulser is faulty",
    0x07: "the pulser's current is wrong",
    0x09: "the emergency stop was pressed at the pump",
    0x0A: "the pump lost its power supply",
    0x0B: "the pressure is wrong",
    0x0D: "a leak was detected",
    0x0E: "a leak was detected",
    0x0F: "the hose leaks",
    NO_PRICES: "the pump has no prices: set them",
}


@dataclass(frozen=True, slots=True)
class DartSettings:
    """How one pump is configured. Decimals say what its digits are worth and may be negative."""

    address: int
    currency: Currency
    volume_decimals: int = 2
    amount_decimals: int = 2
    price_decimals: int = 2
    total_decimals: int = 2
    nozzles: int = 1
    display_hold_ms: int = 10_000
    """How long a cleared delivery stays on the display, unless somebody wants the pump."""

    def __post_init__(self) -> None:
        if not dart.ADDRESS_FIRST <= self.address <= dart.ADDRESS_LAST:
            raise ValueError(f"DART address {self.address:#x}: set one of 0x50 to 0x6F")
        if not 1 <= self.nozzles <= NOZZLES_MAX:
            raise ValueError(f"{self.nozzles} nozzles: a DART pump has 1 to {NOZZLES_MAX}")
        if self.volume_decimals > 3 or self.total_decimals > 3:
            raise ValueError("volumes are counted in thousandths: set at most 3 decimals")
        if self.amount_decimals > self.currency.decimals:
            raise ValueError(f"{self.currency.code} has {self.currency.decimals} decimals: the pump has more")

    def volume_ml(self, digits: int) -> int:
        return digits * int(10 ** (3 - self.volume_decimals))

    def total_ml(self, digits: int) -> int:
        return digits * int(10 ** (3 - self.total_decimals))

    def amount_minor(self, digits: int) -> int:
        return digits * int(10 ** (self.currency.decimals - self.amount_decimals))

    def price(self, digits: int) -> UnitPrice:
        return UnitPrice(digits, self.price_decimals)

    def price_digits(self, price: UnitPrice) -> int | None:
        """The pump's digits for a price; None if it cannot show it exactly."""
        shift = self.price_decimals - price.exponent
        digits, rest = (price.value * int(10**shift), 0) if shift >= 0 else divmod(price.value, int(10**-shift))
        return digits if not rest and 0 <= digits <= 999_999 else None

    def preset(self, preset: Preset) -> dart.PresetVolume | dart.PresetAmount | None:
        """The pump's preset, rounded down to what it can show; None if nothing is left, or it is too much."""
        if preset.amount_minor is not None:
            digits = preset.amount_minor // int(10 ** (self.currency.decimals - self.amount_decimals))
            return dart.PresetAmount(digits) if 0 < digits <= 99_999_999 else None
        digits = (preset.volume_ml or 0) // int(10 ** (3 - self.volume_decimals))
        return dart.PresetVolume(digits) if 0 < digits <= 99_999_999 else None


class Phase(StrEnum):
    """Where the core is with this pump."""

    AWAY = "away"
    ASKING = "asking"
    """It answers, and its status is not known yet."""
    READY = "ready"
    """It holds no delivery."""
    CLEARED = "cleared"
    """It still shows a delivery that is on disk."""
    RESETTING = "resetting"
    """An order to authorise waits for RESET."""
    AUTHORISING = "authorising"
    """Preset and AUTHORIZE are under way."""
    ALLOWED = "allowed"
    FUELLING = "fuelling"
    FINISHING = "finishing"
    """The delivery is over: its values are asked for."""
    HOLDING = "holding"
    """`Completed` was said: the pump holds it until `Clear` comes."""


class Move(Enum):
    """What a status makes of a phase."""

    STAY = auto()
    REST = auto()
    GO = auto()
    """RESET is confirmed: authorise."""
    ALLOW = auto()
    FUEL = auto()
    FINISH = auto()
    MAXED = auto()
    """Preset reached: finished if the nozzle is in, else it may still be stopped or hung up."""


def _row(moves: str) -> dict[State, Move]:
    return dict(zip(State, (Move[name] for name in moves.split()), strict=True))


# fmt: off
PHASES: dict[Phase, dict[State, Move]] = {
    #                          NOT_PROG. RESET  AUTHORIZED FILLING COMPLETED MAX  SWITCHED_OFF SUSPENDED
    Phase.ASKING:      _row("REST      REST   ALLOW      FUEL    FINISH    MAXED  FINISH       FUEL"),
    Phase.READY:       _row("STAY      STAY   ALLOW      FUEL    FINISH    MAXED  STAY         FUEL"),
    Phase.CLEARED:     _row("REST      REST   ALLOW      FUEL    STAY      STAY   STAY         FUEL"),
    Phase.RESETTING:   _row("STAY      GO     ALLOW      FUEL    STAY      STAY   STAY         FUEL"),
    Phase.AUTHORISING: _row("FINISH    STAY   ALLOW      FUEL    FINISH    MAXED  FINISH       ALLOW"),
    Phase.ALLOWED:     _row("FINISH    FINISH STAY       FUEL    FINISH    MAXED  FINISH       STAY"),
    Phase.FUELLING:    _row("FINISH    FINISH STAY       STAY    FINISH    MAXED  FINISH       STAY"),
    Phase.FINISHING:   _row("STAY      STAY   STAY       FUEL    STAY      STAY   STAY         STAY"),
    Phase.HOLDING:     _row("STAY      STAY   STAY       STAY    STAY      STAY   STAY         STAY"),
}
# fmt: on

RESTING = frozenset({Phase.READY, Phase.CLEARED})
LIVE = frozenset({State.AUTHORIZED, State.FILLING, State.SUSPENDED})
HELD = frozenset({State.COMPLETED, State.MAX, State.SWITCHED_OFF})
FORGOTTEN = frozenset({State.NOT_PROGRAMMED, State.RESET})


class Ask(Enum):
    """What can be wanted of the pump."""

    STOP = auto()
    STATUS = auto()
    RESET = auto()
    AUTHORISE = auto()
    PRICES = auto()
    FILLING = auto()
    TOTAL = auto()


CONFIRMED_BY_STATUS = frozenset({Ask.STOP, Ask.RESET, Ask.AUTHORISE, Ask.PRICES})


@dataclass(slots=True)
class _Asking:
    """A wish under way."""

    key: tuple[Ask, int]
    tries: int = 0
    polls: int = 0
    due: bool = True
    status_seen: bool = False


class DartPump:
    """One DART pump; implements `PumpCore`."""

    def __init__(self, settings: DartSettings) -> None:
        self.settings = settings
        self._link = links.Link(settings.address)
        self._events: list[PumpEvent] = []
        self._token = 0
        self._total_tries = ASK_TRIES_MAX
        self._forget()

    def _forget(self) -> None:
        """Everything that is true only while the pump answers."""
        self.phase = Phase.AWAY
        self._first_contact = True
        self._state: State | None = None
        self._fresh_status = self._fresh_nozzle = self._recheck = False
        self._out = False
        self._nozzle = self.settings.nozzles if self.settings.nozzles == 1 else 0
        self._price = 0
        self._sold = (self._nozzle, 0)
        self._filled: dart.Filled | None = None
        self._filled_fresh = False
        self._polls_without_filling = 0
        self._read: dict[int, int | None] = {}
        self._start_totals: list[int] = []
        self._said: tuple[str, int] | None = None
        self._at_start = False
        self._asking: _Asking | None = None
        self._stopping = False
        self._stop: Stop | None = None
        self._order: Authorise | None = None
        self._prices: tuple[SetPrices, tuple[int, ...]] | None = None
        self._presets_dirty = True
        self._reset_due_us: int | None = None

    # --- the line's side ------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return f"DART {self.settings.address:#x}"

    @property
    def link_faults(self) -> Counter[str]:
        """How often what went wrong on the link, by name."""
        return self._link.faults

    @property
    def owes_turn(self) -> bool:
        return self._link.owes

    @property
    def urgent(self) -> bool:
        waiting = self._asking is None or self._asking.key[0] is not Ask.STOP or self._asking.due
        return self._stopping and (waiting or self._link.sending)

    @property
    def busy(self) -> bool:
        if self.phase is Phase.AWAY:
            return False
        resting = self.phase in RESTING or self.phase is Phase.HOLDING
        return not resting or self._link.sending or self._asking is not None or self._stopping

    def quiet_turn(self, now_us: int) -> Turn | None:
        quiet = not self.busy and self._link.calm and self._reset_due_us is None
        return self._link.poll_turn() if quiet and self._wish(now_us) is None else None

    def skipped(self, count: int) -> None:
        """Nothing counts polls while the pump is quiet."""

    def events(self) -> list[PumpEvent]:
        taken, self._events = self._events, []
        return taken

    def next_turn(self, now_us: int) -> Turn:
        if self._link.owes or self._link.sending:
            return self._link.next_turn()
        key = self._wish(now_us)
        if key is None:
            self._asking = None
            return self._link.next_turn()
        if self._asking is None or self._asking.key != key:
            self._asking = _Asking(key)
        if self._asking.due:
            self._asking.due = False
            self._asking.tries += 1
            self._link.send(dart.block(self._block(self._asking)))
            self._asking.status_seen = False
        return self._link.next_turn()

    def received(self, data: bytes, now_us: int) -> None:
        for event in self._link.received(data):
            match event:
                case links.Found():
                    self.phase = Phase.ASKING
                case links.Lost():
                    self._lost()
                case links.Body(body):
                    self._block_came(body, now_us)
                    self._polled(now_us)
                case links.Nothing():
                    self._polled(now_us)
                case links.GivenUp():
                    self._ask_again(now_us)
                case links.PeerRestarted():
                    self._restarted()
                case links.Fault(kind, detail):
                    self._events.append(LinkFault(kind, detail))
        self._settle(now_us)

    # --- orders ---------------------------------------------------------------------------------------------

    def submit(self, order: Order, now_us: int) -> None:
        reason = Refusal.OFFLINE if self.phase in (Phase.AWAY, Phase.ASKING) else None
        if reason is None or (isinstance(order, Stop) and self.phase is Phase.ASKING):
            match order:
                case Stop():
                    self._submit_stop(order)
                case Authorise():
                    reason = self._submit_authorise(order)
                case SetPrices():
                    reason = self._submit_prices(order)
                case Clear():
                    reason = self._submit_clear(order, now_us)
        if reason is not None:
            self._events.append(Refused(order, reason))
        self._settle(now_us)

    def _submit_stop(self, order: Stop) -> None:
        self._stopping = True
        self._stop = order
        if self.phase in (Phase.RESETTING, Phase.AUTHORISING):
            self._drop_order(Refusal.WRONG_STATE)

    def _submit_authorise(self, order: Authorise) -> Refusal | None:
        if self.phase not in RESTING or self._state is State.NOT_PROGRAMMED or self._stopping:
            return Refusal.WRONG_STATE
        if not order.nozzles or not all(1 <= nozzle <= self.settings.nozzles for nozzle in order.nozzles):
            return Refusal.UNSUPPORTED
        if order.preset is not None and self.settings.preset(order.preset) is None:
            return Refusal.UNSUPPORTED
        self._order = order
        self._start_totals = []
        self._reset_due_us = None
        self._begin()
        # RESET forgets presets as well: without it, one that was never used would bound this delivery.
        needs_reset = self._state is not State.RESET or self._presets_dirty
        self.phase = Phase.RESETTING if needs_reset else Phase.AUTHORISING
        return None

    def _submit_prices(self, order: SetPrices) -> Refusal | None:
        digits = [self.settings.price_digits(price) for price in order.prices]
        if len(digits) != self.settings.nozzles or None in digits:
            return Refusal.UNSUPPORTED
        self._prices = order, tuple(value for value in digits if value is not None)
        return None

    def _submit_clear(self, order: Clear, now_us: int) -> Refusal | None:
        if self.phase is not Phase.HOLDING or order.token != self._token:
            return Refusal.WRONG_STATE
        self._begin()
        if self._state in LIVE:  # it went on by itself: look again at what it is doing
            self.phase = Phase.ASKING
            self._fresh_status = self._fresh_nozzle = False
        elif self._state in HELD:
            self.phase = Phase.CLEARED
            self._reset_due_us = now_us + self.settings.display_hold_ms * 1_000
        else:
            self.phase = Phase.READY
        return None

    def _begin(self) -> None:
        """What was known of the last delivery does not count for the next one."""
        self._filled = None
        self._filled_fresh = False
        self._read = {}
        self._said = None
        self._sold = (self._nozzle, self._price)

    def _drop_order(self, reason: Refusal) -> None:
        """The order to authorise ends without effect, as far as is known: what the status says later, counts."""
        if self._order is not None:
            sent = self.phase is Phase.AUTHORISING and self._presets_dirty
            self._events.append(Refused(self._order, Refusal.NOT_CONFIRMED if sent else reason))
        self._order = None
        if self.phase in (Phase.RESETTING, Phase.AUTHORISING):
            self.phase = Phase.CLEARED if self._state in HELD else Phase.READY

    # --- wishes ---------------------------------------------------------------------------------------------

    def _wish(self, now_us: int) -> tuple[Ask, int] | None:
        """What is wanted of the pump now; the argument is a nozzle, for totals."""
        if self._stopping:
            return Ask.STOP, 0
        if self.phase is Phase.ASKING or (self._recheck and self.phase is not Phase.AWAY):
            return Ask.STATUS, 0
        match self.phase:
            case Phase.RESETTING:
                return Ask.RESET, 0
            case Phase.AUTHORISING:
                return Ask.AUTHORISE, 0
            case Phase.FUELLING if self._polls_without_filling >= POLLS_WITHOUT_FILLING:
                return Ask.FILLING, 0
            case Phase.FINISHING:
                if not self._filled_fresh:
                    return Ask.FILLING, 0
                sold = self._sold[0]
                return (Ask.TOTAL, sold) if sold and sold not in self._read else None
            case Phase.READY | Phase.CLEARED:
                return self._wish_at_rest(now_us)
        return None

    def _wish_at_rest(self, now_us: int) -> tuple[Ask, int] | None:
        if self._reset_due_us is not None and now_us >= self._reset_due_us:
            return Ask.RESET, 0
        if self._state is State.NOT_PROGRAMMED:
            return (Ask.PRICES, 0) if self._prices else None
        if self._start_totals:
            return Ask.TOTAL, self._start_totals[0]
        if self._out:
            return (Ask.TOTAL, self._nozzle) if self._nozzle and self._nozzle not in self._read else None
        return (Ask.PRICES, 0) if self._prices and self._state is State.RESET else None

    def _block(self, asking: _Asking) -> tuple[dart.ToPump, ...]:
        kind, argument = asking.key
        repeat = asking.tries > 1
        if kind in CONFIRMED_BY_STATUS and repeat:
            # An authorisation goes out again only when the status has just said that it was not taken.
            unsure = kind is Ask.AUTHORISE and not (asking.status_seen and self._state is State.RESET)
            if asking.tries % 2 == 0 or unsure:
                kind = Ask.STATUS
        match kind:
            case Ask.STOP:
                return (dart.Command(dart.Order.STOP),)
            case Ask.STATUS:
                return (dart.Command(dart.Order.RETURN_STATUS),)
            case Ask.RESET:
                return (dart.Command(dart.Order.RESET),)
            case Ask.FILLING:
                return (dart.Command(dart.Order.RETURN_FILLING),)
            case Ask.TOTAL:
                return (dart.AskTotal(argument),)
            case Ask.PRICES:
                return (dart.Prices(self._prices[1] if self._prices else ()),)
            case Ask.AUTHORISE:
                return self._authorisation()

    def _authorisation(self) -> tuple[dart.ToPump, ...]:
        assert self._order is not None, "authorising without an order"
        self._presets_dirty = True
        preset = self.settings.preset(self._order.preset) if self._order.preset else None
        limits: tuple[dart.ToPump, ...] = (preset,) if preset else ()
        return (dart.AllowNozzles(self._order.nozzles), *limits, dart.Command(dart.Order.AUTHORIZE))

    def _was_asked(self, kind: Ask, argument: int = 0) -> bool:
        """Whether this is being asked, and the pump's link has it."""
        asking = self._asking
        return asking is not None and asking.key == (kind, argument) and asking.tries > 0 and not self._link.sending

    def _polled(self, now_us: int) -> None:
        self._polls_without_filling += 1
        if self._asking is not None and not self._asking.due and not self._link.sending:
            self._asking.polls += 1
            if self._asking.polls >= POLLS_FOR_ANSWER:
                self._ask_again(now_us)

    def _ask_again(self, now_us: int) -> None:
        asking = self._asking
        if asking is None:
            return
        asking.polls = 0
        asking.due = True
        kind = asking.key[0]
        tries_max = CONFIRM_TRIES_MAX if kind in CONFIRMED_BY_STATUS else ASK_TRIES_MAX
        if asking.tries >= (self._total_tries if kind is Ask.TOTAL else tries_max):
            self._asking = None
            self._failed(*asking.key, now_us)

    def _failed(self, kind: Ask, argument: int, now_us: int) -> None:
        """The pump has not answered this in all its tries."""
        match kind:
            case Ask.STATUS if self._fresh_status:
                self._fresh_nozzle = True  # no DC3: take the nozzle as hung up, the pump will say otherwise
                self._status_came(now_us)
            case Ask.STATUS:
                self._events.append(LinkFault("no_status", "the pump answers polls and does not give its status"))
            case Ask.FILLING if self._filled is not None:
                self._filled_fresh = True
                self._polls_without_filling = 0
            case Ask.FILLING:
                self._polls_without_filling = 0
                self._events.append(LinkFault("no_filling", "the pump does not give the delivery's values"))
            case Ask.TOTAL:
                self._total_tries = 1  # many pumps have no such counter: do not make each sale wait for it
                self._read[argument] = None
                self._start_totals = [nozzle for nozzle in self._start_totals if nozzle != argument]
            case Ask.RESET if self.phase is Phase.RESETTING:
                self._drop_order(Refusal.NOT_CONFIRMED)
            case Ask.RESET:
                self._reset_due_us = now_us + self.settings.display_hold_ms * 1_000
                self._events.append(LinkFault("no_reset", "the pump keeps its last delivery on the display"))
            case Ask.AUTHORISE:
                self._drop_order(Refusal.NOT_CONFIRMED)
                self._stopping = True  # it may have taken it after all
            case Ask.STOP:
                self._stopping = False
                if self._stop is not None:
                    self._events.append(Refused(self._stop, Refusal.NOT_CONFIRMED))
                self._stop = None
            case Ask.PRICES:
                if self._prices is not None:
                    self._events.append(Refused(self._prices[0], Refusal.NOT_CONFIRMED))
                self._prices = None

    # --- what the pump says ---------------------------------------------------------------------------------

    def _lost(self) -> None:
        if self._order is not None:
            self._drop_order(Refusal.OFFLINE)
        for order in (self._stop, self._prices[0] if self._prices else None):
            if order is not None:
                self._events.append(Refused(order, Refusal.OFFLINE))
        self._events.append(Offline())
        self._forget()

    def _restarted(self) -> None:
        self._recheck = True
        if self.phase is Phase.AUTHORISING:
            # It may have fuelled and forgotten: this order must not go out again.
            self._drop_order(Refusal.NOT_CONFIRMED)

    def _block_came(self, body: bytes, now_us: int) -> None:
        try:
            items = dart.to_master(body)
        except dart.BadBlock as error:
            self._link.faults[error.kind] += 1
            self._events.append(LinkFault(error.kind, str(error)))
            return
        status_came = nozzle_came = False
        before = self._state
        for item in items:
            match item:
                case dart.Status(state):
                    self._state = state
                    status_came = True
                case dart.NozzleState():
                    self._nozzle_came(item, now_us)
                    nozzle_came = True
                case dart.Filled():
                    self._filled_came(item)
                case dart.Total(counter, total):
                    self._total_came(counter, self.settings.total_ml(total))
                case dart.Alarmed(code):
                    self._events.append(Alarm(code, ALARM_TEXTS.get(code, f"alarm {code:#04x}, unknown to us")))
                case dart.Unusable(trans, data, why):
                    self._link.faults["unusable"] += 1
                    self._events.append(LinkFault("unusable", f"{trans:02x} {data.hex(' ')}: {why}"))
        if self._was_asked(Ask.STATUS):
            self._fresh_status |= status_came
            self._fresh_nozzle |= nozzle_came
        if status_came and self._asking is not None:
            self._asking.status_seen = True
        self._check_prices(before, nozzle_came=nozzle_came)
        if self._stopping and status_came and self._was_asked(Ask.STOP) and self._state not in LIVE:
            self._stopping = False
            self._stop = None
        if status_came or (nozzle_came and (self.phase is Phase.ASKING or self._state is State.MAX)):
            self._status_came(now_us)
        if self.phase is Phase.FUELLING and self._filled is not None and not self._polls_without_filling:
            volume, amount = self._values()
            self._events.append(Fuelling(self._sold[0], volume, amount))

    def _nozzle_came(self, item: dart.NozzleState, now_us: int) -> None:
        nozzle = item.nozzle or self._nozzle
        if (nozzle, item.out) != (self._nozzle, self._out):
            if not self._start_totals and self.phase in RESTING:
                self._read = {}
            if item.out and self.phase is Phase.CLEARED and self._reset_due_us is not None:
                self._reset_due_us = now_us
        if nozzle == item.nozzle:
            self._price = item.price
        self._nozzle, self._out = nozzle, item.out
        locked = self.phase is Phase.FUELLING and self._sold[0] and self._sold[1]
        if not locked and self.phase not in (Phase.FINISHING, Phase.HOLDING):
            self._sold = (self._nozzle, self._price)

    def _filled_came(self, item: dart.Filled) -> None:
        self._polls_without_filling = 0
        known = self._filled
        if known is not None and self._state in FORGOTTEN and item.volume < known.volume:
            item = known  # a pump that lost its memory says zero: its own earlier word is nearer the truth
        self._filled = item
        if self.phase is Phase.FINISHING and self._was_asked(Ask.FILLING):
            self._filled_fresh = True

    def _total_came(self, counter: int, total_ml: int) -> None:
        if not self._was_asked(Ask.TOTAL, counter):
            return
        self._total_tries = ASK_TRIES_MAX
        self._read[counter] = total_ml
        if counter in self._start_totals:
            self._start_totals.remove(counter)
            self._events.append(Totals(counter, total_ml))

    def _check_prices(self, before: State | None, *, nozzle_came: bool) -> None:
        if self._prices is None or not self._was_asked(Ask.PRICES):
            return
        wanted = self._prices[1]
        if before is State.NOT_PROGRAMMED:
            done = self._state is not State.NOT_PROGRAMMED
        else:
            # A pump that has no nozzle selected shows no price: then its fresh word is all there is, and the price is
            # looked at again when it calls.
            unseen = not self._price or not 0 < self._nozzle <= len(wanted)
            shown = unseen or self._price == wanted[self._nozzle - 1]
            done = nozzle_came and shown
        if done:
            self._prices = None

    def _status_came(self, now_us: int) -> None:
        """Make the move that the table says."""
        if self._state is None or self.phase is Phase.AWAY:
            return
        if self.phase is Phase.ASKING and not (self._fresh_status and self._fresh_nozzle):
            return
        move = PHASES[self.phase][self._state]
        first, self._recheck = self.phase is Phase.ASKING, False
        if move is Move.MAXED:
            move = Move.FUEL if self._out else Move.FINISH
        if move is Move.GO and not self._was_asked(Ask.RESET):
            move = Move.STAY
        if first and self._first_contact:
            self._events.append(Online())
        self._make(move, first=first)
        if first:
            self._first_contact = False

    def _make(self, move: Move, *, first: bool) -> None:
        before = self.phase
        match move:
            case Move.STAY:
                return
            case Move.REST:
                if before is Phase.CLEARED and self._state is State.RESET:
                    self._presets_dirty = False
                self._reset_due_us = None
                self.phase = Phase.READY
                if first and self._first_contact and not self._out and self._state is State.RESET:
                    self._start_totals = list(range(1, self.settings.nozzles + 1))
                return
            case Move.GO:
                self._presets_dirty = False
                self.phase = Phase.AUTHORISING
                return
            case _:
                self._reset_due_us = None
                self._leave_for_delivery(before, move)
        if move is Move.FINISH:
            self._at_start = first and self._first_contact
            self._filled_fresh = False
            self._read = {}
            self.phase = Phase.FINISHING
        elif move is Move.FUEL and before is not Phase.FUELLING:
            self._polls_without_filling = 0 if self._filled is not None else POLLS_WITHOUT_FILLING
            self.phase = Phase.FUELLING
        elif move is Move.ALLOW:
            self.phase = Phase.ALLOWED

    def _leave_for_delivery(self, before: Phase, move: Move) -> None:
        """The pump delivers, or did: an order that waited for it is done, or came too late."""
        self._presets_dirty = True
        self._start_totals = []
        if before in RESTING:
            self._filled = None if move is not Move.FUEL else self._filled
            self._said = None
        if self._order is not None and before is Phase.RESETTING:
            self._events.append(Refused(self._order, Refusal.WRONG_STATE))
        self._order = None
        if before is Phase.AUTHORISING or move is Move.ALLOW:
            self._events.append(Authorised())

    def _values(self) -> tuple[int, int]:
        filled = self._filled or dart.Filled(0, 0)
        return self.settings.volume_ml(filled.volume), self.settings.amount_minor(filled.amount)

    def _settle(self, now_us: int) -> None:
        """Say what is known and not said yet."""
        if self._asking is not None and self._wish(now_us) != self._asking.key:
            self._asking = None
        if self.phase is Phase.FINISHING and self._filled_fresh:
            nozzle, price = self._sold
            if nozzle and nozzle not in self._read:
                return
            self._token += 1
            volume, amount = self._values()
            total = self._read.get(nozzle)
            self.phase = Phase.HOLDING
            self._events.append(
                Completed(self._token, nozzle, volume, amount, self.settings.price(price), total, self._at_start)
            )
        elif self.phase in RESTING and not self._recheck:
            self._settle_at_rest()

    def _settle_at_rest(self) -> None:
        if self._state is State.NOT_PROGRAMMED:
            self._say(("no prices", 0), Alarm(NO_PRICES, ALARM_TEXTS[NO_PRICES]))
        elif self._start_totals:
            return
        elif not self._out:
            self._say(("idle", 0), Idle())
        elif not self._nozzle or self._nozzle in self._read:
            call = Calling(self._nozzle, self.settings.price(self._price), self._read.get(self._nozzle))
            self._say(("calling", self._nozzle), call)

    def _say(self, what: tuple[str, int], event: PumpEvent) -> None:
        if self._said != what:
            self._said = what
            self._events.append(event)
