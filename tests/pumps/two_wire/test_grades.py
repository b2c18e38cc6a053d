"""One grade out of several: what a two-wire pump is told, so that it gives no other."""

from typing import Any

import pytest

from controller.domain.quantities import CURRENCIES, UnitPrice
from controller.pumps.two_wire.blocks import MoneyPreset, VolumePreset
from controller.pumps.two_wire.settings import TwoWireSettings
from controller.pumps.words import Authorise, Preset

PRICE = UnitPrice(4412, 2)


def settings(nozzles: int = 3, currency: str = "TRY", **how: Any) -> TwoWireSettings:
    return TwoWireSettings(pump_id=1, currency=CURRENCIES[currency], nozzles=nozzles, **how)


@pytest.mark.parametrize(
    ("pump", "price", "told"),
    [
        (settings(), PRICE, VolumePreset(99_999, 2)),
        (settings(), None, VolumePreset(99_999, 2)),
        (settings(volume_decimals=3), PRICE, VolumePreset(99_999, 2)),
        (settings(volume_decimals=3, preset_volume_decimals=2), PRICE, VolumePreset(99_999, 2)),
        # 999.99 l against 99,999 lira, which buy 2266 l; against nothing known of the price
        (settings(amount_decimals=0), PRICE, MoneyPreset(99_999, 2)),
        (settings(amount_decimals=0), None, VolumePreset(99_999, 2)),
        (settings(amount_decimals=0), UnitPrice(0, 2), VolumePreset(99_999, 2)),
        # 99.999 l against 9999.99 lira, which buy 226 l
        (settings(volume_decimals=3, six_digit_money=True), PRICE, MoneyPreset(999_999, 2, digits=6)),
        (settings(currency="VND", amount_decimals=-3, price_decimals=-3), UnitPrice(23, -3), MoneyPreset(99_999, 2)),
    ],
)
def test_a_full_tank_of_one_grade_is_the_largest_preset_of_it(
    pump: TwoWireSettings, price: UnitPrice | None, told: VolumePreset | MoneyPreset
) -> None:
    order = Authorise((2,), None, price)
    assert pump.can_allow(order)
    assert pump.held_to(order) == told


def test_any_grade_and_an_asked_preset_are_told_as_they_are() -> None:
    assert settings().can_allow(Authorise((1, 2, 3)))
    assert settings().held_to(Authorise((1, 2, 3))) is None
    assert settings(1).held_to(Authorise((1,))) is None
    assert settings().held_to(Authorise((3,), Preset(volume_ml=20_000), PRICE)) == VolumePreset(2_000, 3)
    assert settings().held_to(Authorise((3,), Preset(amount_minor=5_000), PRICE)) == MoneyPreset(5_000, 3)


@pytest.mark.parametrize("nozzles", [(), (1, 2), (4,), (0,)])
def test_a_pump_is_held_to_one_grade_or_to_none(nozzles: tuple[int, ...]) -> None:
    assert not settings().can_allow(Authorise(nozzles))
