"""Headquarters' prices: which one holds, which one is taken, and by what time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.list_entries import ListPrice, decode_entry, encode_entry
from controller.domain.list_prices import SETTLE_MS, SteadyTime, clashing, in_force, next_ms, prices_of, to_take
from controller.domain.quantities import UnitPrice
from controller.domain.records import PriceChanged, PriceSource
from controller.domain.seams import US_PER_MS, ClockQuality, Now

HERE = "TR-0001"
HOUR_MS = 3_600_000


def listed(from_ms: int, value: int, stations: str = "", grade: str = "diesel") -> ListPrice:
    return ListPrice(grade, from_ms, UnitPrice(value, 2), stations)


def taken(price: ListPrice) -> PriceChanged:
    """The row of this price."""
    file_price = UnitPrice(4412, 2)
    return PriceChanged("diesel", price.price, file_price, "", "", PriceSource.HEADQUARTERS, 1, price.from_ms)


OLD, NEW, LATER = listed(100, 4400), listed(200, 4500), listed(300, 4600)
AT_DESK = PriceChanged("diesel", UnitPrice(4455, 2), UnitPrice(4412, 2), "till-1", "c1")


def test_the_latest_that_has_begun_holds_and_at_one_moment_the_one_that_names_the_station() -> None:
    everything = [LATER, listed(200, 1, HERE), NEW, listed(200, 2, "TR-0002"), OLD, listed(150, 3, grade="autogas")]
    own = prices_of(everything, "diesel", HERE)
    assert [price.price.value for price in own] == [4400, 4500, 1, 4600]
    assert in_force(own, 99) is None
    assert [in_force(own, at) for at in (100, 200, 299, 300)] == [
        OLD,
        listed(200, 1, HERE),
        listed(200, 1, HERE),
        LATER,
    ]
    assert (next_ms(own, 99), next_ms(own, 100), next_ms(own, 300)) == (100, 200, None)


@pytest.mark.parametrize(
    ("changed", "now_ms", "sure", "expected"),
    [
        (None, 50, True, None),
        (None, 250, True, NEW),
        (AT_DESK, 250, True, NEW),
        (taken(OLD), 250, False, NEW),
        (taken(NEW), 250, False, None),
        (taken(LATER), 250, False, None),
        (taken(LATER), 250, True, NEW),
        (taken(NEW), 50, True, None),
        (taken(listed(250, 1)), 260, True, None),
        (taken(listed(200, 1)), 260, True, NEW),
    ],
    ids=[
        "none has begun",
        "the first",
        "after the desk's",
        "a later one",
        "it has it",
        "an older one is never taken by a clock that nobody set",
        "what came too early goes back by a clock that is right",
        "none holds by this clock: the price stays",
        "older than the one in force, which is not on the list any more",
        "corrected, from the same moment on",
    ],
)
def test_what_is_taken(changed: PriceChanged | None, now_ms: int, sure: bool, expected: ListPrice | None) -> None:
    price = UnitPrice(4412, 2) if changed is None else changed.price
    assert to_take((OLD, NEW, LATER), price, changed, now_ms, sure=sure) == expected


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1))
def test_whatever_a_clock_that_nobody_set_does_prices_go_forward_only(looks: list[tuple[int, bool]]) -> None:
    held: PriceChanged | None = None
    begun = []
    for now_ms, _ in looks:
        price = UnitPrice(4412, 2) if held is None else held.price
        due = to_take((OLD, NEW, LATER), price, held, now_ms, sure=False)
        if due is not None:
            held = taken(due)
            begun.append(due.from_ms)
    assert begun == sorted(set(begun))


def test_two_prices_for_one_station_at_one_moment_are_found() -> None:
    one, other = listed(100, 1, "A,B"), listed(100, 2, "B,C")
    assert clashing([OLD, one, other]) == (one, other)
    assert clashing([OLD, one, listed(100, 2, "C"), listed(101, 3, "A"), listed(100, 4, "A", "autogas")]) is None


def test_a_price_for_all_stations_has_the_bytes_that_it_always_had() -> None:
    assert encode_entry(OLD).hex() == "7a88f195b1d919ac0393a664696573656c6492cd113002"
    for price in (OLD, listed(100, 4400, HERE)):
        assert decode_entry(encode_entry(price)) == price


class Clocks:
    """Both clocks, and somebody who sets the one."""

    def __init__(self, quality: ClockQuality = ClockQuality.FREE_RUNNING) -> None:
        self.wall_ms, self.mono_ms, self.quality = 1_000 * HOUR_MS, 0, quality
        self.time = SteadyTime()

    def after(self, ms: int, set_by_ms: int = 0) -> int:
        """What is believed after some time, in hours' thousandths of the true one; and the clock is set then."""
        self.wall_ms += ms + set_by_ms
        self.mono_ms += ms
        return self.time.read(Now(self.wall_ms, self.mono_ms * US_PER_MS), self.quality)


def test_a_jump_forward_counts_once_it_has_lasted() -> None:
    clocks = Clocks()
    true_ms = clocks.after(0)
    assert clocks.after(5_000, set_by_ms=1_000 * HOUR_MS) == true_ms + 5_000
    assert clocks.time.doubts
    assert clocks.after(SETTLE_MS - 1) == true_ms + 5_000 + SETTLE_MS - 1
    assert clocks.after(1) == clocks.wall_ms
    assert not clocks.time.doubts


def test_a_jump_forward_and_back_does_nothing() -> None:
    clocks = Clocks()
    true_ms = clocks.after(0)
    clocks.after(5_000, set_by_ms=24 * HOUR_MS)
    assert clocks.after(60_000, set_by_ms=-24 * HOUR_MS) == true_ms + 65_000 == clocks.wall_ms
    assert not clocks.time.doubts


def test_small_steps_jumps_back_and_a_synchronised_clock_are_believed_at_once() -> None:
    clocks = Clocks()
    clocks.after(0)
    for step in (1_000, -1_000, 59_000, -9 * HOUR_MS):
        assert clocks.after(5_000, set_by_ms=step) == clocks.wall_ms
    clocks.quality = ClockQuality.SYNCHRONISED
    assert clocks.after(5_000, set_by_ms=9_000 * HOUR_MS) == clocks.wall_ms
