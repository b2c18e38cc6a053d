"""The controller is killed at each named step of one sale by card: it ends in one delivery, one sale, one receipt."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.station.house import House, story

LITRES_ML = 6_000
DOWN_S = 2


def _moment(name: str) -> Callable[[House], Awaitable[None]]:
    async def kill(house: House) -> None:
        house.kill_when(name)
        await house.until(lambda: house.dead)

    return kill


async def _first_fuel(house: House) -> None:
    await house.until(lambda: house.head(1).volume_ml(house.now_us) > 0)


async def _cleared(house: House) -> None:
    house._kill_at = lambda name: name == "pump RESET" and house.books.sums.deliveries == 1
    await house.until(lambda: house.dead)


async def _printed(house: House) -> None:
    await house.until(lambda: bool(house.slips))


STEPS: dict[str, Callable[[House], Awaitable[None]]] = {
    "authorised written": _moment("after authorised"),
    "pump told": _moment("pump AUTHORIZE"),
    "first fuel": _first_fuel,
    "completed seen": _moment("before delivery"),
    "delivery written": _moment("after delivery"),
    "cleared": _cleared,
    "settled": _moment("after settlement"),
    "printed": _printed,
}


async def _fills(house: House) -> None:
    """A customer who shows his card until fuel runs, and then fills what he came for."""
    house.lift(1)
    head = house.head(1)
    head.squeeze(LITRES_ML, house.now_us)
    while head.volume_ml(house.now_us) < LITRES_ML:
        if not house.dead and not head.flowing:
            house.show_card(1)
        for _ in range(16):
            await house.wait(0.5)
            if head.flowing or head.volume_ml(house.now_us) >= LITRES_ML:
                break
    house.hang_up(1)


@pytest.mark.parametrize("step", STEPS)
@story()
async def test_killed_at_this_step_a_sale_ends_in_one_delivery_one_sale_and_one_receipt(
    house: House, step: str
) -> None:
    customer = asyncio.ensure_future(_fills(house))
    await STEPS[step](house)
    await house.kill()
    await house.wait(DOWN_S)
    await house.start()
    await customer
    await house.until(lambda: house.books.sums.sales == 1 and not house.books.open and bool(house.slips))
    await house.wait(15)
    house.assert_books_agree(deliveries=1)
    assert house.kinds.count("settlement") == 1
    assert house.deliveries[0].volume_ml == LITRES_ML
    assert house.books.sums.unrecorded_ml == 0
    originals = [slip for slip in house.slips if "COPY" not in slip.text]
    assert len(originals) <= 1
    assert len(house.slips) <= 2
    if step == "printed":
        assert len(originals) == 1
