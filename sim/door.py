"""The commands `forecourt sim ...`, by name.

A card in a reader and a hand at a pump are asked for often, and need neither headquarters' database nor the world.
"""

import click

from controller.door import Door, Entry

ENTRIES = {
    "bench": Entry("sim.bench_command", "bench", "Simulated pumps, readers and a printer on real ports, until Ctrl-C."),
    "card": Entry("sim.cards.commands", "card", "A simulated card, kept in FILE.card."),
    "clear": Entry("sim.fault_commands", "clear", "End the faults of a pump, or of all pumps."),
    "faults": Entry("sim.fault_commands", "faults", "List what goes wrong at a running bench now."),
    "hang-up": Entry("sim.hands", "hang_up", "Put the nozzle of a pump back."),
    "inject": Entry("sim.fault_commands", "inject", "Let something go wrong at a pump of a running bench."),
    "insert-card": Entry("sim.hands", "insert_card", "Hold a card of the demonstration to a pump's reader."),
    "keypads": Entry("sim.hands", "keypads", "Show what a driver reads at each keypad of a running bench."),
    "lift": Entry("sim.hands", "lift", "Take a nozzle of a pump out."),
    "pumps": Entry("sim.hands", "pumps", "Show each pump of a running bench as one sees it."),
    "remove-card": Entry("sim.hands", "remove_card", "Take the card away from a pump's reader."),
    "squeeze": Entry("sim.hands", "squeeze", "Hold the trigger at a pump for so much fuel more."),
    "type": Entry("sim.hands", "type_keys", "Press keys at the keypad of a pump."),
    "world": Entry("sim.world_command", "world", "A station's days in virtual time."),
}


@click.group(cls=Door, entries=ENTRIES)
def sim() -> None:
    """The simulator: devices on real ports, and whole days in virtual time."""
