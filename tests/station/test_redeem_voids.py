"""Points that were asked for and not used are given back, each by itself: one that is not taken holds up no other."""

from controller.domain.desk import PayDelivery, Shown
from controller.domain.programme_records import RedeemVoided
from controller.domain.reasons import Reason
from controller.domain.records import TenderKind
from controller.domain.tokens import TokenKind
from sync.runner import LinkDown
from tests.station.members import MemberHouse, MemberRoad, member_story, opet

FIRST_CARD, SECOND_CARD = "9876540012806566", "9876540012806574"


class LossyRoad:
    """Loses what is asked about these redemptions."""

    def __init__(self, road: MemberRoad) -> None:
        self._road = road
        self.loses: set[str] = set()

    async def post(self, path: str, body: bytes) -> bytes:
        if any(request_id.encode() in body for request_id in self.loses):
            raise LinkDown("the question was lost (test)")
        return await self._road.post(path, body)


async def in_doubt(house: MemberHouse, cards: tuple[str, ...]) -> tuple[LossyRoad, list[str]]:
    """A redemption for each card whose answer was lost; the void of the oldest is lost, too. Their request ids."""
    for card in set(cards):
        key = house.put(TokenKind.CARD, card, opet(10_000))
        house.office.points[key] = 10_000
    road = await house.join()
    sales = [await house.cash_delivery(number, 1_000) for number, _ in enumerate(cards, 1)]
    road.answers_lost = True
    for sale, card in zip(sales, cards, strict=True):
        await house.lease(sale)
        command = PayDelivery(f"pay {sale}", sale, TenderKind.CASH, 10**6, points=500, shown=Shown(card=card))
        assert (await house.command(command)).reason == Reason.POINTS_NOT_HEARD
    asked = list(house.books.members.intended)
    assert len(asked) == len(cards)
    assert not house.rows_of(RedeemVoided)
    lossy = LossyRoad(road)
    lossy.loses.add(asked[0])
    await house.kill()
    house.transport, road.answers_lost = lossy, False
    await house.start()
    return lossy, asked


@member_story()
async def test_a_void_that_is_not_taken_holds_up_no_other(house: MemberHouse) -> None:
    road, (first, second) = await in_doubt(house, (FIRST_CARD, SECOND_CARD))
    await house.until(lambda: second not in house.books.members.intended, 120)
    assert [row.request_id for row in house.rows_of(RedeemVoided)] == [second]
    assert first in house.books.members.intended
    assert "does not take them back" in house.trouble(f"points of {FIRST_CARD[:6]}******{FIRST_CARD[-4:]}")
    road.loses.clear()
    await house.until(lambda: not house.books.members.intended, 120)
    assert sorted(house.office.points.values()) == [10_000, 10_000]
    assert not house.snapshot.troubles


@member_story()
async def test_another_void_of_the_same_card_hides_no_trouble(house: MemberHouse) -> None:
    _, (_, second) = await in_doubt(house, (FIRST_CARD, FIRST_CARD))
    await house.until(lambda: second not in house.books.members.intended, 120)
    await house.wait(5)
    assert "does not take them back" in house.trouble(f"points of {FIRST_CARD[:6]}******{FIRST_CARD[-4:]}")


@member_story()
async def test_a_full_disk_leaves_each_to_be_voided(house: MemberHouse) -> None:
    road, asked = await in_doubt(house, (FIRST_CARD, SECOND_CARD))
    road.loses.clear()
    house.disk_full = lambda records: any(isinstance(record, RedeemVoided) for record in records)
    await house.wait(60)
    assert list(house.books.members.intended) == asked
    house.disk_full = None
    await house.until(lambda: not house.books.members.intended, 120)
    assert sorted(house.office.points.values()) == [10_000, 10_000]
