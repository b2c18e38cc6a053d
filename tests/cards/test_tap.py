"""A tap finds out all that a card carries, in at most 12 commands, and never more than is proven."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_io import errors
from card_io.apdu import MORE_INS
from card_io.application import ALL_PARTS, CardHeader, Part
from card_io.counters import Counters
from card_io.entitlement import ENTITLEMENT_FILE
from card_io.facts import CardFacts, Purse
from card_io.identify import IdentifySession, TapSession
from card_io.inspect_card import ReadSession
from card_io.keys import KeyRing
from card_io.layout import CardLayout
from card_io.transport import run_session_blocking
from sim.cards.card import SimCard
from sim.cards.make import make_uid_only_card
from sim.cards.state import StandardFile
from tests.cards.bench import KEYS, NUMBER, PROFILE, UID, card, seeded
from tests.cards.office import (
    HEADER,
    OFFICE,
    STATION_KEYS,
    VAULT,
    VERSION,
    blank,
    entitlement,
    fed_garbage,
    issue,
    issued,
    loaded,
    run,
    tap,
)
from tests.cards.test_channel import Ev1Card

READ_ONLY = KeyRing.from_handover({str(VERSION): VAULT.for_station(1)["1"][str(VERSION)]})
NO_PURSE = ALL_PARTS & ~(Part.PURSE | Part.TRANSACTION_MAC)


def test_a_tap_finds_out_all() -> None:
    assert tap(loaded()) == CardFacts(
        UID,
        NUMBER,
        "ACME",
        "proven",
        "FLT1",
        VERSION,
        entitlement(),
        Counters(),
        Purse(200_000, "money_minor", 1),
    )


def _commands(session: TapSession, sim: SimCard) -> list[int]:
    sent = []

    def transmit(apdu: bytes) -> bytes:
        sent.append(apdu[1])
        return sim.transmit(apdu)

    run_session_blocking(session, transmit)
    return sent


def test_a_tap_takes_at_most_twelve_commands() -> None:
    sent = _commands(TapSession(OFFICE, STATION_KEYS, seeded()), loaded())
    asked = [ins for ins in sent if ins != MORE_INS]
    assert asked == [0x5A, 0x60, 0x64, 0x71, 0x51, 0xAD, 0xAD, 0xAD, 0xAD, 0x64, 0x77, 0x6C]


def test_a_tap_without_a_purse_takes_eight() -> None:
    plain = issued(CardLayout(NO_PURSE), CardHeader(NUMBER, "FLT1", "ACME", VERSION, NO_PURSE))
    sent = _commands(TapSession(OFFICE, STATION_KEYS, seeded()), plain)
    assert [ins for ins in sent if ins != MORE_INS] == [0x5A, 0x60, 0x64, 0x71, 0x51, 0xAD, 0xAD, 0xAD]


def test_a_card_with_file_01_only_is_tapped_as_it_is_identified() -> None:
    tapped = run(TapSession(PROFILE, KEYS, seeded(2)), card())
    assert tapped == run(IdentifySession(PROFILE, KEYS, seeded(2)), card())


def test_a_station_without_the_debit_key_sees_no_purse() -> None:
    facts = run(TapSession(OFFICE, READ_ONLY, seeded()), loaded())
    assert facts.purse is None
    assert facts.entitlement == entitlement()


def test_a_station_without_headquarters_public_key_reads_no_entitlement() -> None:
    facts = run(TapSession(PROFILE, STATION_KEYS, seeded()), loaded())
    assert facts.entitlement is None
    assert facts.counters == Counters()


def test_a_uid_only_card_is_identified() -> None:
    assert run(TapSession(PROFILE, KEYS, seeded()), make_uid_only_card(b"\1\2\3\4", seeded())).assurance == "identified"


def test_a_card_of_the_first_generation_is_tapped_too() -> None:
    first = Ev1Card(loaded_without_mac().state, seeded())
    facts = tap(first)
    assert facts.purse == Purse(0, "money_minor", None)
    assert facts.entitlement == entitlement()


def loaded_without_mac() -> Ev1Card:
    parts = ALL_PARTS & ~Part.TRANSACTION_MAC
    first = Ev1Card(blank().state, seeded())
    issue(first, CardLayout(parts, "money_minor"), CardHeader(NUMBER, "FLT1", "ACME", VERSION, parts, "money_minor"))
    return first


def _entitled(raw: bytes) -> CardFacts:
    sim = issued()
    file = sim.state.applications[0].files[ENTITLEMENT_FILE]
    assert isinstance(file, StandardFile)
    file.data = raw
    return tap(sim)


def test_a_forged_entitlement_is_refused() -> None:
    good = entitlement().signed(VAULT)
    with pytest.raises(errors.EntitlementForged, match="signature"):
        _entitled(good[:30] + bytes([good[30] ^ 1]) + good[31:])
    with pytest.raises(errors.EntitlementForged, match="another UID"):
        _entitled(entitlement(b"\4" * 7).signed(VAULT))
    with pytest.raises(errors.EntitlementForged, match="another card number"):
        _entitled(entitlement(number="7001234567890124").signed(VAULT))


_GARBAGE = st.one_of(
    st.none(),
    st.binary(max_size=70),
    st.tuples(st.binary(max_size=60), st.sampled_from([0x9100, 0x91AF, 0x91AE, 0x91A0, 0x9000, 0x6A82])).map(
        lambda parts: parts[0] + parts[1].to_bytes(2, "big")
    ),
)
_LOADED = loaded()


@settings(max_examples=80)
@given(st.integers(0, 24), st.lists(_GARBAGE, min_size=1, max_size=4), st.booleans())
def test_garbage_only_raises_named_errors(at: int, garbage: list[bytes | None], whole: bool) -> None:
    session = (ReadSession if whole else TapSession)(OFFICE, STATION_KEYS, seeded(2))
    fed_garbage(session, at, garbage, SimCard(_LOADED.state.copy(), seeded()).transmit)


def test_a_card_left_in_the_midst_of_a_command_is_asked_again() -> None:
    sim = loaded()
    sim.reset()
    sim.transmit(bytes.fromhex("9060000000"))
    facts = run_session_blocking(TapSession(OFFICE, STATION_KEYS, seeded()), sim.transmit)
    assert facts.card_number == NUMBER


def test_the_header_names_what_the_office_made() -> None:
    assert run(ReadSession(OFFICE, STATION_KEYS, seeded()), issued()).header == HEADER
