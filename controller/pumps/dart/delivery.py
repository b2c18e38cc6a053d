"""A pump's deliveries, from the order to authorise to the `Clear`: the phase, the orders, what is still wanted.

`PHASES` says which move a status makes; here the moves are made and told. What is still to be known or to be
done is never queued; it is derived, whenever it is looked at, from the phase and the facts (`wish`), so that a
restart, a lost answer or a stop in the middle needs no case of its own.

Two rules stand above all: a pump that holds a delivery is never RESET before its `Clear` has come, and an
`Authorise` that the pump may have fuelled with is never sent again.

Knows what is wanted and not how it is asked: no link, no tries, no clock, port or journal.
"""

from controller.pumps.dart.asking import Ask, Wish
from controller.pumps.dart.errands import Errands
from controller.pumps.dart.reading import NOTHING_FILLED, POLLS_WITHOUT_FILLING, Reading
from controller.pumps.dart.settings import DartSettings
from controller.pumps.dart.states import FORGOTTEN, HELD, LIVE, PHASES, RESTING, RUNNING, Move, Phase
from controller.pumps.dart.transactions import Filled, NozzleState, State
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
    PumpEvent,
    Refusal,
    Refused,
    Stop,
    Suspended,
    Totals,
)

NO_PRICES = 0x100
"""`Alarm.code`, above DART's own one-byte codes: the pump is NOT PROGRAMMED."""


class Delivery:
    """What goes on at one pump. `wish` says what to ask; what comes of it is told by the methods below it."""

    def __init__(self, settings: DartSettings) -> None:
        self.settings = settings
        self.events: list[PumpEvent] = []
        self.gives_totals = True
        """False once a total was asked for in vain: many pumps have no such counters."""
        self._token = 0
        self._forget()

    def _forget(self) -> None:
        """Everything that is true only while the pump answers."""
        self.phase = Phase.AWAY
        self.state: State | None = None
        self.reading = Reading(self.settings.nozzles if self.settings.nozzles == 1 else 0)
        self.reset_due_us: int | None = None
        """When a cleared delivery leaves the display."""
        self.stopping = False
        self.order: Authorise | None = None
        self.errands = Errands(self.settings, self._tell)
        self._stop: Stop | None = None
        self._presets_dirty = True
        self._first_contact = True
        self._fresh_status = self._fresh_nozzle = self._recheck = False
        self._said: tuple[str, int] | None = None
        self._at_start = False
        self._held = False
        """`Suspended` was told."""

    def _tell(self, event: PumpEvent) -> None:
        self.events.append(event)

    # --- orders ---------------------------------------------------------------------------------------------

    def submit(self, order: Order, now_us: int) -> None:
        reason = self._submitted(order, now_us)
        if reason is not None:
            self.events.append(Refused(order, reason))

    def _submitted(self, order: Order, now_us: int) -> Refusal | None:
        stop_unseen = isinstance(order, Stop) and self.phase is Phase.ASKING  # it need not know what it stops
        if self.phase in (Phase.AWAY, Phase.ASKING) and not stop_unseen:
            return Refusal.OFFLINE
        match order:
            case Stop():
                self._submit_stop(order)
                return None
            case Authorise():
                return self._submit_authorise(order)
            case Clear():
                return self._submit_clear(order, now_us)
            case _:
                return self.errands.submit(order, self.phase, self.state, out=self.reading.out)

    def _submit_stop(self, order: Stop) -> None:
        self.stopping = True
        self._stop = order
        if self.phase in (Phase.RESETTING, Phase.AUTHORISING):
            self._drop_order(Refusal.WRONG_STATE)

    def _submit_authorise(self, order: Authorise) -> Refusal | None:
        if self.phase not in RESTING or self.state is State.NOT_PROGRAMMED or self.stopping:
            return Refusal.WRONG_STATE
        if not order.nozzles or not all(1 <= nozzle <= self.settings.nozzles for nozzle in order.nozzles):
            return Refusal.UNSUPPORTED
        if order.preset is not None and self.settings.preset(order.preset) is None:
            return Refusal.UNSUPPORTED
        self.order = order
        self.reset_due_us = None
        self.reading.start_totals = []
        self._begin()
        # RESET forgets presets as well: without it, one that was never used would bound this delivery.
        needs_reset = self.state is not State.RESET or self._presets_dirty
        self.phase = Phase.RESETTING if needs_reset else Phase.AUTHORISING
        return None

    def _submit_clear(self, order: Clear, now_us: int) -> Refusal | None:
        if self.phase is not Phase.HOLDING or order.token != self._token:
            return Refusal.WRONG_STATE
        self._begin()
        if self.state in LIVE:  # it went on by itself: look again at what it is doing
            self.phase = Phase.ASKING
            self._fresh_status = self._fresh_nozzle = False
        elif self.state in HELD:
            self.phase = Phase.CLEARED
            self._hold_display(now_us)
        else:
            self.phase = Phase.READY
        return None

    def _begin(self) -> None:
        self.reading.begin()
        self._said = None

    def _hold_display(self, now_us: int) -> None:
        self.reset_due_us = now_us + self.settings.display_hold_ms * 1_000

    def _drop_order(self, reason: Refusal) -> None:
        """The order to authorise ends without effect, as far as is known: what the status says later, counts."""
        if self.order is not None:
            sent = self.phase is Phase.AUTHORISING and self._presets_dirty
            self.events.append(Refused(self.order, Refusal.NOT_CONFIRMED if sent else reason))
        self.order = None
        if self.phase in (Phase.RESETTING, Phase.AUTHORISING):
            self.phase = Phase.CLEARED if self.state in HELD else Phase.READY
            # Its display has stood long enough for an order to come, and nothing else would end it now.
            self.reset_due_us = 0 if self.phase is Phase.CLEARED else None

    # --- what is wanted -------------------------------------------------------------------------------------

    def wish(self, now_us: int) -> Wish | None:
        """What is wanted of the pump now."""
        if self.stopping:
            return Wish(Ask.STOP)
        if self.phase is Phase.ASKING or (self._recheck and self.phase is not Phase.AWAY):
            return Wish(Ask.STATUS)
        return self.errands.hold or self._wish_of_phase(now_us) or self.errands.identity

    def _wish_of_phase(self, now_us: int) -> Wish | None:
        match self.phase:
            case Phase.RESETTING:
                return Wish(Ask.RESET)
            case Phase.AUTHORISING:
                return Wish(Ask.AUTHORISE)
            case Phase.FUELLING if self.reading.wants_filling and self.state is not State.SUSPENDED:
                return Wish(Ask.FILLING)
            case Phase.FINISHING:
                return self._total_of(self.reading.sold[0]) if self.reading.final else Wish(Ask.FILLING)
            case Phase.READY | Phase.CLEARED:
                return self._wish_at_rest(now_us)
        return None

    def _wish_at_rest(self, now_us: int) -> Wish | None:
        if self.reset_due_us is not None and now_us >= self.reset_due_us:
            return Wish(Ask.RESET)
        errands, reading = self.errands, self.reading
        if self.state is State.NOT_PROGRAMMED:
            return errands.prices or errands.total
        if reading.start_totals:
            return Wish(Ask.TOTAL, reading.start_totals[0])
        if reading.out:
            return self._total_of(reading.nozzle) or errands.total
        return errands.total or (errands.prices if self.state is State.RESET else None)

    def _total_of(self, nozzle: int) -> Wish | None:
        return Wish(Ask.TOTAL, nozzle) if self.reading.lacks_total(nozzle) else None

    def authorise_goes_out(self) -> Authorise:
        """The order that is sent now: from here on the pump may have taken it, and its preset."""
        if self.order is None:
            raise RuntimeError(f"pump {self.settings.address:#x}: nothing to authorise")
        self._presets_dirty = True
        return self.order

    def failed(self, wish: Wish, now_us: int) -> None:
        """The pump has not answered this in all its tries."""
        match wish.ask:
            case Ask.STATUS if self._fresh_status:
                # No DC3: take the nozzle as hung up, the pump will say otherwise.
                self.nozzle_came(NozzleState(0, 0, out=False), now_us)
                self._fresh_nozzle = True
                self.status_came()
            case Ask.STATUS:
                self._fault("no_status", "the pump answers polls and does not give its status")
                if self._recheck:  # what was known of it is of before its restart: begin as if it had been gone
                    self.lost()
                    self.found()
            case Ask.FILLING:
                self.reading.polls_without_filling = 0
                if self.reading.filled is not None:
                    self.reading.final = True
                else:
                    self._fault("no_filling", "the pump does not give the delivery's values")
            case Ask.TOTAL:
                self.gives_totals = False
                self.reading.total_came(wish.nozzle, None)
                self.errands.failed(wish)
            case Ask.RESET if self.phase is Phase.RESETTING:
                self._drop_order(Refusal.NOT_CONFIRMED)
            case Ask.RESET:
                self._hold_display(now_us)
                self._fault("no_reset", "the pump keeps its last delivery on the display")
            case Ask.AUTHORISE:
                self._drop_order(Refusal.NOT_CONFIRMED)
                self.stopping = True  # it may have taken it after all
            case Ask.STOP:
                self._refuse(self._stop, Refusal.NOT_CONFIRMED)
                self.stopping, self._stop = False, None
            case _:
                self.errands.failed(wish)

    def _fault(self, kind: str, detail: str) -> None:
        self.events.append(LinkFault(kind, detail))

    def _refuse(self, order: Order | None, reason: Refusal) -> None:
        if order is not None:
            self.events.append(Refused(order, reason))

    # --- what the pump says ---------------------------------------------------------------------------------

    def found(self) -> None:
        self.phase = Phase.ASKING

    def lost(self) -> None:
        if self.order is not None:
            self._drop_order(Refusal.OFFLINE)
        self._refuse(self._stop, Refusal.OFFLINE)
        self.errands.lost()
        self.events.append(Offline())
        self._forget()

    def restarted(self) -> None:
        self._recheck = True
        self._fresh_status = self._fresh_nozzle = False
        if self.phase is Phase.AUTHORISING:
            # It may have fuelled and forgotten: this order must not go out again.
            self._drop_order(Refusal.NOT_CONFIRMED)

    def nozzle_came(self, said: NozzleState, now_us: int) -> None:
        changed = self.reading.nozzle_came(said, self.phase)
        if changed and said.out and self.phase is Phase.CLEARED and self.reset_due_us is not None:
            self.reset_due_us = now_us
        if changed and not said.out and self.phase in (Phase.RESETTING, Phase.AUTHORISING):
            # The customer has hung up: whoever lifts the nozzle next must not fuel on this order.
            self._drop_order(Refusal.WRONG_STATE)
            self.stopping = True

    def filled_came(self, said: Filled, asked: Wish | None) -> None:
        self.reading.filled_came(said, forgotten=self.state in FORGOTTEN)
        if self.phase is Phase.FINISHING and asked == Wish(Ask.FILLING):
            self.reading.final = True

    def total_came(self, nozzle: int, total_ml: int, asked: Wish | None) -> None:
        if asked != Wish(Ask.TOTAL, nozzle):
            return
        self.gives_totals = True
        if self.reading.total_came(nozzle, total_ml):
            self.events.append(Totals(nozzle, total_ml))
        self.errands.total_came(nozzle, total_ml)

    def block_came(self, before: State | None, *, status: bool, nozzle: bool, asked: Wish | None) -> None:
        """All of a block was told one by one: `status` and `nozzle` say what it had, `before` the state until then."""
        if asked == Wish(Ask.STATUS):
            self._fresh_status |= status
            self._fresh_nozzle |= nozzle
        if asked == Wish(Ask.PRICES):
            self.errands.look_at_prices(before, self.state, self.reading, nozzle=nozzle)
        if asked == Wish(Ask.STOP) and status and self.state not in LIVE:
            self.stopping, self._stop = False, None
        if status or (nozzle and (self.phase is Phase.ASKING or self.state is State.MAX)):
            self.status_came(asked)
        if not self._held and not self.reading.polls_without_filling:
            self._tell_running()

    def _tell_running(self) -> None:
        if self.phase is Phase.FUELLING and self.reading.filled is not None:
            self.events.append(Fuelling(self.reading.sold[0], *self._values()))

    # --- moves ----------------------------------------------------------------------------------------------

    def status_came(self, asked: Wish | None = None) -> None:
        """Make the move that the table says."""
        if self.state is None or self.phase is Phase.AWAY:
            return
        if self.phase is Phase.ASKING and not (self._fresh_status and self._fresh_nozzle):
            return
        self._recheck &= not (self._fresh_status and self._fresh_nozzle)
        if self._first_contact:
            self.events.append(Online())
        move = PHASES[self.phase][self.state]
        if move is Move.MAXED:
            move = Move.FUEL if self.reading.out else Move.FINISH
        match move:
            case Move.REST:
                self._rest()
            case Move.GO if asked == Wish(Ask.RESET):
                self._presets_dirty = False
                self.phase = Phase.AUTHORISING
            case Move.ALLOW | Move.FUEL | Move.FINISH:
                self._deliver(move)
        self._first_contact = False

    def _rest(self) -> None:
        if self.phase is Phase.CLEARED and self.state is State.RESET:
            self._presets_dirty = False
        self.reset_due_us = None
        self.phase = Phase.READY
        if self._first_contact and not self.reading.out and self.state is State.RESET:
            self.reading.start_totals = list(range(1, self.settings.nozzles + 1))

    def _deliver(self, move: Move) -> None:
        """The pump delivers, or did: an order that waited for it is done, or came too late."""
        before = self.phase
        self.reset_due_us = None
        self.reading.start_totals = []
        self._presets_dirty = True
        if before in RESTING:
            self._said = None
            if move is not Move.FUEL:
                self.reading.filled = None
        if before is Phase.RESETTING:
            self._refuse(self.order, Refusal.WRONG_STATE)
        self.order = None
        if before is Phase.AUTHORISING or move is Move.ALLOW:
            self.events.append(Authorised())
        match move:
            case Move.FINISH:
                self._at_start = self._first_contact
                self.reading.finish()
                self.phase = Phase.FINISHING
            case Move.FUEL if before is not Phase.FUELLING:
                known = self.reading.filled is not None
                self.reading.polls_without_filling = 0 if known else POLLS_WITHOUT_FILLING
                self.phase = Phase.FUELLING
            case Move.ALLOW:
                self.phase = Phase.ALLOWED

    # --- what is told ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Say what is known and not said yet."""
        self._settle_held()
        self.errands.look(self.phase, self.state)
        if self.phase is Phase.FINISHING and self.reading.final:
            nozzle, price = self.reading.sold
            if self.reading.lacks_total(nozzle):
                return
            self._token += 1
            total_ml = self.reading.totals_ml.get(nozzle)
            self.phase = Phase.HOLDING
            self.events.append(
                Completed(
                    self._token, nozzle, *self._values(), self.settings.price(price), total_ml, at_start=self._at_start
                )
            )
        elif self.phase in RESTING and not self._recheck:
            self._settle_at_rest()

    def _settle_held(self) -> None:
        held = self.phase in RUNNING and self.state is State.SUSPENDED
        if held and not self._held:
            self.events.append(Suspended())
        elif self._held and not held:  # it goes on, or it is over and that is told elsewhere
            if self.phase is Phase.ALLOWED:
                self.events.append(Authorised())
            self._tell_running()
        self._held = held

    def _settle_at_rest(self) -> None:
        reading = self.reading
        if self.state is State.NOT_PROGRAMMED:
            no_prices = "no prices", 0
            if self._said != no_prices:
                self.errands.prices_lost()
            self._say(no_prices, Alarm(NO_PRICES, "the pump has no prices: set them"))
        elif reading.start_totals:
            return
        elif not reading.out:
            self._say(("idle", 0), Idle())
        elif not reading.lacks_total(reading.nozzle):
            total_ml = reading.totals_ml.get(reading.nozzle)
            call = Calling(reading.nozzle, self.settings.price(reading.price), total_ml)
            self._say(("calling", reading.nozzle), call)

    def _say(self, what: tuple[str, int], event: PumpEvent) -> None:
        if self._said != what:
            self._said = what
            self.events.append(event)

    def _values(self) -> tuple[int, int]:
        filled = self.reading.filled or NOTHING_FILLED
        return self.settings.volume_ml(filled.volume), self.settings.amount_minor(filled.amount)
