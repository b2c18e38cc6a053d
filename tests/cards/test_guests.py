"""Guests: stations of other acquirers read what they may of a card, by further sets of rights, and write nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card_io import errors
from card_io.application import ALL_PARTS, GUEST_KEY_NUMBERS, CardProfile, Part
from card_io.conversation import Conversation
from card_io.desfire import administration as admin
from card_io.desfire import commands
from card_io.desfire.channel import Call, Mode
from card_io.desfire.files import (
    MORE_SETS_MAX,
    NEVER,
    CyclicFile,
    DataFile,
    MoreRights,
    Rights,
    ValueFile,
    parse_settings,
)
from card_io.identify import TapSession
from card_io.inspect_card import ReadSession, VerifySession
from card_io.keys import KeyRing
from card_io.layout import CardLayout
from card_io.purse import DebitSession, NoteSession
from card_io.session import Steps, StepSession
from sim.cards.card import SimCard
from sim.cards.show import described
from sim.cards.state import Rights as StateRights
from tests.cards.bench import NUMBER, UID, seeded
from tests.cards.office import (
    FILL,
    HEADER,
    INTENT,
    LAYOUT,
    OFFICE,
    READER_ID,
    STATION_KEYS,
    TODAY,
    VAULT,
    VERSION,
    entitlement,
    issued,
    issuing,
    loaded,
    run,
)
from tests.cards.purse import OPEN, call, ev1, ev2, purse, say, select
from tests.cards.purse import run as steps
from tests.cards.test_tap import loaded_without_mac

_LOADED = loaded().state


def guest_profile(number: int) -> CardProfile:
    return CardProfile(OFFICE.aid, OFFICE.system_id, number, issuer_keys=OFFICE.issuer_keys)


def guest_keys(number: int) -> KeyRing:
    """As `forecourt keys export-station --guest` gives them: of this slot and no other."""
    return KeyRing.from_handover({f"{number}.{VERSION}": VAULT.for_station(number)[str(number)][str(VERSION)]})


def card_of() -> SimCard:
    return SimCard(_LOADED.copy(), seeded())


@pytest.mark.parametrize("number", GUEST_KEY_NUMBERS)
def test_every_guest_proves_and_reads_the_card_and_sees_no_purse(number: int) -> None:
    facts = run(TapSession(guest_profile(number), guest_keys(number), seeded(4)), card_of())
    assert (facts.assurance, facts.card_number, facts.uid) == ("proven", NUMBER, UID)
    assert facts.entitlement == entitlement()
    assert facts.counters is not None
    assert facts.purse is None


def test_a_guest_never_writes_and_reads_no_fills() -> None:
    profile, keys, card = guest_profile(5), guest_keys(5), card_of()
    note = NoteSession(OFFICE, STATION_KEYS, seeded(5), uid=UID, reader_id=READER_ID, today=TODAY, fill=FILL)
    assert run(note, card).outcome == "applied"
    before = card.state.copy()
    assert run(ReadSession(profile, keys, seeded(6)), card).fills == ()
    debit = run(DebitSession(profile, keys, seeded(6), uid=UID, intent=INTENT, reader_id=READER_ID), card)
    assert (debit.outcome, debit.error_kind) == ("not_applied", "key_missing")
    tries = run(NoteSession(profile, keys, seeded(7), uid=UID, reader_id=READER_ID, today=TODAY, pin_tries=1), card)
    assert (tries.outcome, tries.error_kind) == ("not_applied", "key_missing")
    assert card.state == before


ASKED = {
    0x03: Call(commands.GET_VALUE, "to say its value", b"\3", answer=Mode.FULL, answer_length=4),
    0x04: Call(commands.READ_RECORDS, "to read records", b"\4" + bytes(6)),
    0x0F: Call(commands.READ_DATA, "to read its count", b"\x0f" + bytes(6)),
}


@pytest.mark.parametrize("file", ASKED)
def test_the_card_itself_refuses_a_guest_what_is_not_its_affair(file: int) -> None:
    card = card_of()
    guest = Conversation(guest_profile(5), guest_keys(5), seeded(4))

    def asks() -> Steps[bytes]:
        yield from guest.prove(UID)
        return (yield from guest.channel.call(ASKED[file]))

    with pytest.raises(errors.CardStatusError, match="919D"):
        run(StepSession(asks()), card)


def test_an_ev1_card_is_made_without_sets_and_no_guest_reads_it() -> None:
    card = loaded_without_mac()
    assert all(file.rights.more is None for file in card.state.applications[0].files.values())
    layout = CardLayout(ALL_PARTS & ~Part.TRANSACTION_MAC, "money_minor")
    assert run(VerifySession(OFFICE, STATION_KEYS, seeded(), layout=layout), card).findings == ()
    with pytest.raises(errors.NotOurCard, match="lets no other network read it"):
        run(TapSession(guest_profile(5), guest_keys(5), seeded()), card)


def _without_room(card: SimCard) -> SimCard:
    """As cards were made before there were guests."""
    for file in card.state.applications[0].files.values():
        rights = file.rights
        file.rights = StateRights(rights.read, rights.write, rights.read_write, rights.change)
    return card


def test_a_card_of_before_is_read_as_ever_and_says_what_it_lacks() -> None:
    card = _without_room(card_of())
    assert run(TapSession(OFFICE, STATION_KEYS, seeded()), card).purse is not None
    findings = run(VerifySession(OFFICE, STATION_KEYS, seeded(), layout=LAYOUT, header=HEADER), card).findings
    lacks = "gives guests other rights: they are put on a card when it is made"
    assert findings == tuple(f"file {number:02X} {lacks}" for number in (1, 2, 5))
    with pytest.raises(errors.NotOurCard):
        run(TapSession(guest_profile(9), guest_keys(9), seeded()), card)
    with pytest.raises(errors.CardTaken, match="file 01 of the card was made without room for guests' rights"):
        run(issuing(), card)


def test_a_card_torn_between_file_and_sets_is_finished() -> None:
    card = card_of()
    for number in (1, 5):
        file = card.state.applications[0].files[number]
        rights = file.rights
        file.rights = StateRights(rights.read, rights.write, rights.read_write, rights.change, ())
    run(issuing(), card)
    assert card.state == _LOADED


def test_a_network_without_guests_makes_cards_that_no_guest_reads() -> None:
    alone = replace(LAYOUT, guests=False)
    card = issued(alone)
    assert all(file.rights.more is None for file in card.state.applications[0].files.values())
    assert run(VerifySession(OFFICE, STATION_KEYS, seeded(), layout=alone, header=HEADER), card).findings == ()
    with pytest.raises(errors.NotOurCard):
        run(TapSession(guest_profile(5), guest_keys(5), seeded()), card)


# --- the chip and its words


ALSO = (MoreRights(0), MoreRights(NEVER, NEVER, 2))


@pytest.mark.parametrize(
    "planned",
    [
        DataFile(Mode.FULL, Rights(1, 3, 3, 0, ALSO), 32),
        DataFile(Mode.MAC, Rights(1, 3, 3, 0, ALSO), 32, backup=True),
        ValueFile(Mode.FULL, Rights(1, 3, 3, 0, ALSO), 0, 100),
        CyclicFile(Mode.MAC, Rights(1, 3, 3, 0, ALSO), 16, 3),
        DataFile(Mode.PLAIN, Rights(1, 3, 3, 0, (MoreRights(2),) * MORE_SETS_MAX), 32),
    ],
    ids=lambda planned: f"{type(planned).__name__} {planned.mode.name} {len(planned.rights.more)}",
)
def test_sets_are_promised_at_creation_and_brought_by_a_change(planned: DataFile | ValueFile | CyclicFile) -> None:
    sim = purse("full")
    select(sim)
    master = ev2(sim, 0)
    call(sim, master, admin.create_file(9, planned))
    there = steps(sim, commands.get_file_settings(master, 9))
    assert there.rights == Rights(1, 3, 3, 0), "room for them, and none yet"
    call(sim, master, admin.change_file_settings(9, planned))
    assert steps(sim, commands.get_file_settings(master, 9)) == planned
    call(sim, master, admin.change_file_settings(9, replace(planned, rights=Rights(1, 3, 3, 0))))
    assert steps(sim, commands.get_file_settings(master, 9)).rights.more == ()


def test_any_set_is_enough_and_each_is_for_its_own_key() -> None:
    sim = purse("full")
    select(sim)
    master = ev2(sim, 0)
    file = DataFile(Mode.FULL, Rights(3, 3, NEVER, 0, (MoreRights(1), MoreRights(write=2))), 32)
    call(sim, master, admin.create_file(9, file))
    call(sim, master, admin.change_file_settings(9, file))
    call(sim, ev2(sim, 2), commands.write_data(9, b"by the second set", Mode.FULL))
    with pytest.raises(errors.CardStatusError, match="919D"):
        steps(sim, commands.read_data(ev2(sim, 2), 9, 17, Mode.FULL))
    assert steps(sim, commands.read_data(ev2(sim, 1), 9, 17, Mode.FULL)) == b"by the second set"
    with pytest.raises(errors.CardStatusError, match="919D"):
        call(sim, ev2(sim, 1), commands.write_data(9, b"?", Mode.FULL))
    assert "read 3, write 3, both never, change 0, also read 1, also write 2" in described(sim.state)


CHANGES = {
    "no room": ("5F01810011011FFF", "9E"),
    "room, and no number": ("5F09810011", "9E"),
    "eight sets": ("5F0981001108" + "1FFF" * 8, "7E"),
    "fewer than said": ("5F0981001102FF1F", "9E"),
    "a set that changes rights": ("5F0981001101E01F", "9E"),
    "sets without the bit": ("5F0901001101FF1F", "9E"),
    "a key that there is not": ("5F0981001101FF7F", "9E"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_sets_that_cannot_be_are_refused_and_nothing_changes(name: str) -> None:
    command, status = CHANGES[name]
    sim = purse("plain", OPEN)
    select(sim)
    assert say(sim, "CD0981EEEE200000") == "00", "made with room, and free to be changed"
    assert say(sim, "F509") == "00" + "0081EEEE20000000"
    before = sim.state.copy()
    assert say(sim, command) == status
    assert sim.state == before


def test_a_transaction_mac_file_has_no_room_and_an_ev1_session_takes_no_sets() -> None:
    sim = purse("full")
    select(sim)
    assert say(sim, "CE0F81" + "EEEE" + "02" + "00" * 17) in {"AE", "9E"}
    select(sim)
    file = DataFile(Mode.FULL, Rights(3, 3, NEVER, 0, (MoreRights(1),)), 32)
    call(sim, ev2(sim, 0), admin.create_file(9, file))
    first = ev1(sim, 0)
    with pytest.raises((errors.CardStatusError, errors.ProofFailed)):
        call(sim, first, admin.change_file_settings(9, file))


@pytest.mark.parametrize(
    "raw",
    ["00811F1F20000002FF5F", "00811F1F20000001F05F", "00811F1F20000001", "05810F0F020381", "0081"],
    ids=["fewer than said", "one that changes rights", "none of one", "of a Transaction MAC file", "cut"],
)
def test_settings_that_no_card_of_ours_has_are_named(raw: str) -> None:
    with pytest.raises(errors.NotOurCard, match="the settings of a file cannot be read"):
        parse_settings(bytes.fromhex(raw))


def test_more_sets_than_a_file_can_have_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="at most 7 further sets"):
        Rights(1, more=(MoreRights(1),) * (MORE_SETS_MAX + 1))
    with pytest.raises(ValueError, match="an access right is 0 to 15"):
        MoreRights(16)
