"""What a pump that holds a finished delivery really delivered.

A pump that was not listened to goes on: the driver hangs up, the next one lifts another nozzle, and the pump then
names that nozzle while it still shows the delivery of the first. Totalisers and the open authorisation tell them
apart. A pump that keeps the nozzle with the delivery is believed, also where another one was authorised. Pure: knows no
journal, no pump and no clock.
"""

from collections.abc import Callable
from dataclasses import replace

from controller.domain.meters import Meter, forward_by, moved_ml
from controller.domain.records import Authorised, Delivery
from controller.pumps.words import Completed

METER = Meter()
"""How most nozzles are counted."""


def as_delivered(
    event: Completed,
    *,
    last: Delivery | None,
    authorised: Authorised | None,
    known_ml: Callable[[int], int | None],
    how: Meter = METER,
) -> Completed | None:
    """The delivery, with the nozzle that gave it; None if it is in the journal already.

    `last`: the point's last delivery. `authorised`: what is open at it. `known_ml`: the books' totaliser of a nozzle.
    `how`: how the point's nozzles are counted.
    """
    moved = _moved(how, event, known_ml(event.nozzle))
    if event.at_start and last is not None and _same_values(event, last):
        if event.nozzle != last.nozzle:
            if event.nozzle_told:
                return event
            # Another nozzle was lifted since, and has given nothing: the display is the one of before.
            if not moved:
                return None
        elif None in (event.totaliser_ml, last.totaliser_after_ml) or event.totaliser_ml == last.totaliser_after_ml:
            # A second delivery of the very same volume moves the totaliser on; only without one must the values do.
            return None
        elif authorised is None and not _moved(how, event, last.totaliser_after_ml):
            return None  # by less than that volume: the counter jumped while the pump showed the booked one
    if authorised is None or event.nozzle == authorised.nozzle or moved or event.nozzle_told:
        return event
    # Only the authorised nozzle was allowed to give anything. Its own totaliser was not read: it must stand there.
    before_ml = known_ml(authorised.nozzle)
    total_ml = None if before_ml is None else forward_by(how, before_ml, event.volume_ml)
    return replace(event, nozzle=authorised.nozzle, price=authorised.price, totaliser_ml=total_ml)


def _same_values(event: Completed, last: Delivery) -> bool:
    return (event.volume_ml, event.amount_minor) == (last.volume_ml, last.amount_minor)


def _moved(how: Meter, event: Completed, known_ml: int | None) -> bool:
    """The nozzle that the pump names has given at least this volume since the books' last reading of it."""
    if event.totaliser_ml is None or known_ml is None:
        return False
    # Display and totaliser may each have cut off less than a step.
    step_ml = max(how.step_ml, how.display_step_ml)
    # More than half way round was no fuel: it went backwards.
    return event.volume_ml - step_ml <= moved_ml(how, known_ml, event.totaliser_ml) < how.modulus_ml // 2
