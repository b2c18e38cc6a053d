"""What can be wanted of a pump, as one word each, and the command that says it.

Knows no link, no tries and no clock.
"""

from enum import Enum, auto

from controller.pumps.azt2.messages import Command


class Ask(Enum):
    """What can be wanted of the pump."""

    STATUS = auto()
    STOP = auto()
    DOSE = auto()
    DROP_DOSE = auto()
    """A dose that was set at the pump gives way to the order's own."""
    AUTHORISE = auto()
    RUNNING = auto()
    FULL = auto()
    TOTALS = auto()
    CONFIRM = auto()
    PRICE = auto()
    VERSION = auto()
    ADDRESS = auto()


COMMANDS = {
    Ask.STATUS: Command.STATUS,
    Ask.STOP: Command.STOP,
    Ask.DOSE: Command.DOSE,
    Ask.DROP_DOSE: Command.STOP,
    Ask.AUTHORISE: Command.AUTHORISE,
    Ask.RUNNING: Command.RUNNING,
    Ask.FULL: Command.FULL,
    Ask.TOTALS: Command.TOTALS,
    Ask.CONFIRM: Command.CONFIRM,
    Ask.PRICE: Command.PRICE,
    Ask.VERSION: Command.VERSION,
    Ask.ADDRESS: Command.ADDRESS,
}
SHOWN_BY_STATUS = frozenset({Ask.STOP, Ask.DROP_DOSE, Ask.DOSE, Ask.AUTHORISE, Ask.CONFIRM})
"""Whatever is answered to these, the status is asked for next, and counts. A dose is not shown; but nobody is
authorised without a look whether the customer is still there."""
TRIES_MAX = {
    Ask.STOP: 6,
    Ask.DROP_DOSE: 3,
    Ask.DOSE: 3,
    Ask.AUTHORISE: 3,
    Ask.FULL: 3,
    Ask.TOTALS: 8,  # without it fuel may go unrecorded; a pump that has none says NAK
    Ask.CONFIRM: 3,
    Ask.PRICE: 3,
    Ask.VERSION: 3,
    Ask.ADDRESS: 2,
}
"""So often a wish is put in vain before it counts as failed. Those that are not here are never given up."""
