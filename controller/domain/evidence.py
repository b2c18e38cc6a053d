"""What a decision was made from, as the journal keeps it: so that it can be made again from its row alone.

Fields are added at the end, with a default: rows of before must still be read. Knows no list, clock or pump.
"""

import msgspec

from controller.domain.card_use import CardUse
from controller.domain.codes import Scanned
from controller.domain.headquarters import Granted
from controller.domain.ladder import Ladder
from controller.domain.lists import ListState
from controller.domain.pins import PinAnswer, PinAsked
from controller.domain.quantities import UnitPrice


class Limits(msgspec.Struct, frozen=True, array_like=True):
    """The smallest limits a decision found; None where there is none. `by` names the one that bound each."""

    volume_ml: int | None = None
    amount_minor: int | None = None
    by: str = ""


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """What a decision was made from: enough to make it again from the journal alone."""

    list_version: int = 0
    row: bytes = b""
    """The list's row as it was looked up (msgpack), empty for a decision by an attendant's word."""
    used_day_ml: int = 0
    used_day_minor: int = 0
    odometer_km: int | None = None
    plate_key: bytes = b""
    at_ms: int = 0
    last_odometer_km: int = 0
    list_state: ListState | None = None
    """None where no list was asked: an attendant's word."""
    grade: str = ""
    grades: tuple[str, ...] = ()
    """What the point has, where its pump did not say which nozzle was lifted. `grade` is then what was answered, or the
    only one of these that the row allows."""
    station: str = ""
    week_minute: int = 0
    """Local minutes since Monday 00:00."""
    used: tuple[int, ...] = ()
    """By limit of the row's `caps`, in their order: what counted against it."""
    pin: PinAnswer | None = None
    pin_wrong: int = 0
    """Wrong tries in a row, this one included."""
    driver_key: bytes = b""
    price: UnitPrice | None = None
    currency: str = ""
    wanted_ml: int | None = None
    wanted_minor: int | None = None
    contact_age_ms: int | None = None
    ladder: Ladder | None = None
    available_minor: int | None = None
    """Of what is set apart here; None where nothing is."""
    overrun_ml: int = 0
    granted: Granted | None = None
    pin_asked: PinAsked | None = None
    """By what a PIN is checked. `row` is without its verifier; it has it in rows of before this field, where this is
    None."""
    odometer_age_ms: int | None = None
    """Elapsed time since the last reading; None where there is none."""
    odometer_km_a_day: int = 0
    """By how much a reading may have grown; 0 where that is not bounded."""
    card_use: CardUse | None = None
    """What the card's own counters said, and is in `used_day_*`, `used` and `pin_wrong` where it was more than this
    station knew."""
    code: Scanned | None = None
    """The code of one use that was scanned."""
    code_wrong: int = 0
    """Wrong driver's codes in a row, this one included."""
