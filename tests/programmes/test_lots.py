"""Lots: spent in the order of expiry, restored exactly, in whatever order the reversals come."""

from collections.abc import Callable
from itertools import permutations

import pytest

from controller.domain.programmes.lots import LotAccount
from tests.programmes.bench import Lab, petrolimex


def account(*lots: tuple[int, int]) -> LotAccount:
    made = LotAccount("available:M1:fuel", "points:fuel")
    for expiry_ms, points in lots:
        made.add(expiry_ms, points)
    return made


def available(lots: LotAccount) -> int:
    return sum(net - expired for _, net, expired in lots.snapshot())


def test_a_lot_that_expires_first_is_spent_first_whenever_it_was_earned() -> None:
    assert account((30, 5), (10, 5), (20, 5)).take(12) == [(10, 5), (20, 5), (30, 2)]


def test_points_of_one_expiry_are_one_lot() -> None:
    lots = account((10, 5), (10, 7))
    assert lots.snapshot() == [(10, 12, 0)]


def test_a_lot_expires_when_its_time_begins() -> None:
    lots = account((10, 5), (20, 7))
    assert (lots.settle(9), lots.settle(10), lots.settle(10)) == (0, -5, 0)
    assert available(lots) == 7


def test_what_was_put_back_into_an_expired_lot_expires_at_once() -> None:
    lots = account((10, 5))
    lots.take(3)
    assert lots.settle(10) == -2
    lots.add(10, 3)
    assert lots.settle(11) == -3
    assert available(lots) == 0


def test_taking_back_what_was_spent_makes_the_balance_negative_and_later_earning_fills_it() -> None:
    lots = account((10, 100))
    lots.take(60)
    lots.add(10, -100)
    assert available(lots) == -60
    lots.add(20, 50)
    assert (available(lots), lots.free()) == (-10, [])
    lots.add(30, 50)
    assert available(lots) == 40
    assert [(lot.expiry_ms, left) for lot, left in lots.free()] == [(30, 40)]


def test_points_that_cover_a_debt_do_not_expire() -> None:
    """They were used to fill it: their day changes nothing."""
    lots = account((10, 100))
    lots.take(60)
    lots.add(10, -100)
    lots.add(20, 50)
    assert (lots.settle(25), available(lots)) == (0, -10)


def test_taking_back_what_expired_takes_nothing() -> None:
    lots = account((10, 100))
    assert lots.settle(10) == -100
    lots.add(10, -100)
    assert lots.settle(11) == 100
    assert available(lots) == 0


def test_more_than_there_is_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="more than it holds"):
        account((10, 5)).take(6)


def history(lots: LotAccount) -> list[Callable[[], object]]:
    """Three redemptions and the taking back of two lots: each undoes itself by being called."""
    pieces = [lots.take(points) for points in (60, 90, 40)]

    def put_back(index: int) -> Callable[[], object]:
        return lambda: [lots.add(expiry_ms, points) for expiry_ms, points in pieces[index]]

    return [put_back(0), put_back(1), put_back(2), lambda: lots.add(10, -100), lambda: lots.add(20, -70)]


@pytest.mark.parametrize("order", list(permutations(range(5)))[::7])
@pytest.mark.parametrize("expire_at", [None, 0, 2, 4])
def test_reversals_in_any_order_restore_the_lots(order: tuple[int, ...], expire_at: int | None) -> None:
    """With an expiry in between: the lot that expired holds nothing, the others what they held."""
    lots = account((10, 100), (20, 70), (30, 80))
    undo = history(lots)
    now = 0
    for step, index in enumerate(order):
        if step == expire_at:
            now = 15
            lots.settle(now)
        undo[index]()
        lots.settle(now)
    assert lots.snapshot() == [(30, 80, 0)]


@pytest.mark.parametrize("order", list(permutations(("r1", "r2", "s1", "s2"))))
def test_reversals_in_any_order_restore_the_lots_of_a_member(order: tuple[str, ...]) -> None:
    """Two sales of two years, two redemptions over both; all reversed: as if none of them had been."""
    lab = petrolimex("2022-12-01T10:00:00")
    lab.sale(100_000, ref="s1", card="K1", paid="electronic")
    lab.sale(100_000, at="2023-01-05T10:00:00", ref="s2", card="K1", paid="electronic")
    lab.sale(100_000, ref="s3", card="K1", paid="electronic")
    for ref, points in (("r1", 300), ("r2", 600)):
        lab.do("redeem", ref=ref, holder="M1", product="diesel", points=points, proof={"otp": True})
    for ref in order:
        assert lab.reason("sale.reverse", sale=ref) == ("accepted", None)
    assert lab.balance("points:M1:fuel") == 500
    assert [points for _, points, _ in lab.engine.books.holder_of["M1"].purses["fuel"].snapshot()] == [500]


def test_the_balance_of_a_member_goes_below_zero_and_is_filled() -> None:
    lab = petrolimex()
    lab.sale(100_000, ref="s1", card="K1", paid="electronic")
    lab.do("redeem", holder="M1", product="diesel", points=400, proof={"otp": True})
    assert lab.do("sale.reverse", sale="s1")["balances"]["points:M1:fuel"] == -400
    assert lab.sale(100_000, card="K1", paid="electronic")["balances"]["points:M1:fuel"] == 100
    assert lab.reason("sale.reverse", sale="s1") == ("declined", "already_reversed")


def test_a_redemption_that_is_reversed_after_its_lot_expired_expires_again_at_once() -> None:
    lab = petrolimex()
    lab.sale(100_000, card="K1", paid="electronic")
    lab.do("redeem", ref="r1", holder="M1", product="diesel", points=400, proof={"otp": True})
    lab.do("clock", "2024-03-31T00:00:00")
    answer = lab.do("sale.reverse", sale="r1")
    assert (answer["result"], answer["balances"]["points:M1:fuel"]) == ("accepted", 0)


def test_the_lot_that_expires_first_is_spent_first_by_a_member() -> None:
    lab = petrolimex("2022-12-01T10:00:00")
    lab.sale(100_000, card="K1", paid="electronic")
    lab.sale(100_000, at="2023-01-05T10:00:00", card="K1", paid="electronic")
    lab.do("redeem", holder="M1", product="diesel", points=600, proof={"otp": True})
    assert lab.do("clock", "2023-03-31T00:00:00")["balances"] == {}
    assert lab.do("clock", "2024-03-31T00:00:00")["balances"]["points:M1:fuel"] == 0


def test_expiry_is_applied_before_every_event() -> None:
    lab = petrolimex()
    lab.sale(100_000, card="K1", paid="electronic")
    spend = {"holder": "M1", "product": "diesel", "points": 1, "proof": {"otp": True}}
    assert lab.reason("redeem", "2024-03-31T00:00:00", **spend) == ("declined", "insufficient_points")


def test_lab_bench_reads_balances_like_the_answers() -> None:
    lab: Lab = petrolimex()
    assert lab.sale(100_000, card="K1", paid="electronic")["balances"]["points:M1:fuel"] == lab.balance(
        "points:M1:fuel"
    )
