"""What passes on a two-wire line is said in words, whatever it is."""

from hypothesis import given
from hypothesis import strategies as st

from controller.pumps.decoded import Check, Decoded, Decoder, Direction
from controller.pumps.two_wire import blocks
from controller.pumps.two_wire.blocks import GradeTotals, SpecialFunction, Version, VolumePreset
from controller.pumps.two_wire.decode import TwoWireDecoder
from tests.pumps.two_wire.test_frame import CAPTURED

OUT, BACK = Direction.TO_PUMP, Direction.TO_MASTER
Told = tuple[int | None, str, Check, list[tuple[str, dict[str, object]]], str]


def told(found: list[Decoded]) -> list[Told]:
    return [(d.address, d.kind, d.crc, [(p.name, dict(p.values)) for p in d.parts], d.error) for d in found]


def test_a_talk_in_words() -> None:
    decoder: Decoder = TwoWireDecoder()
    assert told(decoder.feed(b"\x01", OUT)) == [(1, "command", Check.NONE, [("status", {})], "")]
    assert told(decoder.feed(b"\xa1", BACK)) == [
        (1, "status", Check.NONE, [("status", {"state": "preset end of transaction"})], "")
    ]
    decoder.feed(b"\x41", OUT)
    (said,) = told(decoder.feed(CAPTURED[:9], BACK) + decoder.feed(CAPTURED[9:], BACK))
    assert said[:3] == (1, "block", Check.OK)
    name, values = said[3][0]
    assert (name, values["grade"], values["price"], values["volume"], values["amount"]) == (
        "transaction",
        3,
        1_070,
        23_360,
        25_000,
    )
    decoder.feed(b"\x61", OUT)
    assert told(decoder.feed(bytes.fromhex("E1 E2 E3 E0 E0 E0"), BACK)) == [
        (1, "money", Check.NONE, [("real-time money", {"amount": 321})], "")
    ]
    assert told(decoder.feed(b"\xfc\x20", OUT)) == [
        (None, "command", Check.NONE, [("stop all", {})], ""),
        (16, "command", Check.NONE, [("data next", {})], ""),
    ]


def test_blocks_of_both_directions() -> None:
    decoder = TwoWireDecoder()
    decoder.feed(b"\x23", OUT)
    (preset,) = told(decoder.feed(blocks.to_pump_bytes(VolumePreset(700, 2)), OUT))
    assert preset == (3, "block", Check.OK, [("volume preset", {"volume": 700, "grade": 2, "level": 1})], "")
    (question,) = told(decoder.feed(blocks.to_pump_bytes(SpecialFunction("001")), OUT))
    assert question[3] == [("special function", {"number": "001"})]
    (version,) = told(decoder.feed(blocks.to_master_bytes(Version("17")), BACK))
    assert version[3] == [("version", {"digits": "17"})]
    (totals,) = told(decoder.feed(blocks.to_master_bytes((GradeTotals(1, 2, 3, 4, 5),)), BACK))
    assert totals[3] == [("totals", {"grade": 1, "volume": 2, "amount": 3, "price": 4, "second_price": 5})]


def test_damage_is_told_and_not_read() -> None:
    decoder = TwoWireDecoder()
    spoilt = bytearray(CAPTURED)
    spoilt[20] ^= 1
    found = told(decoder.feed(bytes(spoilt) + CAPTURED[:24] + CAPTURED[26:] + b"\x51\xf3", BACK))
    assert [(kind, crc, bool(error)) for _, kind, crc, _, error in found] == [
        ("block", Check.BAD, True),
        ("block", Check.OK, True),
        ("noise", Check.NONE, True),
        ("noise", Check.NONE, True),
    ]
    decoder.feed(CAPTURED[:5], BACK)
    assert [d.error for d in decoder.flush(BACK)] == ["the block stops before its end"]
    assert decoder.flush(BACK) == []


@given(st.lists(st.tuples(st.binary(max_size=100), st.sampled_from(Direction)), max_size=10))
def test_no_bytes_make_it_fail_and_none_is_lost(pieces: list[tuple[bytes, Direction]]) -> None:
    decoder = TwoWireDecoder()
    found = dict.fromkeys(Direction, b"")
    for data, direction in pieces:
        for said in decoder.feed(data, direction):
            found[direction] += bytes.fromhex(said.raw)
    for direction in Direction:
        for said in decoder.flush(direction):
            found[direction] += bytes.fromhex(said.raw)
        assert found[direction] == b"".join(data for data, way in pieces if way is direction)
