"""A pump's deliveries, from the order to authorise to the `Clear`: the phase, the orders, what is still wanted.

`PHASES` says which move a status makes; here the moves are made and told. What is still to be known or to be done
is never queued; it is derived, whenever it is looked at, from the phase and the facts (`wish`), so that a restart,
a lost answer or a stop in the middle needs no case of its own.

Two rules stand above all: a delivery is confirmed to the pump (38) only after its `Clear`, and only if the pump
still shows that very delivery; and an authorisation that the pump may have fuelled with is never sent again.

Knows what is wanted and not how it is said: no link, no clock, port or journal.
"""

from collections import Counter

from controller.domain.seams import US_PER_S
from controller.pumps.azt2.asking import SHOWN_BY_STATUS, TRIES_MAX, Ask
from controller.pumps.azt2.errands import Errands
from controller.pumps.azt2.messages import REASON_NORMAL, REASON_OVERFILL, Full, State, Status
from controller.pumps.azt2.ordering import Ordering, Verdict, ordered
from controller.pumps.azt2.reading import Reading
from controller.pumps.azt2.settings import NOZZLES_MAX, AztSettings
from controller.pumps.azt2.states import CALLS, PHASES, Move, Phase
from controller.pumps.azt2.stopping import Stopping
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
    Totals,
)

NOZZLE = NOZZLES_MAX
AGAIN_US = 5 * US_PER_S
"""A pump that will not give up its delivery's values, or the delivery, is asked again after so long."""
REASON_TEXTS = {REASON_OVERFILL: "more fuel ran than the dose allowed"}


class Delivery:
    """What goes on at one pump. `wish` says what to ask; what comes of it is told by the methods below it."""

    def __init__(self, settings: AztSettings) -> None:
        self.settings = settings
        self.events: list[PumpEvent] = []
        self._token = 0
        self._forget()

    def _forget(self) -> None:
        """Everything that is true only while the pump answers."""
        self.phase = Phase.AWAY
        self.state: State | None = None
        self.reading = Reading(self.settings)
        self.errands = Errands(self.settings, self._tell)
        self.stopping = Stopping()
        self.status_due = False
        """The status is asked for before anything else: what was sent may have changed it."""
        self.ordering: Ordering | None = None
        """The order to authorise; while the pump is cleared, one that waits."""
        self._tries: Counter[Ask] = Counter()
        self._running_due = self._start_total = False
        self._running_said: int | None = None
        """Counts once the status that follows says that it runs."""
        self._not_before_us = 0
        self._booked: Full | None = None
        """What was told as completed: only this is confirmed to the pump."""
        self._first_contact = True
        self._at_start = False
        self._reason = REASON_NORMAL
        self._said: type[PumpEvent] | None = None

    def _tell(self, event: PumpEvent) -> None:
        self.events.append(event)

    # --- orders ---------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        reason = self._submitted(order)
        if reason is not None:
            self._tell(Refused(order, reason))

    def _submitted(self, order: Order) -> Refusal | None:
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
                return self._submit_clear(order)
            case _:
                hung = self.phase is Phase.READY and self.state is State.HUNG
                return self.errands.submit(order, hung=hung)

    def _submit_stop(self, order: Stop) -> None:
        self.stopping.begin(order)
        self.status_due = self.state is State.FINISHED  # else it goes before every question
        self._drop_order(Refusal.WRONG_STATE)

    def _submit_authorise(self, order: Authorise) -> Refusal | None:
        # A pump that is just being cleared takes it as soon as it rests.
        if self.phase not in (Phase.READY, Phase.CLEARING) or self.stopping.active or self.ordering is not None:
            return Refusal.WRONG_STATE
        shown = self.reading.unit_price if self.reading.price is not None else None
        ordering = ordered(order, self.settings, shown)
        if isinstance(ordering, Refusal):
            return ordering
        self.ordering = ordering
        if self.phase is Phase.READY:
            self._authorise()
        return None

    def _authorise(self) -> None:
        self.phase = Phase.AUTHORISING
        self._begin()
        self._start_total = False
        self._tries.clear()

    def _submit_clear(self, order: Clear) -> Refusal | None:
        if self.phase is not Phase.HOLDING or order.token != self._token:
            return Refusal.WRONG_STATE
        self._booked = self.reading.full
        self._begin()
        self._tries.clear()
        self._not_before_us = 0
        # What it says by now counts: it may have gone on by itself.
        self.phase = Phase.CLEARING if self.state is State.FINISHED else Phase.ASKING
        self.status_due = self.phase is Phase.ASKING
        return None

    def _begin(self) -> None:
        self.reading.begin()
        self._reason = REASON_NORMAL
        self._said = None

    def _drop_order(self, reason: Refusal) -> None:
        """The order to authorise ends without effect, as far as is known: what the status says later, counts."""
        ordering, self.ordering = self.ordering, None
        if ordering is not None:
            self._refuse(ordering.order, Refusal.NOT_CONFIRMED if ordering.maybe_taken else reason)
        if self.phase is Phase.AUTHORISING:
            self.phase = Phase.READY

    # --- what is wanted -------------------------------------------------------------------------------------

    def wish(self, now_us: int) -> Ask | None:
        """What is wanted of the pump now; None for nothing but its status."""
        if self.phase is Phase.AWAY or self.status_due:
            return None
        stop = self.stopping.wish(self.state)
        if stop is not None:
            return stop
        match self.phase:
            case Phase.AUTHORISING if self.ordering is not None:
                return self.ordering.wish(self.state)
            case Phase.FUELLING:
                return self._wish_while_fuelling()
            case Phase.FINISHING | Phase.CLEARING if now_us < self._not_before_us:
                return None
            case Phase.FINISHING:
                lacks_values = self.state is State.FINISHED and self.reading.full is None
                return Ask.FULL if lacks_values else self._wish_total()
            case Phase.CLEARING:
                return Ask.CONFIRM if self.reading.full is not None else Ask.FULL
            case Phase.READY:
                return self._wish_at_rest()
        return None

    def _wish_while_fuelling(self) -> Ask | None:
        if self.reading.price is None and not self.reading.price_tried:
            return Ask.FULL
        return Ask.RUNNING if self._running_due else None

    def _wish_total(self) -> Ask | None:
        return Ask.TOTALS if not self.reading.total_read else None

    def _wish_at_rest(self) -> Ask | None:
        # Nobody's price changes once the pump has called with it.
        may_price = self.state is State.HUNG or self._said is not Calling or self.reading.price is None
        if may_price and self.errands.price is not None:
            return self.errands.price
        if self.reading.price is None and not self.reading.price_tried:
            return Ask.FULL
        if self.state in CALLS or self._start_total:
            total = self._wish_total()
            if total is not None:
                return total
        return self.errands.totals or self.errands.identity

    # --- what comes back ------------------------------------------------------------------------------------

    def goes_out(self, ask: Ask) -> None:
        """This is sent now."""
        self._tries[ask] += 1
        self._running_due &= ask is not Ask.RUNNING
        self.stopping.goes_out(ask)
        if self.ordering is not None:
            self.ordering.goes_out(ask)

    def answered(self, ask: Ask) -> None:
        """It was not asked in vain. What the status shows is not done by an answer."""
        if ask not in SHOWN_BY_STATUS:
            self._tries[ask] = 0

    def done(self, ask: Ask) -> None:
        """The pump has acknowledged it; what became of it, its status says."""
        match ask:
            case Ask.DOSE if self.ordering is not None:
                self.ordering.dose_taken()
            case Ask.AUTHORISE if self.ordering is not None:
                self.ordering.acknowledged = True
            case Ask.PRICE:
                self.reading.price = self.errands.price_taken()
                self._said = None if self._said is Calling else self._said

    def refused(self, ask: Ask, *, supported: bool, now_us: int) -> None:
        """NAK, or (`supported`) CAN: not now. Then the status may have changed unseen: it is asked for next."""
        reason = Refusal.WRONG_STATE if supported else Refusal.UNSUPPORTED
        self.status_due = True
        match ask:
            case Ask.DOSE | Ask.AUTHORISE if self.ordering is not None:
                self.ordering.refused = True
                if not supported:
                    self._drop_order(reason)
            case Ask.TOTALS if not supported or self.phase is not Phase.FINISHING:
                self._failed(ask, reason, now_us)
            case Ask.PRICE | Ask.VERSION | Ask.ADDRESS:
                self._failed(ask, reason, now_us)
            case Ask.FULL if self.phase in (Phase.READY, Phase.FUELLING):
                self.reading.price_tried = True
            case Ask.CONFIRM:
                self.reading.full = None  # it wants to be asked for the values first
            case _ if ask in SHOWN_BY_STATUS:
                pass
            case _:
                self.tried(ask, now_us)

    def tried(self, ask: Ask, now_us: int) -> None:
        """It has not been done: again, until it was tried often enough."""
        if self._tries[ask] >= TRIES_MAX.get(ask, self._tries[ask] + 1):
            self._failed(ask, Refusal.NOT_CONFIRMED, now_us)

    def _failed(self, ask: Ask, reason: Refusal, now_us: int) -> None:
        self._tries[ask] = 0
        match ask:
            case Ask.TOTALS:
                self.reading.total_came(None)
                self._start_total = False
                self.errands.failed(ask, reason)
            case Ask.FULL if self.phase in (Phase.READY, Phase.FUELLING):
                self.reading.price_tried = True
            case Ask.FULL:
                self._later("no_values", "the pump does not give the values of its delivery", now_us)
            case Ask.CONFIRM:
                self._later("not_cleared", "the pump does not let its last delivery go", now_us)
            case _:
                self.errands.failed(ask, reason)

    def _later(self, kind: str, detail: str, now_us: int) -> None:
        self._not_before_us = now_us + AGAIN_US
        self._tell(LinkFault(kind, detail))
        if self.phase is Phase.CLEARING:
            self.reading.full = None
            self._drop_order(Refusal.NOT_CONFIRMED)

    def _refuse(self, order: Order | None, reason: Refusal) -> None:
        if order is not None:
            self._tell(Refused(order, reason))

    def found(self) -> None:
        self.phase = Phase.ASKING

    def lost(self) -> None:
        self._drop_order(Refusal.OFFLINE)
        self._refuse(self.stopping.end(), Refusal.OFFLINE)
        self.errands.lost()
        self._tell(Offline())
        self._forget()

    def running_came(self, volume: int) -> None:
        self._running_said = volume

    def full_came(self, full: Full) -> None:
        match self.phase:
            case Phase.READY | Phase.FUELLING:  # asked for its price only
                self.reading.price, self.reading.price_tried = full.price, True
            case Phase.FINISHING if self.state is State.FINISHED:
                self.reading.full_came(full)
            case Phase.CLEARING:
                self.reading.full_came(full)
                if full != self._booked:  # another delivery than was told: it wants a `Clear` of its own
                    self._drop_order(Refusal.WRONG_STATE)
                    self._finish()
                    self.reading.full_came(full)

    def total_came(self, volume: int) -> None:
        total_ml = self.settings.total_ml(volume)
        self.reading.total_came(total_ml)
        if self._start_total:
            self._start_total = False
            self._tell(Totals(NOZZLE, total_ml))
        self.errands.total_came(total_ml)

    # --- moves ----------------------------------------------------------------------------------------------

    def status_came(self, status: Status, now_us: int) -> None:
        """Make the move that the table says."""
        before, self.state = self.state, status.state
        self.status_due = False
        if self.phase is Phase.AWAY:
            return
        if self.phase is Phase.READY and before is not self.state:
            self.reading.forget_total()
        if self._first_contact:
            self._tell(Online())
        if not self.stopping.look(self.state):
            self._refuse(self.stopping.end(), Refusal.NOT_CONFIRMED)
        match PHASES[self.phase][self.state]:
            case Move.REST:
                self._rest()
            case Move.ALLOW:
                self._deliver(Phase.ALLOWED)
                self._tell(Authorised())
            case Move.FUEL:
                if self.phase is Phase.AUTHORISING:
                    self._tell(Authorised())
                self._deliver(Phase.FUELLING)
            case Move.FINISH:
                if self.phase is Phase.AUTHORISING:
                    self._tell(Authorised())
                self._deliver(Phase.FINISHING)
            case Move.STAY:
                self._stay(before, now_us)
        self._look_at_running()
        self._look_at_reason(status.reason)
        if self.phase is not Phase.READY:
            self.errands.end_totals(Refusal.WRONG_STATE)
        self._first_contact = False

    def _look_at_running(self) -> None:
        said, self._running_said = self._running_said, None
        self._running_due = self.phase is Phase.FUELLING
        if said is not None and self.phase is Phase.FUELLING:
            self.reading.running = max(self.reading.running, said)
            self._tell(Fuelling(NOZZLE, *self.reading.values()))

    def _look_at_reason(self, reason: int) -> None:
        if self.phase is Phase.FINISHING and reason not in (REASON_NORMAL, self._reason):
            self._reason = reason
            text = REASON_TEXTS.get(reason, f"the delivery ended for reason {reason}, unknown to us")
            self._tell(Alarm(reason, text))

    def _rest(self) -> None:
        if self.phase is not Phase.READY:
            self._begin()
            self._start_total = self._first_contact and self.state is State.HUNG
        self._start_total &= self.state is State.HUNG
        self.phase = Phase.READY
        if self.ordering is not None:
            self._authorise()

    def _deliver(self, phase: Phase) -> None:
        """The pump delivers, or did: an order that waited for it is done, or came too late."""
        if self.phase is Phase.CLEARING:
            self._drop_order(Refusal.WRONG_STATE)
        if self.phase in (Phase.ASKING, Phase.READY, Phase.CLEARING):
            self._begin()
        self.ordering = None
        self._start_total = False
        if phase is Phase.FINISHING:
            self._finish()
        self.phase = phase

    def _finish(self) -> None:
        self.phase = Phase.FINISHING
        self._at_start = self._first_contact
        self.reading.full = None
        self.reading.forget_total()
        self._tries.clear()
        self._not_before_us = 0
        # A reply bears no address, so it may be a late one of another pump: the end must be said twice.
        self.status_due = True

    def _stay(self, before: State | None, now_us: int) -> None:
        if self.phase is Phase.CLEARING and self._tries[Ask.CONFIRM]:
            self.tried(Ask.CONFIRM, now_us)
        if self.phase is not Phase.AUTHORISING or self.ordering is None or self.state is None:
            return
        verdict = self.ordering.look(before, self.state)
        if verdict is Verdict.ON:
            return
        in_vain = verdict in (Verdict.IGNORED, Verdict.UNHEARD)
        self._drop_order(Refusal.NOT_CONFIRMED if in_vain else Refusal.WRONG_STATE)
        if verdict in (Verdict.IGNORED, Verdict.HUNG_UP):
            self.stopping.begin()

    # --- what is told ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Say what is known and not said yet."""
        if self.status_due or self.stopping.active:
            return
        if self.phase is Phase.FINISHING:
            self._settle_finished()
        elif self.phase is Phase.READY:
            self._settle_at_rest()

    def _settle_finished(self) -> None:
        reading = self.reading
        if not reading.total_read or (self.state is State.FINISHED and reading.full is None):
            return
        self._token += 1
        self.phase = Phase.HOLDING
        self._tell(
            Completed(
                self._token,
                NOZZLE,
                *reading.values(),
                reading.unit_price,
                reading.total_ml,
                at_start=self._at_start,
            )
        )

    def _settle_at_rest(self) -> None:
        reading = self.reading
        if self._wish_at_rest() in (Ask.PRICE, Ask.FULL) or self._start_total:
            return
        if self.state is State.HUNG:
            self._say(Idle())
        elif self.state in CALLS and reading.total_read:
            self._say(Calling(NOZZLE, reading.unit_price, reading.total_ml))

    def _say(self, event: PumpEvent) -> None:
        if self._said is not type(event):
            self._said = type(event)
            self._tell(event)
