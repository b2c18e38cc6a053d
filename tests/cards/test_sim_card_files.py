"""What the card's files do, under every kind of messaging: data, values, records, transactions, the Transaction MAC."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from card_io.desfire import administration as admin
from card_io.desfire import commands
from card_io.desfire.channel import Call, Channel, Mode, OpenChannel
from card_io.desfire.files import CyclicFile, DataFile, TransactionMacFile
from card_io.desfire.files import Rights as WireRights
from card_io.desfire.files import ValueFile as WireValueFile
from card_io.errors import CardStatusError
from sim.cards.card import SimCard
from sim.cards.directory import MEMORY_BYTES
from sim.cards.state import AS_DELIVERED, FREE, NEVER, Application, CardState, KeyState, Rights
from sim.cards.state import Mode as StateMode
from tests.cards.bench import UID, seeded
from tests.cards.purse import (
    AID,
    BACKUP,
    CYCLIC,
    KEYS,
    LINEAR,
    MAC,
    MAC_KEY,
    OPEN,
    RECORD,
    ROOM,
    SIZE,
    STANDARD,
    START,
    VALUE,
    call,
    ev1,
    ev2,
    purse,
    run,
    say,
    select,
)

Opened: TypeAlias = tuple[SimCard, Channel, Mode]
LONG = bytes(range(SIZE))

WAYS: dict[str, tuple[StateMode, Mode, Callable[[SimCard], Channel]]] = {
    "open": ("full", Mode.PLAIN, lambda sim: OpenChannel()),
    "EV1 plain": ("plain", Mode.PLAIN, lambda sim: ev1(sim, 3)),
    "EV1 MAC": ("mac", Mode.MAC, lambda sim: ev1(sim, 3)),
    "EV1 full": ("full", Mode.FULL, lambda sim: ev1(sim, 3)),
    "EV2 plain": ("plain", Mode.PLAIN, lambda sim: ev2(sim, 3)),
    "EV2 MAC": ("mac", Mode.MAC, lambda sim: ev2(sim, 3)),
    "EV2 full": ("full", Mode.FULL, lambda sim: ev2(sim, 3)),
}


@pytest.fixture(params=WAYS)
def opened(request: pytest.FixtureRequest) -> Opened:
    """A purse whose key 3 may do everything, a channel to it, and the mode of its files."""
    mode, wire, authenticate = WAYS[request.param]
    sim = purse(mode, OPEN if request.param == "open" else Rights(3, 3, 3, 3))
    select(sim)
    return sim, authenticate(sim), wire


def commit(sim: SimCard, channel: Channel) -> None:
    run(sim, commands.commit(channel, transaction_mac=False))


def test_a_standard_file_is_written_at_once(opened: Opened) -> None:
    sim, channel, mode = opened
    call(sim, channel, commands.write_data(STANDARD, LONG, mode))
    assert run(sim, commands.read_data(channel, STANDARD, SIZE, mode)) == LONG
    call(sim, channel, commands.write_data(STANDARD, b"twenty-one bytes here", mode, offset=7))
    assert run(sim, commands.read_data(channel, STANDARD, 21, mode, offset=7)) == b"twenty-one bytes here"
    assert run(sim, commands.read_data(channel, STANDARD, 72, mode, offset=28)) == LONG[28:]


def test_a_backup_file_reads_as_before_until_the_commit(opened: Opened) -> None:
    sim, channel, mode = opened
    call(sim, channel, commands.write_data(BACKUP, LONG, mode))
    call(sim, channel, commands.write_data(BACKUP, b"\xff", mode, offset=1))
    assert run(sim, commands.read_data(channel, BACKUP, SIZE, mode)) == bytes(SIZE)
    commit(sim, channel)
    assert run(sim, commands.read_data(channel, BACKUP, SIZE, mode)) == b"\x00\xff" + LONG[2:]


def test_a_value_moves_with_the_commit_and_comes_back_once(opened: Opened) -> None:
    sim, channel, mode = opened
    call(sim, channel, commands.debit(VALUE, 120, mode))
    call(sim, channel, commands.debit(VALUE, 80, mode))
    assert run(sim, commands.get_value(channel, VALUE, mode)) == START
    commit(sim, channel)
    assert run(sim, commands.get_value(channel, VALUE, mode)) == START - 200
    call(sim, channel, commands.limited_credit(VALUE, 150, mode))
    commit(sim, channel)
    assert run(sim, commands.get_value(channel, VALUE, mode)) == START - 50
    with pytest.raises(CardStatusError, match="91BE"):
        call(sim, channel, commands.limited_credit(VALUE, 1, mode))


def test_records_come_oldest_first_and_the_oldest_goes(opened: Opened) -> None:
    sim, channel, mode = opened
    records = [bytes((number,)) * RECORD for number in range(5)]
    for record in records:
        call(sim, channel, commands.write_record(CYCLIC, record, mode))
        commit(sim, channel)
    assert run(sim, commands.read_records(channel, CYCLIC, RECORD, ROOM, mode)) == tuple(records[-ROOM:])
    assert run(sim, commands.read_records(channel, CYCLIC, RECORD, 1, mode)) == (records[-1],)
    with pytest.raises(CardStatusError, match="91BE"):
        run(sim, commands.read_records(channel, CYCLIC, RECORD, ROOM + 1, mode))


def test_a_linear_file_fills_up_and_is_cleared(opened: Opened) -> None:
    sim, channel, mode = opened
    for _ in range(ROOM):
        call(sim, channel, commands.write_record(LINEAR, bytes(RECORD), mode))
        commit(sim, channel)
    call(sim, channel, clearing(LINEAR))
    assert len(run(sim, commands.read_records(channel, LINEAR, RECORD, ROOM, mode))) == ROOM, "not committed"
    commit(sim, channel)
    with pytest.raises(CardStatusError, match="91BE"):
        run(sim, commands.read_records(channel, LINEAR, RECORD, 1, mode))


def clearing(number: int) -> Call:
    """ClearRecordFile has nothing to encrypt; in a session it has its MAC even where the file's data have none."""
    return Call(0xEB, "to clear records", bytes((number,)), mode=Mode.MAC, answer=Mode.MAC)


def test_a_full_linear_file_takes_no_more() -> None:
    sim = purse("plain", OPEN)
    select(sim)
    record = "8B05000000100000" + "AA" * RECORD
    for _ in range(ROOM):
        assert (say(sim, record), say(sim, "C7")) == ("00", "00")
    assert say(sim, record) == "BE"


def test_one_record_waits_and_is_mended_by_writing_again() -> None:
    sim = purse("plain", OPEN)
    select(sim)
    assert say(sim, "8B0400000004000001020304") == "00"
    assert say(sim, "8B040400000200000506") == "00"
    assert say(sim, "C7") == "00"
    assert say(sim, "AB04000000000000") == "00" + "010203040506" + "00" * 10


def test_records_are_counted_back_from_the_newest() -> None:
    sim = purse("plain", OPEN)
    select(sim)
    for number in (1, 2, 3):
        say(sim, f"8B04000000010000{number:02X}")
        say(sim, "C7")
    assert say(sim, "AB04010000020000") == "00" + "01" + "00" * 15 + "02" + "00" * 15
    for first, count in ((3, 0), (2, 2), (0, 4)):
        assert say(sim, f"AB04{first:02X}0000{count:02X}0000") == "BE"


@pytest.mark.parametrize(
    "ending",
    ["A7", "5AF50402", "5A000000", "7100", "F509", "reset"],
    ids=["abort", "select again", "card level", "a refused authentication", "an error", "power off"],
)
def test_what_is_not_committed_never_was(ending: str) -> None:
    sim = purse("plain", OPEN)
    select(sim)
    for frame in ("8D02000000010000FF", "DC030A000000", "8B04000000010000FF", "EB05"):
        assert say(sim, frame) == "00"
    if ending == "reset":
        sim.reset()
    else:
        say(sim, ending)
    before = sim.state.copy()
    select(sim)
    assert say(sim, "C7") == "0C"
    assert sim.state == before == purse("plain", OPEN).state


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("0C03F5010000", "BE"),  # above the upper limit
        ("0C03F4010000", "00"),  # just at it
        ("DC03F5010000", "BE"),  # below the lower limit
        ("DC03F4010000", "00"),
        ("DC03FFFFFFFF", "9E"),  # a negative amount
        ("1C0301000000", "BE"),  # nothing was debited
        ("DC0301", "7E"),
        ("AD01640000000000", "BE"),  # behind the end
        ("AD01630000020000", "BE"),
        ("8D01630000020000FFFF", "BE"),
        ("8D01000000000000", "7E"),
        ("8B04000000110000" + "00" * 17, "BE"),
        ("8D01000000010000FFFF", "7E"),
        ("6C01", "9D"),
        ("C702", "9E"),
        ("C701", "9E"),  # there is no Transaction MAC
        ("C70000", "7E"),
    ],
)
def test_a_command_beyond_its_bounds_is_refused(command: str, status: str) -> None:
    sim = purse("plain", OPEN)
    select(sim)
    assert say(sim, command) == status


def test_limits_count_what_waits() -> None:
    sim = purse("plain", OPEN)
    select(sim)
    assert say(sim, "DC032C010000") == "00"  # 300 of 500
    assert say(sim, "DC03C9000000") == "BE"  # and 201
    assert say(sim, "C7") == "0C", "the error dropped the first debit too"


def test_the_limited_credit_is_of_the_latest_debits_only() -> None:
    sim = purse("plain", OPEN)
    select(sim)
    for amount in (100, 30):
        say(sim, "DC03" + amount.to_bytes(4, "little").hex())
        say(sim, "C7")
    assert say(sim, "F503")[-10:] == "1E00000001"
    assert say(sim, "1C031F000000") == "BE"
    assert (say(sim, "1C030A000000"), say(sim, "C7")) == ("00", "00")
    assert say(sim, "1C0301000000") == "BE", "once, whatever was given back"


def test_the_limited_credit_is_given_once_in_a_transaction_too() -> None:
    sim = purse("plain", OPEN)
    select(sim)
    for frame in ("DC0364000000", "C7", "1C030A000000"):
        assert say(sim, frame) == "00"
    assert say(sim, "1C030A000000") == "BE"


@pytest.mark.parametrize("mode", ["mac", "full"])
def test_an_ev1_command_that_was_changed_on_its_way_is_an_integrity_error(mode: StateMode) -> None:
    sim = purse(mode, Rights(3, 3, 3, 3))
    select(sim)
    channel = ev1(sim, 3)
    steps = channel.call(commands.debit(VALUE, 100, Mode.MAC if mode == "mac" else Mode.FULL))
    frame = bytearray(bytes(next(steps)))
    frame[7] ^= 1  # the amount's first byte, or the first of what is enciphered
    assert sim.transmit(bytes(frame)) == b"\x91\x1e"


def test_a_record_waits_behind_a_clearing_that_is_not_committed() -> None:
    sim = purse("plain", OPEN)
    select(sim)
    assert say(sim, "EB05") == "00"
    assert say(sim, "8B0500000001000001") == "9D"


def test_rights_are_for_keys_and_free_ones_travel_in_plain() -> None:
    sim = purse("full", Rights(read=FREE, write=2, read_write=NEVER, change=0))
    select(sim)
    assert say(sim, "AD01000000010000") == "0000"
    assert say(sim, "8D01000000010000FF") == "AE"
    channel = ev2(sim, 1)
    assert run(sim, commands.read_data(channel, STANDARD, 1, Mode.PLAIN)) == b"\0"
    with pytest.raises(CardStatusError, match="919D"):
        call(sim, channel, commands.write_data(STANDARD, b"x", Mode.FULL))
    call(sim, ev2(sim, 2), commands.write_data(STANDARD, b"x", Mode.FULL))


def test_a_right_that_nobody_has_is_refused_to_all() -> None:
    sim = purse("plain", Rights())
    select(sim)
    assert say(sim, "AD01000000010000") == "9D"


@pytest.mark.parametrize(("command", "keys"), [("0C", {3}), ("1C", {2, 3}), ("DC", {1, 2, 3}), ("6C", {1, 2, 3})])
def test_even_the_right_to_read_a_value_may_debit(command: str, keys: set[int]) -> None:
    allowed = set()
    for number in range(4):
        sim = purse("plain")
        select(sim)
        ev2(sim, number)
        if say(sim, command + "03" + ("" if command == "6C" else "00000000")) != "9D":
            allowed.add(number)
    assert allowed == keys


def new_files() -> dict[int, DataFile | WireValueFile | CyclicFile | TransactionMacFile]:
    rights = WireRights(1, 2, 3, 0)
    return {
        1: DataFile(Mode.MAC, rights, 32),
        2: DataFile(Mode.FULL, rights, 256, backup=True),
        3: WireValueFile(Mode.FULL, rights, -5, 1000, 0),
        4: CyclicFile(Mode.MAC, rights, 32, 11),
        15: TransactionMacFile(Mode.MAC, WireRights(1, NEVER, 2), 3),
    }


@pytest.mark.parametrize("authenticate", [ev1, ev2])
def test_files_are_created_listed_described_changed_and_deleted(authenticate: Callable[..., Channel]) -> None:
    application = Application(AID, [KeyState(raw) for raw in KEYS], AS_DELIVERED & ~0x04)
    sim = SimCard(CardState(uid=UID, applications=[application]), seeded(5))
    select(sim)
    assert say(sim, "CD01000000200000") == "AE"
    channel = authenticate(sim, 0)
    for number, settings in new_files().items():
        key = admin.PlainKey(MAC_KEY) if number == MAC else None
        call(sim, channel, admin.create_file(number, settings, key))
    assert run(sim, commands.get_file_ids(channel)) == set(new_files())
    for number, settings in new_files().items():
        assert run(sim, commands.get_file_settings(channel, number)) == settings
    assert application.mac_file is not None
    assert application.mac_file.key == MAC_KEY
    changed = DataFile(Mode.PLAIN, WireRights(FREE, 1, NEVER, NEVER), 32)
    call(sim, channel, admin.change_file_settings(1, changed))
    assert run(sim, commands.get_file_settings(channel, 1)) == changed
    with pytest.raises(CardStatusError, match="919D"):
        call(sim, channel, admin.change_file_settings(1, changed))
    channel = authenticate(sim, 0)
    call(sim, channel, Call(0xDF, "to delete", b"\x02"))
    assert run(sim, commands.get_file_ids(channel)) == {1, 3, 4, 15}


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("CD0100EEEE200000", "00"),
        ("CD2000EEEE200000", "9E"),  # 32 files at most
        ("CD0104EEEE200000", "9E"),  # no such mode
        ("CD0100EE4E200000", "9E"),  # the application has no key 4
        ("CD0100EEEE000000", "9E"),
        ("CD0100EEEE", "7E"),
        ("CD0100EEEEFFFF00", "0E"),
        ("CB0100EEEE000A00", "0E"),  # twice 2560 bytes
        ("CC0300EEEE 00000000 64000000 65000000 00", "9E"),  # above its limit
        ("CC0300EEEE 00000000 64000000 64000000 04", "9E"),
        ("CC0300EEEE 9CFFFFFF 64000000 9CFFFFFF 03", "00"),
        ("C10500EEEE 100000 010000", "00"),
        ("C00400EEEE 100000 010000", "9E"),  # one record is needed for the next
        ("C00400EEEE 100000 020000", "00"),
        ("CE0F01EEEE02" + "00" * 17, "AE"),  # its key needs a session
    ],
)
def test_a_file_that_this_card_cannot_hold_is_refused(command: str, status: str) -> None:
    application = Application(AID, [KeyState(raw) for raw in KEYS])
    sim = SimCard(CardState(uid=UID, applications=[application]), seeded(5))
    select(sim)
    assert say(sim, command) == status


def test_the_memory_ends() -> None:
    sim = purse("plain", OPEN)
    select(sim)
    free = int.from_bytes(bytes.fromhex(say(sim, "6E"))[1:], "little")
    assert free < MEMORY_BYTES
    assert say(sim, "CD0600EEEE" + (free - 32 + 1).to_bytes(3, "little").hex()) == "0E"
    assert say(sim, "CD0600EEEE" + (free - 32).to_bytes(3, "little").hex()) == "00"
    assert say(sim, "6E") == "00000000"


def test_a_chain_of_frames_that_is_cut_or_forged_changes_nothing() -> None:
    sim = purse("mac", Rights(3, 3, 3, 3))
    select(sim)
    ev2(sim, 3)
    assert say(sim, "8D01" + "000000" + "640000" + "EE" * 52) == "AF"
    assert say(sim, "6C03") == "CA"
    ev2(sim, 3)
    assert say(sim, "8D01" + "000000" + "640000" + "EE" * 52) == "AF"
    assert say(sim, "AF" + "EE" * 48 + "00" * 8) == "1E"
    assert sim.state == purse("mac", Rights(3, 3, 3, 3)).state
