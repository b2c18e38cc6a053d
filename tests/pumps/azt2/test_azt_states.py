"""The table of an AZT pump's phases, walked whole; and the twin's own table."""

import pytest

from controller.pumps.azt2.delivery import Delivery
from controller.pumps.azt2.messages import Full, State, Status
from controller.pumps.azt2.ordering import Ordering
from controller.pumps.azt2.states import PHASES, Move, Phase
from controller.pumps.words import Authorise, Idle
from sim.pumps.azt2 import STATES, Signal
from tests.pumps.azt2.bench import bench

ENDS = {
    Move.REST: Phase.READY,
    Move.ALLOW: Phase.ALLOWED,
    Move.FUEL: Phase.FUELLING,
    Move.FINISH: Phase.FINISHING,
}


def test_the_table_has_a_move_for_every_status_in_every_phase() -> None:
    assert set(PHASES) == set(Phase) - {Phase.AWAY}
    assert all(set(row) == set(State) for row in PHASES.values())


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("state", State)
def test_every_move_of_the_table_ends_where_it_says(phase: Phase, state: State) -> None:
    b = bench()
    b.until(Idle)
    delivery: Delivery = b.core._delivery
    delivery.phase = phase
    delivery.reading.full = Full(100, 5_499, 5_499)
    delivery.state = state
    if phase is Phase.AUTHORISING:
        delivery.ordering = Ordering(Authorise((1,)), None)
    delivery.status_came(Status(state), b.now_us)
    assert delivery.phase is ENDS.get(PHASES[phase][state], phase)


@pytest.mark.parametrize("state", State)
def test_a_pump_that_holds_a_delivery_is_never_moved_on_but_by_clear(state: State) -> None:
    assert PHASES[Phase.HOLDING][state] is Move.STAY


def test_every_transition_of_the_twin_is_of_known_states() -> None:
    assert {state for state, _ in STATES} == set(State)
    assert STATES[State.FUELLING, Signal.STOP] is State.FINISHED
    assert STATES[State.AUTHORISED, Signal.START] is State.FUELLING
    assert (State.FINISHED, Signal.AUTHORISE) not in STATES
    assert (State.FINISHED, Signal.STOP) not in STATES
