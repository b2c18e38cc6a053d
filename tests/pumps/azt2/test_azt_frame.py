"""AZT frames: known ones read and write back, damaged ones are named, and nothing that comes takes long or raises."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.pumps.azt2 import messages as azt
from controller.pumps.azt2.errors import FrameError
from controller.pumps.azt2.frame import (
    CHANNEL_LAST,
    SHORT,
    Answer,
    Reply,
    Request,
    channel_bytes,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    is_whole,
    split,
)
from controller.pumps.azt2.messages import Command, State
from controller.pumps.azt2.protocol import ABILITIES, ADDRESSES, LINE

REQUESTS = {
    "7F 02 21 5E 31 4E 03 03 53": Request(1, Command.STATUS),
    "7F 02 21 5E 51 2E 31 4E 32 4D 33 4C 34 4B 03 03 77": Request(1, Command.PRICE, azt.price_bytes(1234)),
    "7F 02 21 5E 54 2B 30 4F 31 4E 30 4F 30 4F 30 4F 30 4F 03 03 77": Request(1, Command.DOSE, azt.dose_bytes(1000)),
    "7F 02 21 5E 32 4D 03 03 50": Request(1, Command.AUTHORISE),
}
REPLIES = {
    "7F 02 30 4F 03 03 73": Reply(Answer.DATA, azt.said_bytes(azt.Status(State.HUNG))),
    "7F 02 31 4E 03 03 72": Reply(Answer.DATA, azt.said_bytes(azt.Status(State.LIFTED))),
    "7F 06": Reply(Answer.ACK),
    "7F 15": Reply(Answer.NAK),
    "7F 18": Reply(Answer.CAN),
}
FRAMES = [bytes.fromhex(text) for text in (*REQUESTS, *REPLIES)]
CHANNELS = st.integers(1, CHANNEL_LAST)
DIGITS = st.text("0123456789", max_size=40).map(str.encode)


@pytest.mark.parametrize("text", REQUESTS)
def test_a_known_request_is_read_and_written_back(text: str) -> None:
    assert decode_request(bytes.fromhex(text)) == REQUESTS[text]
    assert encode_request(REQUESTS[text]) == bytes.fromhex(text)


@pytest.mark.parametrize("text", REPLIES)
def test_a_known_reply_is_read_and_written_back(text: str) -> None:
    assert decode_reply(bytes.fromhex(text)) == REPLIES[text]
    assert encode_reply(REPLIES[text]) == bytes.fromhex(text)


@pytest.mark.parametrize(
    ("channel", "start", "address"),
    [(1, 0x02, 0x21), (15, 0x02, 0x2F), (16, 0x07, 0x21), (30, 0x07, 0x2F), (31, 0x08, 0x21), (225, 0x14, 0x2F)],
)
def test_a_channel_is_a_start_byte_and_an_address(channel: int, start: int, address: int) -> None:
    assert channel_bytes(channel) == (start, address)


def test_the_channels_are_all_told_apart_and_no_start_is_that_of_a_short_reply() -> None:
    assert len({channel_bytes(channel) for channel in ADDRESSES}) == 225
    assert not {channel_bytes(channel)[0] for channel in ADDRESSES} & SHORT


@pytest.mark.parametrize("channel", [0, 226, -1])
def test_there_are_225_channels(channel: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.225"):
        encode_request(Request(channel, Command.STATUS))


def test_the_line_is_as_the_pumps_want_it() -> None:
    assert (LINE.baud, LINE.bits, LINE.parity, LINE.stop, LINE.byte_bits) == (4_800, 7, "E", 2, 11)
    assert LINE.wire_us(9) == 20_625
    assert (ABILITIES.pumps_max, ABILITIES.nozzles_max, ABILITIES.preset_amount) == (225, 1, False)


@given(CHANNELS, st.sampled_from(Command), DIGITS)
def test_any_request_goes_round(channel: int, command: Command, data: bytes) -> None:
    request = Request(channel, command, data)
    wire = encode_request(request)
    assert decode_request(wire) == request
    assert is_whole(wire)
    assert split(wire) == [wire]
    assert not any(is_whole(wire[:size]) for size in range(len(wire)))


@given(DIGITS)
def test_any_reply_goes_round(data: bytes) -> None:
    reply = Reply(Answer.DATA, data)
    wire = encode_reply(reply)
    assert decode_reply(wire) == reply
    assert is_whole(wire)
    assert split(wire) == [wire]
    assert not any(is_whole(wire[:size]) for size in range(len(wire)))


@given(st.lists(st.sampled_from(FRAMES), max_size=20))
def test_frames_that_follow_each_other_are_cut_where_they_end(frames: list[bytes]) -> None:
    assert split(b"".join(frames)) == frames


@given(st.sampled_from([frame for frame in FRAMES if len(frame) > 2]), st.data())
def test_one_wrong_bit_never_makes_another_frame(frame: bytes, data: st.DataObject) -> None:
    spoilt = bytearray(frame)
    spoilt[data.draw(st.integers(0, len(frame) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    original = {frame}
    for piece in split(bytes(spoilt)):
        for decode in (decode_request, decode_reply):
            with contextlib.suppress(FrameError):
                decoded = decode(piece)
                # Another start byte is another channel: the start is the one byte that no sum protects.
                start_only = isinstance(decoded, Request) and {bytes((*frame[:1], piece[1], *frame[2:]))} != original
                assert piece in original or start_only or (isinstance(decoded, Reply) and len(piece) == 2)


@given(st.binary(max_size=300))
def test_whatever_comes_is_cut_without_loss_and_read_or_refused(data: bytes) -> None:
    pieces = split(data)
    assert b"".join(pieces) == data
    is_whole(data)
    for piece in pieces:
        for decode in (decode_request, decode_reply):
            with contextlib.suppress(FrameError):
                decode(piece)


def kind_of(text: str) -> str:
    try:
        decode_reply(bytes.fromhex(text))
    except FrameError as error:
        return error.kind
    return "good"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("7F 02 30 4F 03 03 73", "good"),
        ("7F 02 30 4F 03 03", "unfinished"),
        ("7F", "unfinished"),
        ("7F 02 30 4E 03 03 73", "bad_complement"),
        ("7F 02 30 4F 31 03 03 73", "bad_complement"),
        ("7F 02 30 4F 03 03 72", "bad_sum"),
        ("7F 07 30 4F 03 03 73", "bad_start"),
        ("02 30 4F 03 03 73", "bad_start"),
        ("7F 02 B0 CF 03 03 73", "eighth_bit"),
        ("7F 02 " + "30 4F " * 50 + "03 03 73", "too_long"),
    ],
)
def test_what_is_wrong_with_a_reply_has_a_name(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_a_flood_is_cut_in_linear_time() -> None:
    for flood in (b"\x7f", b"\x03", b"\x7f\x02", b"0O", b"\x7f\x06"):
        data = flood * 100_000
        assert b"".join(split(data)) == data


@given(
    st.integers(0, 10**5 - 1),
    st.integers(0, 10**7 - 1),
    st.integers(0, 10**4 - 1),
    st.integers(0, 10**6 - 1),
    st.sampled_from(State),
)
def test_what_a_pump_says_goes_round(volume: int, amount: int, price: int, running: int, state: State) -> None:
    said: list[tuple[Command, azt.Said]] = [
        (Command.FULL, azt.Full(volume, amount, price)),
        (Command.RUNNING, azt.Running(running)),
        (Command.TOTALS, azt.Counters(volume, amount)),
        (Command.STATUS, azt.Status(state, 1 if state is State.FINISHED else 0)),
        (Command.VERSION, azt.Text("00000200")),
    ]
    for command, item in said:
        assert azt.outcome(command, Reply(Answer.DATA, azt.said_bytes(item))) == item


@pytest.mark.parametrize("volume", [1, 1_000, 99_999, None])
def test_a_dose_goes_round(volume: int | None) -> None:
    assert azt.dose_of(azt.dose_bytes(volume)) == volume


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (Command.STATUS, Reply(Answer.ACK)),
        (Command.STATUS, Reply(Answer.DATA, b"5")),
        (Command.STATUS, Reply(Answer.DATA, b"10")),
        (Command.STATUS, Reply(Answer.DATA, b"4")),
        (Command.STATUS, Reply(Answer.DATA, b"!1")),
        (Command.STATUS, Reply(Answer.DATA, b"")),
        (Command.RUNNING, Reply(Answer.DATA, b"12345")),
        (Command.FULL, Reply(Answer.DATA, b"1" * 15)),
        (Command.TOTALS, Reply(Answer.DATA, b"1" * 15)),
        (Command.AUTHORISE, Reply(Answer.DATA, b"2")),
    ],
)
def test_a_good_frame_that_answers_something_else_is_refused(command: Command, reply: Reply) -> None:
    with pytest.raises(FrameError) as error:
        azt.outcome(command, reply)
    assert error.value.kind == "bad_reply"


@pytest.mark.parametrize("answer", [Answer.NAK, Answer.CAN])
@pytest.mark.parametrize("command", Command)
def test_every_command_may_be_refused(command: Command, answer: Answer) -> None:
    assert azt.outcome(command, Reply(answer)) is answer
