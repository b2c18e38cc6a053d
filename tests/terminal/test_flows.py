"""What an attendant does with the keys, at a till on a station in this process."""

import pytest
from msgspec.structs import replace

from controller.domain.desk import (
    AnswerNeed,
    AskBalance,
    AuthorisePoint,
    ExpectCard,
    LeaseDelivery,
    Need,
    PayDelivery,
    PointState,
    ReleaseDelivery,
    Shown,
    StopAll,
    StopPoint,
)
from controller.domain.reasons import Reason
from controller.domain.records import TenderKind
from terminal.widgets.bars import KeyButton
from terminal.widgets.large import large
from tests.terminal.fake import FakeStation, unpaid
from tests.terminal.stage import Stage, on_stage, play


@pytest.mark.parametrize(
    ("keys", "kind", "fields"),
    [
        ("4 enter", AuthorisePoint, {"point": 4, "preset_amount_minor": None}),
        ("f6", AuthorisePoint, {"point": 4}),
        ("4 -", StopPoint, {"point": 4}),
        ("0 -", StopAll, {}),
        ("f12", StopAll, {}),
        ("4 * 1000 enter", AuthorisePoint, {"point": 4, "preset_amount_minor": 100_000, "preset_volume_ml": None}),
        ("4 / 20 enter", AuthorisePoint, {"point": 4, "preset_volume_ml": 20_000, "preset_amount_minor": None}),
        ("4 / 20,5 enter", AuthorisePoint, {"point": 4, "preset_volume_ml": 20_500}),
        ("4 f4", ExpectCard, {"point": 4}),
        ("4 f3 3 4 A B 1 2 enter", AuthorisePoint, {"point": 4, "plate": "34AB12"}),
        ("4 * 50 f3 A B enter", AuthorisePoint, {"point": 4, "plate": "AB", "preset_amount_minor": 5_000}),
        ("8 enter 1 2 3 enter", AnswerNeed, {"point": 8, "need": Need.ODOMETER, "question": "point-8/1"}),
        ("5 enter enter", PayDelivery, {"tender": TenderKind.CASH, "given_minor": 45_050}),
        ("5 enter 500 enter", PayDelivery, {"tender": TenderKind.CASH, "given_minor": 50_000}),
        ("5 enter f2", PayDelivery, {"tender": TenderKind.BANK_CARD, "given_minor": 45_050}),
        ("5 enter escape", ReleaseDelivery, {"delivery_id": "d5a"}),
        ("4 f3 + 9 0 5 3 2 enter", AuthorisePoint, {"point": 4, "plate": "", "shown": Shown(phone="+90532")}),
        ("4 f3 F Q 1 . a B 3 enter", AuthorisePoint, {"point": 4, "plate": "", "shown": Shown(qr="FQ1.aB3")}),
        ("4 f3 * V 7 7 enter", AuthorisePoint, {"point": 4, "plate": "", "shown": Shown(voucher="V77")}),
        ("f5 3 4 A B 1 enter", AskBalance, {"plate": "34AB1", "card": ""}),
        ("f5 7 0 0 0 1 2 3 4 5 6 7 8 enter", AskBalance, {"card": "700012345678", "plate": ""}),
    ],
)
def test_keys_send(keys: str, kind: type, fields: dict[str, object]) -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys(keys)
            await stage.until(lambda: station.of(kind), f"a {kind.__name__}")

    play(scene)
    (command,) = station.of(kind)
    assert {name: getattr(command, name) for name in fields} == fields
    assert len({command.command_id for command in station.commands}) == len(station.commands)


def test_a_pin_is_typed_by_the_driver_and_shown_to_nobody() -> None:
    station = FakeStation()
    station.change(8, lambda point: replace(point, need=Need.PIN, text="The driver types the PIN"))

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys("8")
            await stage.sees("Enter: let the driver type the PIN for pump 8")
            await stage.keys("enter 4 7 1 1")
            await stage.sees("PUMP 8: PIN")
            assert "4711" not in stage.text
            await stage.keys("A enter")
            await stage.sees("A PIN has digits only")
            await stage.keys("backspace enter")
            await stage.until(lambda: station.of(AnswerNeed), "the answer")
            assert "4711" not in stage.text

    play(scene)
    (command,) = station.of(AnswerNeed)
    assert isinstance(command, AnswerNeed)
    assert (command.point, command.need, command.value) == (8, Need.PIN, "4711")


def test_the_status_line_says_what_enter_will_do() -> None:
    async def scene() -> None:
        async with on_stage(FakeStation()) as stage:
            await stage.sees("Calling: 4    To pay: 5, 6")
            for keys, says in (
                ("4", "Enter: let pump 4 deliver (Diesel)"),
                ("* 10", "Enter: let pump 4 deliver 10 TRY"),
                ("escape 5", "Enter: take 450.50 TRY for pump 5"),
                ("escape 8", "Enter: type the odometer for pump 8"),
                ("escape 0", "stops ALL pumps"),
            ):
                await stage.keys(keys)
                await stage.sees(says)

    play(scene)


def test_change_is_shown_large_before_and_after_and_the_receipt_beside_it() -> None:
    async def scene() -> None:
        async with on_stage(FakeStation()) as stage:
            await stage.keys("5 enter 500")
            await stage.sees("CHANGE")
            for line in large("49.50"):
                await stage.sees(line)
            await stage.keys("enter")
            await stage.sees("Paid.")
            for line in (*large("49.50"), "Total 45050"):
                await stage.sees(line)
            await stage.keys("4")
            await stage.sees("Enter: let pump 4 deliver")
            await stage.keys("escape f9")
            await stage.sees("COPY")
            await stage.sees("Total 45050")

    play(scene)


def test_fast_fingers_pay_before_the_lease_is_answered() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            station.held.clear()
            await stage.keys("5 enter enter")
            assert not station.of(PayDelivery)
            station.held.set()
            await stage.sees("Paid.")

    play(scene)
    assert [type(command) for command in station.commands] == [LeaseDelivery, PayDelivery]


def test_too_little_money_is_not_sent() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys("5 enter 400 enter")
            await stage.sees("Too little: 50.50 is missing")

    play(scene)
    assert not station.of(PayDelivery)


def test_two_tills_do_not_take_the_same_money() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as first, on_stage(station, till="till-2") as second:
            await first.keys("5 enter")
            await first.sees("TO PAY")
            await second.sees("at till-1")
            await second.keys("5")
            await second.sees("Pump 5: till-1 is taking the money")
            await second.keys("enter")
            await first.keys("escape")
            await second.until(lambda: "at till-1" not in second.text)
            await second.keys("5 enter enter")
            await second.sees("Paid.")

    play(scene)
    assert len(station.of(PayDelivery)) == 1


def test_a_lease_that_another_till_won_closes_the_payment_and_says_so() -> None:
    station = FakeStation()
    station.refuses[LeaseDelivery] = Reason.LEASED_ELSEWHERE

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys("5 enter enter")
            await stage.sees("Another till is taking the money")
            await stage.until(lambda: "TO PAY" not in stage.text)

    play(scene)
    assert not station.of(PayDelivery)


def test_a_lost_answer_of_a_payment_is_asked_again_with_the_same_id() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys("5 enter")
            await stage.sees("exact cash")
            station.lost_answers = 1
            await stage.keys("enter")
            await stage.sees("Not known whether it was booked")
            await stage.keys("f2")
            await stage.sees("Paid.")

    play(scene)
    first, again = station.of(PayDelivery)
    assert first == again


def test_a_lost_answer_of_an_order_is_sent_again_by_enter() -> None:
    station = FakeStation()
    station.lost_answers = 1

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys("4 enter")
            await stage.sees("Enter: send again: let pump 4 deliver")
            await stage.keys("enter")
            await stage.until(lambda: len(station.of(AuthorisePoint)) == 2)
            await stage.sees("A pump's number" if not station.now.points[4].unpaid else "To pay")

    play(scene)
    first, again = station.of(AuthorisePoint)
    assert first == again


def test_a_stop_that_is_not_confirmed_is_shouted() -> None:
    station = FakeStation()
    station.lost_answers = 1

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys("f12")
            await stage.sees("STOP ALL IS NOT CONFIRMED: USE THE EMERGENCY SWITCH")

    play(scene)


def test_a_stop_waits_for_no_other_command() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            station.held.clear()
            await stage.keys("4 enter 7 -")
            await stage.until(lambda: station.of(StopPoint))
            station.held.set()

    play(scene)


PLACES = {"board": "", "payment": "5 enter", "plate": "4 f3", "help": "f1", "balance": "f5", "paid": "5 enter enter"}


@pytest.mark.parametrize("stop", ["f12", "0 -"])
@pytest.mark.parametrize("place", sorted(PLACES))
def test_stop_all_and_the_banner_are_on_every_screen(place: str, stop: str) -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys(PLACES[place])
            if place == "paid":
                await stage.sees("Paid.")
            await stage.sees("SIMULATION ── no real pumps")
            await stage.keys(stop)
            await stage.until(lambda: station.of(StopAll), "stop all")

    play(scene)
    assert len(station.of(StopAll)) == 1


def test_a_real_station_has_no_banner() -> None:
    async def scene() -> None:
        async with on_stage(FakeStation(simulated=False)) as stage:
            await stage.keys("f1")
            await stage.sees("HELP")
            assert "SIMULATION" not in stage.text

    play(scene)


async def _click(stage: Stage, key: str) -> None:
    await stage.until(lambda: stage.app.screen.query(f"#key-{key}"))
    await stage.pilot.click(f"#key-{key}")


def test_every_function_key_has_a_button_that_does_the_same() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            caps = [str(button.render()).split()[0] for button in stage.app.screen.query(KeyButton)]
            assert caps == ["F1", "F3", "F4", "F5", "F6", "F9", "F12"]
            await _click(stage, "f6")
            await stage.until(lambda: station.of(AuthorisePoint))
            await _click(stage, "f1")
            await stage.sees("HELP")
            await _click(stage, "escape")
            await stage.keys("5 enter")
            await _click(stage, "f2")
            await stage.sees("Paid.")
            await _click(stage, "f12")
            await stage.until(lambda: station.of(StopAll))

    play(scene)


def test_a_clicked_tile_types_its_number() -> None:
    async def scene() -> None:
        async with on_stage(FakeStation()) as stage:
            await stage.pilot.click("Tile", offset=(3, 1))
            await stage.sees("Pump 1 nothing to do")

    play(scene)


def test_help_tells_all_keys_and_what_can_be_done_with_a_pump() -> None:
    async def scene() -> None:
        async with on_stage(FakeStation(), (100, 40)) as stage:
            await stage.keys("4 f1")
            await stage.sees("Now: Enter: let pump 4 deliver")
            for cap in ("F2", "F3", "F4", "F5", "F6", "F9", "F12", "4 * 1000 Enter", "4 / 20 Enter", "0 -"):
                await stage.sees(cap)

    play(scene)


def test_a_balance_is_shown() -> None:
    async def scene() -> None:
        async with on_stage(FakeStation()) as stage:
            await stage.keys("f5 A B 1 enter")
            await stage.sees("Balance 1200.00 TRY")

    play(scene)


def test_an_open_delivery_stays_ours_while_the_customer_looks_for_money() -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            await stage.keys("5 enter")
            await stage.sees("exact cash")
            stage.clock.now_ms += 31_000
            station.publish()
            stage.app.tick()
            await stage.until(lambda: len(station.of(LeaseDelivery)) == 2)

    play(scene)


def test_a_fault_in_a_handler_is_a_line_and_not_the_end(caplog: pytest.LogCaptureFixture) -> None:
    station = FakeStation()

    async def scene() -> None:
        async with on_stage(station) as stage:
            station.change(1, lambda p: replace(p, state=PointState.IDLE, unpaid=(unpaid(1),)))
            stage.app.action_press(None)  # type: ignore[arg-type]
            await stage.keys("4 enter")
            await stage.until(lambda: station.of(AuthorisePoint))

    play(scene)
