"""What a decision asks has an id, and an answer meets the question that was read, or none."""

from controller.domain.desk import AnswerNeed, AuthorisePoint, Need, PointState
from controller.domain.reasons import Reason
from controller.pumps import words
from tests.station.house import CARD_ODOMETER, CARD_PLATE, ITS_PLATE, OTHER_TILL, House, story

ANOTHER_PLATE = "34 ABC 99"


async def asks_odometer(house: House, number: int = 1) -> str:
    """A card is shown that asks for the odometer: the question's id."""
    await house.calls(number)
    house.show_card(number, CARD_ODOMETER)
    await house.until(lambda: house.point(number).need is Need.ODOMETER, 10)
    return house.point(number).question


def odometer(house: House, question: str, number: int = 1) -> AnswerNeed:
    return AnswerNeed(house.next_id(), number, Need.ODOMETER, "12000", question)


@story()
async def test_two_tills_read_one_question_and_one_of_them_answers_it(house: House) -> None:
    question = await asks_odometer(house)
    first, second = odometer(house, question), odometer(house, question)
    sent = house.send(first), house.send(second, OTHER_TILL)
    assert (await sent[0]).done
    refused = await sent[1]
    assert refused.reason == Reason.QUESTION_GONE
    assert "look at its tile" in refused.text
    await house.is_let_go()
    assert len(house.authorised) == 1
    assert house.point(1).question == ""
    assert (await house.command(first)).done, "said again, it gets the first answer"


@story()
async def test_an_answer_never_meets_the_same_question_to_another_card(house: House) -> None:
    before = await asks_odometer(house)
    house.show_card(1, CARD_PLATE)
    await house.until(lambda: house.point(1).need is Need.PLATE, 10)
    house.show_card(1, CARD_ODOMETER)
    await house.until(lambda: house.point(1).need is Need.ODOMETER, 10)
    assert house.point(1).question not in {before, ""}
    assert (await house.command(odometer(house, before))).reason == Reason.QUESTION_GONE
    assert house.authorised == []
    assert house.point(1).need is Need.ODOMETER, "it is still asked"
    assert (await house.answer(1, Need.ODOMETER, "12000")).done


@story()
async def test_an_answer_of_before_a_restart_meets_none_of_after_it(house: House) -> None:
    before = await asks_odometer(house)
    await house.kill()
    house.hang_up()
    await house.start()
    await house.state(1, PointState.IDLE)
    after = await asks_odometer(house)
    assert before != after, "another start, other ids"
    assert (await house.command(odometer(house, before))).reason == Reason.QUESTION_GONE
    assert house.authorised == []


@story()
async def test_a_wrong_answer_that_ends_the_question_is_no_answer_to_the_next(house: House) -> None:
    await house.calls(1)
    house.show_card(1, CARD_PLATE)
    await house.until(lambda: house.point(1).need is Need.PLATE, 10)
    slip = house.answering(1, Need.PLATE, "?")
    assert (await house.command(slip)).reason == Reason.PLATE_MISMATCH
    assert house.point(1).question == slip.question, "no plate at all: a slip ends nothing"
    wrong, right = house.answering(1, Need.PLATE, ANOTHER_PLATE), house.answering(1, Need.PLATE, ITS_PLATE)
    assert (await house.command(wrong)).reason == Reason.PLATE_MISMATCH
    assert (await house.command(right, OTHER_TILL)).reason == Reason.QUESTION_GONE
    assert house.authorised == []


@story()
async def test_a_program_that_names_no_question_answers_none(house: House) -> None:
    await asks_odometer(house)
    refused = await house.command(odometer(house, ""))
    assert refused.reason == Reason.QUESTION_NOT_NAMED
    assert "update it" in refused.text
    assert house.point(1).need is Need.ODOMETER
    another = AnswerNeed(house.next_id(), 1, Need.PLATE, ITS_PLATE)
    assert (await house.command(another)).reason == Reason.NOTHING_TO_ANSWER


@story()
async def test_an_answer_names_the_question_and_what_is_asked(house: House) -> None:
    question = await asks_odometer(house)
    another = AnswerNeed(house.next_id(), 1, Need.PLATE, ITS_PLATE, question)
    assert (await house.command(another)).reason == Reason.NOTHING_TO_ANSWER
    elsewhere = await asks_odometer(house, 2)
    assert (await house.command(odometer(house, elsewhere))).reason == Reason.QUESTION_GONE
    assert house.authorised == []


@story()
async def test_an_alarm_of_the_pump_leaves_what_is_asked(house: House) -> None:
    question = await asks_odometer(house)
    house.station.points[1].post(words.Alarm(7, "the lamp is broken"))
    await house.until(lambda: "lamp" in house.point(1).text, 10)
    assert (house.point(1).need, house.point(1).question) == (Need.ODOMETER, question)
    assert (await house.answer(1, Need.ODOMETER, "12000")).done
    assert (await house.command(AuthorisePoint(house.next_id(), 1))).reason == Reason.PUMP_BUSY
