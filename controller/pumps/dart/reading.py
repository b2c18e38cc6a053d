"""What a pump has said of its nozzles, of the delivery it holds, and of its counters.

Numbers are the pump's raw digits. Keeps what is nearest the truth when the pump says less than it did before.
Knows no orders and no questions, and never moves a phase.
"""

from dataclasses import dataclass, field

from controller.pumps.dart.states import RESTING, Phase
from controller.pumps.dart.transactions import Filled, NozzleState

POLLS_WITHOUT_FILLING = 4
"""While fuelling: a pump that does not send its values by itself is asked after so many polls."""
NOTHING_FILLED = Filled(0, 0)


@dataclass(slots=True)
class Reading:
    """The facts of one pump, true while it answers. `nozzle` is 0 while none is known to be selected."""

    nozzle: int
    out: bool = False
    price: int = 0
    sold: tuple[int, int] = field(init=False)
    """Nozzle and price of the delivery: they stand still once it runs."""
    filled: Filled | None = None
    final: bool = False
    """`filled` was given after the delivery was over, or is the best there will be."""
    polls_without_filling: int = 0
    totals_ml: dict[int, int | None] = field(default_factory=dict)
    """By nozzle, since the last change; None: asked for in vain."""
    start_totals: list[int] = field(default_factory=list)
    """Nozzles whose totals are still to be read once, at start."""

    def __post_init__(self) -> None:
        self.sold = self.nozzle, self.price

    def begin(self) -> None:
        """What was known of the last delivery does not count for the next one."""
        self.filled = None
        self.final = False
        self.totals_ml = {}
        self.sold = self.nozzle, self.price

    def finish(self) -> None:
        """The delivery is over: its values and its total are those that come from now on."""
        self.final = False
        self.totals_ml = {}

    def lacks_total(self, nozzle: int) -> bool:
        return nozzle > 0 and nozzle not in self.totals_ml

    @property
    def wants_filling(self) -> bool:
        """Running values are overdue."""
        return self.polls_without_filling >= POLLS_WITHOUT_FILLING

    def nozzle_came(self, said: NozzleState, phase: Phase) -> bool:
        """Whether another nozzle is selected than before, or it was lifted or hung up."""
        nozzle = said.nozzle or self.nozzle
        changed = (nozzle, said.out) != (self.nozzle, self.out)
        if changed and phase in RESTING and not self.start_totals:
            self.totals_ml = {}
        if nozzle == said.nozzle:
            self.price = said.price
        self.nozzle, self.out = nozzle, said.out
        locked = phase is Phase.FUELLING and all(self.sold)
        if not locked and phase not in (Phase.FINISHING, Phase.HOLDING):
            self.sold = self.nozzle, self.price
        return changed

    def filled_came(self, said: Filled, *, forgotten: bool) -> None:
        """`forgotten`: the pump has lost its memory, and says zero: its own earlier word is nearer the truth."""
        self.polls_without_filling = 0
        if self.filled is None or not forgotten or said.volume >= self.filled.volume:
            self.filled = said

    def total_came(self, nozzle: int, total_ml: int | None) -> bool:
        """None: it does not come. Whether this was one of the totals at start."""
        self.totals_ml[nozzle] = total_ml
        at_start = nozzle in self.start_totals
        if at_start:
            self.start_totals.remove(nozzle)
        return at_start
