"""One order to authorise, from its dose to the status that shows it: what is to be sent, what has become of it.

Dose (54) and authorisation (32) are two requests; only the status says whether the second was taken. Once it was
acknowledged it is not sent again: the pump may have fuelled with it. Knows no phase, no link and no clock.
"""

from dataclasses import dataclass
from enum import Enum, auto

from controller.domain.quantities import UnitPrice, same_price
from controller.pumps.azt2.asking import TRIES_MAX, Ask
from controller.pumps.azt2.messages import State
from controller.pumps.azt2.settings import NOZZLES_MAX, AztSettings
from controller.pumps.azt2.states import CALLS
from controller.pumps.words import Authorise, Refusal

POLLS_FOR_START = 6
"""A pump that has acknowledged an authorisation shows it at the next status or two."""


class Verdict(Enum):
    """What a resting status means for an order that is under way."""

    ON = auto()
    HUNG_UP = auto()
    """The customer is gone: whoever lifts the nozzle next must not fuel on this order."""
    REFUSED = auto()
    UNHEARD = auto()
    """Asked for in vain, before anything was authorised."""
    IGNORED = auto()
    """Authorised, and never seen: it may have been taken all the same."""


@dataclass(slots=True)
class Ordering:
    """An order under way. `dose`: raw digits, None for a full tank."""

    order: Authorise
    dose: int | None
    acknowledged: bool = False
    refused: bool = False
    sendings: int = 0
    """Of the authorisation."""
    _dose_set: bool = False
    _dosings: int = 0
    _drops: int = 0
    _polls: int = 0
    _last: Ask | None = None

    @property
    def maybe_taken(self) -> bool:
        """It went out, and no answer says that it was refused."""
        return self.sendings > 0 and not self.refused

    def wish(self, state: State | None) -> Ask | None:
        """What is to be sent in this state."""
        if self.acknowledged or self.refused:
            return None
        if state is State.DOSED:
            # The pump takes no dose of ours now, and its own may be above the limit.
            return Ask.AUTHORISE if self.dose is None else Ask.DROP_DOSE
        return Ask.AUTHORISE if self._dose_set else Ask.DOSE

    def goes_out(self, ask: Ask) -> None:
        """This is sent now."""
        if ask is not Ask.STATUS:
            self._last = ask
        self.sendings += ask is Ask.AUTHORISE
        self._dosings += ask is Ask.DOSE
        self._drops += ask is Ask.DROP_DOSE

    def dose_taken(self) -> None:
        """The pump has acknowledged the dose."""
        self._dose_set = True
        self._dosings = 0

    def look(self, before: State | None, state: State) -> Verdict:
        """The pump still rests."""
        if state is State.HUNG and before in CALLS and not (before is State.DOSED and self._drops):
            return Verdict.HUNG_UP
        if self.refused:
            return Verdict.REFUSED
        if self.acknowledged:
            self._polls += 1
            return Verdict.IGNORED if self._polls >= POLLS_FOR_START else Verdict.ON
        if self._last is Ask.AUTHORISE:
            self._dose_set = False  # both again: what it heard of them is not known
            return Verdict.IGNORED if self.sendings >= TRIES_MAX[Ask.AUTHORISE] else Verdict.ON
        if self._dosings < TRIES_MAX[Ask.DOSE] and self._drops < TRIES_MAX[Ask.DROP_DOSE]:
            return Verdict.ON
        return Verdict.IGNORED if self.sendings else Verdict.UNHEARD


def ordered(order: Authorise, settings: AztSettings, shown: UnitPrice | None) -> Ordering | Refusal:
    """The order as something to be sent, or why it cannot be. `shown`: the pump's price, if it is known."""
    if not order.nozzles or any(nozzle != NOZZLES_MAX for nozzle in order.nozzles):
        return Refusal.UNSUPPORTED
    if order.price is not None and shown is not None and not same_price(order.price, shown):
        return Refusal.WRONG_STATE  # a limit of money would be worth another volume than was reckoned
    if order.preset is None:
        return Ordering(order, None)
    dose = settings.dose(order.preset, order.price or shown)
    return Refusal.UNSUPPORTED if dose is None else Ordering(order, dose)
