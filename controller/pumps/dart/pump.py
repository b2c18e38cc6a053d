"""A DART pump as the controller sees it: orders in, events out, one block asked at a time.

How it works. `delivery.py` knows what goes on at the pump and what is wanted of it (`wish`); `link.py` brings
blocks over. This is what lies between: a wish becomes a block, is polled for, is asked again a bounded number
of times and then told as failed; a pump's block is told to the delivery transaction by transaction.

Knows frames only through the link, and no clock, port or journal.
"""

from collections import Counter

from controller.pumps.core import Turn
from controller.pumps.dart import link as links
from controller.pumps.dart import transactions as dart
from controller.pumps.dart.asking import Ask, Asking, Wish
from controller.pumps.dart.delivery import Delivery
from controller.pumps.dart.errors import BadBlock
from controller.pumps.dart.settings import DartSettings
from controller.pumps.dart.states import RESTING, Phase
from controller.pumps.words import Alarm, LinkFault, Order, PumpEvent

__all__ = ["DartPump", "DartSettings"]

PROCESSOR_RESTARTED = 0x01
ALARM_TEXTS = {
    PROCESSOR_RESTARTED: "the pump's processor restarted",
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
}
"""DC5."""
HOLD_WAYS_TRIES = 4
"""Every second try looks at the status: so the first way is the 1st, 5th, the second way the 3rd try."""


class DartPump:
    """One DART pump; implements `PumpCore`."""

    def __init__(self, settings: DartSettings) -> None:
        self.settings = settings
        self._link = links.Link(settings.address)
        self._delivery = Delivery(settings)
        self._asking: Asking | None = None

    @property
    def name(self) -> str:
        return f"DART {self.settings.address:#x}"

    @property
    def phase(self) -> Phase:
        return self._delivery.phase

    @property
    def link_faults(self) -> Counter[str]:
        """How often what went wrong on the link, by name."""
        return self._link.faults

    def submit(self, order: Order, now_us: int) -> None:
        self._delivery.submit(order, now_us)
        self._settle(now_us)

    def events(self) -> list[PumpEvent]:
        taken, self._delivery.events = self._delivery.events, []
        return taken

    # --- whose turn it is -----------------------------------------------------------------------------------

    @property
    def owes_turn(self) -> bool:
        return self._link.owes

    @property
    def urgent(self) -> bool:
        waiting = self._asking is None or self._asking.wish.ask is not Ask.STOP or self._asking.due
        return self._delivery.stopping and (waiting or self._link.sending)

    @property
    def busy(self) -> bool:
        if self.phase is Phase.AWAY:
            return False
        resting = self.phase in RESTING or self.phase is Phase.HOLDING
        return not resting or self._link.sending or self._asking is not None or self._delivery.stopping

    def quiet_turn(self, now_us: int) -> Turn | None:
        quiet = not self.busy and self._link.calm and self._delivery.reset_due_us is None
        return self._link.poll_turn() if quiet and self._delivery.wish(now_us) is None else None

    def skipped(self, count: int) -> None:
        """Nothing counts polls while the pump is quiet."""

    # --- what goes out --------------------------------------------------------------------------------------

    def next_turn(self, now_us: int) -> Turn:
        if not self._link.owes and not self._link.sending:
            self._ask(self._delivery.wish(now_us))
        return self._link.next_turn()

    def _ask(self, wish: Wish | None) -> None:
        if wish is None:
            self._asking = None
            return
        if self._asking is None or self._asking.wish != wish:
            self._asking = Asking(wish)
        if self._asking.due:
            ask = self._asking.try_once(self._delivery.state)
            self._link.send(dart.block(self._transactions(ask, wish.nozzle)))

    def _transactions(self, ask: Ask, nozzle: int) -> tuple[dart.ToPump, ...]:
        match ask:
            case Ask.STOP:
                return (dart.Command(dart.Order.STOP),)
            case Ask.STATUS:
                return (dart.Command(dart.Order.RETURN_STATUS),)
            case Ask.RESET:
                return (dart.Command(dart.Order.RESET),)
            case Ask.FILLING:
                return (dart.Command(dart.Order.RETURN_FILLING),)
            case Ask.TOTAL:
                return (dart.AskTotal(nozzle),)
            case Ask.PRICES:
                return (dart.Prices(self._delivery.errands.prices_digits),)
            case Ask.SUSPEND | Ask.RESUME:
                return (self._hold(ask),)
            case Ask.IDENTITY:
                return (dart.Command(dart.Order.RETURN_IDENTITY),)
            case Ask.AUTHORISE:
                order = self._delivery.authorise_goes_out()
                preset = self.settings.preset(order.preset) if order.preset else None
                limits: tuple[dart.ToPump, ...] = (preset,) if preset else ()
                return (dart.AllowNozzles(order.nozzles), *limits, dart.Command(dart.Order.AUTHORIZE))

    def _hold(self, ask: Ask) -> dart.ToPump:
        """Pumps know one way to be held or the other: both are tried, in turn."""
        suspend = ask is Ask.SUSPEND
        if self._asking is not None and self._asking.tries % HOLD_WAYS_TRIES == 1:
            return dart.Command(dart.Order.SUSPEND if suspend else dart.Order.RESUME)
        nozzle = self._delivery.reading.nozzle or 1
        return dart.IdentityLost(nozzle) if suspend else dart.IdentityRegained(nozzle)

    # --- what comes back ------------------------------------------------------------------------------------

    def received(self, data: bytes, now_us: int) -> None:
        for event in self._link.received(data):
            match event:
                case links.Found():
                    self._delivery.found()
                case links.Lost():
                    self._delivery.lost()
                    self._asking = None
                case links.Body(body):
                    self._block_came(body, now_us)
                    self._polled(now_us)
                case links.Nothing():
                    self._polled(now_us)
                case links.GivenUp():
                    self._ask_again(now_us)
                case links.PeerRestarted():
                    self._delivery.restarted()
                case links.Fault(kind, detail):
                    self._delivery.events.append(LinkFault(kind, detail))
        self._settle(now_us)

    def _block_came(self, body: bytes, now_us: int) -> None:
        try:
            items = dart.to_master(body)
        except BadBlock as error:
            self._unusable(error.kind, str(error))
            return
        delivery, asked = self._delivery, self._asked()
        before = delivery.state
        status = nozzle = restarted = False
        for item in items:
            match item:
                case dart.Status(state):
                    delivery.state = state
                    status = True
                case dart.NozzleState():
                    delivery.nozzle_came(item, now_us)
                    nozzle = True
                case dart.Filled():
                    delivery.filled_came(item, asked)
                case dart.Total(counter, total):
                    delivery.total_came(counter, self.settings.total_ml(total), asked)
                case dart.Identity():
                    delivery.errands.identity_came(item)
                case dart.Alarmed(code):
                    restarted |= code == PROCESSOR_RESTARTED
                    delivery.events.append(Alarm(code, ALARM_TEXTS.get(code, f"alarm {code:#04x}, unknown to us")))
                case dart.Unusable(trans, data, why):
                    self._unusable("unusable", f"{trans:02x} {data.hex(' ')}: {why}")
        if self._asking is not None:
            self._asking.status_seen |= status
        if restarted:
            delivery.restarted()
        delivery.block_came(before, status=status, nozzle=nozzle, asked=asked)

    def _asked(self) -> Wish | None:
        """The wish that the pump's link has and that is not answered yet."""
        asking = self._asking
        return asking.wish if asking is not None and asking.tries and not self._link.sending else None

    def _unusable(self, kind: str, detail: str) -> None:
        self._link.faults[kind] += 1
        self._delivery.events.append(LinkFault(kind, detail))

    def _polled(self, now_us: int) -> None:
        self._delivery.reading.polls_without_filling += 1
        if self._asking is not None and not self._asking.due and not self._link.sending and self._asking.polled():
            self._ask_again(now_us)

    def _ask_again(self, now_us: int) -> None:
        asking = self._asking
        if asking is None:
            return
        # A total is tried once where none ever came: not every sale must wait for it.
        if not asking.again(once=asking.wish.ask is Ask.TOTAL and not self._delivery.gives_totals):
            self._asking = None
            self._delivery.failed(asking.wish, now_us)

    def _settle(self, now_us: int) -> None:
        if self._asking is not None and self._delivery.wish(now_us) != self._asking.wish:
            self._asking = None
        self._delivery.settle()
