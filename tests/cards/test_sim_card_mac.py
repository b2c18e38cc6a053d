"""The Transaction MAC that the card gives, as headquarters checks it: what was written, what was read, and by whom."""

from __future__ import annotations

import pytest

from card_io.desfire import commands, transaction_mac
from card_io.desfire.channel import Mode
from card_io.desfire.crypto import AesKey
from card_io.errors import CardStatusError
from sim.cards.state import FREE, NEVER, Rights
from tests.cards.bench import UID
from tests.cards.purse import (
    BACKUP,
    CYCLIC,
    MAC,
    MAC_KEY,
    NAMED_MAC,
    OPEN,
    READABLE_MAC,
    RECORD,
    START,
    VALUE,
    call,
    ev2,
    purse,
    run,
    say,
    select,
)


def test_a_commit_gives_a_transaction_mac_that_headquarters_can_check() -> None:
    sim = purse("full", mac=READABLE_MAC)
    select(sim)
    for count in (1, 2):
        channel = ev2(sim, 3)
        written = [
            commands.debit(VALUE, 7, Mode.FULL),
            commands.write_data(BACKUP, b"where and when", Mode.FULL),
            commands.write_record(CYCLIC, bytes(range(RECORD)), Mode.FULL),
        ]
        for each in written:
            call(sim, channel, each)
        answer = run(sim, commands.commit(channel, transaction_mac=True))
        assert answer is not None
        assert answer.counter == count
        parts = [transaction_mac.transaction_input(each) for each in written]
        assert transaction_mac.is_genuine(AesKey(MAC_KEY), UID, count, answer.value, parts)
        assert not transaction_mac.is_genuine(AesKey(MAC_KEY), UID, count, answer.value, parts[:-1])
        assert not transaction_mac.is_genuine(AesKey(bytes(16)), UID, count, answer.value, parts)
        reader = ev2(sim, 1)
        stored = run(sim, commands.read_data(reader, MAC, 12, Mode.MAC))
        assert commands.TransactionMac.parse(stored) == answer


def test_what_was_read_is_in_the_transaction_mac_too() -> None:
    sim = purse("plain", OPEN, mac=Rights(FREE, NEVER, NEVER, 0))
    select(sim)
    assert say(sim, "6C03") == "00F4010000"
    answer = bytes.fromhex(say(sim, "C701"))
    read = bytes.fromhex("6C03F4010000").ljust(16, b"\0")
    assert answer[1:5] == b"\1\0\0\0"
    assert transaction_mac.is_genuine(AesKey(MAC_KEY), UID, 1, answer[5:], [read])
    assert say(sim, "AD0F000000000000")[2:] == answer[1:].hex().upper()
    assert say(sim, "C701") == "0C", "reading the Transaction MAC itself is no transaction"


def test_a_reader_must_name_itself_and_the_next_one_is_told() -> None:
    sim = purse("full", mac=NAMED_MAC)
    select(sim)
    names = [bytes((0xA0 + number,)) * 16 for number in range(3)]
    before = bytes(16)
    for count, name in enumerate(names, 1):
        channel = ev2(sim, 3)
        told = run(sim, commands.commit_reader_id(channel, name))
        assert transaction_mac.previous_reader_id(AesKey(MAC_KEY), UID, count, told) == before
        debit = commands.debit(VALUE, 1, Mode.FULL)
        call(sim, channel, debit)
        answer = run(sim, commands.commit(channel, transaction_mac=True))
        assert answer is not None
        parts = [transaction_mac.reader_id_input(name, told), transaction_mac.transaction_input(debit)]
        assert transaction_mac.is_genuine(AesKey(MAC_KEY), UID, count, answer.value, parts)
        before = name


def test_a_commit_of_nobody_is_refused() -> None:
    sim = purse("full", mac=NAMED_MAC)
    select(sim)
    channel = ev2(sim, 3)
    call(sim, channel, commands.debit(VALUE, 1, Mode.FULL))
    with pytest.raises(CardStatusError, match="919D"):
        run(sim, commands.commit(channel, transaction_mac=True))
    channel = ev2(sim, 3)
    assert run(sim, commands.get_value(channel, VALUE, Mode.FULL)) == START


def test_a_reader_names_itself_once() -> None:
    sim = purse("full", mac=NAMED_MAC)
    select(sim)
    channel = ev2(sim, 3)
    run(sim, commands.commit_reader_id(channel, bytes(16)))
    with pytest.raises(CardStatusError, match="919D"):
        run(sim, commands.commit_reader_id(channel, bytes(16)))
