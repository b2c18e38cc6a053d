"""The state machine of a DART pump as a table: for each phase of a delivery and each DC1 the move to make.

A phase is what the controller makes of the pump; a `State` is what the pump says of itself. How to read
`PHASES`, row by row:

- FILLING is believed in every phase but one. In `HOLDING` nothing moves at all: what was told as completed
  waits for its `Clear`, whatever the pump says meanwhile, and is looked at again after that.
- Once the pump may deliver, every status but the running ones ends the delivery, also those of a pump that
  forgot (RESET, NOT PROGRAMMED): its values are asked for as far as it still has them.
- A delivery that the pump holds (COMPLETED, MAX, SWITCHED OFF) is finished at first sight, at start as at rest. Where
  it is known to be on disk (`CLEARED`, `RESETTING`), it is only waited for to go.

Knows no frames, and nothing of what a move does besides: `delivery.py` makes them.
"""

from enum import Enum, StrEnum, auto

from controller.pumps.dart.transactions import State


class Phase(StrEnum):
    """Where the core is with this pump."""

    AWAY = "away"
    ASKING = "asking"
    """It answers, and its status is not known yet."""
    READY = "ready"
    """It holds no delivery."""
    CLEARED = "cleared"
    """It still shows a delivery that is on disk."""
    RESETTING = "resetting"
    """An order to authorise waits for RESET."""
    AUTHORISING = "authorising"
    """Preset and AUTHORIZE are under way."""
    ALLOWED = "allowed"
    FUELLING = "fuelling"
    FINISHING = "finishing"
    """The delivery is over: its values are asked for."""
    HOLDING = "holding"
    """`Completed` was said: the pump holds it until `Clear` comes."""


class Move(Enum):
    """What a status makes of a phase."""

    STAY = auto()
    REST = auto()
    GO = auto()
    """RESET is confirmed: authorise."""
    ALLOW = auto()
    FUEL = auto()
    FINISH = auto()
    MAXED = auto()
    """Preset reached: finished if the nozzle is in, else it may still be stopped or hung up."""


def _row(moves: str) -> dict[State, Move]:
    return dict(zip(State, (Move[name] for name in moves.split()), strict=True))


# fmt: off
PHASES: dict[Phase, dict[State, Move]] = {
    #                          NOT_PROG. RESET  AUTHORIZED FILLING COMPLETED MAX  SWITCHED_OFF SUSPENDED
    Phase.ASKING:      _row("REST      REST   ALLOW      FUEL    FINISH    MAXED  FINISH       FUEL"),
    Phase.READY:       _row("STAY      STAY   ALLOW      FUEL    FINISH    MAXED  FINISH       FUEL"),
    Phase.CLEARED:     _row("REST      REST   ALLOW      FUEL    STAY      STAY   STAY         FUEL"),
    Phase.RESETTING:   _row("STAY      GO     ALLOW      FUEL    STAY      STAY   STAY         FUEL"),
    Phase.AUTHORISING: _row("FINISH    STAY   ALLOW      FUEL    FINISH    MAXED  FINISH       ALLOW"),
    Phase.ALLOWED:     _row("FINISH    FINISH STAY       FUEL    FINISH    MAXED  FINISH       STAY"),
    Phase.FUELLING:    _row("FINISH    FINISH STAY       STAY    FINISH    MAXED  FINISH       STAY"),
    Phase.FINISHING:   _row("STAY      STAY   STAY       FUEL    STAY      STAY   STAY         STAY"),
    Phase.HOLDING:     _row("STAY      STAY   STAY       STAY    STAY      STAY   STAY         STAY"),
}
# fmt: on

RESTING = frozenset({Phase.READY, Phase.CLEARED})
RUNNING = frozenset({Phase.ALLOWED, Phase.FUELLING})
LIVE = frozenset({State.AUTHORIZED, State.FILLING, State.SUSPENDED})
HELD = frozenset({State.COMPLETED, State.MAX, State.SWITCHED_OFF})
FORGOTTEN = frozenset({State.NOT_PROGRAMMED, State.RESET})
