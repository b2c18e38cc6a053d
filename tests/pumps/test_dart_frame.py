"""DART frames and transactions: captured ones read and write back, damaged ones are named and never acted upon."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.pumps.dart import transactions as dart
from controller.pumps.dart.errors import BadDigits, FrameError, TooLong
from controller.pumps.dart.frame import Control, Frame, crc16, decode, encode, is_whole, split
from controller.pumps.dart.transactions import Order, State

CAPTURED = {
    "50 20 FA": Frame(0x50, Control.POLL),
    "50 70 FA": Frame(0x50, Control.EOT),
    "51 CA FA": Frame(0x51, Control.ACK, 0xA),
    "50 50 FA": Frame(0x50, Control.NAK),
}
TO_PUMP: dict[str, tuple[dart.ToPump, ...]] = {
    "51 30 01 01 00 A2 9C 03 FA": (dart.Command(Order.RETURN_STATUS),),
    "51 33 01 01 05 62 DB 03 FA": (dart.Command(Order.RESET),),
    "51 36 01 01 06 22 16 03 FA": (dart.Command(Order.AUTHORIZE),),
    "51 35 03 04 99 99 99 99 04 89 03 FA": (dart.PresetVolume(99_999_999),),
    "50 34 02 02 01 02 01 01 05 70 ED 03 FA": (dart.AllowNozzles((1, 2)), dart.Command(Order.RESET)),
    "50 31 04 04 00 00 68 00 10 FA 7B 03 FA": (dart.PresetAmount(6800),),
    "50 31 03 04 00 00 10 00 D9 CC 03 FA": (dart.PresetVolume(1000),),
}
TO_MASTER: dict[str, tuple[dart.ToMaster, ...]] = {
    "50 36 01 01 02 03 04 00 21 80 11 0E 48 03 FA": (
        dart.Status(State.AUTHORIZED),
        dart.NozzleState(2180, 1, out=True),
    ),
    "51 3C 01 01 05 03 04 00 11 75 01 1A C7 03 FA": (
        dart.Status(State.COMPLETED),
        dart.NozzleState(1175, 1, out=False),
    ),
    "51 3D 65 10 01 00 00 00 00 02 00 00 00 00 02 00 00 00 00 00 58 F8 03 FA": (dart.Total(1, 2, 2, 0),),
}
FRAMES = [bytes.fromhex(text) for text in (*CAPTURED, *TO_PUMP, *TO_MASTER)]


@pytest.mark.parametrize("text", CAPTURED)
def test_a_captured_short_frame_is_read_and_written_back(text: str) -> None:
    assert decode(bytes.fromhex(text)) == CAPTURED[text]
    assert encode(CAPTURED[text]) == bytes.fromhex(text)


@pytest.mark.parametrize("text", TO_PUMP)
def test_a_captured_block_to_a_pump_is_read_and_written_back(text: str) -> None:
    frame = decode(bytes.fromhex(text))
    assert dart.to_pump(frame.body) == TO_PUMP[text]
    assert encode(Frame(frame.address, Control.DATA, frame.tx, dart.block(TO_PUMP[text]))) == bytes.fromhex(text)


@pytest.mark.parametrize("text", TO_MASTER)
def test_a_captured_block_from_a_pump_is_read_and_written_back(text: str) -> None:
    frame = decode(bytes.fromhex(text))
    assert dart.to_master(frame.body) == TO_MASTER[text]
    assert encode(Frame(frame.address, Control.DATA, frame.tx, dart.block(TO_MASTER[text]))) == bytes.fromhex(text)


def test_the_check_sum_is_arc() -> None:
    assert crc16(b"123456789") == 0xBB3D


@pytest.mark.parametrize("wire", FRAMES, ids=lambda wire: wire.hex())
def test_a_frame_is_whole_at_its_last_byte_and_never_before(wire: bytes) -> None:
    assert [is_whole(wire[:size]) for size in range(len(wire) + 1)] == [False] * len(wire) + [True]


@pytest.mark.parametrize("wire", [wire for wire in FRAMES if len(wire) > 3], ids=lambda wire: wire.hex())
def test_every_single_damaged_bit_of_a_data_frame_is_noticed(wire: bytes) -> None:
    for bit in range(len(wire) * 8):
        damaged = bytearray(wire)
        damaged[bit // 8] ^= 1 << bit % 8
        for piece in split(bytes(damaged)):
            with pytest.raises(FrameError):
                decode(piece)


frames = st.builds(
    Frame,
    st.integers(0x50, 0x6F),
    st.just(Control.DATA),
    st.integers(0, 15),
    st.one_of(
        st.binary(max_size=50),
        st.lists(st.sampled_from([0x10, 0xFA, 0x03, 0x50]), max_size=50).map(bytes),
    ),
)


@given(st.lists(frames, min_size=1, max_size=5))
def test_any_frames_in_a_row_come_back_as_they_were(sent: list[Frame]) -> None:
    wire = b"".join(map(encode, sent))
    assert [decode(piece) for piece in split(wire)] == sent


@given(
    st.one_of(
        st.binary(max_size=300), st.lists(st.sampled_from([0x10, 0xFA, 0x03, 0x30, 0x50]), max_size=300).map(bytes)
    )
)
def test_garbage_raises_nothing_but_named_errors_and_loses_no_byte(data: bytes) -> None:
    pieces = split(data)
    assert b"".join(pieces) == data
    for piece in pieces:
        with contextlib.suppress(FrameError):
            frame = decode(piece)
            dart.to_pump(frame.body)
            dart.to_master(frame.body)


def test_every_kind_of_damage_has_its_own_name() -> None:
    kinds = [error.kind for error in FrameError.__subclasses__()]
    assert len(set(kinds)) == len(kinds) == 8


def test_long_garbage_is_cut_in_linear_time() -> None:
    assert len(split(b"\xfa" * 100_000)) == 100_000
    assert len(split(b"\x10\xfa" * 100_000)) == 1
    with pytest.raises(TooLong):
        decode(b"\x50" * 257)


@given(st.integers(0, 99_999_999))
def test_decimal_digits_come_back(value: int) -> None:
    assert dart.from_bcd(dart.to_bcd(value, 4)) == value


def test_a_number_that_does_not_fit_is_not_sent() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        dart.to_bcd(100_000_000, 4)
    with pytest.raises(BadDigits):
        dart.from_bcd(b"\x1a")


def test_what_is_unknown_is_skipped_by_its_length() -> None:
    body = bytes.fromhex("77 02 AA BB 01 01 05 01 01 03 02 01 00")
    known = [item for item in dart.to_master(body) if not isinstance(item, dart.Unusable)]
    assert known == [dart.Status(State.COMPLETED)]


def test_noise_of_the_line_driver_before_a_frame_does_no_harm() -> None:
    assert decode(b"\x00\xff\x50\x70\xfa") == Frame(0x50, Control.EOT)


def test_a_block_that_is_too_long_for_pumps_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="above 128"):
        encode(Frame(0x50, Control.DATA, 0, bytes(200)))
