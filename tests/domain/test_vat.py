"""Tax in prices that include it: exact, by grade and day."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.vat import VatRate, rate_on, split

OLD, NEW = date(2020, 1, 1).toordinal(), date(2023, 7, 10).toordinal()
RATES = (VatRate("", OLD, 1_800), VatRate("", NEW, 2_000), VatRate("cng", OLD, 700))


def test_the_rate_is_the_days_and_a_grades_own_goes_before() -> None:
    assert rate_on(RATES, "diesel", OLD - 1) is None
    assert rate_on(RATES, "diesel", NEW - 1) == RATES[0]
    assert rate_on(RATES, "diesel", NEW) == RATES[1]
    assert rate_on(RATES, "cng", NEW) == RATES[2]


def test_it_is_split_as_a_clerk_does_it() -> None:
    line = split(44_120, RATES[1])
    assert (line.net_minor, line.tax_minor, line.rate.text) == (36_767, 7_353, "20")
    assert (split(100, VatRate("", 0, 850)).tax_minor, VatRate("", 0, 850).text) == (8, "8.5")
    assert split(105, VatRate("", 0, 0)).tax_minor == 0


@given(st.integers(0, 10**12), st.integers(0, 10_000))
def test_nothing_is_lost(amount_minor: int, basis_points: int) -> None:
    line = split(amount_minor, VatRate("", 0, basis_points))
    assert line.net_minor + line.tax_minor == amount_minor
    exact = 2 * amount_minor * basis_points
    assert abs(2 * line.tax_minor * (10_000 + basis_points) - exact) <= 10_000 + basis_points
