"""A DART pump's core when things go wrong: silence, restarts at either end, deaf pumps, a bad line."""

import pytest

from controller.pumps.dart import transactions as dart
from controller.pumps.dart.states import Phase
from controller.pumps.dart.transactions import State
from controller.pumps.words import (
    Authorise,
    Authorised,
    Calling,
    Clear,
    Completed,
    Fuelling,
    Idle,
    Offline,
    Online,
    Refusal,
    Refused,
    Stop,
)
from sim.pumps.dart import STATES, DartTwin, Signal
from tests.pumps.core_bench import authorise
from tests.pumps.dart_bench import AUTHORIZE, RESET, bench, sale


def test_a_delivery_that_ended_while_the_controller_was_away_is_found_at_start() -> None:
    b = bench()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.squeeze(8_000, b.now_us)
    b.restart_controller()
    b.now_us += 60_000_000
    b.twin.head.hang_up(b.now_us)
    b.twin.log.clear()
    b.now_us += 60_000_000
    done = b.until(Completed)
    assert done.at_start
    assert (done.volume_ml, done.totaliser_ml) == (8_000, 1_008_000)
    b.run(300)
    assert RESET not in b.twin.log
    assert b.kinds() == ["Online", "Completed"]


def test_an_authorised_pump_at_start_is_told_as_authorised() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    b.restart_controller()
    b.until(Authorised)
    assert b.kinds() == ["Online", "Authorised"]


def test_an_order_that_the_pump_ignores_is_not_confirmed_and_the_pump_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    b = bench()
    b.until(Idle)
    monkeypatch.delitem(STATES, (State.RESET, Signal.AUTHORIZE))
    b.submit(Authorise((1,)))
    assert b.until(Refused) == Refused(Authorise((1,)), Refusal.NOT_CONFIRMED)
    b.run(60)
    assert dart.Command(dart.Order.STOP) in b.twin.log


def test_a_pump_that_restarts_after_it_fuelled_never_gets_the_order_again() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Authorise((1,)))
    while AUTHORIZE not in b.twin.log:
        b.step()
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(3_000, b.now_us)
    b.now_us += 30_000_000
    b.twin.head.hang_up(b.now_us)
    b.now_us += 1_000_000
    b.twin.receive(b"", b.now_us)
    b.twin.state = State.RESET  # it forgot
    b.twin.power_cycle(b.now_us)
    b.run(500)
    assert b.twin.log.count(AUTHORIZE) == 1


def test_an_order_that_is_called_off_before_its_reset_does_not_leave_the_display_as_it_was() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Clear(sale(b).clear_token))
    b.submit(Authorise((1,)))
    b.submit(Stop())
    b.run(60)
    assert Refused(Authorise((1,)), Refusal.WRONG_STATE) in b.told
    assert b.twin.state is State.RESET
    b.run(10)
    assert b.core.phase is Phase.READY


def test_a_stop_before_the_status_is_known_is_sent_and_not_refused() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    b.restart_controller()
    while b.core.phase is Phase.AWAY:
        b.step()
    assert b.core.phase is Phase.ASKING
    b.submit(Stop())
    assert b.until(Completed).at_start
    b.run(40)
    assert b.twin.log.count(dart.Command(dart.Order.STOP)) == 1
    assert not [event for event in b.told if isinstance(event, Refused)]


def test_a_stop_before_the_status_is_known_is_refused_once_if_the_pump_goes_away() -> None:
    b = bench()
    while b.core.phase is Phase.AWAY:
        b.step()
    b.submit(Stop())
    b.to_core = lambda _: b""
    b.until(Offline)
    assert [event for event in b.told if isinstance(event, Refused)] == [Refused(Stop(), Refusal.OFFLINE)]


@pytest.mark.parametrize("phase", [Phase.READY, Phase.FUELLING, Phase.HOLDING])
def test_a_pump_that_restarts_and_gives_no_status_counts_as_gone_until_it_does(
    phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench()
    b.until(Idle)
    b.run(5)
    if phase is not Phase.READY:
        b.submit(Authorise((1,)))
        b.until(Authorised)
        b.twin.head.lift(1, b.now_us)
        b.twin.head.squeeze(500_000 if phase is Phase.FUELLING else 1_000, b.now_us)
        b.until(Fuelling)
    if phase is Phase.HOLDING:
        b.run(60)
        b.twin.head.hang_up(b.now_us)
        b.until(Completed)
    pending = DartTwin._pending
    monkeypatch.setattr(
        DartTwin,
        "_pending",
        lambda twin, now_us: tuple(item for item in pending(twin, now_us) if not isinstance(item, dart.Status)),
    )
    b.twin.power_cycle(b.now_us)
    b.until(Offline)
    assert b.core.phase is Phase.ASKING
    b.submit(Authorise((1,)))
    assert b.told[-1] == Refused(Authorise((1,)), Refusal.OFFLINE)
    monkeypatch.undo()
    seen = len(b.told)
    b.until(Online)
    b.run(60)
    if phase is Phase.HOLDING:  # the same delivery, told as one that may be known
        done = [event for event in b.told[seen:] if isinstance(event, Completed)]
        assert [(event.volume_ml, event.at_start) for event in done] == [(1_000, True)]
    else:
        assert b.core.phase is phase


def test_a_pump_that_gives_its_status_after_a_restart_and_no_nozzle_is_taken_as_hung_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    pending = DartTwin._pending
    monkeypatch.setattr(
        DartTwin,
        "_pending",
        lambda twin, now_us: tuple(item for item in pending(twin, now_us) if not isinstance(item, dart.NozzleState)),
    )
    b.twin.head.hang_up(b.now_us)
    b.twin.power_cycle(b.now_us)
    b.until(Idle)
    assert "Offline" not in b.kinds()


def test_an_alarm_that_the_processor_restarted_counts_as_a_restart() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Authorise((1,)))
    while AUTHORIZE not in b.twin.log:
        b.step()
    b.twin.state = State.RESET  # it forgot, and its link did not
    b.twin._status_due = False
    b.twin.alarm(0x01, b.now_us)
    assert b.until(Refused) == Refused(Authorise((1,)), Refusal.NOT_CONFIRMED)
    b.run(300)
    assert b.twin.log.count(AUTHORIZE) == 1


def test_a_pump_that_is_switched_off_is_told_alike_at_start_and_at_rest() -> None:
    told = []
    for at_start in (True, False):
        b = bench()
        b.until(Idle)
        b.run(5)
        b.twin._command(dart.Order.SWITCH_OFF, b.now_us)
        if at_start:
            b.restart_controller()
        seen = len(b.told)
        done = b.until(Completed)
        assert done.at_start is at_start
        b.submit(Clear(done.clear_token))
        b.run(300)
        assert b.twin.state is State.RESET
        told.append([event for event in b.kinds() if event != "Online"][-2:])
        assert seen < len(b.told)
    assert told[0] == told[1] == ["Completed", "Idle"]
