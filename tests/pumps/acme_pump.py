"""An ACME pump as the controller sees it: it is polled and can be stopped. Knows no port and no clock."""

from controller.pumps.core import Turn
from controller.pumps.words import Idle, LinkFault, Offline, Online, Order, PumpEvent, Refusal, Refused, Stop

GAP_US, WINDOW_US, SILENCE_US = 5_000, 100_000, 15_000
MISSED_MAX = 5
"""So many turns in a row without a usable answer, and the pump is gone."""
POLL, STOP = b"?", b"!"
IDLE, RUNNING = b"I", b"R"


class AcmePump:
    """One ACME pump; implements `PumpCore`."""

    def __init__(self, address: int) -> None:
        self._address = address
        self._status = b""
        """As it said last; empty while it is away."""
        self._missed = 0
        self._stop: Stop | None = None
        self._events: list[PumpEvent] = []

    @property
    def name(self) -> str:
        return f"ACME {self._address}"

    def submit(self, order: Order, now_us: int) -> None:
        if not self._status:
            self._events.append(Refused(order, Refusal.OFFLINE))
        elif isinstance(order, Stop):
            self._stop = order
        else:
            self._events.append(Refused(order, Refusal.UNSUPPORTED))

    def next_turn(self, now_us: int) -> Turn:
        return self._turn(POLL if self._stop is None else STOP)

    def received(self, data: bytes, now_us: int) -> None:
        if data in (IDLE, RUNNING):
            self._came(data)
            return
        if data:  # damaged, or something that nobody knows: it is told, and never acted upon
            self._events.append(LinkFault("no_status", data.hex(" ")))
        self._missed += 1
        if self._missed >= MISSED_MAX and self._status:
            self._status, self._stop = b"", None
            self._events.append(Offline())

    def events(self) -> list[PumpEvent]:
        taken, self._events = self._events, []
        return taken

    @property
    def owes_turn(self) -> bool:
        return False

    @property
    def urgent(self) -> bool:
        return self._stop is not None

    @property
    def busy(self) -> bool:
        return self._status == RUNNING or self._stop is not None

    def quiet_turn(self, now_us: int) -> Turn | None:
        return self._turn(POLL) if self._status == IDLE and not self.busy and not self._missed else None

    def skipped(self, count: int) -> None:
        """Nothing counts polls while the pump is quiet."""

    # --- inside ---------------------------------------------------------------------------------------------

    def _came(self, status: bytes) -> None:
        if not self._status:
            self._events.append(Online())
        if status == IDLE:
            self._stop = None  # the status shows it: only now is the order done
            if self._status != IDLE:
                self._events.append(Idle())
        self._status, self._missed = status, 0

    def _turn(self, word: bytes) -> Turn:
        return Turn(bytes((self._address,)) + word, GAP_US, WINDOW_US, SILENCE_US, lambda answer: len(answer) == 1)
