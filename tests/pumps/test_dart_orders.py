"""Orders besides a sale's own: hold a delivery and let it go on, read a total, ask what the pump is."""

import pytest

from controller.pumps.dart import transactions as dart
from controller.pumps.dart.protocol import ABILITIES, ADDRESSES, LINE
from controller.pumps.dart.states import Phase
from controller.pumps.dart.transactions import State
from controller.pumps.words import (
    Authorise,
    Authorised,
    Calling,
    Clear,
    Completed,
    Fuelling,
    Identify,
    Identity,
    Idle,
    Offline,
    Order,
    Preset,
    PumpEvent,
    ReadTotals,
    Refusal,
    Refused,
    Resume,
    Stop,
    Suspend,
    Suspended,
    Totals,
)
from sim.pumps.dart import STATES, DartTwin, Signal
from tests.pumps.core_bench import authorise
from tests.pumps.dart_bench import DartBench, bench, sale


def refusals(b: DartBench) -> list[PumpEvent]:
    return [event for event in b.told if isinstance(event, Refused)]


def fuelling(b: DartBench, want_ml: int = 20_000) -> None:
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.squeeze(want_ml, b.now_us)
    b.until(Fuelling)
    b.run(20)


def test_a_delivery_is_held_and_goes_on_where_it_was() -> None:
    b = bench()
    fuelling(b)
    b.submit(Suspend())
    b.until(Suspended)
    assert b.twin.state is State.SUSPENDED
    held_ml = b.twin.head.volume_ml(b.now_us)
    told = len(b.told)
    b.run(100)
    assert b.twin.head.volume_ml(b.now_us) == held_ml
    assert not [event for event in b.told[told:] if isinstance(event, Fuelling | Suspended | Authorised)]
    b.submit(Resume())
    going = b.until(Fuelling)
    assert isinstance(going, Fuelling)
    assert held_ml // 10 * 10 <= going.volume_ml < 20_000
    b.run(800)
    b.twin.head.hang_up(b.now_us)
    assert b.until(Completed).volume_ml == 20_000
    assert not refusals(b)


def test_an_authorised_pump_that_nobody_uses_yet_is_held_too() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    b.submit(Suspend())
    b.until(Suspended)
    b.submit(Resume())
    b.until(Authorised)
    assert b.core.phase is Phase.ALLOWED


def test_a_pump_that_is_held_by_somebody_else_is_told_as_such() -> None:
    b = bench()
    fuelling(b)
    b.twin._suspend(b.now_us)
    b.until(Suspended)
    b.twin._resume(b.now_us)
    b.until(Fuelling)


@pytest.mark.parametrize("known", [dart.IdentityLost, dart.Command])
def test_pumps_know_one_way_to_be_held_or_the_other(known: type[dart.ToPump], monkeypatch: pytest.MonkeyPatch) -> None:
    act = DartTwin._act
    other = {dart.IdentityLost: (dart.Order.SUSPEND, dart.Order.RESUME), dart.Command: ()}[known]

    def deaf(self: DartTwin, item: dart.ToPump, now_us: int) -> None:
        strange = isinstance(item, dart.IdentityLost | dart.IdentityRegained) and known is dart.Command
        if not strange and not (isinstance(item, dart.Command) and item.order in other):
            act(self, item, now_us)

    b = bench()
    fuelling(b, 200_000)
    monkeypatch.setattr(DartTwin, "_act", deaf)
    b.submit(Suspend())
    b.until(Suspended)
    b.submit(Resume())
    b.until(Fuelling)
    assert not refusals(b)


def test_a_held_delivery_can_be_stopped_and_is_over() -> None:
    b = bench()
    fuelling(b)
    b.submit(Suspend())
    b.until(Suspended)
    b.submit(Stop())
    assert b.until(Completed).volume_ml == b.twin.head.volume_ml(b.now_us) // 10 * 10


def test_a_controller_that_starts_finds_the_pump_held() -> None:
    b = bench()
    fuelling(b)
    b.submit(Suspend())
    b.until(Suspended)
    b.restart_controller()
    b.until(Suspended)
    assert b.kinds() == ["Online", "Suspended"]
    b.submit(Resume())
    b.until(Fuelling)


def test_what_cannot_be_held_or_resumed_is_refused_once() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Suspend())
    b.submit(Resume())
    b.run(20)
    assert refusals(b) == [Refused(Suspend(), Refusal.WRONG_STATE), Refused(Resume(), Refusal.WRONG_STATE)]
    fuelling_before = b.twin.log.count(dart.Command(dart.Order.RESUME))
    authorise(b, Authorise((1,)))
    b.submit(Resume())
    b.run(20)
    assert refusals(b)[2:] == [Refused(Resume(), Refusal.WRONG_STATE)]
    assert b.twin.log.count(dart.Command(dart.Order.RESUME)) == fuelling_before


def test_to_hold_what_is_held_is_done_at_once() -> None:
    b = bench()
    fuelling(b)
    b.submit(Suspend())
    b.until(Suspended)
    b.submit(Suspend())
    assert b.told[-1] == Suspended()
    assert not refusals(b)


def test_a_delivery_that_ends_before_it_is_held_refuses_the_order() -> None:
    b = bench()
    fuelling(b, 500)
    b.twin.head.hang_up(b.now_us)
    b.submit(Suspend())
    b.until(Completed)
    assert refusals(b) == [Refused(Suspend(), Refusal.WRONG_STATE)]


def test_a_pump_that_cannot_be_held_is_tried_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    b = bench()
    fuelling(b, 500_000)
    monkeypatch.delitem(STATES, (State.FILLING, Signal.SUSPEND))
    b.submit(Suspend())
    assert b.until(Refused) == Refused(Suspend(), Refusal.NOT_CONFIRMED)
    assert not any(isinstance(event, Suspended) for event in b.told)
    assert b.core.phase is Phase.FUELLING


def test_totals_are_read_when_asked_and_only_while_nobody_fuels() -> None:
    b = bench(2)
    b.until(Idle)
    told = len(b.told)
    b.submit(ReadTotals(2))
    b.submit(ReadTotals(1))
    b.run(40)
    assert b.told[told:] == [Totals(2, 2_000_000, asked=True), Totals(1, 1_000_000, asked=True)]
    assert b.core.quiet_turn(b.now_us) is not None
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(ReadTotals(1))
    b.submit(ReadTotals(3))
    b.step()
    assert refusals(b) == [
        Refused(ReadTotals(1), Refusal.WRONG_STATE),
        Refused(ReadTotals(3), Refusal.UNSUPPORTED),
    ]


def test_totals_are_read_while_a_cleared_sale_is_still_on_the_display() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.submit(ReadTotals(1))
    b.submit(Clear(done.clear_token))
    b.submit(ReadTotals(1))
    assert b.until(Totals) == Totals(1, 1_005_000, asked=True)
    assert refusals(b) == [Refused(ReadTotals(1), Refusal.WRONG_STATE)]
    assert b.core.phase is Phase.CLEARED


def test_an_order_to_authorise_ends_the_reading_of_totals() -> None:
    b = bench()
    b.until(Idle)
    b.run(5)
    b.submit(ReadTotals(1))
    b.submit(Authorise((1,)))
    b.until(Authorised)
    assert refusals(b) == [Refused(ReadTotals(1), Refusal.WRONG_STATE)]


def test_a_pump_without_totals_does_not_confirm() -> None:
    b = bench(has_totals=False)
    b.until(Idle)
    b.submit(ReadTotals(1))
    assert b.until(Refused) == Refused(ReadTotals(1), Refusal.NOT_CONFIRMED)


def test_the_pump_says_what_it_is() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Identify())
    assert b.until(Identity) == Identity("DART, manufacturer 1234, type 01, version 0100")
    b.run(20)
    assert b.kinds().count("Identity") == 1
    assert b.core.quiet_turn(b.now_us) is not None


@pytest.mark.parametrize("order", [Identify(), ReadTotals(1)])
def test_a_pump_that_goes_away_refuses_what_was_asked(order: Order) -> None:
    b = bench()
    b.until(Idle)
    b.submit(order)
    b.to_core = lambda _: b""
    b.until(Offline)
    assert refusals(b) == [Refused(order, Refusal.OFFLINE)]


def test_the_row_says_what_the_core_does() -> None:
    assert (LINE.baud, LINE.bits, LINE.parity, LINE.stop) == (9_600, 8, "O", 1)
    assert (ADDRESSES[0], ADDRESSES[-1], ABILITIES.pumps_max) == (0x50, 0x6F, 32)
    b = bench(ABILITIES.nozzles_max)
    b.until(Idle)
    done = sale(b, 50_000, Preset(amount_minor=4_379), nozzle=ABILITIES.nozzles_max)
    assert isinstance(done, Completed)
    assert done.amount_minor == 4_379
