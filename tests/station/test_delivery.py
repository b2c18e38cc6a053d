"""One delivery, from the lifted nozzle to the receipt: each step is on disk before anybody outside sees it."""

from controller.domain.desk import PointState
from controller.domain.records import Authorised, Delivery, Settlement, TenderKind
from tests.station.house import CARD, DIESEL, House, story


@story()
async def test_a_card_delivery_is_authorised_delivered_and_settled_in_this_order(house: House) -> None:
    await house.calls(1, DIESEL)
    house.show_card(1)
    await house.fills(1, 20_000)
    await house.until(lambda: house.books.sums.sales == 1)
    await house.until(lambda: len(house.slips) == 1)
    assert house.story() == ["authorised", "delivery", "settlement"]
    authorised, delivery, settlement = (
        record for record in house.records if isinstance(record, Authorised | Delivery | Settlement)
    )
    assert isinstance(authorised, Authorised)
    assert isinstance(delivery, Delivery)
    assert isinstance(settlement, Settlement)
    assert authorised.token is not None
    assert authorised.token.shown == f"{CARD[:6]}******{CARD[-4:]}"
    assert (delivery.volume_ml, delivery.amount_minor) == (20_000, 88_240)
    assert (delivery.account, delivery.totaliser_before_ml, delivery.totaliser_after_ml) == ("KUZEY", 0, 20_000)
    assert settlement.tenders[0].kind is TenderKind.ACCOUNT
    assert CARD not in house.slips[0].text
    assert "SIMULATION" in house.slips[0].text
    house.assert_books_agree(deliveries=1)


@story()
async def test_every_outside_effect_finds_its_row_on_the_disk(house: House) -> None:
    house.watch_orders = True
    await house.calls(1, DIESEL)
    house.show_card(1)
    await house.fills(1, 5_000)
    await house.until(lambda: len(house.slips) == 1)
    await house.wait(20)  # the pump is reset when its display has been looked at long enough
    told = [(seen.what, seen.kinds) for seen in house.orders]
    (at,) = (index for index, (what, _) in enumerate(told) if what == "pump 1 AUTHORIZE")
    assert told[at][1][-1] == "authorised"
    resets = [kinds for what, kinds in told[at:] if what == "pump 1 RESET"]
    assert resets
    for kinds in resets:
        assert kinds.count("delivery") == 1, "the pump forgets a delivery that no disk has"
    printed = [kinds for what, kinds in told if what == "printer"]
    assert [kinds.count("settlement") for kinds in printed] == [1]


@story()
async def test_two_points_sell_at_once_and_do_not_mix(house: House) -> None:
    await house.calls(1, DIESEL)
    await house.calls(2, DIESEL)
    house.show_card(1)
    await house.authorise(2)
    house.squeeze(1, 9_000)
    house.squeeze(2, 4_000)
    await house.shown_ml(4_000, 2)
    house.hang_up(2)
    await house.until(lambda: len(house.point(2).unpaid) == 1)
    assert house.point(1).state is PointState.FUELLING
    await house.shown_ml(9_000, 1)
    house.hang_up(1)
    await house.until(lambda: house.books.sums.sales == 1)
    assert {(record.point, record.volume_ml, record.account) for record in house.deliveries} == {
        (1, 9_000, "KUZEY"),
        (2, 4_000, ""),
    }
    house.assert_books_agree(deliveries=2)
