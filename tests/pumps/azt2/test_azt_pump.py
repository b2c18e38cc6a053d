"""An AZT pump's core against its simulated twin: a sale is told once and whole, and orders do what they say."""

import pytest

from controller.domain.quantities import UnitPrice, amount_for
from controller.pumps.azt2.asking import Ask
from controller.pumps.azt2.messages import Command, State
from controller.pumps.words import (
    Alarm,
    Authorise,
    Authorised,
    Calling,
    Clear,
    Completed,
    Fuelling,
    Identify,
    Identity,
    Idle,
    Order,
    Preset,
    ReadTotals,
    Refusal,
    Refused,
    Resume,
    SetPrices,
    Stop,
    Suspend,
    Totals,
)
from tests.pumps.azt2.bench import PRICE, UAH, acts, bench, deliver, sale
from tests.pumps.core_bench import authorise


def test_a_sale_from_call_to_clear() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.submit(Clear(done.clear_token))
    b.run(8)
    assert b.kinds() == ["Online", "Totals", "Idle", "Calling", "Authorised", "Completed", "Idle"]
    assert b.told[1] == Totals(1, 1_000_000)
    assert done == Completed(1, 1, 5_000, 27_495, PRICE, 1_005_000, at_start=False)
    running = [event.volume_ml for event in b.told if isinstance(event, Fuelling)]
    assert running == sorted(running)
    assert len(running) > 10
    assert acts(b) == [Command.DOSE, Command.AUTHORISE, Command.CONFIRM]


@pytest.mark.parametrize("channel", [1, 15, 16, 97, 225])
def test_every_channel_speaks(channel: int) -> None:
    b = bench(channel=channel)
    b.until(Idle)
    assert sale(b).volume_ml == 5_000


@pytest.mark.parametrize(
    ("preset", "data", "volume_ml"),
    [
        (Preset(volume_ml=10_000), b"010000", 10_000),
        (Preset(volume_ml=10_009), b"010000", 10_000),
        (Preset(amount_minor=50_000), b"009090", 9_090),  # 500.00 / 54.99 = 9.0925
        (Preset(volume_ml=5_000_000), b"999990", 30_000),  # above all that the pump can count
        (None, b"999991", 30_000),
    ],
)
def test_the_pump_stops_at_its_dose(preset: Preset | None, data: bytes, volume_ml: int) -> None:
    b = bench()
    b.until(Idle)
    done = sale(b, 30_000, preset)
    assert [request.data for request in b.twin.log if request.command == Command.DOSE] == [data]
    assert (done.volume_ml, done.amount_minor) == (volume_ml, amount_for(volume_ml, PRICE, UAH))
    if preset is not None and preset.amount_minor is not None:
        assert done.amount_minor <= preset.amount_minor


def test_a_limit_of_money_without_a_price_goes_by_the_pumps_own() -> None:
    b = bench()
    b.until(Idle)
    assert sale(b, 30_000, Preset(amount_minor=50_000), price=None).volume_ml == 9_090


def test_a_limit_that_was_reckoned_at_another_price_is_refused() -> None:
    b = bench()
    b.until(Idle)
    order = Authorise((1,), Preset(amount_minor=50_000), UnitPrice(4_999, 2))
    b.submit(order)
    b.step()
    assert Refused(order, Refusal.WRONG_STATE) in b.told
    assert acts(b) == []


@pytest.mark.parametrize(
    "order",
    [
        Authorise((2,)),
        Authorise(()),
        Authorise((1,), Preset(volume_ml=9)),
        Authorise((1,), Preset(amount_minor=1)),
        Suspend(),
        Resume(),
        ReadTotals(2),
        SetPrices(()),
        SetPrices((PRICE, PRICE)),
        SetPrices((UnitPrice(100, 0),)),
        SetPrices((UnitPrice(54_995, 3),)),
    ],
)
def test_what_the_pump_cannot_do_is_refused_as_unsupported(order: Order) -> None:
    b = bench()
    b.until(Idle)
    b.submit(order)
    b.step()
    assert Refused(order, Refusal.UNSUPPORTED) in b.told
    assert b.core.quiet_turn(b.now_us) is not None


def test_while_it_runs_the_amount_is_reckoned_and_never_too_high() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b, 3_330)
    running = [event for event in b.told if isinstance(event, Fuelling)]
    assert all(event.amount_minor == event.volume_ml * 5_499 // 1_000 for event in running)
    assert done.amount_minor == amount_for(3_330, PRICE, UAH)


def test_at_the_dose_the_delivery_is_over_with_the_nozzle_still_out() -> None:
    b = bench()
    b.until(Idle)
    deliver(b, 5_000, Preset(volume_ml=1_000))
    if "Completed" not in b.kinds():
        b.until(Completed)
    done = next(event for event in b.told if isinstance(event, Completed))
    assert (done.volume_ml, b.twin.head.nozzle_out) == (1_000, 1)
    b.submit(Clear(done.clear_token))
    b.until(Calling)
    b.twin.head.hang_up(b.now_us)
    b.until(Idle)


def test_more_than_the_dose_is_an_alarm_and_told_as_the_pump_says_it() -> None:
    b = bench(overrun_ml=30)
    b.until(Idle)
    done = sale(b, 50_000, Preset(volume_ml=2_000))
    assert (done.volume_ml, done.amount_minor) == (2_030, amount_for(2_030, PRICE, UAH))
    alarms = [event for event in b.told if isinstance(event, Alarm)]
    assert [alarm.code for alarm in alarms] == [1]
    assert "dose" in alarms[0].text


def test_a_pump_is_never_confirmed_before_its_delivery_is_cleared() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.submit(Authorise((1,)))
    b.submit(Clear(done.clear_token + 1))
    b.submit(Stop())
    b.run(300)
    assert Refused(Authorise((1,)), Refusal.WRONG_STATE) in b.told
    assert Refused(Clear(done.clear_token + 1), Refusal.WRONG_STATE) in b.told
    assert Command.CONFIRM not in acts(b)
    assert Command.STOP not in acts(b)
    assert b.twin.state is State.FINISHED
    b.submit(Clear(done.clear_token))
    b.until(Idle)
    assert acts(b)[-1] is Command.CONFIRM


def test_only_the_delivery_that_was_told_is_confirmed() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    # Somebody else has cleared the pump and let it fuel again, unseen.
    b.twin.state = State.AUTHORISED
    b.twin.head.lift(1, b.now_us)
    b.twin.head.permit([1], b.now_us)
    b.twin.head.squeeze(700, b.now_us)
    b.now_us += 30_000_000
    b.twin.head.hang_up(b.now_us)
    b.now_us += 1_000_000
    b.submit(Clear(done.clear_token))
    other = b.until(Completed)
    assert Command.CONFIRM not in acts(b)
    assert other.clear_token != done.clear_token
    assert (other.volume_ml, other.totaliser_ml) == (5_700, 1_005_700)


def test_an_order_in_the_very_moment_of_the_clear_waits_for_it() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.submit(Clear(done.clear_token))
    b.submit(Authorise((1,), Preset(volume_ml=1_000)))
    b.until(Authorised)
    assert acts(b)[-3:] == [Command.CONFIRM, Command.DOSE, Command.AUTHORISE]


def test_hanging_up_while_the_order_is_under_way_calls_it_off() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.to_pump = lambda data: b"" if data[4:5] in (b"\x54", b"\x32") else data
    b.submit(Authorise((1,)))
    b.step()
    b.twin.head.hang_up(b.now_us)
    b.now_us += 1
    b.to_pump = bytes
    refused = b.until(Refused)
    b.run(20)
    assert isinstance(refused, Refused)
    assert refused.order == Authorise((1,))
    assert b.twin.state is not State.AUTHORISED
    assert not any(isinstance(event, Fuelling) for event in b.told)


def test_hanging_up_at_the_moment_of_the_order_leaves_the_valve_shut() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    while b.core._delivery.wish(b.now_us) is not Ask.AUTHORISE:
        b.step()
    b.twin.head.hang_up(b.now_us)
    b.step()
    assert b.twin.state is State.AUTHORISED
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(1_000, b.now_us)
    b.run(50)
    assert b.twin.head.volume_ml(b.now_us) == 0


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
    assert acts(b).count(Command.STOP) == 1
    b.submit(Clear(done.clear_token))
    b.until(Calling)


def test_a_dose_that_was_set_at_the_pump_is_a_call() -> None:
    b = bench()
    b.until(Idle)
    b.twin.set_dose_at_pump(700, b.now_us)
    assert b.until(Calling) == Calling(1, PRICE, 1_000_000)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    assert acts(b) == [Command.AUTHORISE]
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(50_000, b.now_us)
    assert b.until(Completed).volume_ml == 7_000


def test_a_dose_at_the_pump_never_goes_beyond_the_order() -> None:
    b = bench()
    b.until(Idle)
    b.twin.set_dose_at_pump(9_000, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,), Preset(volume_ml=2_000)))
    b.until(Authorised)
    assert acts(b) == [Command.STOP, Command.DOSE, Command.AUTHORISE]
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(50_000, b.now_us)
    assert b.until(Completed).volume_ml == 2_000


def test_a_stop_takes_a_dose_at_the_pump_back() -> None:
    b = bench()
    b.until(Idle)
    b.twin.set_dose_at_pump(9_000, b.now_us)
    b.until(Calling)
    b.submit(Stop())
    b.until(Idle)
    assert b.twin.state is State.HUNG


def test_a_new_price_waits_until_the_caller_is_gone() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(SetPrices((UnitPrice(60, 0),)))
    b.run(30)
    assert b.twin.head.price(1) == PRICE
    b.twin.head.hang_up(b.now_us)
    b.until(Idle)
    b.run(5)
    assert b.twin.head.price(1) == UnitPrice(6_000, 2)
    assert not any(isinstance(event, Refused) for event in b.told)
    assert b.core.quiet_turn(b.now_us) is not None
    assert sale(b, price=UnitPrice(60, 0)).price == UnitPrice(6_000, 2)


def test_a_price_that_comes_with_the_first_contact_goes_before_the_call() -> None:
    b = bench(full_at_rest=False)
    b.twin.head.lift(1, b.now_us)
    b.now_us += 1
    b.step()
    b.submit(SetPrices((UnitPrice(6_000, 2),)))
    assert b.until(Calling) == Calling(1, UnitPrice(6_000, 2), 1_000_000)


def test_a_pump_whose_price_nobody_knows_calls_again_once_it_has_one() -> None:
    b = bench(full_at_rest=False)
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    assert b.until(Calling) == Calling(1, UnitPrice(0, 2), 1_000_000)
    b.submit(SetPrices((PRICE,)))
    assert b.until(Calling) == Calling(1, PRICE, 1_000_000)


def test_a_price_change_says_nothing_to_who_waits_for_customers() -> None:
    b = bench()
    b.until(Idle)
    told = len(b.told)
    b.submit(SetPrices((UnitPrice(6_000, 2),)))
    b.run(10)
    assert b.told[told:] == []


@pytest.mark.parametrize(("lacks", "reason"), [(Command.PRICE, Refusal.UNSUPPORTED), (None, Refusal.NOT_CONFIRMED)])
def test_a_price_that_is_not_taken_is_refused(lacks: Command | None, reason: Refusal) -> None:
    b = bench(lacks=frozenset({lacks} if lacks else ()))
    b.until(Idle)
    if lacks is None:
        b.to_pump = lambda data: b"" if data[4] == Command.PRICE else data
    b.submit(SetPrices((PRICE,)))
    assert b.until(Refused) == Refused(SetPrices((PRICE,)), reason)


def test_totals_are_read_when_asked_for() -> None:
    b = bench()
    b.until(Idle)
    b.submit(ReadTotals(1))
    b.run(3)
    assert b.told[-1] == Totals(1, 1_000_000, asked=True)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(ReadTotals(1))
    assert b.until(Refused) == Refused(ReadTotals(1), Refusal.WRONG_STATE)


@pytest.mark.parametrize("counter_digits", [7, 8, 10, 12])
def test_counters_have_as_many_digits_as_the_pump_likes(counter_digits: int) -> None:
    b = bench(counter_digits=counter_digits)
    b.until(Idle)
    assert sale(b).totaliser_ml == 1_005_000


def test_a_pump_without_totalisers_is_no_obstacle() -> None:
    b = bench(lacks=frozenset({Command.TOTALS}))
    b.until(Idle)
    done = sale(b)
    assert (done.volume_ml, done.totaliser_ml) == (5_000, None)
    b.submit(Clear(done.clear_token))
    b.until(Idle)
    b.submit(ReadTotals(1))
    assert b.until(Refused) == Refused(ReadTotals(1), Refusal.UNSUPPORTED)


def test_a_pump_says_what_it_is() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Identify())
    assert b.until(Identity) == Identity("AZT 2.0, protocol version 00000200, net address 001")


def test_a_pump_may_know_its_version_only_or_nothing_of_itself() -> None:
    b = bench(lacks=frozenset({Command.ADDRESS}))
    b.until(Idle)
    b.submit(Identify())
    assert b.until(Identity) == Identity("AZT 2.0, protocol version 00000200")
    b = bench(lacks=frozenset({Command.VERSION}))
    b.until(Idle)
    b.submit(Identify())
    assert b.until(Refused) == Refused(Identify(), Refusal.UNSUPPORTED)


def test_the_unconditional_start_is_never_used() -> None:
    b = bench()
    b.until(Idle)
    for preset in (None, Preset(volume_ml=1_000), Preset(amount_minor=1_000)):
        b.submit(Clear(sale(b, preset=preset).clear_token))
        b.run(10)
    assert Command.START not in acts(b)
