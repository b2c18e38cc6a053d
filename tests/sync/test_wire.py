"""The wire's bytes: they stay what they are, and anything else is refused in a sentence."""

import zlib

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.records import GENESIS, Row
from sync import wire
from sync.wire import (
    Acknowledgement,
    BalanceAnswer,
    BalanceAsk,
    Batch,
    Expects,
    Malformed,
    Position,
    Reply,
    Request,
    SealedBatch,
    SealedRequest,
    SignatureWrong,
    TooLarge,
    VersionUnknown,
    WireError,
    pack_acknowledgement,
    pack_batch,
    pack_reply,
    pack_request,
    rows_that_fit,
    unpack_acknowledgement,
    unpack_reply,
)
from tests.sync.peers import KEY, PUBLIC, STATION, Chance, Journal

ACKNOWLEDGEMENT = Acknowledgement(
    "st-1", Position(b"e" * 8, 7, b"h" * 32), (Position(b"e" * 8, 7, b"h" * 32),), Expects.NEXT
)


def _journal(sales: int) -> Journal:
    journal = Journal()
    journal.start(Chance(1))
    for _ in range(sales):
        journal.sell()
    return journal


def test_an_acknowledgement_has_these_bytes_for_ever() -> None:
    data = pack_acknowledgement(ACKNOWLEDGEMENT)
    position = "93c408" + "65" * 8 + "07c420" + "68" * 32
    of_before = "a473742d31" + position + "91" + position + "a46e657874"
    assert data.hex() == "014196" + of_before + "9090"
    assert unpack_acknowledgement(data) == ACKNOWLEDGEMENT
    for older in ("014194" + of_before, "014195" + of_before + "90"):
        assert unpack_acknowledgement(bytes.fromhex(older)) == ACKNOWLEDGEMENT, "an older headquarters' one"


def test_a_reply_has_these_bytes_for_ever() -> None:
    reply = Reply("c1", BalanceAnswer("a", -5, 9))
    data = pack_reply(reply)
    assert data.hex() == "015292a2633194a762616c616e6365a161fb09"
    assert unpack_reply(data) == reply


def test_a_signed_request_has_these_bytes_for_ever() -> None:
    request = Request("c1", "st-1", BalanceAsk("a"))
    data = pack_request(request, KEY)
    assert data[:7].hex() == "015193a473742d"[:14]
    assert data[8:10] == b"\xc4\x14"
    assert data[10:30].hex() == "93a26331a473742d3192a762616c616e6365a161"
    assert data.hex().endswith(KEY.sign(b"forecourt\x01Qst-1\0" + data[10:30]).hex())
    assert SealedRequest(data).open(PUBLIC) == request


def test_a_batch_comes_back_as_it_was_sent() -> None:
    journal = _journal(100)
    batch = SealedBatch(journal.batch(0)).open(PUBLIC)
    assert batch == Batch(STATION, 0, GENESIS, tuple(journal.rows))


def test_fifty_sales_take_little_of_a_mobile_link() -> None:
    assert len(_journal(50).batch(0)) < 50 * 200


@given(st.binary(max_size=300))
def test_garbage_is_refused_in_a_sentence(data: bytes) -> None:
    for prefix in (b"", b"\x01B", b"\x01A", b"\x01Q", b"\x01R"):
        for read in (SealedBatch, SealedRequest, unpack_acknowledgement, unpack_reply):
            with pytest.raises(WireError):
                read(prefix + data)


@given(st.binary(max_size=300))
def test_garbage_under_a_good_signature_is_refused_too(data: bytes) -> None:
    deflated = zlib.compress(data, wbits=-15)
    for packed in (data, deflated):
        with pytest.raises(WireError):
            SealedBatch(wire._seal(b"B", STATION, packed, KEY)).open(PUBLIC)
    with pytest.raises(WireError):
        SealedRequest(wire._seal(b"Q", STATION, data, KEY)).open(PUBLIC)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_byte_of_a_signed_batch_can_be_changed(place: int, change: int) -> None:
    data = bytearray(_journal(2).batch(0))
    data[place % len(data)] ^= change
    with pytest.raises(WireError):
        SealedBatch(bytes(data)).open(PUBLIC)


def test_another_key_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"x" * 32).public_key().public_bytes_raw()
    with pytest.raises(SignatureWrong, match=r"st-1.*enrol"):
        SealedBatch(_journal(1).batch(0)).open(other)


def test_a_request_cannot_be_passed_off_as_a_batch() -> None:
    data = bytearray(pack_request(Request("c1", STATION, BalanceAsk("a")), KEY))
    data[1:2] = b"B"
    with pytest.raises(SignatureWrong):
        SealedBatch(bytes(data)).open(PUBLIC)


def test_a_decompression_bomb_is_refused() -> None:
    bomb = zlib.compress(bytes(wire.MAX_INFLATED_BYTES * 4), wbits=-15)
    assert len(bomb) < wire.MAX_MESSAGE_BYTES
    with pytest.raises(TooLarge, match="inflated"):
        SealedBatch(wire._seal(b"B", STATION, bomb, KEY)).open(PUBLIC)


@pytest.mark.parametrize("tail", [b"more", None])
def test_a_batch_that_was_cut_or_lengthened_within_its_signature_is_refused(tail: bytes | None) -> None:
    packed = zlib.compress(msgspec.msgpack.encode(Batch(STATION, 0, GENESIS, ())), wbits=-15)
    with pytest.raises(Malformed, match="cut off"):
        SealedBatch(wire._seal(b"B", STATION, packed + tail if tail else packed[:-1], KEY)).open(PUBLIC)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(Malformed):
        unpack_reply(b"\x01R\x93\xa1c\xc0" + b"\x91" * 50_000)


def test_too_many_rows_are_refused_at_both_ends() -> None:
    batch = Batch(STATION, 0, GENESIS, tuple(Row(b"", GENESIS) for _ in range(wire.MAX_ROWS + 1)))
    with pytest.raises(TooLarge):
        pack_batch(batch, KEY)
    packed = zlib.compress(msgspec.msgpack.encode(batch), wbits=-15)
    with pytest.raises(Malformed):
        SealedBatch(wire._seal(b"B", STATION, packed, KEY)).open(PUBLIC)


def test_a_newer_version_is_named() -> None:
    with pytest.raises(VersionUnknown, match="wire version 2"):
        unpack_reply(b"\x02R")


def test_big_rows_make_small_batches() -> None:
    rows = [Row(bytes(200 << 10), GENESIS) for _ in range(10)]
    assert len(rows_that_fit(rows)) == 2
    assert len(rows_that_fit([Row(bytes(wire.FIT_BYTES), GENESIS)])) == 1
    assert rows_that_fit([]) == ()


@pytest.mark.parametrize("station", ["", "-a", "a b", "../x", "ü", "a" * 65])
def test_a_station_id_fits_into_an_address(station: str) -> None:
    with pytest.raises(WireError):
        wire.check_station_id(station)
