"""The tables `[[keypads]]` of station.toml: which point has a keypad, and where it listens. Knows no keypad."""

from collections.abc import Collection, Iterator
from typing import Literal

import msgspec

LAST_PORT = 65_535


class KeypadTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keypad at a fuelling point, at which drivers type."""

    point: int
    kind: Literal["tcp"]
    host: str
    port: int

    @property
    def address(self) -> str:
        """For people."""
        return f"{self.host}:{self.port}"


def wrong_keypads(keypads: tuple[KeypadTable, ...], points: Collection[int]) -> Iterator[tuple[str, str]]:
    """What cannot be, each as its key and what was expected. `points`: the station's, by number."""
    at: dict[int, str] = {}
    for index, keypad in enumerate(keypads):
        key = f"keypads[{index}]"
        if keypad.point not in points:
            yield f"{key}.point", f"{keypad.point} is no point of this station"
        if keypad.point in at:
            yield f"{key}.point", f"point {keypad.point} has a keypad already"
        if not keypad.host or keypad.host != keypad.host.strip():
            yield f"{key}.host", f"{keypad.host!r}: expected a name or an address, such as 192.168.1.31"
        if not 1 <= keypad.port <= LAST_PORT:
            yield f"{key}.port", f"{keypad.port}: expected a port, 1 to {LAST_PORT}"
        for point, address in at.items():
            if address == keypad.address:
                yield f"{key}.port", f"{address} is the keypad of point {point}"
        at[keypad.point] = keypad.address
