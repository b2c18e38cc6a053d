"""AZT's row among the protocols: how its line is set, which channels there are, what its pumps can be asked.

Knows no pump and no port.
"""

from controller.pumps.abilities import Abilities
from controller.pumps.azt2.frame import CHANNEL_FIRST, CHANNEL_LAST
from controller.pumps.azt2.settings import NOZZLES_MAX
from controller.pumps.core import LineSettings

LINE = LineSettings(4_800, 7, "E", 2)
ADDRESSES = range(CHANNEL_FIRST, CHANNEL_LAST + 1)
ABILITIES = Abilities(
    preset_volume=True,
    preset_amount=False,  # 53 exists; what its data look like is not verified
    choice_of_nozzles=False,
    suspend=False,
    set_prices=True,
    volume_totals=True,
    amount_totals=True,
    running_volume=True,
    running_amount=False,  # reckoned from the running volume and the price
    identity=True,
    stop_all=False,
    pumps_max=len(ADDRESSES),
    nozzles_max=NOZZLES_MAX,
)
