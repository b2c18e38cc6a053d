"""The state machine of a two-wire pump as a table: for each phase of a delivery and each status the move to make.

A phase is what the controller makes of the pump; a `Status` is what the pump says of itself. How to read `PHASES`,
row by row:

- In `HOLDING` nothing moves at all: what was told as completed waits for its `Clear`, whatever the pump says
  meanwhile, and is looked at again after that.
- PEOT and FEOT mean that the pump holds a delivery: it is read at first sight. Where it is known to be on disk
  (`CLEARED`, `RELEASING`), it is only waited for to go.
- Once the pump may deliver, OFF and CALL end the delivery too, and say nothing of it: nothing ran, or the pump is
  of a kind that forgets to say so. `CHECKING` asks its totals.

Knows no words of the wire but the statuses, and nothing of what a move does besides: `delivery.py` makes them.
"""

from enum import Enum, StrEnum, auto

from controller.pumps.two_wire.frame import Status


class Phase(StrEnum):
    """Where the core is with this pump."""

    AWAY = "away"
    ASKING = "asking"
    """It answers, and its status is not known yet."""
    READY = "ready"
    """It holds no delivery."""
    CLEARED = "cleared"
    """It still shows a delivery that is on disk."""
    RELEASING = "releasing"
    """An order to authorise waits for that delivery to go."""
    AUTHORISING = "authorising"
    """Preset and authorisation are under way."""
    ALLOWED = "allowed"
    FUELLING = "fuelling"
    SUSPENDED = "suspended"
    """Stopped with fuel sold: it goes on when it is authorised, and ends when the nozzle is hung up."""
    CHECKING = "checking"
    """It is off, and only its totals can say whether anything ran."""
    FINISHING = "finishing"
    """It holds a delivery: totals and transaction are read."""
    HOLDING = "holding"
    """`Completed` was said and waits for its `Clear`."""


class Move(Enum):
    """What a status makes of a phase."""

    STAY = auto()
    REST = auto()
    GO = auto()
    """The old delivery is gone: authorise."""
    ALLOW = auto()
    FUEL = auto()
    SUSPEND = auto()
    CHECK = auto()
    FINISH = auto()


RESTING_STATES = frozenset({Status.OFF, Status.CALL})
LIVE = frozenset({Status.AUTHORISED, Status.BUSY})
ENDED = frozenset({Status.PEOT, Status.FEOT})
STATES = (
    Status.OFF,
    Status.CALL,
    Status.AUTHORISED,
    Status.BUSY,
    Status.PEOT,
    Status.FEOT,
    Status.STOPPED,
)
"""The statuses that are states of a pump; the two others are answers to data."""


def _row(moves: str) -> dict[Status, Move]:
    return dict(zip(STATES, (Move[name] for name in moves.split()), strict=True))


# fmt: off
PHASES: dict[Phase, dict[Status, Move]] = {
    #                          OFF    CALL   AUTHORISED BUSY PEOT   FEOT   STOPPED
    Phase.ASKING:      _row("REST   REST   ALLOW      FUEL FINISH FINISH SUSPEND"),
    Phase.READY:       _row("STAY   STAY   ALLOW      FUEL FINISH FINISH SUSPEND"),
    Phase.CLEARED:     _row("REST   REST   ALLOW      FUEL STAY   STAY   SUSPEND"),
    Phase.RELEASING:   _row("GO     GO     ALLOW      FUEL STAY   STAY   SUSPEND"),
    Phase.AUTHORISING: _row("STAY   STAY   ALLOW      FUEL FINISH FINISH SUSPEND"),
    Phase.ALLOWED:     _row("CHECK  CHECK  STAY       FUEL FINISH FINISH SUSPEND"),
    Phase.FUELLING:    _row("CHECK  CHECK  STAY       STAY FINISH FINISH SUSPEND"),
    Phase.SUSPENDED:   _row("CHECK  CHECK  ALLOW      FUEL FINISH FINISH STAY"),
    Phase.CHECKING:    _row("STAY   STAY   ALLOW      FUEL FINISH FINISH SUSPEND"),
    Phase.FINISHING:   _row("STAY   STAY   STAY       FUEL STAY   STAY   SUSPEND"),
    Phase.HOLDING:     _row("STAY   STAY   STAY       STAY STAY   STAY   STAY"),
}
# fmt: on

RESTING = frozenset({Phase.READY, Phase.CLEARED})
LET_GO = frozenset({Phase.AUTHORISING, Phase.ALLOWED, Phase.FUELLING})
"""The pump may deliver. One that stops in these without being told to comes as near to an alarm as this protocol can:
it has no word for one, so `Alarm.code` is the status itself."""
ORDERED = frozenset({Phase.RELEASING, Phase.AUTHORISING})
"""An order to authorise is under way."""
