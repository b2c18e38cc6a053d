"""What the tile of one fuelling point shows: values to be shown, and no reason for any of them.

Knows no pump, no decision and no till.
"""

from dataclasses import dataclass

from controller.domain.desk import Need, PointState
from controller.domain.quantities import Currency, Unit, UnitPrice, money_text, volume_text
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.tokens import TokenKind, TokenRef
from controller.site import Site

OPEN_STATES = {PointState.CALLING, PointState.DECIDING, PointState.REFUSED}
"""The nozzle is out and nothing is authorised yet."""
_READ = ("Card", "Plate")


@dataclass(slots=True)
class Display:
    """What a tile shows of a point."""

    site: Site
    since_ms: int
    state: PointState = PointState.OFFLINE
    nozzle: int = 0
    price: UnitPrice | None = None
    volume_ml: int = 0
    amount_minor: int = 0
    token: str = ""
    need: Need | None = None
    reason: str = ""
    text: str = ""
    question: str = ""
    """The id of what is asked."""

    def show(
        self,
        state: PointState,
        *,
        keep: bool = False,
        nozzle: int | None = None,
        price: UnitPrice | None = None,
        token: str | None = None,
        need: Need | None = None,
        reason: Reason | None = None,
        text: str = "",
        question: str = "",
    ) -> None:
        """Show `state`; `keep` leaves nozzle, values and token of before, which another state does not inherit."""
        if not keep:
            self.nozzle, self.price, self.token = 0, None, ""
        if not keep or state in OPEN_STATES or state is PointState.AUTHORISED:
            self.volume_ml = self.amount_minor = 0
        if state is not self.state:
            self.state, self.since_ms = state, self.site.wall_ms
        self.nozzle = self.nozzle if nozzle is None else nozzle
        self.price = self.price if price is None else price
        self.token = self.token if token is None else token
        self.need, self.question = need, question
        self.reason = reason or ""
        self.text = text or (CATALOGUE[reason].attendant if reason else "")
        self.site.changed()

    def say(self, text: str) -> None:
        """Say this beside all that is shown: what is asked stays asked."""
        self.text = text
        self.site.changed()

    def was_read(self, token: TokenRef) -> None:
        """A card or a plate was read before the nozzle was lifted."""
        if self.state is PointState.IDLE:
            text = f"{_READ[token.kind is TokenKind.PLATE]} read: lift the nozzle"
            self.show(PointState.IDLE, token=token.shown, text=text)

    def rest(self) -> None:
        """What was read before counts no more."""
        if self.state is PointState.IDLE:
            self.show(PointState.IDLE)


def up_to(volume_ml: int | None, amount_minor: int | None, held_by: str, unit: Unit, currency: Currency) -> str:
    """What a tile says of a delivery that was approved in part: "At most 30.00 l: what is left of the day's limit"."""
    if volume_ml is not None:
        return f"At most {volume_text(volume_ml, unit)}: {held_by}"
    return f"At most {money_text(amount_minor, currency)}: {held_by}" if amount_minor is not None else ""
