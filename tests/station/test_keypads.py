"""The keypad at a pump: it asks beside the terminal, who answers first counts, and what it does wrong hurts nobody."""

import contextlib
import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.desk import Need, PointState
from controller.domain.keypad_words import (
    CANCEL,
    CLEAR,
    ENTER,
    KEYPAD_LINE_MAX,
    KEYS,
    Echo,
    GarbledLine,
    Hello,
    Key,
    Lines,
    Screen,
    line_of,
)
from controller.domain.reasons import CATALOGUE, Reason
from controller.keypads.keypad_desk import ANSWER_S
from controller.keypads.keypads import KeypadDown, KeypadEvent, KeypadUp, KeyPressed, LineKeypad, Wire
from sim.keypads import NO_STATION, KeypadInPlace
from sim.loop import VirtualClock, VirtualLoop, run
from tests.station.house import CARD, CARD_ODOMETER, CARD_PLATE, ITS_PLATE, TILL, House, story
from tests.station.test_grade import AUTOGAS, ThreeGrades
from tests.station.test_pin import PIN, WRONG, list_with, tries

keypad_story = story(cards_csv=list_with(), keypads=(1, 2))


async def shows(house: House, *words: str, number: int = 1) -> None:
    """Until all of this stands on the keypad's two rows."""
    await house.until(lambda: all(word in " ".join(house.keypads[number].twin.rows) for word in words), 10)


def shown(house: House, number: int = 1) -> str:
    return " ".join(house.keypads[number].twin.rows)


async def asks_pin(house: House, number: int = 1) -> KeypadInPlace:
    await house.calls(number)
    await shows(house, "Present your card", number=number)
    house.show_card(number)
    await shows(house, "Type your PIN", number=number)
    assert house.point(number).need is Need.PIN, "the terminal asks as well"
    return house.keypads[number]


async def says_left(house: House, left: int) -> None:
    """Until the tile says how many tries are left."""
    await house.until(lambda: f"tries left: {left}" in house.point(1).text, 5)


@keypad_story
async def test_the_right_pin_lets_the_pump_go_and_stands_nowhere(house: House) -> None:
    await shows(house, "SIMULATION")
    keypad = await asks_pin(house)
    keypad.press(PIN)
    await shows(house, "PIN:", "****")
    assert PIN not in shown(house)
    keypad.press(ENTER)
    await shows(house, "Please fuel")
    await house.is_let_go()
    assert house.authorised[-1].till == ""
    assert tries(house) == []
    assert PIN not in "".join(map(repr, house.records))
    await house.fills()
    await house.until(lambda: house.books.sums.sales == 1)
    await shows(house, "SIMULATION")


def test_no_log_has_a_pin(tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    test_the_right_pin_lets_the_pump_go_and_stands_nowhere(tmp_path_factory.mktemp("right"))
    test_three_wrong_ones_lock_it_and_the_driver_reads_it(tmp_path_factory.mktemp("wrong"))
    assert "authorised" in caplog.text, "it was listened"
    assert PIN not in caplog.text
    assert WRONG not in caplog.text
    assert PIN[0] not in repr(Key(1, PIN[0])).removeprefix("Key(number=1")


@keypad_story
async def test_three_wrong_ones_lock_it_and_the_driver_reads_it(house: House) -> None:
    keypad = await asks_pin(house)
    for left in (2, 1):
        keypad.press(WRONG, ENTER)
        await says_left(house, left)
        await shows(house, "PIN wrong: try again")
    keypad.press(WRONG, ENTER)
    await shows(house, "PIN locked:")
    assert tries(house) == [(False, 1), (False, 2), (False, 3)]
    assert house.reasons[-1] == Reason.PIN_LOCKED
    house.hang_up()
    await shows(house, "SIMULATION")
    await house.calls()
    house.show_card()
    await shows(house, "PIN locked:")
    assert house.meters_ml() == 0


@keypad_story
async def test_clear_begins_anew_and_an_empty_enter_asks_again(house: House) -> None:
    keypad = await asks_pin(house)
    keypad.press(WRONG, CLEAR)
    assert "*" not in shown(house)
    keypad.press(ENTER)
    await house.until(lambda: keypad.twin.asks, 5)
    keypad.press(PIN, ENTER)
    await house.is_let_go()
    assert tries(house) == []


@keypad_story
async def test_cancel_ends_the_question_everywhere_and_the_card_begins_anew(house: House) -> None:
    keypad = await asks_pin(house)
    keypad.press(PIN, CANCEL)
    await shows(house, "Cancelled")
    assert house.point(1).state is PointState.REFUSED
    assert house.point(1).need is None
    assert house.reasons == [Reason.DRIVER_CANCELLED]
    assert (await house.answer(1, Need.PIN, PIN)).reason == Reason.NOTHING_TO_ANSWER
    house.show_card()
    await shows(house, "Type your PIN")
    assert "*" not in shown(house)
    keypad.press(PIN, ENTER)
    await house.is_let_go()


@keypad_story
async def test_a_driver_who_types_nothing_for_a_minute_has_gone(house: House) -> None:
    keypad = await asks_pin(house)
    await house.wait(ANSWER_S - 2)
    keypad.press(PIN[0])
    await house.wait(ANSWER_S - 2)
    assert house.point(1).need is Need.PIN, "a key gives another minute"
    await shows(house, "Too late")
    assert house.reasons == [Reason.NOT_ANSWERED]
    keypad.press(PIN, ENTER)
    await house.wait(2)
    assert house.point(1).state is PointState.REFUSED, "it is too late for the one who comes next"
    assert tries(house) == []


@keypad_story
async def test_a_dead_keypad_is_named_and_the_terminal_answers(house: House) -> None:
    keypad = await asks_pin(house)
    keypad.press(PIN[0])
    keypad.unplug()
    await house.until(lambda: "keypad-1:7900 is gone" in house.trouble("keypad of point 1"), 5)
    assert keypad.twin.rows == NO_STATION.rows
    assert not house.trouble("keypad of point 2")
    await house.wait(3 * ANSWER_S)
    assert house.point(1).need is Need.PIN, "nobody can type, so nobody is late: the attendant has all the time"
    assert (await house.answer(1, Need.PIN, PIN)).done
    await house.is_let_go()
    keypad.plug_in()
    await shows(house, "Please fuel")
    assert not house.trouble("keypad of point 1")


@keypad_story
async def test_a_keypad_that_comes_back_asks_what_is_asked_then_and_forgets_what_was_typed(house: House) -> None:
    keypad = await asks_pin(house)
    keypad.press(WRONG)
    keypad.unplug()
    await house.wait(1)
    keypad.plug_in()
    await shows(house, "Type your PIN")
    keypad.press(PIN, ENTER)
    await house.is_let_go()
    assert tries(house) == []


@keypad_story
async def test_a_keypad_that_hangs_is_found_out_and_tried_more_and_more_slowly(house: House) -> None:
    await shows(house, "SIMULATION")
    keypad = house.keypads[1]
    keypad.frozen = True
    await house.until(lambda: "does not answer" in house.trouble("keypad of point 1"), 15)
    before = keypad.dialled
    await house.wait(60)
    assert 5 <= keypad.dialled - before <= 15
    keypad.frozen = False
    await shows(house, "SIMULATION")
    await house.until(lambda: not house.trouble("keypad of point 1"), 10)


@keypad_story
async def test_whoever_answers_first_counts_and_the_other_question_goes(house: House) -> None:
    keypad = await asks_pin(house)
    keypad.press(PIN[:2])
    assert (await house.answer(1, Need.PIN, PIN)).done
    await shows(house, "Please fuel")
    keypad.press(PIN[2:], ENTER)
    await house.is_let_go()
    assert len(house.authorised) == 1
    assert house.reasons == []


@keypad_story
async def test_both_answer_at_once(house: House) -> None:
    keypad = await asks_pin(house)
    sent = house.send(house.answering(1, Need.PIN, PIN))
    keypad.press(PIN, ENTER)
    await house.is_let_go()
    result = await sent
    assert result.done or result.reason == Reason.QUESTION_GONE
    assert len(house.authorised) == 1
    assert tries(house) == []
    await shows(house, "Please fuel")


@keypad_story
async def test_a_key_for_the_question_before_does_not_answer_the_next(house: House) -> None:
    keypad = await asks_pin(house)
    keypad.press(WRONG)
    stale = [line_of(Key(keypad.twin._number, key)) for key in (*WRONG, ENTER)]
    await house.answer(1, Need.PIN, "9999")
    await shows(house, "PIN wrong")
    keypad.say(b"".join(stale))
    await house.wait(2)
    assert house.point(1).need is Need.PIN
    assert tries(house) == [(False, 1)]
    keypad.press(PIN, ENTER)
    await house.is_let_go()


@keypad_story
async def test_what_was_typed_for_a_question_that_is_over_is_tried_for_no_other(house: House) -> None:
    keypad = await asks_pin(house)
    keypad.press(WRONG)
    house.at("before pin_tried", lambda: keypad.press(ENTER))
    assert (await house.answer(1, Need.PIN, "9999")).reason == Reason.PIN_WRONG
    await shows(house, "PIN wrong: try again")
    await house.wait(2)
    assert tries(house) == [(False, 1)], "the till was first, and it was asked anew"
    keypad.press(PIN, ENTER)
    await house.is_let_go()


@keypad_story
async def test_leaning_on_cancel_cancels_once(house: House) -> None:
    keypad = await asks_pin(house)
    point = house.station.points[1]
    waiting: list[int] = []

    def lean() -> None:
        for _ in range(100):
            keypad.say(line_of(Key(keypad.twin._number, CANCEL)))

    house.at("before pin_tried", lean)
    house.at("after declined", lambda: waiting.append(point._inbox.qsize()))
    await house.answer(1, Need.PIN, WRONG)
    assert waiting
    assert max(waiting) <= 1, "a station that is busy with its disk must not be filled up by a keypad"


@keypad_story
async def test_nobody_answers_for_a_pump_that_is_gone(house: House) -> None:
    keypad = await asks_pin(house)
    house.wires[1].cut = True
    await house.state(1, PointState.OFFLINE)
    assert house.station.points[1].question is None
    keypad.press(PIN, ENTER)
    await house.wait(2)
    assert house.authorised == []


@keypad_story
async def test_two_keypads_ask_two_drivers(house: House) -> None:
    first = await asks_pin(house, 1)
    await house.calls(2)
    house.show_card(2)
    await shows(house, "Type your PIN", number=2)
    second = house.keypads[2]
    first.press(PIN[:2])
    second.press(PIN)
    assert "**" in shown(house, 1)
    second.press(ENTER)
    await house.is_let_go(2)
    assert house.point(1).need is Need.PIN
    first.press(PIN[2:], ENTER)
    await house.is_let_go(1)
    assert tries(house) == []


@keypad_story
async def test_the_odometer_is_typed_and_shown(house: House) -> None:
    await house.calls()
    house.show_card(1, CARD_ODOMETER)
    await shows(house, "Odometer")
    house.keypads[1].press("123456789")
    assert shown(house).endswith("km:          1234567"), "as many digits as an odometer has"
    house.keypads[1].press(CLEAR, "123456", ENTER)
    await house.is_let_go()


@keypad_story
async def test_a_plate_has_letters_and_is_asked_at_the_terminal(house: House) -> None:
    await house.calls()
    house.show_card(1, CARD_PLATE)
    await shows(house, "You are asked for your plate")
    house.keypads[1].press("34", ENTER, CANCEL)
    await house.wait(2 * ANSWER_S)
    assert house.point(1).need is Need.PLATE, "the keypad cannot answer, so it does not end it either"
    assert (await house.answer(1, Need.PLATE, ITS_PLATE)).done
    await shows(house, "Please fuel")


@story(yard=ThreeGrades(), keypads=(1,))
async def test_the_driver_names_the_fuel_where_the_pump_does_not(house: House) -> None:
    await house.calls(1, AUTOGAS)
    assert (await house.authorise(1)).done
    await shows(house, "1 Gasolin 2 Diesel", "3 Autogas")
    keypad = house.keypads[1]
    keypad.press("7", ENTER)
    await house.until(lambda: keypad.twin.asks, 5)
    assert house.point(1).need is Need.GRADE, "there is no such nozzle: it is asked again"
    keypad.press("3", ENTER)
    await house.until(lambda: house.point(1).grade == "Autogas", 5)
    assert house.authorised[-1].grade == "autogas"
    assert house.authorised[-1].till == TILL, "it was the attendant who let it go"


@keypad_story
async def test_a_refusal_says_why_to_the_driver(house: House) -> None:
    await house.calls(1, nozzle=1)  # gasoline, and the card is for diesel
    house.show_card(1, CARD)
    await shows(house, *CATALOGUE[Reason.PRODUCT_NOT_ALLOWED].driver.split())


@keypad_story
async def test_a_stop_goes_before_the_question(house: House) -> None:
    keypad = await asks_pin(house)
    house.station.points[1].stop()
    await shows(house, "Hang up the nozzle,")
    keypad.press(PIN, ENTER)
    await house.wait(2)
    assert house.authorised == []


@keypad_story
async def test_a_full_disk_lets_nothing_go_by_a_keypad(house: House) -> None:
    keypad = await asks_pin(house)
    house.disk_full = lambda _: True
    keypad.press(PIN, ENTER)
    await shows(house, CATALOGUE[Reason.JOURNAL_FULL].driver[:10])
    house.disk_full = None


@keypad_story
async def test_on_a_full_disk_a_wrong_pin_looks_like_the_right_one(house: House) -> None:
    """Tries that no disk takes are not counted: they must tell nothing."""
    seen = []
    for typed in (WRONG, PIN):
        keypad = await asks_pin(house)
        house.disk_full = lambda _: True
        keypad.press(typed, ENTER)
        await house.wait(3)
        seen.append((shown(house), house.point(1).state, house.point(1).text, house.station.points[1].question))
        house.disk_full = None
        house.hang_up()
        await house.state(1, PointState.IDLE)
    assert seen[0] == seen[1]
    assert seen[0][3] is None


@keypad_story
async def test_nonsense_is_a_trouble_of_that_keypad_and_it_is_connected_again(house: House) -> None:
    for noise in (b"\xff\x00\n", b"key 1 4711\n", b"key x 4\n", b"a" * (KEYPAD_LINE_MAX + 1), b"keypad 1\n"):
        await house.until(lambda: house.keypads[1].connected and not house.trouble("keypad of point 1"), 30)
        house.keypads[1].say(noise)
        await house.until(lambda: "is gone" in house.trouble("keypad of point 1"), 5)
        assert "4711" not in house.trouble("keypad of point 1"), "it may be a PIN"
    await house.until(lambda: house.keypads[1].connected and not house.trouble("keypad of point 1"), 30)
    keypad = await asks_pin(house)
    keypad.press(PIN, ENTER)
    await house.is_let_go()


class Tape:
    """A wire on which anything comes, in pieces, and then the end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self.sent = b""

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self._pieces.clear()


HELLO = st.just(line_of(Hello()))
LIKELY = st.sampled_from(["keypad ", "key ", "1", " ", "4", "enter", "pong", "\n", "\r\n", "cancel"]).map(str.encode)
PIECES = st.lists(st.one_of(st.binary(max_size=80), LIKELY, HELLO), max_size=12)


@settings(max_examples=200)
@given(st.booleans(), PIECES)
def test_whatever_comes_from_a_keypad_is_a_key_or_a_trouble(well: bool, pieces: list[bytes]) -> None:
    async def main(loop: VirtualLoop) -> list[KeypadEvent]:
        tape = Tape(([line_of(Hello())] if well else []) + [piece for piece in pieces if piece])
        dials = iter([tape])

        async def dial() -> Wire:
            if (wire := next(dials, None)) is None:
                raise OSError(111, "Connection refused")
            return wire

        keypad = LineKeypad("keypad", dial, VirtualClock(loop, 0))
        keypad.show(Screen(("Type your PIN", ""), Echo.HIDDEN, 4))
        heard: list[KeypadEvent] = []
        async with contextlib.aclosing(keypad.events()) as events:
            async for event in events:
                heard.append(event)
                if isinstance(event, KeypadDown):
                    break
        assert tape.sent.count(b"show") == (KeypadUp() in heard)
        assert sys.getsizeof(tape.sent) < 1_000
        return heard

    *before, last = run(main)
    assert isinstance(last, KeypadDown)
    assert before[:1] in ([], [KeypadUp()])
    assert all(isinstance(event, KeyPressed) and event.key in KEYS for event in before[1:])


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_more_than_a_line_is_ever_kept(pieces: list[bytes]) -> None:
    lines = Lines(KEYPAD_LINE_MAX)
    for piece in pieces:
        with contextlib.suppress(GarbledLine):
            assert all(len(line) <= KEYPAD_LINE_MAX and b"\n" not in line for line in lines.feed(piece))
        assert len(lines._rest) <= KEYPAD_LINE_MAX
