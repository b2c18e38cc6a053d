"""What a protocol can do: one row a protocol, the same columns for all. What it cannot is answered `unsupported`.

Docs are made from this table and tests walk it. Knows no protocol.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Abilities:
    """What can be asked of pumps that speak one protocol."""

    preset_volume: bool
    preset_amount: bool
    """False: a preset of money becomes one of volume, rounded down."""
    choice_of_nozzles: bool
    """An authorisation can be for some nozzles only."""
    suspend: bool
    set_prices: bool
    volume_totals: bool
    amount_totals: bool
    running_volume: bool
    running_amount: bool
    identity: bool
    stop_all: bool
    """One transmission stops every pump of the line."""
    pumps_max: int
    nozzles_max: int
