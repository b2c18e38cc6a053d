"""An AZT pump as the controller sees it: orders in, events out, one request at a time.

How it works. `delivery.py` knows what goes on at the pump and what is wanted of it (`wish`); `link.py` brings a
request over and its answer back. This is what lies between: a wish becomes a request, and what comes of it is told
to the delivery. Whatever is not wished for is a question for the status.

Knows frames only through the link, and no clock, port or journal.
"""

from collections import Counter

from controller.pumps.azt2 import link as links
from controller.pumps.azt2.asking import COMMANDS, SHOWN_BY_STATUS, Ask
from controller.pumps.azt2.delivery import Delivery
from controller.pumps.azt2.frame import Answer
from controller.pumps.azt2.messages import Counters, Full, Outcome, Running, Status, Text, dose_bytes
from controller.pumps.azt2.settings import AztSettings
from controller.pumps.azt2.states import Phase
from controller.pumps.core import Turn
from controller.pumps.words import LinkFault, Order, PumpEvent

__all__ = ["AztPump", "AztSettings"]


class AztPump:
    """One AZT pump; implements `PumpCore`."""

    def __init__(self, settings: AztSettings) -> None:
        self.settings = settings
        self._link = links.Link(settings.channel)
        self._delivery = Delivery(settings)
        self._asked = Ask.STATUS

    @property
    def name(self) -> str:
        return f"AZT {self.settings.channel}"

    @property
    def phase(self) -> Phase:
        return self._delivery.phase

    @property
    def link_faults(self) -> Counter[str]:
        """How often what went wrong on the link, by name."""
        return self._link.faults

    def submit(self, order: Order, now_us: int) -> None:
        self._delivery.submit(order)
        self._delivery.settle()

    def events(self) -> list[PumpEvent]:
        taken, self._delivery.events = self._delivery.events, []
        return taken

    # --- whose turn it is -----------------------------------------------------------------------------------

    @property
    def owes_turn(self) -> bool:
        """Never: a reply is not acknowledged."""
        return False

    @property
    def urgent(self) -> bool:
        return self._delivery.stopping.active and not self._delivery.status_due and self.phase is not Phase.AWAY

    @property
    def busy(self) -> bool:
        delivery = self._delivery
        if self.phase is Phase.AWAY:
            return False
        resting = self.phase in (Phase.READY, Phase.HOLDING)
        return not resting or self._link.asking_again or delivery.status_due or delivery.wish(0) is not None

    def quiet_turn(self, now_us: int) -> Turn | None:
        return self._link.poll_turn if not self.busy and self._link.calm else None

    def skipped(self, count: int) -> None:
        """Nothing counts polls while the pump is quiet."""

    # --- what goes out --------------------------------------------------------------------------------------

    def next_turn(self, now_us: int) -> Turn:
        wish = self._delivery.wish(now_us) or Ask.STATUS
        if not self._link.asking_again or wish is not self._asked:
            self._asked = wish
            self._link.ask(COMMANDS[wish], self._data(wish))
            self._delivery.goes_out(wish)
        return self._link.next_turn()

    def _data(self, ask: Ask) -> bytes:
        match ask:
            case Ask.DOSE if self._delivery.ordering is not None:
                return dose_bytes(self._delivery.ordering.dose)
            case Ask.PRICE:
                return self._delivery.errands.price_data
            case _:
                return b""

    # --- what comes back ------------------------------------------------------------------------------------

    def received(self, data: bytes, now_us: int) -> None:
        for event in self._link.received(data):
            match event:
                case links.Found():
                    self._delivery.found()
                case links.Lost():
                    self._delivery.lost()
                case links.Answered(outcome):
                    self._answered(outcome, now_us)
                case links.Unanswered() if self._link.online:
                    self._unanswered(now_us)
                case links.Fault(kind, detail):
                    self._delivery.events.append(LinkFault(kind, detail))
                case _:
                    pass
        self._delivery.settle()

    def _answered(self, outcome: Outcome, now_us: int) -> None:
        delivery, asked = self._delivery, self._asked
        if asked in SHOWN_BY_STATUS:
            delivery.status_due = True
        if outcome not in (Answer.NAK, Answer.CAN):
            delivery.answered(asked)
        match outcome:
            case Status():
                delivery.status_came(outcome, now_us)
            case Running(volume):
                delivery.running_came(volume)
            case Full():
                delivery.full_came(outcome)
            case Counters(volume):
                delivery.total_came(volume)
            case Text(text) if asked is Ask.VERSION:
                delivery.errands.version_came(text)
            case Text(text):
                delivery.errands.address_came(text)
            case Answer.ACK:
                delivery.done(asked)
            case Answer.NAK | Answer.CAN if asked is Ask.STATUS:
                self._link.faults["no_status"] += 1
                delivery.events.append(LinkFault("no_status", f"{outcome.name} for a question for the status"))
            case Answer.NAK | Answer.CAN:
                delivery.refused(asked, supported=outcome is Answer.CAN, now_us=now_us)
            case _:
                pass

    def _unanswered(self, now_us: int) -> None:
        if self._asked in SHOWN_BY_STATUS:
            self._delivery.status_due = True  # it may have been heard
        else:
            self._delivery.tried(self._asked, now_us)
