"""The state machine of an AZT pump as a table: for each phase of a delivery and each status the move to make.

A phase is what the controller makes of the pump; a `State` is what the pump says of itself. How to read `PHASES`,
row by row:

- AUTHORISED and FUELLING are believed in every phase but one. In `HOLDING` nothing moves at all: what was told as
  completed waits for its `Clear`, whatever the pump says meanwhile, and is looked at again after that.
- Once the pump may deliver, every status but the running ones ends the delivery: FINISHED as it should be, the
  resting ones because the pump forgot. A pump that fuels after all, or again, is believed.
- A finished delivery is finished at first sight. Where it is known to be on disk (`CLEARING`), it is only waited
  for to go.

Knows no frames, and nothing of what a move does besides: `delivery.py` makes them.
"""

from enum import Enum, StrEnum, auto

from controller.pumps.azt2.messages import State


class Phase(StrEnum):
    """Where the core is with this pump."""

    AWAY = "away"
    ASKING = "asking"
    """It answers, and its status is not known yet."""
    READY = "ready"
    """It holds no delivery."""
    AUTHORISING = "authorising"
    """Dose and authorisation are under way."""
    ALLOWED = "allowed"
    FUELLING = "fuelling"
    FINISHING = "finishing"
    """The delivery is over: its values are asked for."""
    HOLDING = "holding"
    """`Completed` was said: the pump holds it until `Clear` comes."""
    CLEARING = "clearing"
    """The delivery is on disk: the pump is told so."""


class Move(Enum):
    """What a status makes of a phase."""

    STAY = auto()
    REST = auto()
    ALLOW = auto()
    FUEL = auto()
    FINISH = auto()


def _row(moves: str) -> dict[State, Move]:
    return dict(zip(State, (Move[name] for name in moves.split()), strict=True))


# fmt: off
PHASES: dict[Phase, dict[State, Move]] = {
    #                          HUNG   LIFTED AUTHORISED FUELLING FINISHED DOSED
    Phase.ASKING:      _row("REST   REST   ALLOW      FUEL     FINISH   REST"),
    Phase.READY:       _row("REST   REST   ALLOW      FUEL     FINISH   REST"),
    Phase.AUTHORISING: _row("STAY   STAY   ALLOW      FUEL     FINISH   STAY"),
    Phase.ALLOWED:     _row("FINISH FINISH STAY       FUEL     FINISH   FINISH"),
    Phase.FUELLING:    _row("FINISH FINISH STAY       STAY     FINISH   FINISH"),
    Phase.FINISHING:   _row("STAY   STAY   ALLOW      FUEL     STAY     STAY"),
    Phase.HOLDING:     _row("STAY   STAY   STAY       STAY     STAY     STAY"),
    Phase.CLEARING:    _row("REST   REST   ALLOW      FUEL     STAY     REST"),
}
# fmt: on

CALLS = frozenset({State.LIFTED, State.DOSED})
"""Somebody wants fuel."""
LIVE = frozenset({State.AUTHORISED, State.FUELLING})
STOPPABLE = LIVE | {State.DOSED}
"""In these 33 does something."""
