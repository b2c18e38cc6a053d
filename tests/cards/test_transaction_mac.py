"""The Transaction MAC: session keys as printed; the value against a card that computes it by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_io.desfire import transaction_mac as tm
from card_io.desfire.channel import Mode
from card_io.desfire.commands import debit, write_data
from card_io.desfire.crypto import AesKey
from card_io.purse import DebitSession
from tests.cards.bench import UID, seeded
from tests.cards.office import INTENT, OFFICE, READER_ID, STATION_KEYS, VAULT, VERSION, loaded, run
from tests.cards.test_crypto import raw

X = bytes.fromhex
KEY = AesKey(X("66A8CB93269DC9BC2885B7A91B9C697B"))
CARD_KEY = VAULT.card_key(15, VERSION, OFFICE.diversification(UID, 15))


def test_session_keys_are_as_printed() -> None:
    keys = tm.transaction_keys(KEY, X("04010203040506"), 8)
    assert raw(keys.mac) == X("7C1AD2D9C5C08154A0A4914B401A6598")
    assert raw(keys.enc) == X("119B902A07B18A865B8E1B0060594784")


def test_the_input_is_made_of_whole_blocks() -> None:
    assert tm.transaction_input(debit(3, 5, Mode.FULL)) == X("DC0305000000").ljust(16, b"\0")
    written = tm.transaction_input(write_data(5, b"\xaa" * 17, Mode.FULL))
    assert written == X("3D05000000110000").ljust(16, b"\0") + (b"\xaa" * 17).ljust(32, b"\0")
    assert len(tm.reader_id_input(bytes(16), bytes(16))) == 48


def test_what_a_card_commits_headquarters_can_check() -> None:
    card = loaded()
    session = DebitSession(OFFICE, STATION_KEYS, seeded(5), uid=UID, intent=INTENT, reader_id=READER_ID)
    proof = run(session, card).proof
    assert proof is not None
    assert tm.is_genuine(CARD_KEY, UID, proof.counter, proof.value, [proof.commands])
    assert not tm.is_genuine(CARD_KEY, UID, proof.counter + 1, proof.value, [proof.commands])
    assert not tm.is_genuine(CARD_KEY, UID, 0, proof.value, [proof.commands])
    assert not tm.is_genuine(KEY, UID, proof.counter, proof.value, [proof.commands])
    encrypted = proof.commands[-48:][17:33]
    assert tm.previous_reader_id(CARD_KEY, UID, proof.counter, encrypted) == READER_ID, "who loaded it before"


@given(st.integers(0, 111), st.integers(0, 7))
def test_no_byte_of_a_commit_can_be_changed(at: int, bit: int) -> None:
    commands = bytearray(112)
    value = tm.transaction_mac(KEY, UID, 1, [bytes(commands)])
    commands[at] ^= 1 << bit
    assert not tm.is_genuine(KEY, UID, 1, value, [bytes(commands)])


@pytest.mark.parametrize("cut", [16, 48, 64])
def test_parts_may_come_one_by_one(cut: int) -> None:
    whole = bytes(range(96))
    assert tm.transaction_mac(KEY, UID, 9, [whole[:cut], whole[cut:]]) == tm.transaction_mac(KEY, UID, 9, [whole])
