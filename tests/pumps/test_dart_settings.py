"""A DART pump's settings: what its digits are worth, and which settings cannot be."""

import pytest

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.dart import transactions as dart
from controller.pumps.dart.settings import PRICE_MAX, DartSettings
from controller.pumps.words import Preset
from tests.pumps.dart_bench import TRY


def test_a_dong_pump_counts_in_thousands() -> None:
    settings = DartSettings(
        address=0x50, currency=CURRENCIES["VND"], volume_decimals=3, amount_decimals=-3, price_decimals=-3
    )
    assert settings.amount_minor(115) == 115_000
    assert settings.price(23) == UnitPrice(23, -3)
    assert settings.price_digits(UnitPrice(23_000, 0), most=PRICE_MAX) == 23
    assert settings.price_digits(UnitPrice(23_500, 0), most=PRICE_MAX) is None
    assert settings.preset(Preset(amount_minor=115_900)) == dart.PresetAmount(115)
    assert settings.preset(Preset(amount_minor=900)) is None


@pytest.mark.parametrize(
    "wrong",
    [{"address": 0x4F}, {"nozzles": 0}, {"volume_decimals": 4}, {"amount_decimals": 3}],
)
def test_settings_that_cannot_be_are_refused_with_a_sentence(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\w+"):
        DartSettings(**{"address": 0x50, "currency": TRY, **wrong})  # type: ignore[arg-type]
