"""Who listens to an AZT line reads what was asked and what was answered; nothing that passes makes it fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.pumps.azt2.decode import AztDecoder
from controller.pumps.azt2.frame import FRAME_BYTES_MAX, Answer, Reply, Request, encode_reply, encode_request
from controller.pumps.azt2.messages import Command, State, dose_bytes, price_bytes
from controller.pumps.decoded import Check, Decoded, Decoder, Direction, Part
from controller.pumps.words import Clear, Idle
from tests.pumps.azt2.bench import bench, sale


def heard(request: Request, reply: Reply) -> list[Decoded]:
    decoder: Decoder = AztDecoder()
    asked = decoder.feed(encode_request(request), Direction.TO_PUMP)
    return asked + decoder.feed(encode_reply(reply), Direction.TO_MASTER)


@pytest.mark.parametrize(
    ("request_", "reply", "asked", "answered"),
    [
        (
            Request(31, Command.STATUS),
            Reply(Answer.DATA, b"41"),
            Part("status"),
            Part("status", {"state": 4, "text": "finished", "reason": 1, "why": "overfill"}),
        ),
        (
            Request(1, Command.FULL),
            Reply(Answer.DATA, b"0123400567895499"),
            Part("full data"),
            Part("full data", {"volume": 1234, "amount": 56789, "price": 5499}),
        ),
        (
            Request(1, Command.TOTALS),
            Reply(Answer.DATA, b"0000012300000456"),
            Part("totals"),
            Part("totals", {"volume": 123, "amount": 456}),
        ),
        (
            Request(1, Command.RUNNING),
            Reply(Answer.DATA, b"001234"),
            Part("running volume"),
            Part("running volume", {"volume": 1234}),
        ),
        (
            Request(1, Command.DOSE, dose_bytes(1000)),
            Reply(Answer.ACK),
            Part("set dose", {"volume": 1000}),
            Part("set dose"),
        ),
        (
            Request(1, Command.DOSE, dose_bytes(None)),
            Reply(Answer.CAN),
            Part("set dose", {"full_tank": True}),
            Part("set dose"),
        ),
        (
            Request(1, Command.PRICE, price_bytes(1234)),
            Reply(Answer.NAK),
            Part("set price", {"price": 1234}),
            Part("set price"),
        ),
        (
            Request(1, Command.VERSION),
            Reply(Answer.DATA, b"00000200"),
            Part("protocol version"),
            Part("protocol version", {"text": "00000200"}),
        ),
    ],
)
def test_a_request_and_its_answer_are_read_together(
    request_: Request, reply: Reply, asked: Part, answered: Part
) -> None:
    first, second = heard(request_, reply)
    assert (first.address, first.kind, first.crc, list(first.parts), first.error) == (
        request_.channel,
        "request",
        Check.OK,
        [asked],
        "",
    )
    assert (second.address, list(second.parts), second.error) == (request_.channel, [answered], "")
    assert second.kind == ("reply" if reply.answer is Answer.DATA else reply.answer.name.lower())


def test_a_whole_sale_is_read_without_an_error() -> None:
    decoder = AztDecoder()
    records: list[Decoded] = []
    b = bench(channel=16)

    def to_pump(data: bytes) -> bytes:
        records.extend(decoder.feed(data, Direction.TO_PUMP))
        return data

    def to_core(data: bytes) -> bytes:
        for at in range(len(data)):
            records.extend(decoder.feed(data[at : at + 1], Direction.TO_MASTER))
        return data

    b.to_pump, b.to_core = to_pump, to_core
    b.until(Idle)
    b.submit(Clear(sale(b).clear_token))
    b.until(Idle)
    assert {record.error for record in records} == {""}
    assert {record.address for record in records} == {16}
    states = {part.values["state"] for record in records for part in record.parts if "state" in part.values}
    assert states == {int(state) for state in State} - {int(State.DOSED)}


def test_a_reply_to_an_unknown_request_is_told_as_such() -> None:
    decoder = AztDecoder()
    (record,) = decoder.feed(encode_reply(Reply(Answer.DATA, b"2")), Direction.TO_MASTER)
    assert (record.address, record.crc, record.parts, record.error) == (
        None,
        Check.OK,
        (Part("reply", {"data": "2"}),),
        "",
    )
    (record,) = decoder.feed(encode_request(Request(1, Command.STATUS)), Direction.TO_MASTER)
    assert record.error == "no digits: no reply"


def test_damage_is_told_with_its_name() -> None:
    decoder = AztDecoder()
    (record,) = decoder.feed(bytes.fromhex("7f0230 4f0303 72"), Direction.TO_MASTER)
    assert (record.kind, record.crc) == ("frame", Check.BAD)
    assert record.error.startswith("bad sum")


def test_what_never_ends_is_noise_at_last() -> None:
    decoder = AztDecoder()
    assert decoder.feed(b"0" * FRAME_BYTES_MAX, Direction.TO_PUMP) == []
    (record,) = decoder.feed(b"0", Direction.TO_PUMP)
    assert record.kind == "noise"
    assert decoder.feed(b"\x7f\x02", Direction.TO_PUMP) == []
    (left,) = decoder.flush(Direction.TO_PUMP)
    assert (left.kind, left.raw) == ("noise", "7f 02")
    assert decoder.flush(Direction.TO_PUMP) == []


@given(st.lists(st.tuples(st.binary(max_size=60), st.sampled_from(Direction)), max_size=20))
def test_whatever_passes_is_told_and_nothing_is_lost(chunks: list[tuple[bytes, Direction]]) -> None:
    decoder = AztDecoder()
    for direction in Direction:
        told = b""
        for data, to in chunks:
            records = decoder.feed(data, to)
            told += b"".join(bytes.fromhex(record.raw) for record in records) if to is direction else b""
        told += b"".join(bytes.fromhex(record.raw) for record in decoder.flush(direction))
        decoder = AztDecoder()
        assert told == b"".join(data for data, to in chunks if to is direction)
