"""Limits: what each leaves, the smallest of them, and what of it a pump is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.limits import binding, cost_minor, lefts, margin_minor, preset_of, smallest, wanted_bounds
from controller.domain.quantities import UnitPrice, amount_for
from controller.domain.records import Limits
from tests.domain.cases import LIRA, PRICE, cap, card_row

PRESETS = [
    (Limits(), PRICE, (None, None)),
    (Limits(20_000), PRICE, (20_000, None)),
    (Limits(None, 50_000), PRICE, (None, 50_000)),
    (Limits(10_000, 50_000), PRICE, (10_000, None)),  # exactly as much: the litres are the sharper bound
    (Limits(10_001, 50_000), PRICE, (None, 50_000)),
    (Limits(9_999, 50_000), PRICE, (9_999, None)),
]


@pytest.mark.parametrize(("limits", "price", "preset"), PRESETS)
def test_a_pump_gets_the_smaller_limit(limits: Limits, price: UnitPrice, preset: tuple[int | None, int | None]) -> None:
    assert preset_of(limits, price, LIRA) == preset


limit = st.none() | st.integers(1, 10**7)


@given(limit, limit, st.builds(UnitPrice, st.integers(1, 10**5), st.integers(-3, 3)))
def test_a_preset_keeps_both_limits(volume_ml: int | None, amount_minor: int | None, price: UnitPrice) -> None:
    preset_ml, preset_minor = preset_of(Limits(volume_ml, amount_minor), price, LIRA)
    assert preset_ml is None or preset_minor is None, "a pump takes one"
    if preset_ml is not None and amount_minor is not None:
        assert amount_for(preset_ml, price, LIRA) <= amount_minor
    if preset_minor is not None and volume_ml is not None:
        # The litres that cost less than the money: none of them lies beyond the volume limit.
        assert amount_for(volume_ml, price, LIRA) >= preset_minor
    assert (preset_ml, preset_minor) != (None, None) or (volume_ml, amount_minor) == (None, None)


@given(limit, limit, st.builds(UnitPrice, st.integers(1, 10**5), st.integers(-3, 3)), st.integers(0, 1_000))
def test_a_delivery_within_its_limits_costs_no_more_than_is_reserved(
    volume_ml: int | None, amount_minor: int | None, price: UnitPrice, overrun_ml: int
) -> None:
    limits = Limits(volume_ml, amount_minor)
    cost = cost_minor(limits, overrun_ml, price, LIRA)
    preset_ml, preset_minor = preset_of(limits, price, LIRA)
    if cost is None:
        assert (preset_ml, preset_minor) == (None, None)
    elif preset_ml is not None:
        assert cost >= amount_for(preset_ml + overrun_ml, price, LIRA)
    else:
        assert preset_minor is not None
        assert cost >= preset_minor + amount_for(overrun_ml, price, LIRA)


def test_a_pump_that_runs_over_by_nothing_needs_no_margin() -> None:
    assert margin_minor(0, PRICE, LIRA) == 0
    assert margin_minor(100, PRICE, LIRA) == 501


def test_limits_stand_by_window_and_level_and_a_missing_count_is_zero() -> None:
    row = card_row(
        day_ml=5,
        fill_minor=7,
        caps=(cap("account_month_amount", 9), cap("vehicle_day_fills", 2), cap("week_volume", 8)),
    )
    found = lefts(row, 1, 2, (3,))
    assert [(left.cap.name, left.used) for left in found] == [
        ("fill", 0),
        ("day", 1),
        ("vehicle_day", 0),
        ("week", 0),
        ("account_month", 3),
    ]
    assert [left.of(50) for left in found] == [3, 1, 2, 4, 1], "deliveries are counted and do not shrink"


@pytest.mark.parametrize(
    ("limits", "price", "name"),
    [
        (Limits(), PRICE, ""),
        (Limits(1, None, "volume:day"), None, "day"),
        (Limits(10_000, 50_000, "volume:fill,amount:day"), PRICE, "fill"),
        (Limits(10_001, 50_000, "volume:fill,amount:day"), PRICE, "day"),
        (Limits(10_001, 50_000, "volume:fill,amount:day"), UnitPrice(0, 0), "fill"),
    ],
)
def test_the_limit_that_a_delivery_comes_to_first_has_a_name(
    limits: Limits, price: UnitPrice | None, name: str
) -> None:
    assert binding(limits, price, LIRA) == name


def test_what_was_asked_for_is_a_limit_too() -> None:
    assert smallest(wanted_bounds(None, None)) == Limits()
    assert smallest(wanted_bounds(20_000, None)) == Limits(20_000, None, "volume:preset")
    assert smallest(wanted_bounds(None, 500)) == Limits(None, 500, "amount:preset")
