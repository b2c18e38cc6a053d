"""A two-wire pump's core against its simulated twin: a sale is told once and whole, and orders do what they say."""

import pytest

from controller.domain.quantities import UnitPrice, amount_for
from controller.pumps.two_wire.blocks import MoneyPreset, VolumePreset
from controller.pumps.two_wire.frame import Command, Status
from controller.pumps.two_wire.keeping import HOLD_US_MAX
from controller.pumps.two_wire.states import Phase
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
    Order,
    Preset,
    ReadTotals,
    Refusal,
    Refused,
    Resume,
    SetPrices,
    Stop,
    Suspend,
    Suspended,
    Totals,
)
from tests.pumps.core_bench import authorise
from tests.pumps.two_wire.bench import PRICE, TRY, bench, deliver, sale

TRANSACTION = b"\x41"


@pytest.mark.parametrize("wide", [False, True])
def test_a_sale_from_call_to_clear(*, wide: bool) -> None:
    b = bench(wide=wide)
    b.until(Idle)
    done = sale(b)
    b.submit(Clear(done.clear_token))
    b.run(10)
    assert b.kinds() == ["Online", "Totals", "Idle", "Calling", "Authorised", "Completed", "Idle"]
    assert b.told[1] == Totals(1, 1_000_000)
    assert done == Completed(1, 1, 5_000, 21_895, PRICE, 1_005_000, at_start=False, nozzle_told=True)
    running = [event for event in b.told if isinstance(event, Fuelling)]
    assert len(running) > 10
    assert [event.amount_minor for event in running] == sorted(event.amount_minor for event in running)
    assert all(amount_for(e.volume_ml, PRICE, TRY) <= e.amount_minor for e in running), "never too much"
    assert b.core.phase is Phase.READY
    assert not b.core.link_faults


def test_the_call_gives_price_and_totaliser() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    assert b.until(Calling) == Calling(1, PRICE, 1_000_000)


def test_with_several_grades_the_call_does_not_say_which_and_all_totals_are_told() -> None:
    b = bench(3)
    b.until(Idle)
    b.told.clear()
    b.twin.head.lift(2, b.now_us)
    assert b.until(Calling) == Calling(0, UnitPrice(0, 2), None, (PRICE, PRICE, PRICE))
    assert [event for event in b.told if isinstance(event, Totals)] == [Totals(n, 1_000_000 * n) for n in (1, 2, 3)]


def test_the_transaction_says_which_grade_was_sold() -> None:
    b = bench(3)
    b.until(Idle)
    done = sale(b, nozzle=2)
    assert (done.nozzle, done.volume_ml, done.totaliser_ml) == (2, 5_000, 2_005_000)


@pytest.mark.parametrize(
    ("preset", "volume_ml", "amount_minor"),
    [(Preset(volume_ml=10_000), 10_000, 43_790), (Preset(amount_minor=10_000), 2_280, 10_000)],
)
@pytest.mark.parametrize("nozzles", [1, 2])
def test_the_pump_stops_at_its_preset(preset: Preset, volume_ml: int, amount_minor: int, nozzles: int) -> None:
    b = bench(nozzles)
    b.until(Idle)
    done = sale(b, 50_000, preset, nozzles)
    assert (done.nozzle, done.volume_ml, done.amount_minor) == (nozzles, volume_ml, amount_minor)


def test_the_words_of_a_preset_follow_each_other_and_the_order_comes_at_once() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.sent.clear()
    b.submit(Authorise((1,), Preset(amount_minor=5_000)))
    b.until(Authorised)
    assert [data.hex(" ") for data in b.sent[:6]] == [
        "01",
        "21",
        "ff e5 f2 f4 f8 e0 e0 e0 e5 e0 fb ee f0",
        "01",
        "11",
        "01",
    ]


def test_six_digits_of_money_and_other_decimals_of_volume() -> None:
    b = bench(six_digit_money=True, volume_decimals=3, preset_volume_decimals=2)
    b.until(Idle)
    b.submit(Authorise((1,), Preset(amount_minor=123_456)))
    b.until(Authorised)
    b.submit(Stop())
    done = b.until(Completed)
    b.submit(Clear(done.clear_token))
    b.run(5)
    b.submit(Authorise((1,), Preset(volume_ml=7_009)))
    b.until(Authorised)
    presets = [item for item in b.twin.log if isinstance(item, MoneyPreset | VolumePreset)]
    assert presets == [MoneyPreset(123_456, digits=6), VolumePreset(700, 1)]


@pytest.mark.parametrize(
    "order",
    [
        Authorise(()),
        Authorise((3,)),
        Authorise((1, 2), Preset(volume_ml=1_000)),
        Authorise((1,), Preset(volume_ml=1_000_000)),
        Authorise((1,), Preset(volume_ml=9)),
        Authorise((1,), Preset(amount_minor=100_000)),
        SetPrices((PRICE,)),
        SetPrices((PRICE, UnitPrice(43_795, 3))),
        SetPrices((PRICE, UnitPrice(100, 0))),
        ReadTotals(3),
    ],
)
def test_what_the_pump_cannot_do_is_refused(order: Order) -> None:
    b = bench(2)
    b.until(Idle)
    b.submit(order)
    assert Refused(order, Refusal.UNSUPPORTED) in b.told
    b.run(5)
    assert b.core.quiet_turn(b.now_us) is not None


def test_after_the_end_nothing_but_the_same_question_is_said_until_clear_or_the_bound() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.sent.clear()
    b.run(10)
    assert set(b.sent) == {TRANSACTION}
    assert b.twin.state is Status.FEOT
    told_us = b.now_us
    while b.core.owes_turn:
        b.step()
    assert b.now_us - told_us <= HOLD_US_MAX
    b.run(50)
    assert b.core.phase is Phase.HOLDING
    assert b.kinds().count("Completed") == 1
    b.submit(Authorise((1,)))
    b.submit(Clear(done.clear_token + 1))
    assert b.told[-2:] == [
        Refused(Authorise((1,)), Refusal.WRONG_STATE),
        Refused(Clear(done.clear_token + 1), Refusal.WRONG_STATE),
    ]
    b.submit(Clear(done.clear_token))
    b.run(10)
    assert isinstance(b.told[-1], Idle)


def test_totals_are_read_before_the_transaction_so_that_nothing_comes_between_it_and_clear() -> None:
    b = bench()
    b.until(Idle)
    deliver(b)
    b.twin.head.hang_up(b.now_us)
    while b.core.phase is not Phase.FINISHING:
        b.step()
    assert bool(b.core.owes_turn)
    b.sent.clear()
    b.until(Completed)
    assert [data.hex() for data in b.sent] == ["01", "51", "41", "41"]


def test_an_order_right_after_clear_waits_until_the_old_delivery_is_gone() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.twin.head.lift(1, b.now_us)
    b.submit(Clear(done.clear_token))
    b.submit(Authorise((1,), Preset(volume_ml=1_000)))
    b.until(Authorised)
    b.twin.head.squeeze(9_000, b.now_us)
    b.run(200)
    b.twin.head.hang_up(b.now_us)
    again = b.until(Completed)
    assert (again.clear_token, again.volume_ml, again.totaliser_ml) == (2, 1_000, 1_006_000)


def test_without_a_drop_the_pump_holds_nothing_and_the_line_is_not_kept() -> None:
    b = bench()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.hang_up(b.now_us)
    assert b.until(Completed).totaliser_ml == 1_000_000
    assert not b.core.owes_turn


def test_a_stop_holds_the_delivery_for_good_and_hanging_up_ends_it() -> None:
    b = bench()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.squeeze(50_000, b.now_us)
    b.run(40)
    b.submit(Stop())
    urgent = [b.core.urgent]
    b.until(Suspended)
    urgent.append(b.core.urgent)
    assert urgent == [True, False]
    b.submit(Resume())
    assert b.told[-1] == Refused(Resume(), Refusal.WRONG_STATE)
    stopped_ml = b.twin.head.volume_ml(b.now_us)
    b.run(40)
    b.twin.head.hang_up(b.now_us)
    done = b.until(Completed)
    assert 0 < done.volume_ml <= stopped_ml < 50_000


def test_a_stop_before_any_fuel_ends_the_order() -> None:
    b = bench()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.submit(Stop())
    done = b.until(Completed)
    assert (done.volume_ml, b.twin.state) == (0, Status.CALL)
    b.submit(Clear(done.clear_token))
    b.until(Calling)


def test_a_stop_at_rest_is_sent_all_the_same_and_done() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Stop())
    b.run(20)
    assert Command.STOP in b.twin.log
    assert not b.core.busy
    assert not any(isinstance(event, Refused) for event in b.told)


def test_a_delivery_is_suspended_and_goes_on() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Suspend())
    assert b.told[-1] == Refused(Suspend(), Refusal.WRONG_STATE)
    authorise(b, Authorise((1,), Preset(volume_ml=8_000)))
    b.twin.head.squeeze(50_000, b.now_us)
    b.run(40)
    b.submit(Suspend())
    b.until(Suspended)
    held_ml = b.twin.head.volume_ml(b.now_us)
    b.run(100)
    assert 0 < b.twin.head.volume_ml(b.now_us) == held_ml < 8_000
    b.submit(Resume())
    b.until(Fuelling)
    b.run(500)
    b.twin.head.hang_up(b.now_us)
    assert b.until(Completed).volume_ml == 8_000
    assert b.kinds().count("Authorised") == 1


def test_a_stop_is_not_overtaken_by_a_resume_that_was_asked_for_before_it() -> None:
    b = bench()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.squeeze(50_000, b.now_us)
    b.run(40)
    b.submit(Suspend())
    b.until(Suspended)
    held_ml = b.twin.head.volume_ml(b.now_us)
    b.submit(Resume())
    b.submit(Stop())
    assert Refused(Resume(), Refusal.WRONG_STATE) in b.told
    b.run(200)
    assert b.twin.head.volume_ml(b.now_us) == held_ml, "fuel ran behind the stop"


@pytest.mark.parametrize("levels", [1, 2])
def test_new_prices_go_out_grade_by_grade_and_wait_until_the_pump_is_off(levels: int) -> None:
    b = bench(2, price_levels=levels)
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(SetPrices((UnitPrice(45, 0), UnitPrice(47_100, 3))))
    b.run(30)
    assert b.twin.head.price(1) == PRICE
    b.twin.head.hang_up(b.now_us)
    b.until(Idle)
    b.run(60)
    assert [b.twin.head.price(n) for n in (1, 2)] == [UnitPrice(4500, 2), UnitPrice(4710, 2)]
    assert b.twin.log.count(Command.DATA_NEXT) == 2 * levels
    assert not any(isinstance(event, Refused) for event in b.told)
    assert b.core.quiet_turn(b.now_us) is not None


def test_totals_that_were_asked_for_are_told() -> None:
    b = bench(2)
    b.until(Idle)
    b.submit(ReadTotals(2))
    b.submit(ReadTotals(1))
    b.until(Totals)
    assert b.told[-2:] == [Totals(2, 2_000_000, asked=True), Totals(1, 1_000_000, asked=True)]


def test_the_pump_says_what_it_is() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Identify())
    assert b.until(Identity).text == "two-wire pump 1, version 0107"


@pytest.mark.parametrize("order", [Identify(), ReadTotals(1)])
def test_a_question_without_an_answer_is_not_confirmed(order: Order) -> None:
    b = bench(twin={"has_version": False, "has_totals": False})
    b.until(Idle)
    b.submit(order)
    assert b.until(Refused) == Refused(order, Refusal.NOT_CONFIRMED)
    b.run(10)
    assert b.core.quiet_turn(b.now_us) is not None


def test_a_pump_without_totals_is_no_obstacle() -> None:
    b = bench(twin={"has_totals": False})
    b.until(Idle)
    done = sale(b)
    assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (5_000, 21_895, None)
    b.submit(Clear(done.clear_token))
    b.run(10)
    assert isinstance(b.told[-1], Idle)
