"""A sale at a pump that goes wrong, and what must be so afterwards, whatever it was.

The customer at point 1 wants eight litres of diesel on an attendant's word. `after()` is for the end of each such
test: the next customer is served, which no pump does that still holds a delivery; the journal, read anew from the
disk with its chain, knows all fuel that really ran, once.
"""

import pytest

from controller.domain.desk import PointState
from controller.domain.records import Record
from controller.pumps.words import LinkFault, Offline
from tests.station.house import ROUNDING_ML, House, read_books_of
from tests.station.yard import Yard

WANT_ML = 8_000
MIDDLE_ML = 2_000
"""On the display when something goes wrong in the middle of a sale."""
NEXT_ML = 1_000
SETTLED_S = 1
"""After its start, and after each sale: the pump has its prices by then."""
YARDS = [pytest.param(Yard(name), id=name) for name in ("dart", "two-wire", "azt2")]
every_protocol = pytest.mark.parametrize("yard", YARDS)


async def begins(house: House, want_ml: int = WANT_ML, preset_ml: int | None = None) -> None:
    """The nozzle is lifted, the pump let go, and the trigger held."""
    await house.wait(SETTLED_S)
    await house.calls()
    assert (await house.authorise(volume_ml=preset_ml)).done
    await house.shows_nothing()
    house.squeeze(1, want_ml)


async def is_in_the_middle(house: House) -> None:
    await begins(house)
    await house.state(1, PointState.FUELLING, seconds=10)
    await house.shown_ml(MIDDLE_ML)


async def ends(house: House, want_ml: int = WANT_ML) -> None:
    """All has run, the nozzle is in, and the sale is in the books."""
    before = house.books.sums.deliveries
    await house.shown_ml(want_ml)
    house.hang_up()
    await is_booked(house, before)


async def is_booked(house: House, before: int = 0) -> None:
    """One more delivery than `before` is in the books, and the pump is free again."""
    await house.until(lambda: house.books.sums.deliveries > before, 60)
    await house.state(1, PointState.IDLE, seconds=60)


async def after(house: House, *, deliveries: int, unrecorded_ml: int = 0, jumped_ml: int = 0) -> None:
    """The next customer buys, and the books agree. `jumped_ml`: what a counter showed and never ran."""
    await house.wait(SETTLED_S)
    await house.cash_delivery(1, NEXT_ML)
    sums, open_ = house.books.sums, house.books.open
    again = read_books_of(house.copy_of_disk(), house.config)
    assert (again.sums, again.open) == (sums, open_), "the file says what the station believes"
    assert not open_
    assert sums.deliveries == deliveries + 1
    assert abs(sums.unrecorded_ml - unrecorded_ml) <= ROUNDING_ML
    told_ml = sums.volume_ml + sums.unrecorded_ml - jumped_ml
    assert abs(told_ml - house.given_ml()) < ROUNDING_ML * (sums.deliveries + 1), "all fuel that ran, once"
    if sums.unrecorded_ml == jumped_ml:
        charged = sum(nozzle.totaliser_minor for pump in house.pumps.values() for nozzle in pump.head.nozzles)
        assert sums.amount_minor == charged, "the pumps' own amounts"
    assert house.deliveries[-1].volume_ml == NEXT_ML
    assert not any(pump.faults.active() for pump in house.pumps.values())


def rows(house: House, kind: type[Record]) -> list[Record]:
    return [record for record in house.records if isinstance(record, kind)]


def link_faults(house: House) -> set[str]:
    """What point 1 was told of bytes that could not be used."""
    return {event.kind for number, event in house.told if number == 1 and isinstance(event, LinkFault)}


def was_offline(house: House) -> bool:
    return any(number == 1 and isinstance(event, Offline) for number, event in house.told)
