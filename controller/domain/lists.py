"""The whitelist's words: one row for a card or a plate, and what a look-up may answer. Knows no file."""

from enum import StrEnum

import msgspec

from controller.domain.tokens import TokenKind


class Status(StrEnum):
    ACTIVE = "active"
    STOPPED = "stopped"
    """On the stop list: lost, stolen, or the contract is over."""


class ListRow(msgspec.Struct, frozen=True, array_like=True):
    """What a station may know of a token. Zero or empty means: no such condition.

    `products`: grade codes, comma separated. `plate_key`: the only plate this card may fill.
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

    def allows(self, grade: str) -> bool:
        return not self.products or grade in self.products.split(",")


class ListState(StrEnum):
    READY = "ready"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class LookUp(msgspec.Struct, frozen=True):
    """What the list said: its state and version, and the row, if there is one."""

    state: ListState
    version: int = 0
    row: ListRow | None = None
