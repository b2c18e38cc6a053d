"""What a card itself says of its use, as a decision takes it: what was used today and this month, and wrong PINs.

Every station that has the debit key writes it, so it proves nothing: it can only make less of what a station's own
journal allows. What is of another day is worth nothing here already. Knows no card and no journal.
"""

import msgspec

from controller.domain.lists import Cap, Level, Measure, Window


class CardUse(msgspec.Struct, frozen=True, array_like=True):
    """By the card's own counters. `pin_wrong`: wrong PINs in a row."""

    day_fills: int = 0
    day_ml: int = 0
    day_minor: int = 0
    month_ml: int = 0
    month_minor: int = 0
    pin_wrong: int = 0

    def of(self, cap: Cap) -> int:
        """What the card says counts against this limit; 0 where it does not count such a thing."""
        if cap.level is not Level.CARD:
            return 0
        match cap.window, cap.measure:
            case Window.DAY, Measure.FILLS:
                return self.day_fills
            case Window.DAY, Measure.VOLUME:
                return self.day_ml
            case Window.DAY, Measure.AMOUNT:
                return self.day_minor
            case Window.MONTH, Measure.VOLUME:
                return self.month_ml
            case Window.MONTH, Measure.AMOUNT:
                return self.month_minor
            case _:
                return 0
