"""A card is shown when the fuel is out already, also when it is paid: it earns once, by the delivery's end."""

import msgspec
import pytest

from controller.domain.desk import (
    CloseAsTest,
    ExpectCard,
    ExpectShown,
    PointState,
    PresentAfter,
    ReleaseDelivery,
    Shown,
)
from controller.domain.programme_records import Presented
from controller.domain.reasons import Reason
from controller.domain.tokens import Assurance, TokenKind
from sim.cards.inline import InlineReader
from sim.chance import Chance
from tests.station.house import OTHER_TILL, SEED, TILL
from tests.station.members import MemberHouse, member, member_story, opet

CARD, OTHER = "9876540012806566", "9876540099999999"


@member_story()
async def test_a_card_that_is_shown_after_the_payment_earns_and_gets_a_slip_of_its_own(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, CARD, opet(100))
    sale = await house.cash_delivery(1, 10_000)
    first = await house.pay(sale, 44_120)
    assert "Opet" not in first.receipt
    shown = await house.shows(sale, card=CARD)
    assert shown.done
    (quoted,) = house.quotes
    assert (quoted.shown_after, quoted.points, quoted.balance) == (True, 220, 320)
    assert "KOPYA" in shown.receipt
    assert "Kazanılan puan                         220" in shown.receipt
    assert house.story()[-2:] == ["settlement", "quoted"], "a row of its own"
    await house.until(lambda: len(house.slips) == 2, 30)
    assert "Kazanılan puan" in house.slips[1].text
    again = await house.shows(sale, card=CARD)
    assert (again.done, again.reason) == (False, "already_presented")
    assert again.text.startswith("A card was shown for this sale already")
    assert len(house.quotes) == 1


@pytest.mark.parametrize("paid_before", [False, True])
@member_story()
async def test_showing_twice_with_one_command_id_is_one_row_and_one_answer(
    house: MemberHouse, paid_before: bool
) -> None:
    house.put(TokenKind.CARD, CARD, opet())
    house.put(TokenKind.CARD, OTHER, opet(holder="M2"))
    sale = await house.cash_delivery(1, 10_000)
    if paid_before:
        await house.pay(sale, 44_120)
    show = PresentAfter("show-1", sale, Shown(card=CARD))
    assert (await house.command(show)).done
    assert (await house.command(show)).done
    await house.kill()
    await house.start()
    await house.wait(5)
    assert (await house.command(show)).done, "the answer of before the restart"
    other = PresentAfter("show-1", sale, Shown(card=OTHER))
    await house.kill()
    await house.start()
    await house.wait(5)
    assert (await house.command(other)).reason == Reason.COMMAND_REUSED
    if not paid_before:
        assert (await house.shows(sale, OTHER_TILL, card=OTHER)).reason == "already_presented"
        await house.pay(sale, 44_120)
        await house.kill()
        await house.start()
        await house.wait(5)
        assert (await house.command(show)).done, "and after it was paid"
    assert len(house.quotes) == 1
    assert len(house.rows_of(Presented)) == (0 if paid_before else 1)


@member_story()
async def test_the_day_after_is_too_late_and_a_programme_without_it_takes_none(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, CARD, opet())
    house.put(TokenKind.QR, "QR-1", member("positive-card", "M9", verified=True))
    sale = await house.cash_delivery(1, 10_000)
    await house.pay(sale, 44_120)
    assert (await house.shows(sale, qr="QR-1")).reason == "not_offered"
    await house.passes(22)
    assert (await house.shows(sale, card=CARD)).reason == "present_too_late"
    assert not house.quotes


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ({"card": "1234567812345678"}, "card_unknown"),
        ({"card": "no number"}, "card_unknown"),
        ({"phone": "+90 532 111 22 33"}, "holder_unknown"),
        ({"qr": "nobody's"}, "card_unknown"),
        ({"plate": "34 NOB 00"}, "plate_not_bound"),
        ({"voucher": "V-0000"}, "voucher_unknown"),
        ({"voucher": "V"}, "voucher_unknown"),
        ({"qr": "1234567812345678"}, "card_unknown"),
        ({}, "card_unknown"),
    ],
)
@member_story()
async def test_what_no_programme_knows_is_refused(house: MemberHouse, shown: dict[str, str], reason: str) -> None:
    sale = await house.cash_delivery(1, 1_000)
    answer = await house.shows(sale, **shown)
    assert (answer.done, answer.reason) == (False, reason)
    assert answer.text
    assert (await house.shows("no such delivery", card=CARD)).reason == Reason.DELIVERY_UNKNOWN
    assert (await house.pay(sale)).done
    assert not house.quotes


@member_story()
async def test_a_slip_that_was_not_printed_before_a_crash_comes_after_it(house: MemberHouse) -> None:
    house.put(TokenKind.CARD, CARD, opet())
    sale = await house.cash_delivery(1, 10_000)
    await house.pay(sale, 44_120)
    await house.until(lambda: len(house.slips) == 1, 30)
    house.kill_when("after quoted")
    house.send(PresentAfter("show-1", sale, Shown(card=CARD)))
    await house.until(lambda: house.dead, 10)
    await house.kill()
    await house.start()
    await house.until(lambda: len(house.slips) == 2, 30)
    assert "Kazanılan puan                         220" in house.slips[1].text


PLASTIC = "9001000000000101"
AT_TILL = f"reader of till {TILL}"


async def _reader(house: MemberHouse) -> InlineReader:
    """A card reader at the first till; the card of the simulated world is a member's."""
    await house.kill()
    house.till_readers[TILL] = InlineReader(house.profile, house.ring, Chance(SEED, "till reader").random_bytes)
    house.put(TokenKind.CARD, PLASTIC, opet(100))
    await house.start()
    return house.till_readers[TILL]


@pytest.mark.parametrize("paid_before", [False, True])
@member_story()
async def test_a_real_card_at_the_tills_own_reader_is_shown_for_the_named_sale(
    house: MemberHouse, paid_before: bool
) -> None:
    reader = await _reader(house)
    sale = await house.cash_delivery(1, 10_000)
    await house.calls(2)  # it would be this pump's card, if nothing were said
    if paid_before:
        assert (await house.pay(sale, 44_120)).done
    wish = ExpectShown("expect-1", sale)
    assert (await house.command(wish)).done
    reader.insert(house.cards[PLASTIC])
    await house.until(lambda: bool(house.rows_of(Presented) or house.quotes), 5)
    assert not house.trouble(AT_TILL)
    if not paid_before:
        assert house.rows_of(Presented)[0].token.assurance is Assurance.PROVEN
        assert (await house.pay(sale, 44_120)).done
    (quoted,) = house.quotes
    assert (quoted.points, quoted.shown_after) == (220, paid_before)
    assert quoted.token is not None
    assert quoted.token.assurance is Assurance.PROVEN
    assert house.point(2).need is None
    assert not house.authorised[1:], "no pump was let go by it"
    await house.until(lambda: len(house.slips) == 1 + paid_before, 30)
    assert "Kazanılan puan" in house.slips[-1].text
    reader.remove()
    await house.kill()
    await house.start()
    assert (await house.command(wish)).done, "the first answer"
    other = msgspec.structs.replace(wish, delivery_id=(await house.cash_delivery(3, 1_000)))
    assert (await house.command(other)).reason == Reason.COMMAND_REUSED


@member_story()
async def test_a_card_at_the_reader_that_cannot_be_shown_says_why_until_it_is_taken_away(house: MemberHouse) -> None:
    reader = await _reader(house)
    sale = await house.cash_delivery(1, 10_000)
    assert (await house.command(ExpectShown("e-0", "no-such-1"))).reason == Reason.DELIVERY_UNKNOWN
    assert (await house.shows(sale, card=PLASTIC)).done
    assert (await house.command(ExpectShown("e-1", sale))).done
    reader.insert(house.cards[PLASTIC])
    await house.until(lambda: "A card was shown for this sale already" in house.trouble(AT_TILL), 5)
    reader.remove()
    await house.until(lambda: not house.trouble(AT_TILL), 5)
    assert len(house.rows_of(Presented)) == 1
    assert (await house.command(ExpectShown("e-2", sale))).done
    await house.wait(61)
    reader.insert(house.cards[PLASTIC])
    await house.until(lambda: "Name the pump" in house.trouble(AT_TILL), 5)
    assert len(house.rows_of(Presented)) == 1, "it waits for a minute"


async def _armed(house: MemberHouse) -> tuple[InlineReader, str]:
    """The till waits for a card that is shown for a delivery which it has open."""
    reader = await _reader(house)
    sale = await house.cash_delivery(1, 10_000)
    assert (await house.lease(sale)).done
    assert (await house.command(ExpectShown("e-1", sale))).done
    return reader, sale


@pytest.mark.parametrize("end", ["paid", "cancelled", "the next sale", "test measure", "shown otherwise", "restart"])
@member_story()
async def test_a_till_waits_for_no_card_any_more_when_its_sale_is_over(house: MemberHouse, end: str) -> None:
    reader, sale = await _armed(house)
    match end:
        case "paid":
            assert (await house.pay(sale, 44_120)).done
        case "cancelled":
            assert (await house.command(ReleaseDelivery("r-1", sale))).done
        case "the next sale":
            assert (await house.lease(await house.cash_delivery(2, 1_000))).done
        case "test measure":
            assert (await house.command(CloseAsTest("t-1", sale))).done
        case "shown otherwise":
            house.put(TokenKind.CARD, CARD, opet(100))
            assert (await house.shows(sale, card=CARD)).done
        case "restart":
            await house.kill()
            await house.start()
    before = len(house.rows_of(Presented)) + len(house.quotes)
    reader.insert(house.cards[PLASTIC])
    await house.until(lambda: "Name the pump" in house.trouble(AT_TILL), 10)
    assert len(house.rows_of(Presented)) + len(house.quotes) == before, "the next customer's card is shown for nothing"


@member_story()
async def test_what_another_till_does_with_another_sale_ends_no_waiting(house: MemberHouse) -> None:
    reader, sale = await _armed(house)
    assert (await house.lease(sale)).done, "said again: it is the same sale"
    other = await house.cash_delivery(2, 1_000)
    assert (await house.pay(other, 4_412, OTHER_TILL)).done
    assert (await house.command(ReleaseDelivery("r-1", sale), OTHER_TILL)).done
    reader.insert(house.cards[PLASTIC])
    await house.until(lambda: bool(house.rows_of(Presented)), 5)


@member_story()
async def test_a_pump_that_was_named_for_the_next_card_is_waited_for_all_the_same(house: MemberHouse) -> None:
    reader, sale = await _armed(house)
    await house.calls(2)
    await house.calls(3)
    assert (await house.command(ExpectCard("e-2", 3))).done
    assert (await house.pay(sale, 44_120)).done
    reader.insert(house.cards[PLASTIC])
    await house.state(3, PointState.AUTHORISED)
    assert house.point(2).state is PointState.CALLING
