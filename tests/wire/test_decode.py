"""Bytes in, words out: `wire decode`, the directions it tries, and what it says of what cannot be read."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from controller.pumps.decoded import Check, Decoded, Direction, Part
from controller.wire.commands import wire
from controller.wire.decode import BadHex, Ear, decode_all, from_hex, heard, mask
from controller.wire.protocols import PROTOCOLS, UnknownProtocol, protocol_of

DART = protocol_of("dart")


def run(*words: str) -> Result:
    return CliRunner().invoke(wire, words)


def objects(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_frame_is_one_line_of_json() -> None:
    result = run("decode", "--protocol", "dart", "51", "33", "01", "01", "05", "62", "DB", "03", "FA")
    assert result.exit_code == 0
    (said,) = objects(result)
    assert said == {
        "direction": "to-pump",
        "address": 0x51,
        "kind": "data",
        "crc": "ok",
        "hex": "51 33 01 01 05 62 db 03 fa",
        "transactions": [{"name": "block", "values": {"tx": 3}}, {"name": "reset"}],
        "error": "",
    }


def test_words_may_be_joined_and_several_frames_given() -> None:
    result = run("decode", "5020FA 5070", "FA", "51CAFA")
    assert [(said["kind"], said["direction"]) for said in objects(result)] == [
        ("poll", "to-pump"),
        ("eot", "to-master"),
        ("ack", "unknown"),
    ]
    assert result.exit_code == 0


def test_without_a_direction_the_reading_without_errors_is_taken() -> None:
    text = "50 36 01 01 02 03 04 00 21 80 11 0E 48 03 FA"
    (said,) = objects(run("decode", text))
    assert said["direction"] == "to-master"
    assert {"name": "status", "values": {"state": "authorized"}} in said["transactions"]  # type: ignore[operator]


def test_a_given_direction_is_believed() -> None:
    text = "51 30 01 01 00 A2 9C 03 FA"
    assert "return status" in run("decode", text).stdout
    assert "not programmed" in run("decode", "--direction", "to-master", text).stdout
    wrong = run("decode", "--direction", "to-pump", "50 70 FA")
    assert wrong.exit_code == 1
    assert "does not go in this direction" in wrong.stderr


def test_an_acknowledgement_goes_against_the_block_before_it() -> None:
    talk = "50 36 01 01 02 03 04 00 21 80 11 0E 48 03 FA 50 C6 FA 51 33 01 01 05 62 DB 03 FA 51 C3 FA"
    assert [frame.direction for frame in decode_all(DART, bytes.fromhex(talk))] == [
        "to-master",
        "to-pump",
        "to-pump",
        "to-master",
    ]


def test_a_silence_between_frames_says_nothing_of_who_speaks() -> None:
    ear = Ear(DART)
    talk = ("50 20 FA", "50 36 01 01 02 03 04 00 21 80 11 0E 48 03 FA", "50 C6 FA")
    frames = [frame for text in talk for frame in (*ear.hear(bytes.fromhex(text)), *ear.silence(), *ear.silence())]
    assert [frame.direction for frame in frames] == ["to-pump", "to-master", "to-pump"]


def test_a_damaged_frame_is_shown_and_fails() -> None:
    result = run("decode", "51 33 01 01 06 62 DB 03 FA", "50 20 FA")
    assert result.exit_code == 1
    assert [said["crc"] for said in objects(result)] == ["bad", "none"]
    assert result.stderr == "frame 1 of 2: the check sum does not fit: damaged\n"


@pytest.mark.parametrize(
    ("words", "position", "what"),
    [
        (("502",), 3, "odd number"),
        (("50", "2", "FA"), 4, "odd number"),
        (("50", "2G"), 5, "'G'"),
        (("0y50",), 2, "'y'"),
        (("0x",), 1, "no hex digits behind it"),
        (("0x5", "0x20"), 3, "odd number"),
        (("50", "0X", "20"), 4, "no hex digits behind it"),
        (("0x0x20",), 4, "'x'"),
        (("00x50",), 3, "'x'"),
        (("5,0",), 1, "odd number"),
    ],
)
def test_text_that_is_no_hex_is_named_with_its_position(words: tuple[str, ...], position: int, what: str) -> None:
    result = run("decode", *words)
    assert result.exit_code == 1
    assert not result.stdout
    assert f"position {position} " in result.stderr
    assert what in result.stderr


def test_no_bytes_at_all_is_said() -> None:
    assert run("decode", " ").exit_code == 1
    assert run("decode").exit_code == 1
    assert "no bytes: give hex digits" in run("decode").stderr


@pytest.mark.parametrize(
    "text",
    ["51 20 fa", "5120FA", "0x51 0x20 0xFA", "0x51,0x20,0xfa,", "51:20:FA", "51-20-fa", "0X5120FA", "51\t20\nFA"],
)
def test_bytes_are_taken_as_people_write_them(text: str) -> None:
    assert from_hex(text) == b"\x51\x20\xfa"


@given(st.text(max_size=30) | st.text("0123aAfFxX ,:-", max_size=12))
def test_any_text_is_bytes_or_a_named_position(text: str) -> None:
    try:
        data = from_hex(text)
    except BadHex as error:
        assert "position" in str(error)  # noqa: PT017
    else:
        assert re.fullmatch(r"(?:[\s,:;-]*(?:0[xX])?[0-9a-fA-F]{2})*[\s,:;-]*", text)
        assert data == bytes.fromhex("".join(re.findall(r"(?:0[xX])?([0-9a-fA-F]{2})", text)))


@given(st.binary(max_size=120), st.sampled_from([None, *Direction]), st.sampled_from(list(PROTOCOLS)))
def test_whatever_comes_no_byte_is_lost(data: bytes, direction: Direction | None, name: str) -> None:
    frames = decode_all(protocol_of(name), data, direction)
    assert b"".join(frame.data for frame in frames) == data
    msgspec.json.encode(frames)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_has_a_decoder_and_a_line(name: str) -> None:
    row = protocol_of(name)
    assert row.decoder() is not row.decoder()
    assert row.line().baud > 0


def test_a_protocol_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownProtocol, match="dart, two-wire, azt2"):
        protocol_of("dar")
    missing = msgspec.structs  # a module without the parts of a protocol
    row = type(DART)("other", missing.__name__, "Nothing")
    with pytest.raises(UnknownProtocol, match="no decoder"):
        row.decoder()


def test_two_wire_question_and_answer_are_told_apart_by_the_silence_between_them() -> None:
    ear = Ear(protocol_of("two-wire"))
    said = []
    for burst in (b"\x01", b"\x61"):
        assert ear.hear(burst) == []
        said += ear.silence()
    assert [(one.direction, one.kind, one.address) for one in said] == [
        ("to-pump", "command", 1),
        ("to-master", "status", 1),
    ]


NOTES = {
    "two-wire": [
        ("01 71", "to-pump: status | to-master: status state=call"),
        ("11 01 91", "to-pump: authorise | to-pump: status | to-master: status state=busy"),
        ("01 A1 41", "to-pump: status | to-master: status state=preset end of transaction | to-pump: transaction"),
        ("FC 01 01 61", "to-pump: stop all | to-pump: status | to-pump: status | to-master: status state=off"),
        (
            "02 62 22 D2 FF E5 F2 F4 F8 E0 E0 E0 E5 E0 FB EE F0 02 02 12 02 92",
            "to-pump: status | to-master: status state=off | to-pump: data next | to-master: status state=send data | "
            "to-pump: money preset amount=5000 level=1 | to-pump: status | to-master: status state=data error | "
            "to-pump: authorise | to-pump: status | to-master: status state=busy",
        ),
        ("61 E0 E5 E2 E1 E0 E0", "to-pump: real-time money | to-master: real-time money amount=1250"),
    ],
    "azt2": [
        ("7F 02 30 4F 03 03 73", "to-master: reply data=0"),
        ("7F 06", "to-master: reply"),
        (
            "7F 02 21 5E 31 4E 03 03 53 7F 02 31 4E 03 03 72",
            "to-pump: status | to-master: status state=1 text=nozzle lifted",
        ),
        (
            "7F 02 21 5E 51 2E 31 4E 32 4D 33 4C 34 4B 03 03 77 7F 06 7F 02 21 5E 32 4D 03 03 50 7F 18",
            "to-pump: set price price=1234 | to-master: set price | to-pump: authorise | to-master: authorise",
        ),
    ],
}


@pytest.mark.parametrize(("name", "text", "told"), [(name, *row) for name, rows in NOTES.items() for row in rows])
@pytest.mark.parametrize("live", [False, True])
def test_a_talk_in_one_piece_or_word_by_word_is_parted(name: str, text: str, told: str, *, live: bool) -> None:
    """As a person pastes it, or a converter mixes it; and as a tap hears it, with a silence behind each."""
    row, data = protocol_of(name), bytes.fromhex(text)
    ear = Ear(row)
    pieces = row.decoder().pieces(data) if live else [data]
    frames = [frame for piece in pieces for frame in (*ear.hear(piece), *ear.silence())]
    said = [
        " ".join((f"{frame.direction}: {part.name}", *(f"{key}={value}" for key, value in part.values.items())))
        for frame in frames
        for part in frame.transactions
    ]
    assert " | ".join(said) == told
    assert not any(frame.damaged for frame in frames)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("card 123456789012", "card 123456**9012"),
        ("card 5321567812345678.", "card 532156******5678."),
        ("card 5321 5678 1234 5678.", "card 532156******5678."),
        ("12345678901", "12345678901"),
        ("00 00 02 00 00 00 02 00", "00 00 02 00 00 00 02 00"),
    ],
)
def test_long_runs_of_digits_are_masked(text: str, shown: str) -> None:
    assert mask(text) == shown


def test_what_a_decoder_says_is_masked_before_anybody_sees_it() -> None:
    said = Decoded(
        1, "data", Check.OK, "31", (Part("text", {"of": "5321567812345678", "n": 5}),), "at 5321567812345678"
    )
    frame = heard(said, Direction.TO_MASTER)
    assert "5321567812345678" not in msgspec.json.encode(frame).decode()
    assert frame.transactions[0].values["n"] == 5


def test_nothing_of_the_wire_tools_touches_a_card() -> None:
    for path in Path(__file__).parents[2].joinpath("controller/wire").glob("*.py"):
        assert "card_io" not in path.read_text(encoding="utf-8")
