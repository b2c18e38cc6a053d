"""A two-wire pump's deliveries, from the order to authorise to the `Clear`: the phase, the orders, what is wanted.

`PHASES` says which move a status makes; here the moves are made and told. What is still to be known or to be done
is never queued; it is derived, whenever it is looked at, from the phase and the facts (`wish`).

The pump holds a delivery until it was read and something else was said on the line. So from the first sight of PEOT
or FEOT on the line is kept: the totals are read, then the transaction (another command after it would end the
state), then nothing is said but the same question again until `Clear` comes, each for a bounded time.

Knows what is wanted and not how it is asked: no link, no tries, no clock, port or journal.
"""

from controller.pumps.two_wire.asking import POLLS_BEFORE_LEAVE, Ask, Wish
from controller.pumps.two_wire.blocks import GradeTotals, Transaction
from controller.pumps.two_wire.errands import Errands
from controller.pumps.two_wire.frame import Status
from controller.pumps.two_wire.keeping import Keeping
from controller.pumps.two_wire.reading import POLLS_AFTER_VAIN, POLLS_WITHOUT_MONEY, Reading, Values
from controller.pumps.two_wire.settings import TwoWireSettings
from controller.pumps.two_wire.states import ENDED, LET_GO, ORDERED, PHASES, RESTING, Move, Phase
from controller.pumps.two_wire.stopping import Stopping
from controller.pumps.two_wire.telling import Telling
from controller.pumps.words import (
    Alarm,
    Authorise,
    Authorised,
    Clear,
    Fuelling,
    Idle,
    Offline,
    Online,
    Order,
    Refusal,
    Refused,
    Resume,
    Stop,
    Suspended,
    Totals,
)


class Delivery:
    """What goes on at one pump. `wish` says what to ask; what comes of it is told by the methods below it."""

    def __init__(self, settings: TwoWireSettings) -> None:
        self.settings = settings
        self.telling = Telling()
        self._tell = self.telling.tell
        self.reading = Reading(settings)
        self._token = 0
        self._forget()

    def _forget(self) -> None:
        """Everything that is true only while the pump answers."""
        self.phase = Phase.AWAY
        self.state: Status | None = None
        self.reading = self.reading.after_silence()
        self.errands = Errands(self.settings, self._tell)
        self.stopping = Stopping(self._tell)
        self.order: Authorise | None = None
        self._sent = self._unsure = False
        """The order to authorise went out, and what became of it is not known."""
        self._keeping = Keeping()
        self._seen_again = False
        """Its end was said once more: two words alike may still be two damaged ones, and nothing else checks them."""
        self._polls_cleared = 0
        self._kept = False
        """It would not let go of a cleared delivery: what it tells next may be the same one."""
        self._first_contact = True
        self._at_start = False
        self._owes_totals = False
        """What ran before the controller listened is found in the totals."""
        self.telling.anew()

    # --- orders ---------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        reason = self._submitted(order)
        if reason is not None:
            self._tell(Refused(order, reason))

    def _submitted(self, order: Order) -> Refusal | None:
        if self.phase is Phase.AWAY or (self.phase is Phase.ASKING and not isinstance(order, Stop)):
            return Refusal.OFFLINE
        match order:
            case Stop():
                self.errands.stopped()
                self.stopping.ask(order)
                if self.phase in ORDERED:
                    self._drop_order(Refusal.WRONG_STATE)
                return None
            case Authorise():
                return self._submit_authorise(order)
            case Clear():
                return self._submit_clear(order)
            case Resume() if self.stopping.final:
                return Refusal.WRONG_STATE
            case _:
                return self.errands.submit(order, self.phase, self.state)

    def _submit_authorise(self, order: Authorise) -> Refusal | None:
        if self.phase not in RESTING or self.stopping.wanted:
            return Refusal.WRONG_STATE
        if not self.settings.can_allow(order):
            return Refusal.UNSUPPORTED
        self.order = order
        self._sent = self._unsure = False
        self.telling.anew()
        self.phase = Phase.RELEASING if self.state in ENDED else Phase.AUTHORISING
        return None

    def _submit_clear(self, order: Clear) -> Refusal | None:
        if self.phase is not Phase.HOLDING or order.token != self._token:
            return Refusal.WRONG_STATE
        self.telling.anew()
        self._keeping.let_go()
        self._polls_cleared = 0
        if self.state in ENDED:
            self.phase = Phase.CLEARED
        elif self.state in (Status.OFF, Status.CALL):
            self.phase = Phase.READY
            if self.state is Status.CALL:
                self._called()
        else:  # it went on by itself: look again at what it is doing
            self.phase = Phase.ASKING
        return None

    def _drop_order(self, reason: Refusal) -> None:
        """The order to authorise ends without effect, as far as is known: what the status says later, counts."""
        order, self.order = self.order, None
        if order is None:
            return
        self._tell(Refused(order, Refusal.NOT_CONFIRMED if self._sent else reason))
        if self._sent:
            self.stopping.ask()  # it may have taken it after all
        if self._sent and self.settings.old_board:
            # Its status will not say whether it fuelled, only its totals will.
            if not self._unsure:
                self.reading.begin(order.nozzles)
            self._at_start = False
            self.phase = Phase.CHECKING
        else:
            self.phase = Phase.CLEARED if self.state in ENDED else Phase.READY
        self._unsure = False

    # --- what is wanted -------------------------------------------------------------------------------------

    @property
    def keeps_line(self) -> bool:
        """Nothing may be said to another pump."""
        return bool(self._keeping)

    @property
    def read_once(self) -> bool:
        """The pump was asked for what it holds and has said it: any other word may end that."""
        return self.phase is Phase.FINISHING and self.keeps_line and self.reading.transaction is not None

    def give_way(self) -> None:
        """Somebody is to be stopped: what is held is asked for again behind that."""
        self._keeping.let_go()

    def tick(self, now_us: int) -> None:
        """Let go of the line when it was kept too long."""
        self._keeping.tick(now_us)

    @property
    def wish(self) -> Wish | None:
        """What is wanted of the pump now."""
        if self.phase is Phase.AWAY:
            return None
        if self.stopping.wanted and not self.keeps_line:
            return Wish(Ask.STOP)
        reading = self.reading
        match self.phase:
            case Phase.READY:
                return self._wish_at_rest()
            case Phase.RELEASING:
                return Wish(Ask.LEAVE)
            case Phase.CLEARED if self._polls_cleared >= POLLS_BEFORE_LEAVE:
                return Wish(Ask.LEAVE)
            case Phase.AUTHORISING:
                before = self._unsure or (self.settings.old_board and not reading.totals)
                return Wish(Ask.TOTALS) if before and reading.lacks_totals else Wish(Ask.AUTHORISE)
            case Phase.FUELLING if self.errands.hold is None:
                return Wish(Ask.MONEY) if reading.polls_without_money >= POLLS_WITHOUT_MONEY else None
            case Phase.FUELLING | Phase.SUSPENDED:
                return self.errands.hold
            case Phase.FINISHING if not self._seen_again or (reading.transaction_vain and not reading.lacks_totals):
                return None
            case Phase.FINISHING if self._at_start and not reading.said_all:
                # It may have been read before the silence: then the question for the totals ends it.
                return Wish(Ask.TRANSACTION)
            case Phase.CHECKING | Phase.FINISHING if reading.lacks_totals:
                return Wish(Ask.TOTALS)
            case Phase.FINISHING:
                return Wish(Ask.TRANSACTION)
            case Phase.CHECKING if reading.ran():
                return Wish(Ask.TRANSACTION)
        return None

    def _wish_at_rest(self) -> Wish | None:
        if self.reading.lacks_totals and (self._owes_totals or self.state is Status.CALL):
            return Wish(Ask.TOTALS)
        looks_back = self.settings.old_board and self.state is Status.OFF and self.reading.lacks_older
        return self.errands.wish(self.state) or (Wish(Ask.TRANSACTION) if looks_back else None)

    def authorise_goes_out(self) -> Authorise:
        """The order that is sent now: from here on the pump may have taken it."""
        if self.order is None:
            raise RuntimeError(f"two-wire pump {self.settings.pump_id}: nothing to authorise")
        return self.order

    def authorise_went_out(self) -> None:
        self._sent = True

    def authorise_unseen(self) -> None:
        """It went out, and the poll after it had no answer: before it goes out again, the totals must stand still."""
        self._unsure = True
        self.reading.begin(self.order.nozzles if self.order is not None else ())

    def price_taken(self) -> None:
        taken = self.errands.price_taken()
        self.reading.prices[taken.grade] = taken.price

    def failed(self, wish: Wish) -> None:
        """The pump has not answered this in all its tries."""
        match wish.ask:
            case Ask.TOTALS:
                self.reading.vain = True
                self.errands.failed(wish)
                self.telling.fault("no_totals", "the pump does not give its totals")
                if self._unsure:
                    self._drop_order(Refusal.NOT_CONFIRMED)
            case Ask.TRANSACTION:
                self.telling.fault("no_transaction", "the pump does not give the delivery's values")
                # While it shows the end of a delivery it holds it, and will give it yet.
                if self.state not in ENDED:
                    self.reading.no_transaction(patient=self.phase in (Phase.FINISHING, Phase.CHECKING))
            case Ask.MONEY:
                self.reading.polls_without_money = POLLS_AFTER_VAIN
            case Ask.AUTHORISE:
                self._drop_order(Refusal.WRONG_STATE)
            case Ask.LEAVE:
                self._drop_order(Refusal.NOT_CONFIRMED)
                self.telling.fault("no_leave", "the pump keeps a delivery that was read: it is read again")
                # What was taken for its answer was perhaps none of its own: so it was never read, and will not go.
                self._kept = True
                self.phase = Phase.ASKING
            case Ask.STOP:
                self.stopping.end(Refusal.NOT_CONFIRMED)
            case _:
                self.errands.failed(wish)

    # --- what the pump says ---------------------------------------------------------------------------------

    def found(self) -> None:
        self.phase = Phase.ASKING

    def lost(self, now_us: int) -> None:
        self._sent = False
        self._drop_order(Refusal.OFFLINE)
        if self.phase is Phase.FINISHING and (said := self.reading.broken_off()) is not None:
            # Only its totals are missing. It was read, so the pump may have let go of it when it comes back.
            self._complete(said, now_us)
        self.stopping.end(Refusal.OFFLINE)
        self.errands.lost()
        self._tell(Offline())
        self._forget()

    def totals_came(self, totals: tuple[GradeTotals, ...]) -> None:
        self.reading.totals_came(totals)
        self.errands.totals_came(self.reading.total_ml)
        if self.phase is Phase.AUTHORISING and self._unsure:
            self._look_for_unseen()
            self._unsure = False

    def _look_for_unseen(self) -> None:
        """Whether the order that went out unseen was fuelled with, by the totals."""
        rises = self.reading.rises()
        if rises:
            self._tell(Authorised())
            self.order = None
            self._at_start = False
            self.phase = Phase.CHECKING
        elif rises is None and self.settings.old_board:
            self._drop_order(Refusal.NOT_CONFIRMED)

    def transaction_came(self, said: Transaction, now_us: int) -> None:
        if not self.reading.transaction_came(said):
            self.telling.fault("transaction_changed", "the pump said other values than before")
        if self.phase is Phase.FINISHING and self.state in ENDED:
            self.reading.final_held |= self.reading.final and said.volume > 0
            self._keeping.read(now_us)

    def money_came(self, amount: int) -> None:
        self.reading.money_came(amount)
        if self.phase is Phase.FUELLING:
            nozzle = self.reading.nozzle
            self._tell(Fuelling(nozzle, *self.reading.running(self.reading.price(nozzle))))

    # --- moves ----------------------------------------------------------------------------------------------

    def status_came(self, status: Status, now_us: int) -> None:
        """Make the move that the table says."""
        before, self.state = self.state, status
        self.reading.polls_without_money += 1
        if self.phase is Phase.AWAY:
            return
        self.stopping.status_came(status)
        if self._first_contact:
            self._tell(Online())
        if self.phase in RESTING and status is not before:
            self._changed_at_rest(status)
        if self.phase is Phase.AUTHORISING and before is Status.CALL and status is Status.OFF:
            # The customer has hung up: whoever lifts the nozzle next must not fuel on this order.
            self._drop_order(Refusal.WRONG_STATE)
        move = PHASES[self.phase][status]
        match move:
            case Move.STAY if self.phase is Phase.CLEARED:
                self._polls_cleared += 1
            case Move.STAY if self.phase is Phase.FINISHING:
                self._seen_again = True
            case Move.REST:
                self._rest()
            case Move.GO:
                self.phase = Phase.AUTHORISING
            case Move.ALLOW | Move.FUEL | Move.SUSPEND | Move.CHECK | Move.FINISH:
                self._deliver(move, now_us)
        self._first_contact = False

    def _changed_at_rest(self, status: Status) -> None:
        self.telling.anew()
        if status is Status.CALL:
            self._called()

    def _called(self) -> None:
        self.reading.spoil()
        # A call of several grades does not say which: what left unseen is then found here, and not by the call.
        self._owes_totals |= self.settings.nozzles > 1

    def _rest(self) -> None:
        self._kept = False
        if self.reading.unfinished:
            self.reading.resume()
            self.phase, self._at_start, self._seen_again = Phase.FINISHING, True, True
            return
        self.phase = Phase.READY
        if self.state is Status.CALL:
            self._called()
        elif self._first_contact:
            self._owes_totals = True

    def _deliver(self, move: Move, now_us: int) -> None:
        """The pump delivers, or did: an order that waited for it is done, or came too late."""
        before = self.phase
        if before is Phase.RELEASING and self.order is not None:
            self._tell(Refused(self.order, Refusal.WRONG_STATE))
            self.order = None
        if before in RESTING or before in ORDERED or before is Phase.ASKING or self.reading.unfinished:
            self.reading.begin(self.order.nozzles if self.order is not None else ())
            self._at_start = False
            self.telling.anew()
        if before is Phase.AUTHORISING or move is Move.ALLOW:
            self._tell(Authorised())
        self.order = None
        self._keeping.let_go()
        match move:
            case Move.ALLOW:
                self.phase = Phase.ALLOWED
            case Move.FUEL:
                self.reading.polls_without_money = POLLS_WITHOUT_MONEY
                self.phase = Phase.FUELLING
            case Move.SUSPEND:
                self.phase = Phase.SUSPENDED
                if before in LET_GO and not self._stop_was_meant:
                    self._tell(Alarm(Status.STOPPED, "the pump stopped by itself: look for what is wrong there"))
                self._tell(Suspended())
            case Move.CHECK:
                self.reading.spoil()
                self.phase = Phase.CHECKING
            case Move.FINISH:
                self.reading.spoil()
                self._at_start = self._first_contact or self._kept
                self._kept = self._seen_again = False
                self._keeping.finish(now_us)
                self.phase = Phase.FINISHING

    @property
    def _stop_was_meant(self) -> bool:
        return self.stopping.wanted or self.stopping.final or self.errands.hold == Wish(Ask.SUSPEND)

    # --- what is told ---------------------------------------------------------------------------------------

    def settle(self, now_us: int) -> None:
        """Say what is known and not said yet."""
        self.errands.look(self.phase)
        reading = self.reading
        match self.phase:
            case Phase.FINISHING if reading.said_all and not reading.lacks_totals:
                self._settle_end(now_us)
            case Phase.CHECKING if not reading.lacks_totals:
                self._settle_check(now_us)
            case Phase.READY:
                self._settle_at_rest()

    def _settle_end(self, now_us: int) -> None:
        values = self.reading.ended()
        if values is None and self.reading.unfinished:
            self.reading.unfinished, self._owes_totals = False, True
            self._rest()
        else:
            self._complete(values or self._lost_delivery(), now_us)

    def _lost_delivery(self) -> Values:
        self.telling.fault("lost_delivery", "fuel ran, and the pump says neither how much nor its totals")
        self._owes_totals = True
        return self.reading.nothing()

    def _settle_check(self, now_us: int) -> None:
        reading = self.reading
        if not reading.ran():
            self._owes_totals |= reading.rises() is None
            self._complete(reading.nothing(), now_us)
        elif reading.final or reading.transaction_vain:
            self._complete(reading.found() or self._lost_delivery(), now_us)

    def _complete(self, values: Values, now_us: int) -> None:
        self.reading.uncounted = not self.reading.fresh
        self._token += 1
        self.phase = Phase.HOLDING
        if self.state in ENDED:
            self._keeping.told(now_us)
        self._tell(self.reading.completed(self._token, values, at_start=self._at_start))

    def _settle_at_rest(self) -> None:
        reading = self.reading
        if self._owes_totals and reading.fresh:
            self._owes_totals = False
            for nozzle in range(1, self.settings.nozzles + 1):
                if (total_ml := reading.total_ml(nozzle)) is not None:
                    self._tell(Totals(nozzle, total_ml))
        if self.state is Status.OFF:
            if not (self._owes_totals and reading.lacks_totals):
                self.telling.once(("idle", 0), Idle())
        elif self.state is Status.CALL and not reading.lacks_totals:
            called = reading.called()
            self.telling.once(("calling", called.nozzle), called)
