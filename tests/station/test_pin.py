"""PINs at a running station: asked of the driver, counted on disk, locked for good, and lifted by whom it may be."""

from controller.domain.desk import CommandResult, Need, PointState, UnlockPin
from controller.domain.pin_records import PinTried
from controller.domain.reasons import Reason
from controller.domain.records import kind_of
from controller.pincheck import make_verifier
from tests.station.house import CARD, CARDS_CSV, House, story

PIN, WRONG = "4711", "0000"
VERIFIER = make_verifier(PIN, bytes(range(16)), cost=2)


def list_with(version: int = 1, verifier: str = VERIFIER) -> str:
    heading, *rows = CARDS_CSV.splitlines()
    return "\n".join(
        [
            f"{heading},pin_verifier,pin_version",
            *(f"{row},{verifier},{version}" if row.startswith(f"{CARD},") else f"{row},," for row in rows),
            "",
        ]
    )


pin_story = story(cards_csv=list_with())


async def asks(house: House, number: int = 1) -> None:
    """The card is shown, and its PIN is wanted."""
    await house.calls(number)
    house.show_card(number)
    await house.until(lambda: house.point(number).need is Need.PIN, 10)


async def types(house: House, pin: str, number: int = 1) -> CommandResult:
    return await house.answer(number, Need.PIN, pin)


def tries(house: House) -> list[tuple[bool, int]]:
    return [(row.right, row.wrong) for row in house.records if isinstance(row, PinTried)]


@pin_story
async def test_the_right_pin_lets_it_go_and_leaves_no_row(house: House) -> None:
    await asks(house)
    assert "driver" in house.point(1).text
    assert (await types(house, PIN)).done
    await house.is_let_go()
    assert tries(house) == []
    assert PIN not in "".join(map(repr, house.records))


@pin_story
async def test_a_wrong_pin_is_asked_for_again_and_a_right_one_forgets_it(house: House) -> None:
    await asks(house)
    for left in (2, 1):
        assert (await types(house, WRONG)).reason == Reason.PIN_WRONG
        assert house.point(1).need is Need.PIN
        assert f"tries left: {left}" in house.point(1).text
    assert (await types(house, PIN)).done
    await house.is_let_go()
    assert tries(house) == [(False, 1), (False, 2), (True, 0)]
    assert house.reasons == [Reason.PIN_WRONG] * 2
    house.hang_up()
    await house.state(1, PointState.IDLE)
    await asks(house)
    assert (await types(house, WRONG)).reason == Reason.PIN_WRONG, "counted anew"


@pin_story
async def test_three_wrong_ones_lock_it_at_every_pump_and_over_a_restart(house: House) -> None:
    await asks(house)
    await types(house, WRONG)
    await house.kill()
    house.hang_up()
    await house.start()
    await house.state(1, PointState.IDLE)
    await asks(house, 2)
    await types(house, WRONG, 2)
    assert (await types(house, WRONG, 2)).reason == Reason.PIN_LOCKED
    assert house.point(2).state is PointState.REFUSED
    assert house.story()[-4:] == ["declined", "pin_tried", "pin_locked", "declined"]
    for _ in range(2):
        house.show_card(2)
        await house.state(2, PointState.REFUSED)
        assert house.reasons[-1] == Reason.PIN_LOCKED
        await house.kill()
        await house.start()
        await house.state(2, PointState.CALLING)
    assert house.meters_ml() == 0


@pin_story
async def test_a_newer_pin_of_headquarters_lifts_the_lock_and_an_older_list_does_not(house: House) -> None:
    await asks(house)
    for _ in range(3):
        await types(house, WRONG)
    house.write_list(list_with(version=1), 2)
    house.show_card(1)
    await house.until(lambda: len(house.reasons) == 4, 10)
    assert house.reasons[-1] == Reason.PIN_LOCKED
    house.write_list(list_with(version=2), 3)
    house.show_card(1)
    await house.until(lambda: house.point(1).need is Need.PIN, 10)
    assert (await types(house, PIN)).done


@pin_story
async def test_a_manager_lifts_the_lock_and_the_journal_says_who(house: House) -> None:
    await asks(house)
    for _ in range(3):
        await types(house, WRONG)
    unlock = UnlockPin("unlock-1", card=CARD)
    assert (await house.command(UnlockPin("unlock-0", card=CARD, plate="34 AB 1"))).reason == Reason.CARD_UNKNOWN
    assert (await house.command(UnlockPin("unlock-2", card="12"))).reason == Reason.CARD_UNKNOWN
    assert (await house.command(unlock)).done
    await house.kill()
    house.hang_up()
    await house.start()
    assert (await house.command(unlock)).done, "said again after a restart"
    assert (await house.command(UnlockPin("unlock-1", plate="34 AB 1"))).reason == Reason.COMMAND_REUSED
    assert house.kinds.count("pin_unlocked") == 1
    await asks(house)
    assert (await types(house, PIN)).done


@pin_story
async def test_a_try_is_on_disk_before_its_answer(house: House) -> None:
    await asks(house)
    house.kill_when("after pin_tried")
    house.send(house.answering(1, Need.PIN, WRONG))
    await house.until(lambda: house.dead, 10)
    await house.kill()
    await house.start()
    assert tries(house) == [(False, 1)]


@pin_story
async def test_a_full_disk_gives_no_free_try(house: House) -> None:
    await asks(house)
    house.disk_full = lambda records: any(kind_of(record) == "pin_tried" for record in records)
    for _ in range(5):
        assert (await types(house, WRONG)).reason in {Reason.JOURNAL_FULL, Reason.NOTHING_TO_ANSWER}
    house.disk_full = None
    assert tries(house) == []
    assert house.point(1).state is PointState.ERROR


@story(cards_csv=list_with(verifier=""))
async def test_a_card_without_a_pin_is_not_asked(house: House) -> None:
    await house.calls(1)
    house.show_card(1)
    await house.is_let_go()
