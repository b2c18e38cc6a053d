"""A DART pump's core against its simulated twin: a sale is told once and whole, and orders do what they say."""

import pytest

from controller.domain.quantities import UnitPrice
from controller.pumps.dart import transactions as dart
from controller.pumps.dart.delivery import NO_PRICES
from controller.pumps.dart.states import Phase
from controller.pumps.dart.transactions import State
from controller.pumps.words import (
    Alarm,
    Authorise,
    Authorised,
    Calling,
    Clear,
    Completed,
    Fuelling,
    Idle,
    Preset,
    Refusal,
    Refused,
    SetPrices,
    Stop,
    Totals,
)
from tests.pumps.core_bench import authorise
from tests.pumps.dart_bench import AUTHORIZE, PRICE, RESET, bench, sale


def test_a_sale_from_call_to_clear() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.submit(Clear(done.clear_token))
    b.run(2)
    assert b.kinds() == ["Online", "Totals", "Idle", "Calling", "Authorised", "Completed", "Idle"]
    assert b.told[1] == Totals(1, 1_000_000)
    assert done == Completed(1, 1, 5_000, 21_895, PRICE, 1_005_000, at_start=False)
    running = [event.volume_ml for event in b.told if isinstance(event, Fuelling)]
    assert running == sorted(running)
    assert len(running) > 10


def test_the_call_gives_price_and_totaliser_of_the_nozzle_that_was_lifted() -> None:
    b = bench(3)
    b.until(Idle)
    b.twin.head.lift(2, b.now_us)
    assert b.until(Calling) == Calling(2, PRICE, 2_000_000)
    b.twin.head.hang_up(b.now_us)
    b.until(Idle)
    b.twin.head.lift(3, b.now_us)
    assert b.until(Calling) == Calling(3, PRICE, 3_000_000)


@pytest.mark.parametrize(
    ("preset", "volume_ml", "amount_minor"),
    [(Preset(volume_ml=10_000), 10_000, 43_790), (Preset(amount_minor=10_000), 2_280, 10_000)],
)
def test_the_pump_stops_at_its_preset(preset: Preset, volume_ml: int, amount_minor: int) -> None:
    b = bench()
    b.until(Idle)
    done = sale(b, 50_000, preset)
    assert (done.volume_ml, done.amount_minor) == (volume_ml, amount_minor)


def test_at_the_preset_with_the_nozzle_out_the_delivery_is_not_over_yet() -> None:
    b = bench()
    b.until(Idle)
    authorise(b, Authorise((1,), Preset(volume_ml=1_000)))
    b.twin.head.squeeze(5_000, b.now_us)
    b.run(300)
    assert b.twin.state is State.MAX
    assert "Completed" not in b.kinds()
    b.twin.head.hang_up(b.now_us)
    assert b.until(Completed).volume_ml == 1_000


def test_the_order_of_orders_is_reset_then_nozzles_and_preset_then_authorize() -> None:
    b = bench(2)
    b.until(Idle)
    b.twin.head.lift(2, b.now_us)
    b.until(Calling)
    b.twin.log.clear()
    b.submit(Authorise((2,), Preset(volume_ml=7_000)))
    b.until(Authorised)
    assert [
        i for i in b.twin.log if not isinstance(i, dart.AskTotal) and i != dart.Command(dart.Order.RETURN_STATUS)
    ] == [
        RESET,
        dart.AllowNozzles((2,)),
        dart.PresetVolume(700),
        AUTHORIZE,
    ]


def test_a_pump_that_does_not_send_its_values_is_asked_for_them() -> None:
    b = bench(sends_filling=False)
    b.until(Idle)
    assert sale(b).volume_ml == 5_000
    assert any(isinstance(event, Fuelling) and event.volume_ml for event in b.told)


def test_a_pump_without_totalisers_is_no_obstacle() -> None:
    b = bench(has_totals=False)
    b.until(Idle)
    done = sale(b)
    assert (done.volume_ml, done.totaliser_ml) == (5_000, None)


def test_a_pump_is_never_reset_before_its_delivery_is_cleared() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.twin.log.clear()
    b.submit(Authorise((1,)))
    b.submit(Clear(done.clear_token + 1))
    b.twin.head.lift(1, b.now_us)
    b.run(500)
    assert Refused(Authorise((1,)), Refusal.WRONG_STATE) in b.told
    assert Refused(Clear(done.clear_token + 1), Refusal.WRONG_STATE) in b.told
    assert RESET not in b.twin.log
    b.submit(Clear(done.clear_token))
    b.until(Calling)


def test_after_the_clear_the_display_stands_for_a_while() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.twin.log.clear()
    b.submit(Clear(done.clear_token))
    cleared_us = b.now_us
    assert b.core.quiet_turn(b.now_us) is None
    while RESET not in b.twin.log:
        b.step()
    assert b.now_us - cleared_us >= 10_000_000
    b.run(5)
    assert b.core.quiet_turn(b.now_us) is not None


def test_a_lifted_nozzle_ends_the_display_at_once() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.submit(Clear(done.clear_token))
    b.run(3)
    lifted_us = b.now_us
    b.twin.head.lift(1, lifted_us)
    b.until(Calling)
    assert b.twin.state is State.RESET
    assert b.now_us - lifted_us < 2_000_000


def test_a_stop_ends_the_delivery_with_the_nozzle_still_out() -> None:
    b = bench()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.squeeze(50_000, b.now_us)
    b.run(40)
    b.submit(Stop())
    urgent = [b.core.urgent]
    done = b.until(Completed)
    assert 0 < done.volume_ml < 50_000
    urgent.append(b.core.urgent)
    assert urgent == [True, False]
    assert not any(isinstance(event, Refused) for event in b.told)
    b.submit(Clear(done.clear_token))
    b.until(Calling)


def test_a_stop_at_rest_is_sent_all_the_same_and_done() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Stop())
    b.run(40)
    assert dart.Command(dart.Order.STOP) in b.twin.log
    assert not b.core.busy
    assert not any(isinstance(event, Refused) for event in b.told)


@pytest.mark.parametrize("prices", [(), (PRICE, PRICE), (UnitPrice(43_795, 3),), (UnitPrice(10_000, 0),)])
def test_prices_that_the_pump_cannot_show_are_refused(prices: tuple[UnitPrice, ...]) -> None:
    b = bench()
    b.until(Idle)
    b.submit(SetPrices(prices))
    b.step()
    assert Refused(SetPrices(prices), Refusal.UNSUPPORTED) in b.told


def test_a_pump_without_prices_says_so_and_works_once_it_has_them() -> None:
    b = bench(programmed=False)
    alarm = b.until(Alarm)
    assert isinstance(alarm, Alarm)
    assert alarm.code == NO_PRICES
    b.submit(Authorise((1,)))
    b.submit(SetPrices((PRICE,)))
    done = b.until(Completed)
    assert Refused(Authorise((1,)), Refusal.WRONG_STATE) in b.told
    assert done.volume_ml == 0
    b.submit(Clear(done.clear_token))
    b.run(200)
    assert sale(b).volume_ml == 5_000


@pytest.mark.parametrize("code", [0x01, 0x09, 0x0F, 0x77])
def test_an_alarm_is_told_in_words(code: int) -> None:
    b = bench()
    b.until(Idle)
    b.twin.alarm(code, b.now_us)
    alarm = b.until(Alarm)
    assert isinstance(alarm, Alarm)
    assert alarm.code == code
    assert alarm.text


def test_hanging_up_at_the_moment_of_the_order_leaves_the_valve_shut() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    while b.core.phase is not Phase.AUTHORISING:
        b.step()
    while b.core.owes_turn:
        b.step()
    b.twin.head.hang_up(b.now_us)
    b.step()
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(1_000, b.now_us)
    b.until(Refused)
    b.run(50)
    assert not any(isinstance(event, (Authorised, Fuelling)) for event in b.told)
    assert b.twin.head.volume_ml(b.now_us) == 0
