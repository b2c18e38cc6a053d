"""Drivers' codes at a running station: wrong ones are counted on disk, three lock the card, and who lifts that."""

from controller.domain.desk import CommandResult, Need, PointState, UnlockPin
from controller.domain.pin_records import CodeLocked, CodeTried
from controller.domain.reasons import Reason
from controller.domain.records import kind_of
from tests.station.house import CARD, CARDS_CSV, House, story
from tests.station.test_limits import assert_explained

RIGHT, WRONG = "A12", "A13"


def list_with(version: int = 1, drivers: str = f"{RIGHT};B34") -> str:
    heading, *rows = CARDS_CSV.splitlines()
    return "\n".join(
        [
            f"{heading},drivers,pin_version",
            *(f"{row},{drivers},{version}" if row.startswith(f"{CARD},") else f"{row},," for row in rows),
            "",
        ]
    )


code_story = story(cards_csv=list_with())


async def asks(house: House, number: int = 1) -> None:
    """The card is shown, and a driver's code is wanted."""
    if house.point(number).state in {PointState.IDLE, PointState.OFFLINE}:
        await house.calls(number)
    house.show_card(number)
    await house.until(lambda: house.point(number).need is Need.CODE, 10)


async def types(house: House, code: str, number: int = 1) -> CommandResult:
    await asks(house, number)
    return await house.answer(number, Need.CODE, code)


def tries(house: House) -> list[tuple[bool, int]]:
    return [(row.right, row.wrong) for row in house.records if isinstance(row, CodeTried)]


@code_story
async def test_a_right_code_leaves_no_row_and_one_after_a_wrong_one_forgets_it(house: House) -> None:
    assert (await types(house, RIGHT)).done
    await house.is_let_go()
    assert tries(house) == []
    house.hang_up()
    await house.state(1, PointState.IDLE)
    assert (await types(house, WRONG)).reason == Reason.DRIVER_UNKNOWN
    assert (await types(house, "b34")).done
    await house.is_let_go()
    assert tries(house) == [(False, 1), (True, 0)]
    house.hang_up()
    await house.state(1, PointState.IDLE)
    assert (await types(house, WRONG)).reason == Reason.DRIVER_UNKNOWN
    assert tries(house)[-1] == (False, 1), "counted anew"


@code_story
async def test_three_wrong_ones_lock_the_card_at_every_pump_and_over_a_restart(house: House) -> None:
    await types(house, WRONG)
    await house.kill()
    house.hang_up()
    await house.start()
    await house.state(1, PointState.IDLE)
    await types(house, WRONG, 2)
    assert (await types(house, WRONG, 2)).reason == Reason.CODE_LOCKED
    assert house.story()[-3:] == ["code_tried", "code_locked", "declined"]
    for _ in range(2):
        house.show_card(2)
        await house.state(2, PointState.REFUSED)
        assert house.reasons[-1] == Reason.CODE_LOCKED
        assert "manager" in house.point(2).text
        await house.kill()
        await house.start()
        await house.state(2, PointState.CALLING)
    assert house.meters_ml() == 0
    assert house.authorised == []
    assert_explained(house)


@code_story
async def test_what_can_be_no_code_is_no_try(house: House) -> None:
    await asks(house)
    for _ in range(4):
        assert (await house.answer(1, Need.CODE, "?!")).reason == Reason.DRIVER_UNKNOWN
    assert tries(house) == []
    assert house.point(1).need is Need.CODE, "a slip of the keys ends nothing"


@code_story
async def test_a_higher_version_of_headquarters_lifts_the_lock_and_an_older_list_does_not(house: House) -> None:
    for _ in range(3):
        await types(house, WRONG)
    house.write_list(list_with(version=1, drivers="C56"), 2)
    house.show_card(1)
    await house.until(lambda: len(house.reasons) == 4, 10)
    assert house.reasons[-1] == Reason.CODE_LOCKED
    house.write_list(list_with(version=2), 3)
    assert (await types(house, RIGHT)).done


@code_story
async def test_a_manager_lifts_the_lock(house: House) -> None:
    for _ in range(3):
        await types(house, WRONG)
    assert [row.version for row in house.records if isinstance(row, CodeLocked)] == [1]
    assert (await house.command(UnlockPin("unlock-1", card=CARD))).done
    await house.kill()
    await house.start()
    await house.state(1, PointState.CALLING)
    assert (await types(house, RIGHT)).done


@code_story
async def test_a_try_is_on_disk_before_its_answer_and_a_full_disk_gives_no_free_one(house: House) -> None:
    house.disk_full = lambda records: any(kind_of(record) == "code_tried" for record in records)
    assert (await types(house, WRONG)).reason == Reason.JOURNAL_FULL
    assert (tries(house), house.point(1).state) == ([], PointState.ERROR)
    house.disk_full = None
    house.hang_up()
    await house.state(1, PointState.IDLE)
    await asks(house)
    house.kill_when("after code_tried")
    house.send(house.answering(1, Need.CODE, WRONG))
    await house.until(lambda: house.dead, 10)
    await house.kill()
    await house.start()
    assert tries(house) == [(False, 1)]


@code_story
async def test_codes_and_pins_are_counted_apart(house: House) -> None:
    for _ in range(3):
        await types(house, WRONG)
    assert house.books.usage.pins.tries == {}
