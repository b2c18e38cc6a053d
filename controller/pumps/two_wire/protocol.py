"""The two-wire protocol as the house needs to know it: the line, the addresses, what it can do, and how to stop all.

Knows no pump.
"""

from controller.pumps.abilities import Abilities
from controller.pumps.core import LineSettings, Turn
from controller.pumps.two_wire.frame import GRADES_MAX, PUMP_LAST, STOP_ALL
from controller.pumps.two_wire.link import COMMAND_GAP_US, GAP_US, SILENCE_US

LINE = LineSettings(5_787, 8, "E", 1)
"""Old boards run at 5760, and some at other rates: set the line's own."""
ADDRESSES = range(1, PUMP_LAST + 1)

ABILITIES = Abilities(
    preset_volume=True,
    preset_amount=True,
    # Only a preset can be for one grade, or it gives any grade that it has. Nor does a call say which it is.
    choice_of_nozzles=False,
    suspend=True,
    set_prices=True,
    volume_totals=True,
    amount_totals=True,
    # While it runs, the pump says its money only: the volume is worked out from the price, for the display.
    running_volume=False,
    running_amount=True,
    identity=True,
    stop_all=True,
    pumps_max=PUMP_LAST,
    nozzles_max=GRADES_MAX,
)


def stop_all_turn() -> Turn:
    """One transmission that stops every pump of the line. None of them answers: their statuses will say it.

    The window is the time that all of them need after it before anything else is said.
    """
    return Turn(bytes((STOP_ALL,)), GAP_US, COMMAND_GAP_US, SILENCE_US, _never_whole)


def _never_whole(_: bytes) -> bool:
    return False
