"""A card of the network is proven; copies, forgeries, strangers and noise are refused, each by its name."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_io import errors
from card_io.apdu import Command, Response
from card_io.application import CardHeader, CardProfile, masked
from card_io.identify import CardFacts, IdentifySession
from card_io.keys import KeyRing
from card_io.reader import CardPresented
from sim.cards.card import SimCard
from sim.cards.make import Masters, make_card, make_uid_only_card
from sim.cards.state import Rights
from tests.cards.bench import KEYS, MASTERS, NUMBER, PROFILE, UID, card, identify, seeded


def test_a_card_of_the_network_is_proven() -> None:
    facts = identify(card())
    assert facts == CardFacts(UID, NUMBER, "ACME", "proven", scheme="FLT1", key_version=3)


def test_a_card_is_proven_in_nine_commands() -> None:
    session, sim, sent = IdentifySession(PROFILE, KEYS, seeded()), card(), []
    while (command := session.next()) is not None:
        sent.append(command.ins)
        session.feed(Response.parse(sim.transmit(bytes(command))))
    assert sent == [0x5A, 0x60, 0xAF, 0xAF, 0x64, 0x71, 0xAF, 0x51, 0xAD]


@pytest.mark.parametrize("uid", ["DEADBEEF", "04112233445566", "04112233445566778899"])
def test_a_card_without_the_application_is_identified_and_no_more(uid: str) -> None:
    facts = identify(make_uid_only_card(bytes.fromhex(uid), seeded()))
    assert facts == CardFacts(bytes.fromhex(uid), None, None, "identified")


def test_another_networks_desfire_card_is_identified_and_no_more() -> None:
    other = CardProfile(aid=b"\x01\x02\x03", system_id=b"OTHER")
    sim = make_card(NUMBER, "OTHER", UID, Masters(other, {}), seeded())
    assert identify(sim).assurance == "identified"


def test_bare_uids_can_be_switched_off() -> None:
    strict = CardProfile(PROFILE.aid, PROFILE.system_id, uid_only=False)
    with pytest.raises(errors.NotOurCard):
        identify(make_uid_only_card(b"\xde\xad\xbe\xef", seeded()), profile=strict)


def test_a_random_uid_identifies_nobody() -> None:
    with pytest.raises(errors.NotOurCard, match="another UID each time"):
        identify(make_uid_only_card(b"\x08\x01\x02\x03", seeded()))


def test_a_copy_on_another_card_is_refused() -> None:
    """Everything of the card copied, keys too, onto a card of another UID."""
    clone = card().state.copy()
    clone.uid = bytes.fromhex("04FFFFFFFFFFFF")
    with pytest.raises(errors.ProofFailed):
        identify(SimCard(clone, seeded()))


class _LyingCard(SimCard):
    """Claims another card's UID in GetVersion, whose key it would have to hold."""

    claimed = bytes.fromhex("04111111111111")

    def transmit(self, frame: bytes) -> bytes:
        return super().transmit(frame).replace(self.state.uid, self.claimed)


def test_a_card_that_claims_one_uid_and_proves_another_is_refused() -> None:
    state = card().state
    state.applications = card(uid=_LyingCard.claimed).state.applications
    with pytest.raises(errors.ProofFailed, match="claims one UID and proves another"):
        identify(_LyingCard(state, seeded()))


def test_a_wrong_key_is_refused() -> None:
    with pytest.raises(errors.ProofFailed, match="does not hold the key"):
        identify(card(), keys=KeyRing({3: bytes(16)}))


def test_a_key_version_that_the_station_lacks_is_said_so() -> None:
    with pytest.raises(errors.KeyMissing, match="version 3, this station holds 1, 2"):
        identify(card(), keys=KeyRing({1: bytes(16), 2: bytes(16)}))


def test_a_guest_station_proves_the_card_with_its_own_slot() -> None:
    guest = CardProfile(PROFILE.aid, PROFILE.system_id, read_key_number=5)
    masters = Masters(PROFILE, {1: bytes(range(16)), 5: b"5" * 16}, key_version=3)
    sim = make_card(NUMBER, "ACME", UID, masters, seeded())
    sim.state.applications[0].files[1].rights = Rights(read=5)
    assert identify(sim, profile=guest, keys=KeyRing({3: b"5" * 16})).card_number == NUMBER


def _play(session: IdentifySession, sim: SimCard, twist: Callable[[int, bytes], bytes]) -> errors.CardError | None:
    """The session with `sim`, each answer (counted from 0) twisted on its way: the error that ended it, or None."""
    for index in range(100):
        command = session.next()
        if command is None:
            return None
        try:
            session.feed(Response.parse(twist(index, sim.transmit(bytes(command)))))
        except errors.CardError as error:
            return error
    raise AssertionError("the session has no end")


def _turned(nth: int, bit: int) -> Callable[[int, bytes], bytes]:
    def twist(index: int, answer: bytes) -> bytes:
        if index != nth:
            return answer
        turned = bytearray(answer)
        turned[bit // 8] ^= 1 << bit % 8
        return bytes(turned)

    return twist


@pytest.mark.parametrize("nth", range(9))
@pytest.mark.parametrize("bit", range(16))
def test_a_bit_turned_in_any_answer_never_gives_another_number(nth: int, bit: int) -> None:
    """Only the proven number comes out, or a named error; a weaker card than it is may come out of step 0."""
    session = IdentifySession(PROFILE, KEYS, seeded(2))
    if _play(session, card(), _turned(nth, bit)) is None:
        assert session.result.card_number in (NUMBER, None)
        assert (session.result.card_number is None) == (session.result.assurance == "identified")


@pytest.mark.parametrize(("nth", "length"), [(6, 32), (7, 24), (8, 40)])
def test_every_bit_of_the_proving_answers_counts(nth: int, length: int) -> None:
    """All of the UID's and the file's answers; of the card's proof, all but the capabilities at its end."""
    proven = 20 if nth == 6 else length
    for bit in range(8 * proven):
        error = _play(IdentifySession(PROFILE, KEYS, seeded(2)), card(), _turned(nth, bit))
        assert isinstance(error, errors.ProofFailed), f"bit {bit}"


_GARBAGE = st.one_of(
    st.none(),  # the card's true answer
    st.binary(max_size=70),
    st.tuples(st.binary(max_size=60), st.sampled_from([0x9100, 0x91AF, 0x91AE, 0x91A0, 0x9000, 0x6A82])).map(
        lambda parts: parts[0] + parts[1].to_bytes(2, "big")
    ),
)


@settings(max_examples=400)
@given(st.lists(_GARBAGE, min_size=1, max_size=40))
def test_garbage_only_raises_named_errors(answers: list[bytes | None]) -> None:
    def twist(index: int, answer: bytes) -> bytes:
        garbage = answers[index] if index < len(answers) else None
        return answer if garbage is None else garbage

    session = IdentifySession(PROFILE, KEYS, seeded(2))
    error = _play(session, card(), twist)
    if error is None:
        assert session.result.card_number in (NUMBER, None)
    else:
        assert error.kind != "card_error"
        assert str(error).endswith(error.todo)


@given(st.binary(max_size=80))
def test_a_simulated_card_answers_everything(frame: bytes) -> None:
    assert len(card().transmit(frame)) >= 1


def test_a_session_that_ended_takes_nothing_more() -> None:
    session = IdentifySession(PROFILE, KEYS, seeded())
    with pytest.raises(RuntimeError):
        _ = session.result
    with pytest.raises(errors.GarbledAnswer):
        session.feed(Response.parse(b"\x91"))
    with pytest.raises(errors.CardStatusError, match="permission denied"):
        session.feed(Response(0x919D))
    with pytest.raises(RuntimeError, match="over"):
        session.feed(Response(0x9100))


def test_an_endless_answer_ends() -> None:
    session = IdentifySession(PROFILE, KEYS, seeded())
    error = _play(session, card(), lambda index, answer: b"\x91\xaf" if index else answer)
    assert isinstance(error, errors.GarbledAnswer)
    assert "did not end" in str(error)


@given(
    st.text("0123456789", min_size=8, max_size=19),
    st.text("ABCXYZ019", min_size=1, max_size=4),
    st.text("ABCXYZ019", min_size=1, max_size=8),
    st.integers(0, 255),
)
def test_file_01_reads_as_it_was_written(number: str, scheme: str, issuer: str, version: int) -> None:
    header = CardHeader(number, scheme, issuer, version)
    assert len(header.encode()) == 32
    assert CardHeader.decode(header.encode()) == header


@given(st.binary(max_size=40))
def test_a_broken_file_01_is_not_our_card(data: bytes) -> None:
    try:
        header = CardHeader.decode(data)
    except errors.NotOurCard:
        return
    assert header.encode() == data


@given(st.binary(max_size=80))
def test_commands_come_back_as_they_went(raw: bytes) -> None:
    try:
        command = Command.parse(raw)
    except ValueError:
        return
    assert bytes(command) == raw


def test_card_numbers_are_masked(caplog: pytest.LogCaptureFixture) -> None:
    assert masked(NUMBER) == "700123******0123"
    assert masked("12345678") == "****5678"
    with caplog.at_level(logging.INFO):
        event = CardPresented(identify(card()))
        logging.getLogger("test").info("%r %s %r %r", event, event.facts, card().state, MASTERS)
    assert NUMBER not in caplog.text
    assert bytes(range(16)).hex() not in caplog.text.lower()
    assert "\\x01\\x02" not in caplog.text
