"""Orders to a pump and events from it, in the field's words: the same for every protocol.

A protocol core turns orders into bytes and bytes into events. An order is done when the pump's status says so,
never on a link acknowledgement. Knows no protocol, no port and no clock.
"""

from dataclasses import dataclass
from enum import StrEnum

from controller.domain.quantities import UnitPrice


class Refusal(StrEnum):
    """Why an order was not done."""

    UNSUPPORTED = "unsupported"
    """The protocol has no such order."""
    WRONG_STATE = "wrong_state"
    """The pump is in a state in which this cannot be done."""
    OFFLINE = "offline"
    """The pump does not answer."""
    NOT_CONFIRMED = "not_confirmed"
    """The pump took the order and its status never showed it."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Where the pump stops by itself: one of the two is set, in thousandths of a unit or minor units."""

    volume_ml: int | None = None
    amount_minor: int | None = None

    def __post_init__(self) -> None:
        if (self.volume_ml is None) == (self.amount_minor is None):
            raise ValueError("a pump takes one preset: of volume or of money")
        if (self.volume_ml or self.amount_minor or 0) <= 0:
            raise ValueError("a preset is above zero")


@dataclass(frozen=True, slots=True)
class Authorise:
    """Let the pump deliver from these logical nozzles, up to the preset; without one, a full tank.

    `price`: what was frozen at the decision. A protocol that has no preset of money makes one of volume from it,
    rounded down.
    """

    nozzles: tuple[int, ...]
    preset: Preset | None = None
    price: UnitPrice | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """End the delivery now; it goes before every other order."""


@dataclass(frozen=True, slots=True)
class Suspend:
    """Hold a running delivery; it may be resumed. The pump answers with `Suspended`."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Let a suspended delivery go on."""


@dataclass(frozen=True, slots=True)
class ReadTotals:
    """Read a nozzle's totaliser while the pump is idle. The answer is `Totals` with `asked` set."""

    nozzle: int


@dataclass(frozen=True, slots=True)
class Identify:
    """Ask what the pump is. The answer is `Identity`."""


@dataclass(frozen=True, slots=True)
class SetPrices:
    """Unit prices of nozzles 1..n, in that order; sent when the pump is idle."""

    prices: tuple[UnitPrice, ...]


@dataclass(frozen=True, slots=True)
class Clear:
    """The delivery of this token is on disk: the pump may forget it."""

    token: int


Order = Authorise | Stop | Suspend | Resume | ReadTotals | Identify | SetPrices | Clear


@dataclass(frozen=True, slots=True)
class Online:
    """The pump answers (again), and its state is known: other events follow for what it is doing."""


@dataclass(frozen=True, slots=True)
class Offline:
    """The pump has missed so many polls in a row that it counts as gone."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nozzle hung up, nothing authorised, nothing to clear."""


@dataclass(frozen=True, slots=True)
class Calling:
    """A nozzle was lifted and the pump waits. The totaliser was read first, if the pump gives one.

    Some pumps do not say which of several it was: then `nozzle` is 0, `price` means nothing, and `prices` are what
    the pump shows for nozzles 1..n, None where that is not known.
    """

    nozzle: int
    price: UnitPrice
    totaliser_ml: int | None
    prices: tuple[UnitPrice | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Authorised:
    """The pump's status says that it may deliver."""


@dataclass(frozen=True, slots=True)
class Fuelling:
    """Running values, as the pump says them."""

    nozzle: int
    volume_ml: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Completed:
    """The delivery is over and the pump holds its values until `Clear(clear_token)` comes.

    `at_start`: the pump was already in this state when the line first heard it, so this may be a delivery that
    is in the journal already. A volume of zero is not a sale; it still wants its `Clear`.

    `nozzle_told`: the pump keeps the nozzle with the delivery. Where it does not, `nozzle` is the one that was lifted
    last, and that may be the next customer's.
    """

    clear_token: int
    nozzle: int
    volume_ml: int
    amount_minor: int
    price: UnitPrice
    totaliser_ml: int | None
    at_start: bool
    nozzle_told: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """A nozzle's volume totaliser, read while nothing runs: at start, or because it was `asked` for."""

    nozzle: int
    totaliser_ml: int
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Suspended:
    """A delivery is held: by order, or by the pump. `Fuelling` or `Authorised` follows when it goes on."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the pump says it is, in words for people."""

    text: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """The pump reports a fault. `code` is the protocol's own, `text` says it in English."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An order was not done."""

    order: Order
    reason: Refusal


@dataclass(frozen=True, slots=True)
class LinkFault:
    """Something came over the line that could not be used. `kind` is a short name that is counted."""

    kind: str
    detail: str


PumpEvent = (
    Online
    | Offline
    | Idle
    | Calling
    | Authorised
    | Fuelling
    | Suspended
    | Completed
    | Totals
    | Identity
    | Alarm
    | Refused
    | LinkFault
)
