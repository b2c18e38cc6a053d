"""DART's row among the protocols: how its line is set, which addresses there are, what its pumps can be asked.

Knows no pump and no port.
"""

from controller.pumps.abilities import Abilities
from controller.pumps.core import LineSettings
from controller.pumps.dart.frame import ADDRESS_FIRST, ADDRESS_LAST
from controller.pumps.dart.settings import NOZZLES_MAX

LINE = LineSettings(9_600, 8, "O", 1)
"""Some pumps are set to 19200."""
ADDRESSES = range(ADDRESS_FIRST, ADDRESS_LAST + 1)
ABILITIES = Abilities(
    preset_volume=True,
    preset_amount=True,
    choice_of_nozzles=True,
    suspend=True,
    set_prices=True,
    volume_totals=True,
    amount_totals=True,
    running_volume=True,
    running_amount=True,
    identity=True,
    stop_all=False,
    pumps_max=len(ADDRESSES),
    nozzles_max=NOZZLES_MAX,
)
