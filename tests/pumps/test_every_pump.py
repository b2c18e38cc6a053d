"""What every protocol's core does alike, against its simulated twin. What is a protocol's own is tested beside it."""

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.quantities import UnitPrice
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
    Order,
    Preset,
    Refusal,
    Refused,
    SetPrices,
    Stop,
)
from tests.pumps.core_bench import Bench, authorise, sell
from tests.pumps.every_protocol import EVERY, Row

every = pytest.mark.parametrize("row", EVERY.values(), ids=EVERY)


def rested(row: Row) -> Bench[Any, Any]:
    b = row.bench(1)
    b.until(Idle)
    for _ in range(20):  # an old board is asked for its last delivery then
        if b.core.quiet_turn(b.now_us) is not None:
            return b
        b.step()
    raise AssertionError(f"{row.name} is idle and comes to no rest")


def limited(row: Row, volume_ml: int) -> Authorise:
    return replace(row.order, nozzles=(1,), preset=Preset(volume_ml=volume_ml))


@every
def test_an_order_before_the_nozzle_is_lifted_lets_the_customer_begin_at_once(row: Row) -> None:
    b = rested(row)
    b.submit(limited(row, 2_000))
    b.until(Authorised)
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(60_000, b.now_us)
    while b.twin.head.next_change_us(b.now_us) is not None or not b.twin.head.volume_ml(b.now_us):
        b.step()
    told = len(b.all(Completed))
    b.twin.head.hang_up(b.now_us)
    done = b.all(Completed)[-1] if told else b.until(Completed)
    assert done.volume_ml == 2_000


@every
def test_hanging_up_without_a_drop_is_no_sale_and_wants_its_clear(row: Row) -> None:
    b = rested(row)
    authorise(b, row.order)
    b.twin.head.hang_up(b.now_us)
    done = b.until(Completed)
    assert (done.volume_ml, done.amount_minor) == (0, 0)
    b.submit(Clear(done.clear_token))
    b.until(Idle)


@every
def test_a_stop_at_rest_is_done_and_refused_by_nobody(row: Row) -> None:
    b = rested(row)
    b.submit(Stop())
    b.run(40)
    assert not b.core.busy
    assert not b.all(Refused)


@every
def test_a_stop_calls_off_an_order_that_is_under_way(row: Row) -> None:
    b = rested(row)
    b.submit(row.order)
    b.submit(Stop())
    b.sent.clear()
    b.run(60)
    assert Refused(row.order, Refusal.WRONG_STATE) in b.told
    assert not any(row.authorises(data) for data in b.sent)
    assert b.core.phase == "ready"


@every
def test_a_stop_goes_before_everything_until_nothing_flows_any_more(row: Row) -> None:
    b = rested(row)
    authorise(b, row.order)
    b.twin.head.squeeze(50_000, b.now_us)
    b.run(40)
    b.submit(Stop())
    assert b.core.urgent
    while b.core.urgent:
        b.step()
    b.run(10)
    assert 0 < b.twin.head.volume_ml(b.now_us) < 50_000
    assert not b.twin.head.flowing
    assert not b.all(Refused)


@every
def test_an_overrun_is_told_as_the_pump_says_it(row: Row) -> None:
    b = rested(row)
    b.twin.head.set_overrun(30, b.now_us)
    assert sell(b, 50_000, limited(row, 2_000)).volume_ml == 2_030


@every
def test_a_delivery_that_still_runs_at_start_goes_on_to_its_end(row: Row) -> None:
    b = rested(row)
    authorise(b, row.order)
    b.twin.head.squeeze(20_000, b.now_us)
    b.run(20)
    b.restart_controller()
    b.until(Fuelling)
    b.twin.head.hang_up(b.now_us)
    b.run(100)
    if row.forgets:
        return  # what it forgets is found in its totals: see there
    (done,) = b.all(Completed)
    assert not done.at_start
    assert done.volume_ml == b.twin.head.volume_ml(b.now_us) // 10 * 10
    assert b.kinds() == ["Online", "Completed"]


@every
def test_a_silent_pump_is_offline_after_five_polls_and_comes_back_by_itself(row: Row) -> None:
    b = rested(row)
    b.to_core = lambda _: b""
    missed = b.core.link_faults["missed"]
    b.until(Offline, 8)
    assert b.core.link_faults["missed"] - missed == 5
    orders: tuple[Order, ...] = (row.order, Stop(), SetPrices((UnitPrice(4_000, 2),)), Clear(1))
    for order in orders:
        b.submit(order)
        assert b.told[-1] == Refused(order, Refusal.OFFLINE)
    b.run(50)
    b.heal()
    b.until(Online)
    b.run(20)
    assert len(b.all(Offline)) == 1
    assert isinstance(b.told[-1], Idle)


@every
def test_new_prices_wait_until_the_caller_is_gone(row: Row) -> None:
    b = rested(row)
    nozzles = range(1, len(b.twin.head.nozzles) + 1)
    before = b.twin.head.price(1)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(SetPrices(tuple(UnitPrice(45_000 + 100 * n, 3) for n in nozzles)))
    b.run(30)
    assert b.twin.head.price(1) == before
    b.twin.head.hang_up(b.now_us)
    b.until(Idle)
    b.run(60)
    assert [b.twin.head.price(n) for n in nozzles] == [UnitPrice(4_500 + 10 * n, 2) for n in nozzles]
    assert not b.all(Refused)
    assert b.core.quiet_turn(b.now_us) is not None
