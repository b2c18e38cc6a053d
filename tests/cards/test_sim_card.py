"""The simulated card answers what the published examples print, and refuses as real cards were seen to."""

from __future__ import annotations

import msgspec
import pytest

from card_io.desfire import administration as admin
from card_io.desfire import commands
from card_io.desfire.channel import Mode, OpenChannel
from card_io.desfire.crypto import AesKey, SessionKeys
from card_io.errors import CardStatusError, ProofFailed
from sim.cards.card import OPERATIONS, SimCard
from sim.cards.directory import APPLICATIONS_MAX, MEMORY_BYTES
from sim.cards.ev1 import AesCipher, Ev1Session, TripleDesCipher, triple_des_session_key
from sim.cards.ev2 import Ev2Session
from sim.cards.make import new_state
from sim.cards.state import Application, CardState, KeyState, MacFile, Rights
from sim.cards.status import Refused
from sim.cards.transaction import mac_key, reader_key
from tests.cards.bench import UID, seeded
from tests.cards.purse import AID, KEYS, Messaging, call, ev1, ev2, purse, run, say, select

X = bytes.fromhex
NEW_AID = X("010203")


def raw(key: AesKey) -> bytes:
    """A key's bytes: only a test that compares them with printed ones looks inside."""
    return bytes(key._aes.key)


def told(*parts: str) -> SimCard:
    """A card of zero keys, its application selected, whose random numbers are these."""
    numbers = iter(map(X, parts))
    sim = SimCard(CardState(uid=UID, applications=[Application(AID, [KeyState()])]), lambda _: next(numbers))
    select(sim)
    return sim


def test_the_printed_ev2_authentication_comes_from_the_card() -> None:
    sim = told("FA659AD0DCA738DD65DC7DC38612AD81", "8CF141F3")
    assert say(sim, "9071000002000000") == "24677DDBD46349E623798FD729006E7991AF"
    answer = say(sim, "90AF0000203B50445F21D21D77D500794DEB245E5A754F5F901844259F4C9B31A5C7335ACD00")
    assert answer == "04C6DBD67417ED0D31DDDE4D2E3FFAC2B4B074F638EEF7FFF9254963B65C77599100"


def test_the_printed_ev1_authentication_comes_from_the_card() -> None:
    challenge = "C5537C8EFFFCC7E152C27831AFD383BA"
    sim = told(AesKey(bytes(16)).decrypt(X(challenge)).hex())
    assert say(sim, "90AA0000010000") == challenge + "91AF"
    answer = say(sim, "90AF0000201EF512D957973AED7E6E13991EB0FB431B373EA23400A3AC0B7749CD6FB1C32800")
    assert answer == "FFC212245F03DB0EA0645A495190952A9100"


def test_the_printed_ev2_macs_are_taken_and_given() -> None:
    session = Ev2Session(
        0, SessionKeys(AesKey(bytes(16)), AesKey(X("9366FA195EB566F5BD2BAD4020B83002"))), X("E2D3AF69")
    )
    command = X("00000000190000") + b"\x22" * 25
    assert session.opened(0x8D, command + X("68F2C28C575A1628"), 7, 25, "mac") == command
    assert session.sealed(b"", "mac") == X("0820F68898C2A7F1")
    assert session.opened(0xAD, X("000000003000000D9BE191D5960834"), 7, None, "mac") == X("00000000300000")
    with pytest.raises(Refused, match="1E"):
        session.opened(0xAD, X("000000003000000D9BE191D5960835"), 7, None, "mac")


def test_the_printed_transaction_mac_session_keys_come_out() -> None:
    file = MacFile("mac", Rights(), X("66A8CB93269DC9BC2885B7A91B9C697B"), counter=8)
    uid = X("04010203040506")
    assert raw(mac_key(file, uid)) == X("7C1AD2D9C5C08154A0A4914B401A6598")
    assert raw(reader_key(file, uid)) == X("119B902A07B18A865B8E1B0060594784")


def test_an_ev1_mac_is_the_first_half_of_a_cmac_that_goes_on() -> None:
    """SP 800-38B's example: the CMAC of nothing and of 16 bytes under its key."""
    session = Ev1Session(0, AesCipher(X("2B7E151628AED2A6ABF7158809CF4F3C")))
    assert session._cmac(X("6BC1BEE22E409F96E93D7E117393172A")) == X("070A16B46B4D4144F79BDD9DD04A287C")
    assert session._iv == X("070A16B46B4D4144F79BDD9DD04A287C"), "the next one begins with it"


def test_a_single_des_key_makes_a_single_des_session() -> None:
    rnd_a, rnd_b = bytes(range(8)), bytes(range(8, 16))
    single = triple_des_session_key(bytes(16), rnd_a, rnd_b)
    parity = triple_des_session_key(bytes(8) + b"\x01" * 8, rnd_a, rnd_b)  # differs in the parity bits only
    other = triple_des_session_key(bytes(8) + b"\x10" * 8, rnd_a, rnd_b)
    same = TripleDesCipher((rnd_a[:4] + rnd_b[:4]) * 2)
    assert single.encrypt(bytes(8), bytes(8)) == same.encrypt(bytes(8), bytes(8)) == parity.encrypt(bytes(8), bytes(8))
    assert other.encrypt(bytes(8), bytes(8)) != same.encrypt(bytes(8), bytes(8))


def test_the_version_comes_in_three_frames_and_names_the_card() -> None:
    sim = purse()
    assert say(sim, "9060000000") == "0401011200180591AF"
    assert say(sim, "90AF000000") == "0401010201180591AF"
    assert say(sim, "90AF000000").startswith(UID.hex().upper())
    assert run(sim, commands.get_version(OpenChannel())) == commands.Version(UID, knows_ev2=True)


def test_native_frames_and_wrapped_ones_are_the_same_commands() -> None:
    sim = purse()
    assert say(sim, "905A000003F5040200") == "9100"
    assert say(sim, "6F") == "00010203" + "0405"
    assert say(sim, "906F000000") == "01020304059100"


def test_the_card_level_is_selected_by_its_iso_name_too() -> None:
    sim = purse()
    select(sim)
    assert say(sim, "00A4040007D276000085010000") == "9000"
    assert say(sim, "6A") == "00F50402"


@pytest.mark.parametrize(
    ("frames", "status"),
    [
        ("51", "AE"),  # a UID without a session
        ("5A010203", "A0"),  # no such application
        ("5A0102", "7E"),
        ("71040000", "7E"),
        ("710400", "40"),  # the application has keys 0 to 3
        ("AA04", "40"),
        ("1A00", "AE"),  # no triple DES in an application
        ("7700", "AE"),  # NonFirst needs a First
        ("F509", "F0"),
        ("AD09000000000000", "F0"),
        ("AD03000000000000", "9D"),  # a value file has no bytes
        ("AD01000000000000", "AE"),  # key 1 is asked for
        ("6C03", "AE"),
        ("C7", "0C"),
        ("A7", "0C"),
        ("AF", "1C"),
        ("0A00", "1C"),
        ("CA0102030F81", "9D"),  # applications are made at card level
        ("6A", "9D"),
        ("FC", "9D"),
        ("C801", "9D"),  # no Transaction MAC file
        ("60 6F", "CA"),  # two parts of the version are still to be fetched
        ("60 AF AF AF", "1C"),
        ("FFB0000000", "6A81"),
        ("00B0000000", "6D00"),
        ("9060010000", "919E"),
        ("906000000002", "917E"),
    ],
)
def test_a_refusal_has_the_status_of_real_cards(frames: str, status: str) -> None:
    sim = purse()
    select(sim)
    *before, last = frames.split()
    for frame in before:
        say(sim, frame)
    assert say(sim, last) == status


def test_an_error_ends_the_session() -> None:
    sim = purse()
    select(sim)
    channel = ev2(sim, 1)
    assert run(sim, commands.get_card_uid(channel)) == UID
    assert say(sim, "F509") == "7E", "without its MAC"
    with pytest.raises(CardStatusError, match="91AE"):
        run(sim, commands.get_card_uid(channel))


def test_a_session_of_the_wrong_key_has_no_right() -> None:
    sim = purse()
    select(sim)
    with pytest.raises(CardStatusError, match="919D"):
        run(sim, commands.get_value(ev2(sim, 0), 3, Mode.FULL))


def test_a_command_with_a_wrong_mac_is_an_integrity_error() -> None:
    sim = purse()
    select(sim)
    ev2(sim, 1)
    assert say(sim, "51" + "00" * 8) == "1E"


def test_an_ev2_session_goes_on_with_another_key() -> None:
    sim = purse()
    select(sim)
    channel = ev2(sim, 1)
    assert run(sim, commands.get_value(channel, 3, Mode.FULL)) == 500
    run(sim, channel.authenticate_non_first(AesKey(KEYS[3]), 3, seeded(8)(16)))
    call(sim, channel, commands.credit(3, 5, Mode.FULL))
    run(sim, commands.commit(channel, transaction_mac=False))
    assert run(sim, commands.get_value(channel, 3, Mode.FULL)) == 505


def test_a_wrong_key_does_not_go_on_in_a_session() -> None:
    sim = purse()
    select(sim)
    channel = ev2(sim, 1)
    with pytest.raises(ProofFailed):
        run(sim, channel.authenticate_non_first(AesKey(KEYS[2]), 3, seeded(8)(16)))


@pytest.mark.parametrize("messaging", [ev1, ev2])
def test_keys_change_under_either_messaging(messaging: Messaging) -> None:
    sim = purse()
    select(sim)
    old, new = admin.PlainKey(KEYS[1]), admin.PlainKey(b"new key of one..")
    channel = messaging(sim, 0)
    call(sim, channel, admin.change_other_key(1, new, 77, old))
    assert run(sim, commands.get_key_version(channel, 1)) == 77
    call(sim, channel, admin.change_own_key(0, admin.PlainKey(b"new key of zero."), 78))
    assert say(sim, "51") == "AE", "the session of a key that is no more is over"
    messaging(sim, 0, b"new key of zero.")
    messaging(sim, 1, b"new key of one..")


@pytest.mark.parametrize("messaging", [ev1, ev2])
def test_who_does_not_know_the_old_key_cannot_change_it(messaging: Messaging) -> None:
    sim = purse()
    select(sim)
    guessed = admin.PlainKey(bytes(16))
    with pytest.raises(ProofFailed, match="could not follow"):
        call(sim, messaging(sim, 0), admin.change_other_key(1, admin.PlainKey(KEYS[2]), 1, guessed))
    messaging(sim, 1)


@pytest.mark.parametrize(
    ("settings", "by", "number", "allowed"),
    [
        (0x0F, 0, 1, True),
        (0x0F, 1, 1, False),
        (0x0F, 0, 0, True),
        (0x0E, 0, 0, False),  # the master key is fixed
        (0x1F, 1, 2, True),  # key 1 changes keys
        (0x1F, 0, 2, False),
        (0x1F, 0, 1, True),  # but key 1 itself belongs to the master key
        (0x1F, 1, 1, False),
        (0xEF, 2, 2, True),  # each key changes itself
        (0xEF, 0, 2, False),
        (0xFF, 0, 2, False),  # nobody changes any
        (0xFF, 0, 0, True),
    ],
)
def test_the_settings_say_who_changes_keys(settings: int, by: int, number: int, allowed: bool) -> None:
    sim = purse()
    sim.state.applications[0].key_settings = settings
    select(sim)
    new = admin.PlainKey(b"some other key..")
    change = (
        admin.change_own_key(number, new, 1)
        if by == number
        else admin.change_other_key(number, new, 1, admin.PlainKey(KEYS[number]))
    )
    channel = ev2(sim, by)
    if allowed:
        call(sim, channel, change)
        ev2(sim, number, b"some other key..")
    else:
        with pytest.raises(CardStatusError, match="919D"):
            call(sim, channel, change)
        ev2(sim, number)


def blank() -> SimCard:
    return SimCard(new_state(UID, "aes"), seeded(5))


def test_a_new_card_takes_many_applications_and_forgets_them() -> None:
    sim = blank()
    aids = [bytes((0xF5, 0x00, number)) for number in range(1, APPLICATIONS_MAX + 1)]
    for aid in aids:
        call(sim, OpenChannel(), admin.create_application(aid, 3))
    assert say(sim, "CA0102030F81") == "CE"
    listed = say(sim, "906A000000")
    assert listed.endswith("91AF"), "more than a frame"
    assert X(listed[:-4] + say(sim, "90AF000000")[:-4]) == b"".join(aids)
    assert int.from_bytes(X(say(sim, "6E"))[1:], "little") == MEMORY_BYTES - APPLICATIONS_MAX * 4 * 32
    channel = ev2(sim, 0, bytes(16))
    call(sim, channel, admin.delete_application(aids[0]))
    call(sim, channel, admin.format_card())
    assert sim.state.applications == []
    assert say(sim, "51") == "AE"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("CA000000 0F81", "9E"),  # the card's own level
        ("CA010203 0F01", "9E"),  # triple DES
        ("CA010203 0F80", "9E"),  # no key
        ("CA010203 0F8F", "9E"),
        ("CA010203 0FA1", "9E"),  # ISO names
        ("CA010203 0F81 00", "7E"),
        ("CA010203 0F81", "00"),
        ("DA010203", "A0"),
    ],
)
def test_an_application_that_this_card_cannot_hold_is_refused(command: str, status: str) -> None:
    assert say(blank(), command) == status


def test_an_application_is_there_once() -> None:
    sim = blank()
    call(sim, OpenChannel(), admin.create_application(NEW_AID, 1))
    assert say(sim, "CA0102030F81") == "DE"


def test_a_locked_card_lists_and_creates_for_its_master_only() -> None:
    sim = blank()
    call(sim, ev2(sim, 0, bytes(16)), admin.change_key_settings(0x09))
    sim.reset()
    for command in ("6A", "45", "CA0102030F81"):
        assert say(sim, command) == "AE"
    channel = ev2(sim, 0, bytes(16))
    assert run(sim, admin.get_key_settings(channel)) == X("0981")
    call(sim, channel, admin.create_application(NEW_AID, 1))
    call(sim, channel, admin.change_key_settings(0x01))
    with pytest.raises(CardStatusError, match="919D"):
        call(sim, channel, admin.change_key_settings(0x0F))


def test_an_application_deletes_itself_where_the_card_lets_all_create() -> None:
    sim = blank()
    call(sim, OpenChannel(), admin.create_application(NEW_AID, 1))
    assert say(sim, "DA010203") == "AE"
    select(sim, NEW_AID)
    call(sim, ev2(sim, 0, bytes(16)), admin.delete_application(NEW_AID))
    assert say(sim, "6A") == "00"


def test_the_cards_configuration_is_refused_clearly() -> None:
    sim = blank()
    assert say(sim, "5C0001") == "AE"
    ev2(sim, 0, bytes(16))
    assert say(sim, "5C0001") == "9E"


def test_every_command_answers_without_data_and_with_too_much() -> None:
    for ins in OPERATIONS:
        sim = purse()
        select(sim)
        for data in (b"", bytes(59), bytes(60)):
            assert len(sim.transmit(bytes((ins,)) + data)) >= 1


def test_no_key_shows_in_a_repr() -> None:
    state = purse().state
    state.applications[0].files[15] = MacFile("mac", Rights(), KEYS[0])
    text = repr((state, state.master, state.applications[0].keys, state.applications[0].files))
    assert not any(key.hex() in text or repr(key)[2:-1] in text for key in KEYS)
    assert KEYS[0] in msgspec.msgpack.encode(state), "but it is there"
