"""A listener on a DART line: captured frames in words, damage named, never an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.pumps.dart.decode import DartDecoder, Directions
from controller.pumps.dart.frame import Control, Frame, decode, encode, split
from controller.pumps.decoded import Check, Decoded, Decoder, Direction, Part

TO_PUMP, TO_MASTER = Direction.TO_PUMP, Direction.TO_MASTER


def heard(text: str, direction: Direction) -> list[Decoded]:
    decoder: Decoder = DartDecoder()
    return [*decoder.feed(bytes.fromhex(text), direction), *decoder.flush(direction)]


CAPTURED = [
    ("50 20 FA", TO_PUMP, "poll", []),
    ("50 70 FA", TO_MASTER, "eot", []),
    ("51 CA FA", TO_PUMP, "ack", [Part("block", {"tx": 10})]),
    ("50 50 FA", TO_MASTER, "nak", [Part("block", {"tx": 0})]),
    ("51 33 01 01 05 62 DB 03 FA", TO_PUMP, "data", [Part("block", {"tx": 3}), Part("reset")]),
    ("51 36 01 01 06 22 16 03 FA", TO_PUMP, "data", [Part("block", {"tx": 6}), Part("authorize")]),
    (
        "51 35 03 04 99 99 99 99 04 89 03 FA",
        TO_PUMP,
        "data",
        [Part("block", {"tx": 5}), Part("preset volume", {"volume": 99_999_999})],
    ),
    (
        "50 34 02 02 01 02 01 01 05 70 ED 03 FA",
        TO_PUMP,
        "data",
        [Part("block", {"tx": 4}), Part("allowed nozzles", {"nozzles": [1, 2]}), Part("reset")],
    ),
    (
        "50 36 01 01 02 03 04 00 21 80 11 0E 48 03 FA",
        TO_MASTER,
        "data",
        [
            Part("block", {"tx": 6}),
            Part("status", {"state": "authorized"}),
            Part("nozzle", {"price": 2180, "nozzle": 1, "out": True}),
        ],
    ),
    (
        "51 3D 65 10 01 00 00 00 00 02 00 00 00 00 02 00 00 00 00 00 58 F8 03 FA",
        TO_MASTER,
        "data",
        [
            Part("block", {"tx": 13}),
            Part("total", {"counter": 1, "of": "volume of nozzle 1", "total": 2, "first_meter": 2, "second_meter": 0}),
        ],
    ),
    (
        "50 31 04 04 00 00 68 00 10 FA 7B 03 FA",
        TO_PUMP,
        "data",
        [Part("block", {"tx": 1}), Part("preset amount", {"amount": 6_800})],
    ),
]


@pytest.mark.parametrize(("text", "direction", "kind", "parts"), CAPTURED)
def test_a_captured_frame_in_words(text: str, direction: Direction, kind: str, parts: list[Part]) -> None:
    (said,) = heard(text, direction)
    assert (said.address, said.kind, list(said.parts), said.error) == (bytes.fromhex(text)[0], kind, parts, "")
    assert said.crc is (Check.OK if kind == "data" else Check.NONE)
    assert said.raw == text.lower()


def test_the_same_bytes_mean_other_things_in_the_other_direction() -> None:
    text = "51 30 01 01 00 A2 9C 03 FA"
    assert heard(text, TO_PUMP)[0].parts[1] == Part("return status")
    assert heard(text, TO_MASTER)[0].parts[1] == Part("status", {"state": "not programmed"})


@pytest.mark.parametrize(("text", "direction", "kind", "parts"), CAPTURED)
def test_bytes_may_be_cut_anywhere(text: str, direction: Direction, kind: str, parts: list[Part]) -> None:
    decoder = DartDecoder()
    found = [said for byte in bytes.fromhex(text * 2) for said in decoder.feed(bytes((byte,)), direction)]
    assert [said.kind for said in found] == [kind, kind]
    assert found == heard(text, direction) * 2
    assert parts == list(found[0].parts)


def test_the_two_directions_do_not_mix() -> None:
    decoder = DartDecoder()
    assert decoder.feed(bytes.fromhex("50 2"[:2]), TO_PUMP) == []
    assert [said.kind for said in decoder.feed(bytes.fromhex("50 70 FA"), TO_MASTER)] == ["eot"]
    assert [said.kind for said in decoder.feed(bytes.fromhex("20 FA"), TO_PUMP)] == ["poll"]


def test_a_wrong_check_sum_is_named_and_nothing_of_it_believed() -> None:
    (said,) = heard("51 33 01 01 06 62 DB 03 FA", TO_PUMP)
    assert (said.address, said.kind, said.crc) == (0x51, "data", Check.BAD)
    assert said.parts == (Part("block", {"tx": 3}),)
    assert said.error


@pytest.mark.parametrize("junk", ["00 FF", "12 34", "51 33 01"])
def test_a_frame_behind_noise_is_found(junk: str) -> None:
    said = heard(f"{junk} 51 33 01 01 05 62 DB 03 FA", TO_PUMP)
    assert [(one.kind, one.crc) for one in said] == [("noise", Check.NONE), ("data", Check.OK)]
    assert said[0].error


def test_what_is_left_over_comes_out_at_the_end() -> None:
    decoder = DartDecoder()
    decoder.feed(b"\x51\x33\x01", TO_PUMP)
    (rest,) = decoder.flush(TO_PUMP)
    assert (rest.kind, rest.raw, rest.error) == ("noise", "51 33 01", "the frame stops before its end")
    assert decoder.flush(TO_PUMP) == []


def test_an_unknown_transaction_is_named_and_skipped_by_its_length() -> None:
    wire = encode(Frame(0x50, Control.DATA, 2, bytes.fromhex("21 02 AA BB 01 01 04")))
    (said,) = heard(wire.hex(), TO_MASTER)
    assert [part.name for part in said.parts] == ["block", "unknown", "status"]
    assert said.parts[1].values["data"] == "aa bb"


def test_a_tap_that_hears_both_knows_who_spoke() -> None:
    talk = [
        ("50 20 FA", TO_PUMP),
        ("50 36 01 01 02 03 04 00 21 80 11 0E 48 03 FA", TO_MASTER),
        ("50 C6 FA", TO_PUMP),
        ("51 20 FA", TO_PUMP),
        ("51 70 FA", TO_MASTER),
        ("51 30 01 01 00 A2 9C 03 FA", TO_PUMP),
        ("51 C0 FA", TO_MASTER),
        ("50 34 02 02 01 02 01 01 05 70 ED 03 FA", TO_PUMP),
        ("50 54 FA", TO_MASTER),
        ("51 C3 FA", None),
    ]
    directions = Directions()
    assert [directions.of(bytes.fromhex(text)) for text, _ in talk] == [direction for _, direction in talk]


@given(st.lists(st.binary(max_size=40), max_size=20), st.sampled_from(Direction))
def test_whatever_comes_nothing_is_raised_and_no_byte_is_lost(chunks: list[bytes], direction: Direction) -> None:
    decoder, directions = DartDecoder(), Directions()
    said = [one for chunk in chunks for one in decoder.feed(chunk, direction)] + decoder.flush(direction)
    assert bytes.fromhex(" ".join(one.raw for one in said)) == b"".join(chunks)
    for piece in split(b"".join(chunks)):
        directions.of(piece)


@pytest.mark.parametrize("noise", [b"\x50", b"\x50\x30", b"\x10\xfa"])
def test_noise_without_an_end_costs_no_more_than_its_length(noise: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def counted(data: bytes) -> Frame:
        looked_at.append(len(data))
        return decode(data)

    monkeypatch.setattr("controller.pumps.dart.decode.decode", counted)
    data = noise * 50_000
    frames = [*(decoder := DartDecoder()).feed(data, Direction.TO_PUMP), *decoder.flush(Direction.TO_PUMP)]
    assert b"".join(bytes.fromhex(frame.raw) for frame in frames) == data
    assert sum(looked_at) <= 3 * len(data)
