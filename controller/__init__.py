"""The station-side controller: owns pumps, card readers, the printer and the databases."""
