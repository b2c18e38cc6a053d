"""What two readings of a totaliser mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.meters import (
    Agrees,
    Changed,
    Finding,
    Meter,
    Short,
    Unrecorded,
    back_by,
    compare,
    meter,
    possible_ml,
)

HOW = Meter(step_ml=10, display_step_ml=10, modulus_ml=1_000_000, flow_limit_ml_per_s=2_500)
MINUTE_MS = 60_000
TURN = HOW.modulus_ml


@pytest.mark.parametrize(
    ("before_ml", "after_ml", "sold_ml", "found"),
    [
        (5_000, 5_000, 0, Agrees()),
        (5_000, 5_010, 0, Unrecorded(10)),
        (5_000, 12_000, 0, Unrecorded(7_000)),
        (5_000, 15_000, 10_000, Agrees()),
        (5_000, 15_010, 10_000, Agrees()),
        (5_000, 14_990, 10_000, Agrees()),
        (5_000, 15_020, 10_000, Unrecorded(20)),
        (5_000, 14_980, 10_000, Short(20, stuck=False)),
        (5_000, 5_000, 10_000, Short(10_000, stuck=True)),
        (5_000, 5_000, 10, Agrees()),
        (TURN - 3_000, 7_000, 10_000, Agrees()),
        (TURN - 3_000, 7_000, 0, Unrecorded(10_000)),
        (TURN - 3_000, 9_000, 10_000, Unrecorded(2_000)),
        (5_000, 4_000, 0, Changed()),
        (5_000, 4_990, 0, Changed()),
        (5_000, 4_000, 10_000, Changed()),
        (5_000, 700_000, 0, Changed()),
    ],
)
def test_within_a_minute(before_ml: int, after_ml: int, sold_ml: int, found: Finding) -> None:
    assert compare(HOW, before_ml, after_ml, MINUTE_MS, sold_ml) == found


def test_what_is_possible_grows_with_the_time() -> None:
    assert possible_ml(HOW, 0) == 25_000, "some slack"
    assert possible_ml(HOW, MINUTE_MS) == 175_000
    assert compare(HOW, 0, 175_000, MINUTE_MS) == Unrecorded(175_000)
    assert compare(HOW, 0, 175_010, MINUTE_MS) == Changed()


def test_of_an_unknown_time_a_day_is_taken_and_of_a_very_long_one_a_month() -> None:
    day_ms = 86_400_000
    assert possible_ml(HOW, None) == possible_ml(HOW, day_ms) == possible_ml(HOW, -5)
    assert possible_ml(HOW, 400 * day_ms) == possible_ml(HOW, 31 * day_ms)


def test_a_pump_of_few_digits_and_coarse_steps() -> None:
    how = meter(volume_decimals=2, totaliser_decimals=0, totaliser_digits=6, flow_limit_ml_per_s=1_000)
    assert (how.step_ml, how.display_step_ml, how.modulus_ml) == (1_000, 10, 1_000_000_000)
    assert compare(how, 999_999_000, 3_000, MINUTE_MS, 4_560) == Agrees()
    assert compare(how, 0, 0, MINUTE_MS, 900) == Agrees(), "it did not fill a step"


@given(
    before=st.integers(0, TURN // 10 - 1), sold=st.integers(1, 5_000), hidden=st.integers(0, 1_000), late=st.integers(0)
)
def test_what_flowed_is_sold_or_unrecorded_wherever_the_counter_stands(
    before: int, sold: int, hidden: int, late: int
) -> None:
    after_ml = (10 * (before + sold + hidden)) % TURN
    found = compare(HOW, 10 * before, after_ml, late, 10 * sold)
    assert found == (Agrees() if hidden <= 1 else Unrecorded(10 * hidden))
    assert back_by(HOW, after_ml, 10 * sold) == 10 * (before + hidden) % TURN


@pytest.mark.parametrize("digits", [6, 8])
def test_a_counter_that_went_back_is_another_meter_however_long_nobody_listened(digits: int) -> None:
    how = meter(volume_decimals=2, totaliser_decimals=2, totaliser_digits=digits, flow_limit_ml_per_s=2_500)
    week_ms = 7 * 86_400_000
    assert compare(how, 1_561_330, 1_561_320, week_ms) == Changed()
    assert compare(how, 1_561_330, 0, week_ms) == Changed()
    assert compare(how, how.modulus_ml - 10_000, 5_000, week_ms) == Unrecorded(15_000)
