"""Which nozzle of a point is lifted, and what it gives.

Most pumps say it. Some say only that one was lifted, and give what they are told to give: there the grade must be named
before anything is let go. Knows no journal, no decision, and not who names it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import msgspec

from controller.deciding.display import Display
from controller.domain.desk import GradeChoice, Need, PointState
from controller.domain.products import Grade
from controller.domain.quantities import UnitPrice, same_price
from controller.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Choice:
    """A nozzle that may be the lifted one. `grade` is at the price that the customer reads.

    `priced`: the pump shows the price that the station asks; where it does not, nothing is sold from this nozzle.
    """

    nozzle: int
    grade: Grade
    priced: bool

    @property
    def view(self) -> GradeChoice:
        """As the tills see it."""
        return GradeChoice(self.nozzle, self.grade.code, self.grade.name, str(self.grade.price))


def choices_of(grades: Sequence[Grade], shown: Sequence[UnitPrice | None]) -> tuple[Choice, ...]:
    """The nozzles of a point, 1 first. `shown`: what the pump says of their prices, None where that is not known."""
    pairs = zip_longest(grades, shown[: len(grades)])
    return tuple(_choice(nozzle, grade, price) for nozzle, (grade, price) in enumerate(pairs, 1))


def nozzles_named(grades: Sequence[Grade], typed: str) -> tuple[int, ...]:
    """The nozzles that a person means by a grade's code, or by a nozzle's number; none if there is no such one."""
    word = typed.strip().casefold()
    found = tuple(nozzle for nozzle, grade in enumerate(grades, 1) if grade.code.casefold() == word)
    if found:
        return found
    return tuple(nozzle for nozzle in range(1, len(grades) + 1) if str(nozzle) == word)


def question(choices: Sequence[Choice]) -> str:
    """What the attendant is asked."""
    return f"Which fuel? {', '.join(f'{choice.nozzle} {choice.grade.name}' for choice in choices)}"


class Lifted:
    """The lifted nozzle of one point: what its tile says of it, and the choices while that is nothing."""

    def __init__(self, display: Display, grades: Callable[[], Sequence[Grade]]) -> None:
        self._display = display
        self._grades = grades
        self.choices: tuple[Choice, ...] = ()
        """Of a call that does not say which nozzle was lifted; empty where it does."""

    @property
    def known(self) -> bool:
        """The pump said which it is, or somebody did."""
        return not self.choices or self._display.nozzle > 0

    @property
    def codes(self) -> tuple[str, ...]:
        """The grades of the choices."""
        return tuple(choice.grade.code for choice in self.choices)

    @property
    def asked(self) -> tuple[GradeChoice, ...]:
        """What a till may name, as long as that can still change anything."""
        state, need = self._display.state, self._display.need
        asks = state in {PointState.CALLING, PointState.REFUSED} or need is Need.GRADE
        return tuple(choice.view for choice in self.choices) if asks else ()

    @property
    def grade(self) -> Grade | None:
        """What the lifted nozzle gives, at the price that its customer reads: a newer one is for the next sale."""
        nozzle, price, grades = self._display.nozzle, self._display.price, self._grades()
        grade = grades[nozzle - 1] if 1 <= nozzle <= len(grades) else None
        return grade if grade is None or price is None else msgspec.structs.replace(grade, price=price)

    def name(self, typed: str) -> Reason | None:
        """It is the nozzle of this grade's code, or of this number. The reason if it is not, or cannot be sold from."""
        nozzles = nozzles_named(self._grades(), typed)
        if not nozzles:
            return Reason.GRADE_NOT_HERE
        if not self.choices:
            return None if self._display.nozzle in nozzles else Reason.GRADE_NOT_LIFTED
        if len(nozzles) > 1:
            return Reason.GRADE_NOT_HERE  # of two nozzles with one grade, the number tells which
        choice = self.choices[nozzles[0] - 1]
        if not choice.priced:
            return Reason.PRICE_NOT_SHOWN
        self._display.nozzle, self._display.price = choice.nozzle, choice.grade.price
        return None

    def forget(self) -> None:
        """What was named, if the pump did not say it: whoever comes next may mean another grade."""
        if self.choices:
            self._display.nozzle, self._display.price = 0, None


def _choice(nozzle: int, grade: Grade, shown: UnitPrice | None) -> Choice:
    if shown is None:
        return Choice(nozzle, grade, priced=False)
    return Choice(nozzle, msgspec.structs.replace(grade, price=shown), priced=same_price(shown, grade.price))
