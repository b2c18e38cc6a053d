"""The table of a two-wire pump's phases, walked whole; the twin's own table; settings that cannot be."""

import pytest

from controller.pumps.core import PumpCore, StopsAll
from controller.pumps.two_wire.frame import Status
from controller.pumps.two_wire.protocol import ABILITIES, ADDRESSES, LINE, stop_all_turn
from controller.pumps.two_wire.pump import TwoWirePump, TwoWireSettings
from controller.pumps.two_wire.states import PHASES, STATES, Move, Phase
from controller.pumps.words import Authorise, Idle
from sim.pumps.two_wire import STATES as TWIN_STATES
from sim.pumps.two_wire import Signal
from tests.pumps.two_wire.bench import TRY, bench


def test_the_table_has_a_move_for_every_status_in_every_phase() -> None:
    assert set(PHASES) == set(Phase) - {Phase.AWAY}
    assert all(set(row) == set(STATES) for row in PHASES.values())
    assert set(Status) - set(STATES) == {Status.DATA_ERROR, Status.SEND_DATA}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("state", STATES)
def test_every_move_of_the_table_ends_where_it_says(phase: Phase, state: Status) -> None:
    b = bench()
    b.until(Idle)
    b.run(3)
    delivery = b.core._delivery
    delivery.phase = phase
    if phase in (Phase.RELEASING, Phase.AUTHORISING):
        delivery.order = Authorise((1,))
    delivery.status_came(state, b.now_us)
    ends = {
        Move.REST: Phase.READY,
        Move.GO: Phase.AUTHORISING,
        Move.ALLOW: Phase.ALLOWED,
        Move.FUEL: Phase.FUELLING,
        Move.SUSPEND: Phase.SUSPENDED,
        Move.CHECK: Phase.CHECKING,
        Move.FINISH: Phase.FINISHING,
        Move.STAY: phase,
    }
    assert delivery.phase is ends[PHASES[phase][state]]
    assert delivery.keeps_line == (PHASES[phase][state] is Move.FINISH)


@pytest.mark.parametrize("state", STATES)
def test_a_delivery_that_was_told_is_never_moved_on_but_by_clear(state: Status) -> None:
    assert PHASES[Phase.HOLDING][state] is Move.STAY


def test_every_transition_of_the_twin_is_of_known_states() -> None:
    assert {state for state, _ in TWIN_STATES} <= set(STATES)
    assert TWIN_STATES[Status.STOPPED, Signal.AUTHORISE] is Status.BUSY
    assert (Status.FEOT, Signal.AUTHORISE) not in TWIN_STATES


def test_the_protocol_as_the_house_knows_it() -> None:
    assert (LINE.baud, LINE.bits, LINE.parity, LINE.stop, LINE.byte_bits) == (5_787, 8, "E", 1, 11)
    assert (ABILITIES.pumps_max, list(ADDRESSES)) == (16, list(range(1, 17)))
    core: PumpCore = TwoWirePump(TwoWireSettings(pump_id=16, currency=TRY))
    assert isinstance(core, StopsAll)
    assert core.stop_all_turn() == stop_all_turn()
    assert (core.name, core.next_turn(0).data, stop_all_turn().data) == ("two-wire 16", b"\x00", b"\xfc")


@pytest.mark.parametrize(
    "wrong",
    [
        {"pump_id": 0},
        {"pump_id": 17},
        {"nozzles": 0},
        {"nozzles": 7},
        {"price_levels": 3},
        {"volume_decimals": 4},
        {"preset_volume_decimals": 4},
    ],
)
def test_settings_that_cannot_be_are_refused_with_a_sentence(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\w+"):
        TwoWireSettings(**{"pump_id": 1, "currency": TRY, **wrong})  # type: ignore[arg-type]
