"""The whitelist's words: one row for a token, its limits and hours, and what a look-up may answer. Knows no file."""

from enum import StrEnum

import msgspec

from controller.domain.funds import Funds
from controller.domain.memberships import Membership
from controller.domain.tokens import Assurance, TokenKind

MINUTES_A_DAY = 24 * 60
MINUTES_A_WEEK = 7 * MINUTES_A_DAY


class Status(StrEnum):
    ACTIVE = "active"
    STOPPED = "stopped"
    """On the stop list: lost, stolen, or the contract is over."""


class Level(StrEnum):
    """Whose use a limit counts. All cards of a vehicle or an account share what theirs leaves."""

    CARD = "card"
    """The token itself, also where it is a plate."""
    VEHICLE = "vehicle"
    ACCOUNT = "account"


class Window(StrEnum):
    """Over which time a limit counts: a fill, or the station's business day, week (from Monday) or month."""

    FILL = "fill"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Measure(StrEnum):
    """What a limit counts: thousandths of the grade's unit, minor units of money, or deliveries."""

    VOLUME = "volume"
    AMOUNT = "amount"
    FILLS = "fills"


class Cap(msgspec.Struct, frozen=True, array_like=True):
    """One limit: at most `most`, above zero. A fill has no number of fills."""

    level: Level
    window: Window
    measure: Measure
    most: int

    @property
    def name(self) -> str:
        """As decisions and receipts name it: "day", "vehicle_week", "account_month"."""
        return self.window.value if self.level is Level.CARD else f"{self.level}_{self.window}"


class Hours(msgspec.Struct, frozen=True, array_like=True):
    """A time of the week at which a token may be used: on `days` (bit 0 is Monday), local minutes of the day.

    Until `until_minute`, which is not in it any more. Not after `from_minute`: it goes on past midnight, and belongs
    to the day on which it begins; so 0 to 0 is a whole day.
    """

    days: int
    from_minute: int
    until_minute: int

    def has(self, week_minute: int) -> bool:
        """`week_minute`: minutes since Monday 00:00, local time."""
        length = (self.until_minute - self.from_minute) % MINUTES_A_DAY or MINUTES_A_DAY
        return any(
            self.days >> day & 1 and (week_minute - day * MINUTES_A_DAY - self.from_minute) % MINUTES_A_WEEK < length
            for day in range(7)
        )


class ListRow(msgspec.Struct, frozen=True, array_like=True):
    """What a station may know of a token. Zero or empty means: no such condition.

    `products`: grade codes, comma separated; `stations`: station ids, likewise. `plate_key`: the only plate this card
    may fill. `fill_*` and `day_*` are the token's own limits; `caps` has all others. `pin`: a verifier
    (`controller.domain.pins`), never a PIN; `pin_version` grows with each new PIN, and when headquarters unlocks it.
    `drivers`: keyed hashes of the driver codes one of which must be told (`tokens.driver_key`). `vehicle_key`: whose
    use `Level.VEHICLE` counts; empty: the plate of `plate_key`, or the plate itself. `assurance`: how sure a plate
    must at least be.
    """

    key: bytes
    kind: TokenKind
    status: Status
    account: str
    products: str = ""
    valid_from_ms: int = 0
    valid_until_ms: int = 0
    plate_key: bytes = b""
    ask_odometer: bool = False
    fill_ml: int = 0
    fill_minor: int = 0
    day_ml: int = 0
    day_minor: int = 0
    stations: str = ""
    hours: tuple[Hours, ...] = ()
    pin: str = ""
    pin_version: int = 0
    drivers: tuple[bytes, ...] = ()
    tank_ml: int = 0
    caps: tuple[Cap, ...] = ()
    vehicle_key: bytes = b""
    funds: Funds = Funds.POSTPAID
    assurance: Assurance = Assurance.IDENTIFIED
    more_plates: tuple[bytes, ...] = ()
    """Beside `plate_key`, where a card's own entitlement names several."""
    member: Membership | None = None
    """Its place in a fuel programme."""

    def allows(self, grade: str) -> bool:
        return not self.products or grade in self.products.split(",")

    def allows_station(self, station: str) -> bool:
        return not self.stations or station in self.stations.split(",")

    def allows_time(self, week_minute: int) -> bool:
        """`week_minute`: minutes since Monday 00:00, local time."""
        return not self.hours or any(hours.has(week_minute) for hours in self.hours)

    @property
    def vehicle(self) -> bytes:
        """Whose use counts at `Level.VEHICLE`; empty where no vehicle is known."""
        return self.vehicle_key or self.plate_key or (self.key if self.kind is TokenKind.PLATE else b"")


class ListState(StrEnum):
    READY = "ready"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class LookUp(msgspec.Struct, frozen=True):
    """What the list said: its state and version, and the row, if there is one.

    `pin_on_card`: the row's PIN is what the card says of itself. No list can say that.
    """

    state: ListState
    version: int = 0
    row: ListRow | None = None
    pin_on_card: bool = False
