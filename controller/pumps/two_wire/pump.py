"""A two-wire pump as the controller sees it: orders in, events out, one thing asked at a time.

How it works. `delivery.py` knows what goes on at the pump and what is wanted of it (`wish`). A wish becomes a short
script of transmissions; while one runs, no other pump is spoken to, for the pump goes by what it was told last.
Where an answer of the script fails, the whole of it is put again, a bounded number of times, with a look at the
status in between.

Knows words only through the link and the blocks, and no clock, port or journal.
"""

from collections import Counter, deque

from controller.pumps.core import Turn
from controller.pumps.two_wire import link as links
from controller.pumps.two_wire.asking import TRIES_KEPT, TRIES_MAX, Ask, Asking, Wish
from controller.pumps.two_wire.blocks import (
    VERSION,
    SpecialFunction,
    ToPump,
    to_pump_bytes,
    totals_of,
    transaction_of,
    version_of,
)
from controller.pumps.two_wire.delivery import Delivery
from controller.pumps.two_wire.errors import FrameError
from controller.pumps.two_wire.frame import Command, Status, command_byte
from controller.pumps.two_wire.link import Answer, Link, Step
from controller.pumps.two_wire.protocol import stop_all_turn
from controller.pumps.two_wire.settings import TwoWireSettings
from controller.pumps.two_wire.states import RESTING_STATES, Phase
from controller.pumps.words import Order, PumpEvent

__all__ = ["TwoWirePump", "TwoWireSettings"]


class TwoWirePump:
    """One two-wire pump; implements `PumpCore`, `StopsAll` and `KeepsLine`."""

    def __init__(self, settings: TwoWireSettings) -> None:
        self.settings = settings
        self._link = Link(settings.pump_id)
        self._delivery = Delivery(settings)
        self._asking: Asking | None = None
        self._script: deque[Step] = deque()
        self._sent = self._link.poll
        self._gives_way = False
        self._look = False
        """Something failed: see the status before it is put again."""

    @property
    def name(self) -> str:
        return f"two-wire {self.settings.pump_id}"

    @property
    def phase(self) -> Phase:
        return self._delivery.phase

    @property
    def link_faults(self) -> Counter[str]:
        """How often what went wrong on the link, by name."""
        return self._link.faults

    def submit(self, order: Order, now_us: int) -> None:
        self._delivery.submit(order)
        self._settle(now_us)

    def events(self) -> list[PumpEvent]:
        telling = self._delivery.telling
        taken, telling.events = telling.events, []
        return taken

    # --- whose turn it is -----------------------------------------------------------------------------------

    @property
    def owes_turn(self) -> bool:
        return bool(self._script) or (self._link.unsure and not self._gives_way) or self._delivery.keeps_line

    def give_way(self) -> None:
        """A script is not parted: it is short, and the pump goes by what it was told last."""
        self._gives_way = True
        self._delivery.give_way()

    @property
    def urgent(self) -> bool:
        sending = self._asking is not None and self._asking.wish.ask is Ask.STOP and bool(self._script)
        return self._delivery.stopping.wanted and not self._delivery.keeps_line and not sending

    @property
    def busy(self) -> bool:
        if self.phase is Phase.AWAY:
            return False
        resting = self.phase is Phase.READY or (self.phase is Phase.HOLDING and not self._delivery.keeps_line)
        return not resting or self._delivery.stopping.wanted or self._delivery.wish is not None or self.owes_turn

    def quiet_turn(self, now_us: int) -> Turn | None:
        quiet = self.phase is Phase.READY and not self.busy and not self._look and self._link.calm
        return self._link.turn_after_answer(self._link.poll) if quiet else None

    def skipped(self, count: int) -> None:
        """Nothing counts polls while the pump is quiet."""

    def stop_all_turn(self) -> Turn:
        return stop_all_turn()

    # --- what goes out --------------------------------------------------------------------------------------

    def next_turn(self, now_us: int) -> Turn:
        self._gives_way = False
        self._delivery.tick(now_us)
        if not self._script:
            self._choose(now_us)
        self._sent = self._script[0] if self._script else self._at_rest()
        return self._link.turn(self._sent)

    def _at_rest(self) -> Step:
        """A poll, or while a delivery that was read waits for `Clear`, the same question again: it ends nothing."""
        keeps = self.phase is Phase.HOLDING and self._delivery.keeps_line
        return self._ask(Command.TRANSACTION, Answer.BLOCK, counts=True) if keeps else self._link.poll

    def _choose(self, now_us: int) -> None:
        """Begin what is wanted, unless a look at the status comes first."""
        if self._look or self._link.unsure:
            return
        while (wish := self._delivery.wish) is not None:
            if self._asking is None or self._asking.wish != wish:
                self._asking = Asking(wish)
            if self._asking.tries < TRIES_MAX:
                self._asking.tries += 1
                self._script.extend(self._steps(wish))
                return
            self._asking = None
            self._delivery.failed(wish)
            self._settle(now_us)
        self._asking = None

    def _ask(self, command: Command, answer: Answer = Answer.NONE, *, counts: bool = False) -> Step:
        return Step(command_byte(command, self.settings.pump_id), answer, counts=counts)

    def _poll(self, *needs: Status) -> Step:
        return Step(self._link.poll.data, Answer.STATUS, frozenset(needs), counts=True)

    def _send(self, block: ToPump, answer: Answer = Answer.NONE) -> list[Step]:
        return [self._ask(Command.DATA_NEXT, Answer.SEND_DATA), Step(to_pump_bytes(block), answer)]

    def _steps(self, wish: Wish) -> list[Step]:
        delivery, poll = self._delivery, self._link.poll
        match wish.ask:
            case Ask.STOP | Ask.SUSPEND:
                return [self._ask(Command.STOP), poll]
            case Ask.RESUME:
                return [self._poll(Status.STOPPED), self._ask(Command.AUTHORISE), poll]
            case Ask.AUTHORISE:
                return self._steps_to_authorise()
            # Once a transaction was read no poll comes between: then these count the silent turns.
            case Ask.TOTALS | Ask.LEAVE:
                return [self._ask(Command.TOTALS, Answer.BLOCK, counts=delivery.read_once)]
            case Ask.TRANSACTION:
                return [self._ask(Command.TRANSACTION, Answer.BLOCK, counts=delivery.read_once)]
            case Ask.MONEY:
                return [self._ask(Command.MONEY, Answer.MONEY)]
            case Ask.PRICE:
                block = self._send(delivery.errands.price_block())
                return [self._poll(Status.OFF), *block, self._poll(*RESTING_STATES)]
            case Ask.IDENTITY:
                return [self._poll(*RESTING_STATES), *self._send(SpecialFunction(VERSION), Answer.BLOCK)]

    def _steps_to_authorise(self) -> list[Step]:
        """The poll right before the command must say that the pump still waits: a lost word is not guessed."""
        order = self._delivery.authorise_goes_out()
        called = self._delivery.state is Status.CALL
        resting = self._poll(Status.CALL) if called else self._poll(*RESTING_STATES)
        preset = self.settings.held_to(order)
        data = [*self._send(preset), resting] if preset else []
        return [resting, *data, self._ask(Command.AUTHORISE), self._link.poll]

    # --- what comes back ------------------------------------------------------------------------------------

    def received(self, data: bytes, now_us: int) -> None:
        step = self._sent
        went_on = step.answer is Answer.NONE
        if went_on:
            self._went_out(step)
        running = bool(self._script)
        for event in self._link.received(data):
            match event:
                case links.Found():
                    self._delivery.found()
                case links.Lost():
                    self._drop()
                    self._delivery.lost(now_us)
                case links.Said(status):
                    self._look = False
                    went_on = step.needs is None or status in step.needs
                case links.Accepted(status):
                    self._delivery.status_came(status, now_us)
                case links.SendData():
                    went_on = True
                case links.Block(block):
                    went_on = self._block_came(block, now_us)
                case links.Money(amount):
                    self._delivery.money_came(amount)
                    went_on = True
                case links.Fault(kind, detail):
                    self._delivery.telling.fault(kind, detail)
        if running and self._script:
            self._advance(went_on=went_on)
        self._delivery.tick(now_us)
        self._settle(now_us)

    def _went_out(self, step: Step) -> None:
        if self._asking is None or not self._script:
            return
        match self._asking.wish.ask:
            case Ask.STOP:
                self._delivery.stopping.went_out()
            case Ask.AUTHORISE if step == self._ask(Command.AUTHORISE):
                self._delivery.authorise_went_out()

    def _advance(self, *, went_on: bool) -> None:
        self._script.popleft()
        ask = self._asking.wish.ask if self._asking is not None else None
        tries = self._asking.tries if self._asking is not None else 0
        if not went_on:
            if ask is Ask.AUTHORISE and not self._script:
                self._delivery.authorise_unseen()
            self._script.clear()
            # One that does not repeat what it said once has perhaps let go of it: see, before it counts as gone.
            self._look = not self._delivery.read_once or tries >= TRIES_KEPT
        elif not self._script:
            if ask is Ask.PRICE:
                self._delivery.price_taken()
                self._asking = None
            self._look = ask in (Ask.STOP, Ask.SUSPEND, Ask.RESUME, Ask.AUTHORISE, Ask.LEAVE)

    def _block_came(self, block: bytes, now_us: int) -> bool:
        """Whether it is what was asked for."""
        delivery = self._delivery
        command = self._sent.data
        try:
            if command == self._ask(Command.TOTALS).data:
                delivery.totals_came(totals_of(block))
            elif command == self._ask(Command.TRANSACTION).data:
                delivery.transaction_came(transaction_of(block), now_us)
            else:
                delivery.errands.identity_came(version_of(block))
        except FrameError as error:
            fault = self._link.fault(error.kind, str(error))
            delivery.telling.fault(fault.kind, fault.detail)
            if any(isinstance(event, links.Lost) for event in self._link.unanswered()):
                self._drop()
                delivery.lost(now_us)
            return False
        self._link.answered()
        return True

    def _drop(self) -> None:
        self._script.clear()
        self._asking = None
        self._look = False

    def _settle(self, now_us: int) -> None:
        self._delivery.settle(now_us)
        if self._asking is not None and self._delivery.wish != self._asking.wish:
            self._asking = None
            self._script.clear()
