"""Journal records: what is written comes back the same, and whatever is not ours is called damaged."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.records import (
    EPOCH_BYTES,
    GENESIS,
    HASH_BYTES,
    Body,
    DamagedRow,
    Record,
    Row,
    RowName,
    Stopped,
    chain_hash,
    decode_body,
    encode_body,
    kind_of,
    open_row,
    parse_row_name,
    seal_row,
)
from tests.domain.rows import EPOCH, STAMP, any_of, delivery, settlement

KINDS = get_args(Record)
EXAMPLES = 40
"""Of each kind."""
NAME = RowName(EPOCH, 7)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_record_comes_back_as_it_was_written(kind: type[msgspec.Struct]) -> None:
    @settings(max_examples=EXAMPLES)
    @given(any_of(kind), any_of(RowName), any_of(type(STAMP)))
    def comes_back(record, name, stamp) -> None:  # type: ignore[no-untyped-def]
        body = Body(name, stamp, record)
        data = encode_body(body)
        assert decode_body(data) == body
        assert encode_body(decode_body(data)) == data

    comes_back()


def test_no_two_kinds_of_record_have_the_same_tag() -> None:
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(tags)) == len(tags)
    assert all(isinstance(tag, str) and tag.islower() for tag in tags)


def test_the_kind_of_a_record_is_its_tag() -> None:
    assert kind_of(Stopped("ordered")) == "stopped"
    assert kind_of(delivery()) == "delivery"


@given(any_of(Record), st.data())
def test_any_flipped_byte_breaks_the_chain(record: Record, data: st.DataObject) -> None:
    row = seal_row(GENESIS, Body(NAME, STAMP, record))
    index = data.draw(st.integers(0, len(row.body) + len(row.hash) - 1))
    flip = data.draw(st.integers(1, 255))
    whole = bytearray(row.body + row.hash)
    whole[index] ^= flip
    bent = Row(bytes(whole[: len(row.body)]), bytes(whole[len(row.body) :]))
    with pytest.raises(DamagedRow):
        open_row(GENESIS, bent)


def test_a_row_opens_only_behind_the_row_it_was_sealed_to() -> None:
    first = seal_row(GENESIS, Body(RowName(EPOCH, 1), STAMP, delivery()))
    second = seal_row(first.hash, Body(RowName(EPOCH, 2), STAMP, settlement(RowName(EPOCH, 1))))
    assert open_row(first.hash, second).record == settlement(RowName(EPOCH, 1))
    with pytest.raises(DamagedRow, match=f"row {EPOCH.hex()}-2 does not follow the row before it"):
        open_row(GENESIS, second)


@given(st.binary(max_size=200))
def test_garbage_is_a_damaged_row_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(DamagedRow, match="not a journal row"):
        decode_body(garbage)


@given(any_of(Record), st.data())
def test_a_bent_row_is_some_row_or_damaged_and_nothing_else(record: Record, data: st.DataObject) -> None:
    body = bytearray(encode_body(Body(NAME, STAMP, record)))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    for bent in (bytes(body), bytes(body[:cut])):
        try:
            decode_body(bent)
        except DamagedRow:
            continue


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x93\x92\xc4\x08aaaaaaaa\x01\x94\x01\xc4\x01a\x01\xa1\xff\x92\xa7stopped\xa1a", id="no UTF-8"),
        pytest.param(encode_body(Body(NAME, STAMP, Stopped("x")))[:-3] + b"\x91" * 100_000, id="nested too deep"),
        pytest.param(b"\x94" + encode_body(Body(NAME, STAMP, Stopped("x")))[1:] + b"\x91" * 100_000, id="a deep tail"),
    ],
)
def test_hostile_bytes_are_a_damaged_row(body: bytes) -> None:
    with pytest.raises(DamagedRow):
        decode_body(body)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_record_of_a_newer_program_with_one_more_field_is_still_read(kind: type[msgspec.Struct]) -> None:
    @settings(max_examples=EXAMPLES)
    @given(any_of(kind), any_of(int) | st.text() | st.binary() | st.none() | st.lists(st.integers(0, 9)))
    def is_read(record, more) -> None:  # type: ignore[no-untyped-def]
        name, stamp, fields = msgspec.msgpack.decode(encode_body(Body(NAME, STAMP, record)))
        newer = msgspec.msgpack.encode([name, [*stamp, more], [*fields, more]])
        assert decode_body(newer).record == record

    is_read()


def test_an_evidence_of_before_the_list_state_was_kept_is_still_read() -> None:
    name, stamp, _ = msgspec.msgpack.decode(encode_body(Body(NAME, STAMP, delivery())))
    declined = ["declined", 1, 1, None, "card_unknown", [3, b"", 0, 0, None, b"", 99]]
    record = decode_body(msgspec.msgpack.encode([name, stamp, declined])).record
    assert record.evidence.at_ms == 99  # type: ignore[union-attr]  # it is a Declined
    assert record.evidence.list_state is None  # type: ignore[union-attr]


@given(st.binary(min_size=EPOCH_BYTES, max_size=EPOCH_BYTES), st.integers(0, 2**63))
def test_a_rows_name_comes_back_from_its_text(epoch: bytes, seq: int) -> None:
    name = RowName(epoch, seq)
    assert parse_row_name(name.text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "1",
        "00-1",
        "0001020304050607",
        "0001020304050607-",
        "0001020304050607-x",
        "0001020304050607--1",
        "0001020304050g07-1",
        "00 01 02 03 04 0-1",
        "abcdabcd abcdab -1",
        "0001020304050607-٣",
    ],
)
def test_what_names_no_row_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no row|non-hexadecimal"):
        parse_row_name(text)


def test_a_chain_hash_depends_on_both_halves() -> None:
    assert len(chain_hash(GENESIS, b"a")) == HASH_BYTES
    assert len({chain_hash(GENESIS, b"a"), chain_hash(GENESIS, b"b"), chain_hash(b"\x01" * 32, b"a")}) == 3
