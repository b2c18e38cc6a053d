"""The pump itself: nozzles, meters, valve, trigger and display, and the customer who uses them.

What has flowed is a function of time, computed in integers when somebody looks, so that it does not matter how
often that is. Knows no protocol, and no clock: every call is told `now_us`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from controller.domain.quantities import Currency, UnitPrice, amount_for, volume_for
from controller.domain.seams import US_PER_S

TOTALISER_MODULO_ML = 100_000_000_000
"""Ten digits of hundredths of a litre."""
FLOW_ML_PER_S = 600
"""36 litres a minute: an ordinary car pump."""
SLOW_ML_PER_S = 80
SLOW_BAND_ML = 300
"""The last part before a preset runs slowly, so that the valve can close in time."""


class HeadChange(Enum):
    """What the electronics can see happen."""

    LIFTED = auto()
    HUNG_UP = auto()
    PRESET_REACHED = auto()
    FLOW_STOPPED = auto()
    """The trigger was let go."""
    NUDGED = auto()
    """Somebody opened the pump: nothing that the electronics can see, but who waits for news looks again."""


@dataclass(slots=True)
class HeadNozzle:
    """One nozzle: what it gives, for how much, and its totalisers.

    `given_ml`: what really ran through it since it was made. No counter of the pump's shows it, and nothing breaks it.
    """

    grade: str
    price: UnitPrice
    totaliser_ml: int = 0
    totaliser_minor: int = 0
    given_ml: int = 0


@dataclass(frozen=True, slots=True)
class _Flow:
    """Fuel runs since `since_us`, from `from_ml` to `end_ml`; slowly from `slow_from_ml`."""

    since_us: int
    from_ml: int
    slow_from_ml: int
    end_ml: int


Listener = Callable[[HeadChange, int, int], None]
"""(what, number of the nozzle, when it happened in microseconds)."""


class PumpHead:
    """One side of a dispenser: one nozzle in use at a time. Nozzles count from 1."""

    def __init__(
        self,
        nozzles: Sequence[HeadNozzle],
        currency: Currency,
        *,
        flow_ml_per_s: int = FLOW_ML_PER_S,
        slow_ml_per_s: int = SLOW_ML_PER_S,
        slow_band_ml: int = SLOW_BAND_ML,
        overrun_ml: int = 0,
        totaliser_modulo_ml: int = TOTALISER_MODULO_ML,
    ) -> None:
        """`overrun_ml`: how far past a preset the valve closes; below zero, how much too early."""
        self.nozzles = list(nozzles)
        self.currency = currency
        self.listeners: list[Listener] = []
        """Called at each change, with the moment at which it happened."""
        self._fast = flow_ml_per_s
        self._slow = slow_ml_per_s
        self._band_ml = slow_band_ml
        self._overrun_ml = overrun_ml
        self._totalisers_stuck = False
        self._modulo_ml = totaliser_modulo_ml
        self._out: int | None = None
        self._selected = 0
        self._permitted: frozenset[int] = frozenset()
        self._limit_ml: int | None = None
        self._limit_minor: int | None = None
        self._want_ml = 0
        self._flow: _Flow | None = None
        self._shown_ml = 0
        self._counted_minor = 0
        self._price: UnitPrice | None = None

    # --- the customer ---------------------------------------------------------------------------------------

    def lift(self, nozzle: int, now_us: int) -> None:
        """Take a nozzle. One that is out already must be hung up first."""
        if not 1 <= nozzle <= len(self.nozzles):
            raise ValueError(f"nozzle {nozzle}: this pump has {len(self.nozzles)}")
        if self._out is not None:
            raise ValueError(f"nozzle {self._out} is out: hang it up first")
        self.advance(now_us)
        self._out = self._selected = nozzle
        self._want_ml = 0
        self._changed(HeadChange.LIFTED, now_us)

    def squeeze(self, want_ml: int, now_us: int) -> None:
        """Hold the trigger until `want_ml` more have run; they run as soon as the pump allows it."""
        self.advance(now_us)
        self._want_ml = want_ml
        self._start(now_us)

    def release(self, now_us: int) -> None:
        """Let the trigger go."""
        self.advance(now_us)
        self._want_ml = 0
        if self._flow is not None:
            self._flow = None
            self._changed(HeadChange.FLOW_STOPPED, now_us)

    def hang_up(self, now_us: int) -> None:
        """Put the nozzle back: this ends the delivery, whether anybody listens or not."""
        if self._out is None:
            return
        self.advance(now_us)
        self._flow = None
        self._want_ml = 0
        self._out = None
        self._permitted = frozenset()
        self._changed(HeadChange.HUNG_UP, now_us)

    # --- who opens the pump with a screwdriver --------------------------------------------------------------

    def nudge(self, now_us: int) -> None:
        """Make who listens look again."""
        self.advance(now_us)
        self._changed(HeadChange.NUDGED, now_us)

    @property
    def overrun_ml(self) -> int:
        """How far past a preset the valve closes; below zero, how much too early."""
        return self._overrun_ml

    def set_overrun(self, overrun_ml: int, now_us: int) -> None:
        """A worn valve, from now on: also for the delivery that runs."""
        self.advance(now_us)
        self._overrun_ml = overrun_ml
        if self._flow is not None:
            self._flow = None
            self._start(now_us)

    def stick_totalisers(self, now_us: int, *, stuck: bool) -> None:
        """The volume counters stand still although fuel flows; or count again."""
        self.advance(now_us)
        self._totalisers_stuck = stuck

    def jump_totaliser(self, nozzle: int, by_ml: int, now_us: int) -> None:
        """The counter shows something else: a new meter, a flipped bit."""
        self.advance(now_us)
        counter = self.nozzles[nozzle - 1]
        counter.totaliser_ml = (counter.totaliser_ml + by_ml) % self._modulo_ml

    # --- the pump's electronics -----------------------------------------------------------------------------

    @property
    def lamp(self) -> Literal["off", "blinking", "on"]:
        """As of the last look: blinking while a nozzle is out and waits to be let go, on while fuel may run."""
        if self._out is None:
            return "off"
        return "on" if self._out in self._permitted else "blinking"

    @property
    def nozzle_out(self) -> int | None:
        """The nozzle that is out, if one is."""
        return self._out

    @property
    def selected(self) -> int:
        """The nozzle that was taken last; 0 if none ever was."""
        return self._selected

    def price(self, nozzle: int) -> UnitPrice:
        """What a unit costs at this nozzle now."""
        return self.nozzles[nozzle - 1].price

    def set_prices(self, prices: Sequence[UnitPrice]) -> None:
        """New prices of all nozzles; a delivery that runs keeps its own."""
        for nozzle, price in zip(self.nozzles, prices, strict=True):
            nozzle.price = price

    def permit(self, nozzles: Sequence[int], now_us: int) -> None:
        """Open the valve as soon as one of these nozzles is out and its trigger is held."""
        self.advance(now_us)
        self._permitted = frozenset(nozzles)
        self._start(now_us)

    def forbid(self, now_us: int) -> None:
        """Close the valve."""
        self.advance(now_us)
        self._permitted = frozenset()
        self._flow = None

    def limit(self, now_us: int, *, volume_ml: int | None = None, amount_minor: int | None = None) -> None:
        """Stop at this volume or amount; None for no limit. Already exceeded: stop at once."""
        self.advance(now_us)
        self._limit_ml, self._limit_minor = volume_ml, amount_minor
        if self._flow is not None:
            self._flow = None
            self._start(now_us)

    def reset(self, now_us: int) -> None:
        """Clear display and limits."""
        self.advance(now_us)
        self._flow = None
        self._shown_ml = self._counted_minor = 0
        self._price = None
        self._limit_ml = self._limit_minor = None
        self._permitted = frozenset()

    def volume_ml(self, now_us: int) -> int:
        """On the display."""
        self.advance(now_us)
        return self._shown_ml

    def amount_minor(self, now_us: int) -> int:
        """On the display: the pump's own rounding; a preset of money that was reached exactly is shown so."""
        self.advance(now_us)
        return self._amount()

    def totaliser_ml(self, nozzle: int, now_us: int) -> int:
        """The nozzle's volume counter, rolled over."""
        self.advance(now_us)
        return self.nozzles[nozzle - 1].totaliser_ml

    def totaliser_minor(self, nozzle: int, now_us: int) -> int:
        """The nozzle's counter of money."""
        self.advance(now_us)
        return self.nozzles[nozzle - 1].totaliser_minor

    def given_ml(self, now_us: int) -> int:
        """What really ran through all nozzles since the pump was made."""
        self.advance(now_us)
        return sum(nozzle.given_ml for nozzle in self.nozzles)

    @property
    def flowing(self) -> bool:
        """Fuel runs, as of the last look."""
        return self._flow is not None

    def next_change_us(self, now_us: int) -> int | None:
        """When the running flow will end by itself; None if nothing runs."""
        self.advance(now_us)
        return self._end_us(self._flow) if self._flow is not None else None

    def advance(self, now_us: int) -> None:
        """Bring meters and display to `now_us`."""
        flow = self._flow
        if flow is None:
            return
        end_us = self._end_us(flow)
        self._count(flow.end_ml if now_us >= end_us else self._reached(flow, now_us))
        if now_us >= end_us:
            self._flow = None
            if self._limit_reached_at(flow.end_ml):
                self._permitted = frozenset()
                self._changed(HeadChange.PRESET_REACHED, end_us)
            else:
                self._want_ml = 0
                self._changed(HeadChange.FLOW_STOPPED, end_us)

    # --- how it flows ---------------------------------------------------------------------------------------

    def _start(self, now_us: int) -> None:
        if self._flow is not None or self._out is None or self._out not in self._permitted:
            return
        if self._price is None:
            self._price = self.price(self._out)
        limit = self._limit_volume()
        stop = limit if limit is None else self._stop_ml(limit)
        if stop is not None and self._shown_ml >= stop:
            self._permitted = frozenset()
            self._changed(HeadChange.PRESET_REACHED, now_us)
            return
        if self._want_ml <= 0:
            return
        end = self._shown_ml + self._want_ml
        slow_from = end
        if limit is not None and stop is not None:
            slow_from = max(self._shown_ml, limit - self._band_ml)
            end = end if end < stop else limit + self._overrun_ml
        self._flow = _Flow(now_us, self._shown_ml, slow_from, end)

    def _limit_volume(self) -> int | None:
        if self._limit_ml is not None or self._limit_minor is None or self._price is None:
            return self._limit_ml
        if self._price.value <= 0:
            return None
        volume = volume_for(self._limit_minor, self._price, self.currency)
        while amount_for(volume, self._price, self.currency) < self._limit_minor:
            volume += 1
        return volume

    def _limit_reached_at(self, volume_ml: int) -> bool:
        limit = self._limit_volume()
        return limit is not None and volume_ml >= self._stop_ml(limit)

    def _stop_ml(self, limit_ml: int) -> int:
        """From here on the pump says that its preset is reached."""
        return limit_ml + min(self._overrun_ml, 0)

    def _fast_us(self, flow: _Flow) -> int:
        """How long the quick part takes."""
        quick_ml = max(0, min(flow.slow_from_ml, flow.end_ml) - flow.from_ml)
        return -(-quick_ml * US_PER_S // self._fast)

    def _end_us(self, flow: _Flow) -> int:
        slow_ml = max(0, flow.end_ml - max(flow.slow_from_ml, flow.from_ml))
        return flow.since_us + self._fast_us(flow) + -(-slow_ml * US_PER_S // self._slow)

    def _reached(self, flow: _Flow, now_us: int) -> int:
        elapsed = max(0, now_us - flow.since_us)
        fast_us = self._fast_us(flow)
        if elapsed < fast_us:
            return flow.from_ml + elapsed * self._fast // US_PER_S
        slow = (elapsed - fast_us) * self._slow // US_PER_S
        return min(flow.end_ml, max(flow.from_ml, min(flow.slow_from_ml, flow.end_ml)) + slow)

    def _count(self, volume_ml: int) -> None:
        nozzle = self.nozzles[self._selected - 1]
        nozzle.given_ml += volume_ml - self._shown_ml
        if not self._totalisers_stuck:
            nozzle.totaliser_ml = (nozzle.totaliser_ml + volume_ml - self._shown_ml) % self._modulo_ml
        self._want_ml -= volume_ml - self._shown_ml
        self._shown_ml = volume_ml
        amount = self._amount()
        nozzle.totaliser_minor += amount - self._counted_minor
        self._counted_minor = amount

    def _amount(self) -> int:
        if self._price is None:
            return 0
        amount = amount_for(self._shown_ml, self._price, self.currency)
        exact = self._limit_minor is not None and self._shown_ml == self._limit_volume()
        return self._limit_minor if exact and self._limit_minor is not None else amount

    def _changed(self, change: HeadChange, at_us: int) -> None:
        for listener in list(self.listeners):
            listener(change, self._selected, at_us)
