"""Every fault of a pump's line, at every protocol and at the worst moments: what the station shows, and its books."""

import pytest

from controller.domain.desk import PointState
from controller.domain.records import Authorised, Released
from sim.faults import ON_THE_LINK, FaultName
from tests.station.house import House, story
from tests.station.sale import (
    MIDDLE_ML,
    WANT_ML,
    after,
    begins,
    ends,
    every_protocol,
    is_booked,
    is_in_the_middle,
    link_faults,
    rows,
    was_offline,
)
from tests.station.yard import Yard

BURST = 3
"""Fewer than make a pump count as gone."""
LASTS_S = 8
MADE_OF = {
    ("dart", "garbage"): "unfinished",
    ("dart", "bad_crc"): "bad_crc",
    ("dart", "drop_byte"): "bad_crc",
    ("dart", "duplicate"): "duplicate",
    ("two-wire", "garbage"): "bad_status",
    ("two-wire", "duplicate"): "too_long",
    ("azt2", "garbage"): "eighth_bit",
    ("azt2", "bad_crc"): "bad_sum",
    ("azt2", "drop_byte"): "unfinished",
    ("azt2", "duplicate"): "duplicate",
}
"""What the station calls it while fuel runs. The others are silence to it, or touch nothing that is said then."""
HEARD_ALL_THE_SAME = {
    ("dart", "duplicate"),
    ("dart", "lost_ack"),  # while fuel runs nothing is ordered, so nothing is acknowledged
    ("two-wire", "bad_crc"),  # a status has no sum
    ("two-wire", "lost_ack"),
    ("azt2", "duplicate"),
    ("azt2", "lost_ack"),
}
"""The others make a pump that is as good as gone."""
every_fault = pytest.mark.parametrize("fault", ON_THE_LINK)


def goes_wrong(house: House, fault: FaultName, count: int | None = None) -> None:
    house.pumps[1].faults.inject(fault, house.now_us, count=count)


def is_mended(house: House) -> None:
    house.pumps[1].faults.clear(house.now_us)


@every_protocol
@every_fault
@story()
async def test_in_the_middle_of_a_sale_and_for_long(house: House, yard: Yard, fault: FaultName) -> None:
    await is_in_the_middle(house)
    goes_wrong(house, fault)
    if (yard.protocol, fault) in HEARD_ALL_THE_SAME:
        await house.wait(3)
        assert house.point(1).state is PointState.FUELLING
        assert house.point(1).volume_ml > MIDDLE_ML, "running values come as before"
        assert not was_offline(house)
    else:
        await house.state(1, PointState.OFFLINE, seconds=LASTS_S)
        assert "check its power and its cable" in house.point(1).text
        assert (await house.authorise()).reason == "pump_offline"
    expected = MADE_OF.get((yard.protocol, fault))
    assert (expected in link_faults(house)) if expected else not link_faults(house)
    await house.cash_delivery(2, 1_000)
    assert house.given_ml() > MIDDLE_ML + 1_000, "nobody has stopped the pump: fuel runs"
    is_mended(house)
    await house.state(1, PointState.FUELLING, seconds=40)
    await ends(house)
    assert house.deliveries[-1].volume_ml == WANT_ML
    assert len(rows(house, Authorised)) == 2, "let go once"
    await after(house, deliveries=2)


@every_protocol
@every_fault
@story()
async def test_short_and_again_and_again_through_a_sale_nobody_notices(
    house: House, yard: Yard, fault: FaultName
) -> None:
    house.at("after delivery", lambda: goes_wrong(house, fault, BURST))
    await house.wait(1)
    house.lift()
    goes_wrong(house, fault, 1)
    await house.state(1, PointState.CALLING, seconds=10)
    assert (await house.authorise()).done
    await house.state(1, PointState.FUELLING, PointState.AUTHORISED, seconds=10)
    await house.shows_nothing()
    house.squeeze(1, WANT_ML)
    await house.shown_ml(MIDDLE_ML)
    goes_wrong(house, fault, BURST)
    await house.shown_ml(WANT_ML)
    is_mended(house)  # of acknowledgements there were none to lose
    goes_wrong(house, fault, BURST)
    house.hang_up()
    await is_booked(house)
    await house.wait(20)
    is_mended(house)
    assert not was_offline(house)
    assert house.story() == ["authorised", "delivery"]
    house.at_nothing()
    await after(house, deliveries=1)


@every_protocol
@every_fault
@story()
async def test_when_the_customer_hangs_up(house: House, yard: Yard, fault: FaultName) -> None:
    await is_in_the_middle(house)
    await house.shown_ml(WANT_ML)
    goes_wrong(house, fault)
    house.hang_up()
    await house.wait(LASTS_S)
    if (yard.protocol, fault) == ("two-wire", "bad_crc"):
        assert {"bad_lrc", "no_totals", "no_transaction"} <= link_faults(house)
        assert not house.deliveries, "nothing is booked of what cannot be read"
    is_mended(house)
    await is_booked(house)
    assert [delivery.volume_ml for delivery in house.deliveries] == [WANT_ML]
    assert house.story() == ["authorised", "delivery"]
    await after(house, deliveries=1)


@every_protocol
@every_fault
@story()
async def test_when_the_pump_is_cleared_nothing_is_booked_twice(house: House, yard: Yard, fault: FaultName) -> None:
    await is_in_the_middle(house)
    house.at("after delivery", lambda: goes_wrong(house, fault))
    await house.shown_ml(WANT_ML)
    house.hang_up()
    await house.until(lambda: bool(house.deliveries), 10)
    await house.wait(LASTS_S)
    house.at_nothing()
    is_mended(house)
    await house.state(1, PointState.IDLE, seconds=60)
    assert house.story() == ["authorised", "delivery"]
    await after(house, deliveries=1)


@every_protocol
@every_fault
@story()
async def test_when_the_pump_is_let_go_it_is_on_one_authorisation_or_on_none(
    house: House, yard: Yard, fault: FaultName
) -> None:
    house.at("after authorised", lambda: goes_wrong(house, fault))
    await house.wait(1)
    await house.calls()
    assert (await house.authorise()).done
    house.squeeze(1, WANT_ML)
    await house.wait(LASTS_S)
    gone = house.point(1).state is PointState.OFFLINE
    assert gone or (yard.protocol, fault) in HEARD_ALL_THE_SAME
    house.at_nothing()
    is_mended(house)
    await house.state(1, PointState.FUELLING, PointState.CALLING, seconds=60)
    if house.point(1).state is PointState.CALLING:
        # The pump has not heard it, or nobody could know whether it has: it was taken back before anything ran.
        assert house.given_ml() == 0
        assert len(rows(house, Released)) == 1
        assert not house.books.open
        await house.authorise()
        await house.shows_nothing()
    else:
        assert not rows(house, Released)
        assert len(rows(house, Authorised)) == 1
    await ends(house)
    await after(house, deliveries=1)


@every_protocol
@every_fault
@story()
async def test_while_the_nozzle_is_out_and_nobody_has_paid_attention(
    house: House, yard: Yard, fault: FaultName
) -> None:
    await house.wait(1)
    await house.calls()
    goes_wrong(house, fault)
    await house.wait(LASTS_S)
    assert was_offline(house) == ((yard.protocol, fault) not in HEARD_ALL_THE_SAME | {("dart", "bad_crc")})
    is_mended(house)
    await house.state(1, PointState.CALLING, seconds=60)
    house.hang_up()
    await house.state(1, PointState.IDLE, seconds=10)
    await begins(house)
    await ends(house)
    assert house.story() == ["authorised", "delivery"], "a nozzle that hangs out is nothing to write down"
    await after(house, deliveries=1)
