"""Fuel programmes at the till: a card is shown for a delivery, its points are asked for, and points pay."""

import pytest
from msgspec.structs import replace

from controller.domain.desk import AskPoints, ExpectShown, PayDelivery, PresentAfter, SendCode, Shown
from controller.domain.reasons import Reason
from controller.domain.records import TenderKind
from terminal.points import shown_of
from tests.terminal.fake import FakeStation
from tests.terminal.stage import on_stage, play

CARD = "9876540012806566"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (CARD, Shown(card=CARD)),
        ("9876 5400 1280 6566", Shown(card=CARD)),
        ("+90532", Shown(phone="+90532")),
        ("*V-17", Shown(voucher="V-17")),
        ("34 AB 12", Shown(plate="34 AB 12")),
        ("1234567", Shown(plate="1234567")),
    ],
)
def test_what_is_typed_is_a_card_a_phone_a_voucher_or_a_plate(typed: str, shown: Shown) -> None:
    assert shown_of(typed) == shown


def test_a_card_is_shown_for_the_open_delivery_and_again_just_after_it_was_paid() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys(f"5 enter f3 {CARD} enter")
            await stage.until(lambda: station.of(PresentAfter), "the card")
            await stage.sees("TO PAY")
            await stage.keys("enter")
            await stage.sees("Paid. Enter")
            await stage.keys(f"f3 {CARD} enter")
            await stage.sees("Points earned 220")
            await stage.keys("enter f9")
            await stage.sees("Points earned 220")

    play(scene)
    shown = [(c.delivery_id, c.shown) for c in station.commands if isinstance(c, PresentAfter)]
    assert shown == [("d5a", Shown(card=CARD))] * 2


@pytest.mark.parametrize(
    ("keys", "fields"),
    [
        (
            f"5 enter f3 {CARD} enter f4 50 enter f6 1 2 3 4 enter enter",
            {"points": 50, "given_minor": 45_000, "tender": TenderKind.CASH, "code": "1234", "pin": "1234"},
        ),
        (
            "5 enter f4 50 enter f2",
            {"points": 50, "given_minor": 45_000, "tender": TenderKind.BANK_CARD, "shown": None},
        ),
        ("5 enter f4 50 enter 500 enter", {"points": 50, "given_minor": 50_000}),
        (
            "5 enter f3 * V 1 7 enter f4 45050 enter f6 4711 enter enter",
            {"voucher": "V17", "shown": None, "pin": "4711"},
        ),
        ("5 enter f4 50 enter f4 0 enter enter", {"points": 0, "given_minor": 45_050}),
    ],
)
def test_points_pay_and_money_pays_the_rest(keys: str, fields: dict[str, object]) -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys(keys)
            await stage.until(lambda: station.of(PayDelivery), "the payment")

    play(scene)
    (command,) = station.of(PayDelivery)
    assert {name: getattr(command, name) for name in fields} == fields


def test_points_are_shown_asked_for_and_a_code_is_sent() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys(f"5 enter f5 {CARD} enter")
            await stage.sees("petrol 617 points")
            await stage.keys("f7")
            await stage.sees("A code was sent to +90 *** 33")
            await stage.keys("f4 50 enter")
            await stage.sees("AFTER 50 POINTS")
            await stage.sees("F4: points")

    play(scene)
    asked = [c.shown for c in station.commands if isinstance(c, AskPoints | SendCode)]
    assert asked == [Shown(card=CARD)] * 2


def test_what_cannot_be_is_said_at_once_and_a_refusal_leaves_the_delivery_open() -> None:
    station = FakeStation()
    station.refuses[PresentAfter] = Reason.CARD_UNKNOWN

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys("5 enter f4 A enter")
            await stage.sees("Points are a whole number")
            await stage.keys("backspace 45051 enter")
            await stage.sees("more than there is to pay")
            await stage.keys("escape")
            await stage.keys("5 enter f3 A B 1 enter")
            await stage.sees("This card is not on the list")
            await stage.sees("TO PAY")

    play(scene)
    assert not station.of(PayDelivery)


@pytest.mark.parametrize(
    ("keys", "deliveries"),
    [("5 enter f8", ["d5a"]), ("5 enter enter f8", ["d5a"])],
)
def test_the_next_card_at_the_reader_is_shown_for_the_open_or_the_just_paid_delivery(
    keys: str, deliveries: list[str]
) -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            *before, last = keys.split()
            await stage.keys(" ".join(before))
            if before.count("enter") > 1:
                await stage.sees("Paid. Enter")
            await stage.keys(last)
            await stage.sees("Done: the next card at this till is for this sale")

    play(scene)
    assert [c.delivery_id for c in station.commands if isinstance(c, ExpectShown)] == deliveries


@pytest.mark.parametrize(("keys", "code"), [("5 enter f6 1 2 enter f9", "12")])
def test_the_whole_amount_is_charged_to_the_linked_card_with_the_code_that_was_typed(keys: str, code: str) -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys(keys)
            await stage.until(lambda: station.of(PayDelivery), "the payment")

    play(scene)
    (command,) = [c for c in station.commands if isinstance(c, PayDelivery)]
    assert (command.tender, command.given_minor, command.code, command.points) == (
        TenderKind.PAY_AND_GO,
        45_050,
        code,
        0,
    )


def test_the_rest_is_reckoned_with_what_a_point_pays() -> None:
    station = FakeStation()
    station.now = replace(station.now, point_worth_minor=0)
    station.point_worth_minor = 25

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys("5 enter f4 50 enter")
            await stage.sees("Ask for the balance first")
            await stage.keys("escape 5 enter f5 A 1 enter")
            await stage.sees("petrol 617 points")
            await stage.keys("f4 1803 enter")
            await stage.sees("more than there is to pay")
            await stage.keys("backspace backspace backspace backspace 50 enter enter")
            await stage.until(lambda: station.of(PayDelivery), "the payment")

    play(scene)
    (command,) = [c for c in station.commands if isinstance(c, PayDelivery)]
    assert (command.points, command.given_minor) == (50, 45_050 - 50 * 25)
