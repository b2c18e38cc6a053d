"""The table of a DART pump's phases, walked whole; and the twin's own table."""

import pytest

from controller.pumps.dart.states import PHASES, Move, Phase
from controller.pumps.dart.transactions import State
from controller.pumps.words import Authorise, Idle
from sim.pumps.dart import STATES, Signal
from tests.pumps.dart_bench import bench


def test_the_table_has_a_move_for_every_status_in_every_phase() -> None:
    assert set(PHASES) == set(Phase) - {Phase.AWAY}
    assert all(set(row) == set(State) for row in PHASES.values())


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("out", [True, False])
def test_every_move_of_the_table_ends_where_it_says(phase: Phase, state: State, *, out: bool) -> None:
    b = bench()
    b.until(Idle)
    b.run(3)
    delivery = b.core._delivery
    delivery.phase = phase
    if phase is Phase.ASKING:
        delivery._fresh_status = delivery._fresh_nozzle = True
    if phase in (Phase.RESETTING, Phase.AUTHORISING):
        delivery.order = Authorise((1,))
    delivery.state = state
    delivery.reading.out = out
    delivery.status_came()
    move = PHASES[phase][state]
    if move is Move.MAXED:
        move = Move.FUEL if out else Move.FINISH
    ends = {
        Move.REST: Phase.READY,
        Move.ALLOW: Phase.ALLOWED,
        Move.FUEL: Phase.FUELLING,
        Move.FINISH: Phase.FINISHING,
        Move.GO: Phase.RESETTING,  # only a RESET that was asked for counts
        Move.STAY: phase,
    }
    assert delivery.phase is ends[move]


@pytest.mark.parametrize("state", State)
def test_a_pump_that_holds_a_delivery_is_never_moved_on_but_by_clear(state: State) -> None:
    assert PHASES[Phase.HOLDING][state] is Move.STAY


def test_every_transition_of_the_twin_is_of_known_states() -> None:
    assert {state for state, _ in STATES} <= set(State)
    assert STATES[State.FILLING, Signal.STOP] is State.COMPLETED
    assert (State.COMPLETED, Signal.AUTHORIZE) not in STATES
