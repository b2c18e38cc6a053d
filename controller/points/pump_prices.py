"""The prices of one pump: sent when they change, when it comes back and when it did not take them.

A pump takes new prices when it is idle: until then its tile says that it still has the old ones. Knows no till, no
delivery and no station.toml.
"""

from collections.abc import Callable

from controller.domain.desk import PointState
from controller.domain.products import Grade
from controller.domain.quantities import UnitPrice
from controller.domain.seams import US_PER_S, Timer
from controller.pumps import words
from controller.site import Site

TWICE_S = 5
"""A changed price is told a second time after this."""
RESEND_S = 30
"""A pump that did not take its prices is told again so often; one that does not object for as long has them."""


class PumpPrices:
    """Keeps one pump's prices as the station's are."""

    def __init__(self, site: Site, number: int, codes: tuple[str, ...], tell: Callable[[words.Order], None]) -> None:
        """`codes`: the grades of its logical nozzles."""
        self._site = site
        self._where = f"prices of pump {number}"
        self._codes = codes
        self._tell = tell
        self._waits_idle = False
        self._refused = self._twice = False
        self._resend: Timer | None = None

    def grade(self, nozzle: int) -> Grade | None:
        """What a logical nozzle gives, at the price of now."""
        return self._site.grade(self._codes[nozzle - 1]) if 1 <= nozzle <= len(self._codes) else None

    @property
    def grades(self) -> tuple[Grade, ...]:
        """What its nozzles give, 1 first, at their prices of now."""
        return tuple(self._site.grade(code) for code in self._codes)

    @property
    def text(self) -> str:
        """For the tile: a sentence while the pump has not got the prices of now; empty when it has."""
        return "Still the old price: the new one follows when the pump is idle" if self._waits_idle else ""

    def changed(self, grade: str, state: PointState) -> None:
        """A grade's price has changed, while the tile shows `state`."""
        if grade in self._codes:
            self._waits_idle = state not in {PointState.IDLE, PointState.OFFLINE}
            self.send()
            self._twice = True
            self._call_again(TWICE_S)  # one that came while an older one was on its way may be lost

    def send(self) -> None:
        """Tell the pump. It keeps the order until it is idle."""
        self._refused = False
        self._tell(words.SetPrices(tuple(self._site.grade(code).price for code in self._codes)))

    def idle(self) -> None:
        """The pump is idle: it takes what was sent."""
        if self._refused:
            self.send()
        if self._waits_idle:
            self._waits_idle = False
            self._site.changed()

    def shown(self) -> None:
        """The pump shows the right price of its own accord."""
        self._site.trouble(self._where, None)

    def refused(self, reason: words.Refusal) -> None:
        """The pump did not take them."""
        self._refused = True
        match reason:
            case words.Refusal.OFFLINE:
                pass  # it gets them when it comes back
            case words.Refusal.WRONG_STATE:
                self._waits_idle = True
                self._site.changed()
            case words.Refusal.UNSUPPORTED:
                self._site.trouble(
                    self._where,
                    f"The pump cannot be given {self._listed()}: set this at the pump itself, by its manual",
                )
            case words.Refusal.NOT_CONFIRMED:
                self._site.trouble(
                    self._where,
                    f"The pump does not confirm its new prices ({self._listed()}): it sells nothing at another price; "
                    f"they are sent again every {RESEND_S} s. Hang up its nozzles, and see that it is not in its menu",
                )
                self._call_again(RESEND_S)

    def no_more(self) -> None:
        """The station ends."""
        if self._resend is not None:
            self._resend.cancel()

    # ---- inside

    def _listed(self) -> str:
        prices: list[UnitPrice] = [self._site.grade(code).price for code in self._codes]
        return ", ".join(map(str, prices))

    def _call_again(self, seconds: int) -> None:
        self.no_more()
        due_us = self._site.clock.now().mono_us + seconds * US_PER_S
        self._resend = self._site.clock.call_at(due_us, self._again)

    def _again(self) -> None:
        if self._refused or self._twice:
            self._twice = False
            self.send()
            self._call_again(RESEND_S)
        else:
            self._site.trouble(self._where, None)
