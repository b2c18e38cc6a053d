"""Plates that stations told and nobody has told headquarters: what stands in their place in sales, until somebody does.

A station sends a plate's keyed hash. A sale is kept with the hash for ever; it is read with the plate as soon as an
event names one of that hash. Knows no rule.
"""

import re
from collections.abc import Sequence

import msgspec

from controller.domain.programmes.events import AnyEvent, Sale
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.routing import PLATE

_STAND_IN = re.compile(r"[0-9A-F]{16}")
Known = tuple[int, AnyEvent, bool]
"""When it happened, the event, and whether it is a redemption that was granted."""


def unknown_plate(plate_key: bytes) -> str:
    """What stands in the place of a plate that nobody has told headquarters: it is bound to nobody, like that one."""
    return plate_key.hex().upper()


def with_plates(keeping: Keeping, known: Sequence[Known]) -> list[Known]:
    """Kept events, the sales among them with the plates that are told by now."""
    found = {event.plate for _, event, _ in known if isinstance(event, Sale) and event.plate}
    keys = [bytes.fromhex(plate) for plate in found if _STAND_IN.fullmatch(plate)]
    plates = {
        unknown_plate(key): name.removeprefix(PLATE)
        for key, names in (keeping.names_of_keys(keys) if keys else {}).items()
        for name in names
        if name.startswith(PLATE)
    }
    return [(at_ms, _with_plate(event, plates), granted) for at_ms, event, granted in known] if plates else list(known)


def _with_plate(event: AnyEvent, plates: dict[str, str]) -> AnyEvent:
    if isinstance(event, Sale) and event.plate in plates:
        return msgspec.structs.replace(event, plate=plates[event.plate])
    return event
