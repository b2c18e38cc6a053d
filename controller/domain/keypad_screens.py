"""What a driver reads at a pump's keypad: two rows of twenty letters for whatever the point is doing.

Only values in and out. Knows no keypad, no card and no decision.
"""

from collections.abc import Sequence

from controller.domain.desk import GradeChoice, Need, PointState
from controller.domain.keypad_words import COLUMNS, Echo, Screen, plain, screen_of
from controller.domain.pins import PIN_DIGITS
from controller.domain.reasons import CATALOGUE, Reason

ODOMETER_DIGITS = 7
CODE_DIGITS = 16
PHONE_CODE_DIGITS = 10
GRADE_DIGITS = 1
WAIT = screen_of("Please wait")
AGAIN = CATALOGUE[Reason.PIN_WRONG].driver
_SAID = {
    PointState.CALLING: Screen(("Present your card", "or ask at the till")),
    PointState.AUTHORISED: screen_of("Please fuel"),
    PointState.FUELLING: screen_of("Please fuel"),
    PointState.COMPLETED: screen_of("Thank you"),
    PointState.ERROR: screen_of(CATALOGUE[Reason.PUMP_REFUSED].driver),
    PointState.OFFLINE: screen_of(CATALOGUE[Reason.PUMP_OFFLINE].driver),
    PointState.CLOSED: screen_of("Pump closed"),
}
"""Where no reason says it; all else is "Please wait"."""


def question(need: Need, *, again: bool, choices: Sequence[GradeChoice] = ()) -> Screen:
    """What is asked of a driver. `again`: what was typed before was wrong. One without an echo is asked elsewhere."""
    match need:
        case Need.PIN:
            first = AGAIN if again else "Type your PIN"
            return Screen((first, "PIN:"), Echo.HIDDEN, PIN_DIGITS[-1])
        case Need.ODOMETER:
            return Screen(("Odometer, whole km", "km:"), Echo.OPEN, ODOMETER_DIGITS)
        case Need.CODE:
            return Screen(("Type your code", ""), Echo.HIDDEN, CODE_DIGITS)
        case Need.PHONE_CODE:
            first = "Wrong code: again" if again else "Code on your phone"
            return Screen((first, "code:"), Echo.OPEN, PHONE_CODE_DIGITS)
        case Need.GRADE:
            return Screen(_menu(choices), Echo.OPEN, GRADE_DIGITS)
        case Need.PLATE:
            return Screen(("You are asked for", "your plate"))
        case Need.HEADQUARTERS:
            return WAIT


def screen(state: PointState, reason: str, *, token: str, resting: str) -> Screen:
    """What is shown while nothing is asked. `reason`: a code of the catalogue, or empty; `token`: of a card that was
    shown, or empty; `resting`: while nobody is there.
    """
    if state is PointState.IDLE:
        return screen_of("Lift the nozzle" if token else resting)
    return screen_of(CATALOGUE[Reason(reason)].driver) if reason else _SAID.get(state, WAIT)


def _menu(choices: Sequence[GradeChoice]) -> tuple[str, str]:
    """The fuels with their numbers, in two rows, each cut off where the next one begins."""
    half = (len(choices) + 1) // 2
    return _row(choices[:half], COLUMNS), _row(choices[half:], COLUMNS - GRADE_DIGITS - 1)


def _row(choices: Sequence[GradeChoice], letters: int) -> str:
    each = (letters - len(choices) + 1) // max(len(choices), 1)
    cells = (plain(f"{choice.nozzle} {choice.name}")[:each] for choice in choices)
    return " ".join(cell.ljust(each) for cell in cells).rstrip()
