"""Bytes in, words out: `wire decode`, the directions it tries, and what it says of what cannot be read."""

import json
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
        (("0x50",), 2, "'x'"),
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
    assert run("decode").exit_code == 2


@given(st.text(max_size=30))
def test_any_text_is_bytes_or_a_named_position(text: str) -> None:
    try:
        data = from_hex(text)
    except BadHex as error:
        assert "position" in str(error)  # noqa: PT017
    else:
        assert data == bytes.fromhex("".join(text.split()))


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
