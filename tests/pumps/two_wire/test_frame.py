"""Two-wire words: known blocks read and write back, damaged ones are named and never acted upon."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.pumps.two_wire import blocks
from controller.pumps.two_wire.blocks import (
    GradeTotals,
    Level,
    MoneyPreset,
    Price,
    SpecialFunction,
    Transaction,
    Version,
    VolumePreset,
)
from controller.pumps.two_wire.errors import BadLength, BadLrc, BadStatus, FrameError, TooLong, Unfinished, WrongPump
from controller.pumps.two_wire.frame import (
    Command,
    Status,
    command_byte,
    data_block,
    from_digits,
    is_whole,
    money_of,
    status_byte,
    status_of,
    to_digits,
)

CAPTURED = bytes.fromhex(
    "FF F1 F8 EB E1 E0 E0 E2 F6 E2 F4 F7 E0 E7 E0 E1 F9 E0 E6 E3 E3 E2 E0 FA E0 E0 E0 E5 E2 E0 FB EC F0"
)
DAMAGED = bytes.fromhex("FF F1 F8 EB E3 E0 E0 E2 F6 E0 F4 F7 E0 E5 E1 E8 F9 E0 E7 E2 E1 E0 FA E0 E0 E0 E0 E1 FB EE F0")
TO_PUMP: dict[str, blocks.ToPump] = {
    "FF E5 F2 F4 F8 E0 E0 E0 E5 E0 FB EE F0": MoneyPreset(5_000),
    "FF E5 F4 F6 E0 F7 E4 E3 E2 E1 FB E6 F0": Price(1_234, 1),
}
TOTALS = (GradeTotals(1, 12_345_678, 99_999_999, 4_379, 4_380), GradeTotals(2, 0, 1, 9_999, 0))


def test_the_captured_transaction_is_read_and_written_back() -> None:
    found = blocks.transaction_of(CAPTURED)
    assert found == Transaction(3, Level.FIRST, 1_070, 23_360, 25_000)
    assert blocks.to_master_bytes(found) == CAPTURED


def test_the_damaged_transaction_is_refused_by_name() -> None:
    with pytest.raises(BadLrc):
        blocks.transaction_of(DAMAGED)


def test_lost_digits_of_zero_that_no_check_sum_sees_are_noticed_by_the_length() -> None:
    with pytest.raises(BadLength, match="31 words instead of 33 or 39"):
        blocks.transaction_of(CAPTURED[:24] + CAPTURED[26:])


@pytest.mark.parametrize("text", TO_PUMP)
def test_a_known_block_to_a_pump_is_read_and_written(text: str) -> None:
    assert blocks.to_pump(bytes.fromhex(text)) == TO_PUMP[text]
    assert blocks.to_pump_bytes(TO_PUMP[text]) == bytes.fromhex(text)


def test_the_bytes_of_polls() -> None:
    assert [command_byte(c, 1).hex() for c in Command] == ["01", "11", "21", "31", "41", "51", "61"]
    assert [status_of(bytes.fromhex(t), 1) for t in ("71", "91", "a1")] == [Status.CALL, Status.BUSY, Status.PEOT]
    assert (command_byte(Command.STATUS, 16), status_byte(Status.OFF, 16)) == (b"\x00", b"\x60")
    assert status_of(b"\x60", 16) is Status.OFF


@pytest.mark.parametrize(
    ("data", "error"), [(b"", Unfinished), (b"\x61\x61", TooLong), (b"\x51", BadStatus), (b"\x62", WrongPump)]
)
def test_what_is_no_status_of_this_pump_is_named(data: bytes, error: type[FrameError]) -> None:
    with pytest.raises(error):
        status_of(data, 1)


def test_a_wide_transaction_is_told_by_its_length() -> None:
    wide = Transaction(6, Level.SECOND, 123_456, 98_765_432, 12_345_678, wide=True)
    data = blocks.to_master_bytes(wide)
    assert len(data) == 39
    assert blocks.transaction_of(data) == wide


@pytest.mark.parametrize("grades", range(1, 7))
def test_totals_of_one_to_six_grades(grades: int) -> None:
    totals = tuple(GradeTotals(n, 10_000_000 + n, n, 1_000 + n, n) for n in range(1, grades + 1))
    data = blocks.to_master_bytes(totals)
    assert len(data) == 4 + 30 * grades
    assert blocks.totals_of(data) == totals


def test_the_question_for_the_version() -> None:
    assert blocks.to_pump_bytes(SpecialFunction("001")) == bytes.fromhex("FF E9 FE E1 E0 E0 FB EE F0")
    assert blocks.version_of(blocks.to_master_bytes(Version("0a7"))) == Version("0a7")


BLOCKS = [
    CAPTURED,
    blocks.to_master_bytes(TOTALS),
    blocks.to_master_bytes(Transaction(6, Level.SECOND, 123_456, 98_765_432, 12_345_678, wide=True)),
    *(bytes.fromhex(text) for text in TO_PUMP),
    blocks.to_pump_bytes(VolumePreset(12_345, 6, Level.SECOND)),
]


@pytest.mark.parametrize("wire", BLOCKS, ids=len)
def test_every_single_damaged_bit_of_a_block_is_noticed(wire: bytes) -> None:
    known = {_read(wire)}
    for bit in range(len(wire) * 8):
        damaged = bytearray(wire)
        damaged[bit // 8] ^= 1 << bit % 8
        assert _read(bytes(damaged)) in known | {None}, "the words before the grade mean nothing to us"


def _read(wire: bytes) -> blocks.ToMaster | blocks.ToPump | None:
    for read in (blocks.transaction_of, blocks.totals_of, blocks.to_pump):
        with contextlib.suppress(FrameError):
            found: blocks.ToMaster | blocks.ToPump = read(wire)
            return found
    return None


@pytest.mark.parametrize("wire", BLOCKS, ids=len)
def test_a_block_is_whole_at_its_last_word_and_never_before(wire: bytes) -> None:
    assert [is_whole(wire[:size]) for size in range(len(wire) + 1)] == [False] * len(wire) + [True]


@given(st.integers(0, 99_999_999))
def test_digits_come_back(value: int) -> None:
    assert from_digits(to_digits(value, 8)) == value


levels = st.sampled_from(Level)
grades = st.integers(1, 6)
five = st.integers(0, 99_999)


@given(
    st.one_of(
        st.builds(VolumePreset, five, grades, levels),
        st.builds(MoneyPreset, five, st.none() | grades, st.none() | levels),
        st.builds(MoneyPreset, st.integers(0, 999_999), st.none() | grades, levels, st.just(6)),
        st.builds(Price, st.integers(0, 9_999), grades, levels),
        st.builds(SpecialFunction, st.sampled_from(["001", "999", "010"])),
    )
)
def test_any_block_to_a_pump_comes_back(item: blocks.ToPump) -> None:
    data = blocks.to_pump_bytes(item)
    assert blocks.to_pump(data) == item
    assert (data[1] & 0x0F) + len(data) - 2 == 16
    assert not (sum(word & 0x0F for word in data[:-1])) & 0x0F


@given(
    st.builds(
        Transaction,
        grades,
        levels,
        st.integers(0, 9_999),
        st.integers(0, 999_999),
        st.integers(0, 999_999),
        st.booleans(),
    )
)
def test_any_transaction_comes_back(item: Transaction) -> None:
    assert blocks.transaction_of(blocks.to_master_bytes(item)) == item


WORDS = st.lists(st.sampled_from([*range(0xE0, 0x100), 0x71]), max_size=200).map(bytes)


@given(st.one_of(st.binary(max_size=300), WORDS, WORDS.map(lambda words: b"\xff" + words + b"\xf0")))
def test_garbage_raises_nothing_but_named_errors(data: bytes) -> None:
    for read in (blocks.to_pump, blocks.transaction_of, blocks.totals_of, blocks.version_of, money_of):
        with contextlib.suppress(FrameError):
            read(data)
    with contextlib.suppress(FrameError):
        status_of(data, 1)


def test_every_kind_of_damage_has_its_own_name() -> None:
    kinds = [error.kind for error in FrameError.__subclasses__()]
    assert len(set(kinds)) == len(kinds) == 10


def test_long_garbage_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLong):
        blocks.totals_of(b"\xff" * 1_000_000)


def test_what_cannot_be_sent_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        to_digits(100_000, 5)
    with pytest.raises(ValueError, match="pumps 1 to 16"):
        command_byte(Command.STATUS, 17)
    with pytest.raises(ValueError, match="has 1 to 13"):
        data_block(bytes(14))
