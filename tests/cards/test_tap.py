"""A tap finds out all that a card carries, in at most 12 commands, and never more than is proven."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_io import errors
from card_io.apdu import MORE_INS
from card_io.application import ALL_PARTS, CardHeader, Part
from card_io.beside import Beside
from card_io.counters import Counters
from card_io.entitlement import ENTITLEMENT_FILE
from card_io.facts import CardFacts, Purse
from card_io.identify import IdentifySession, TapSession
from card_io.inspect_card import ReadSession
from card_io.keys import KeyRing
from card_io.layout import CardLayout
from card_io.meanwhile import at_once
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

T = TypeVar("T")

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


def _with_entitlement(raw: bytes, sim: SimCard | None = None) -> SimCard:
    sim = issued() if sim is None else sim
    file = sim.state.applications[0].files[ENTITLEMENT_FILE]
    assert isinstance(file, StandardFile)
    file.data = raw
    return sim


def _entitled(raw: bytes) -> CardFacts:
    return tap(_with_entitlement(raw))


FORGED = entitlement().signed(VAULT).replace(b"ACME", b"ACMD")


def test_a_forged_entitlement_is_refused() -> None:
    with pytest.raises(errors.EntitlementForged, match="signature"):
        _entitled(FORGED)
    with pytest.raises(errors.EntitlementForged, match="another UID"):
        _entitled(entitlement(b"\4" * 7).signed(VAULT))
    with pytest.raises(errors.EntitlementForged, match="another card number"):
        _entitled(entitlement(number="7001234567890124").signed(VAULT))


class Late:
    """A Meanwhile that has no time: nothing is done before it is asked for. `begun` and `asked` count."""

    def __init__(self) -> None:
        self.begun = self.asked = 0

    def __call__(self, work: Callable[[], T], /) -> Callable[[], T]:
        self.begun += 1

        def result() -> T:
            self.asked += 1
            return work()

        return result


def test_what_is_done_meanwhile_is_done_before_the_result() -> None:
    late = Late()
    facts = run(TapSession(OFFICE, STATION_KEYS, seeded(4), meanwhile=late), loaded())
    assert facts == tap(loaded())
    assert (late.begun, late.asked) == (3, 3), "two sessions' keys and a signature"


def test_a_forged_entitlement_is_refused_however_late_it_is_looked_at() -> None:
    for sim in (_with_entitlement(FORGED), _with_entitlement(FORGED, loaded())):
        session = TapSession(OFFICE, STATION_KEYS, seeded(), meanwhile=Late())
        with pytest.raises(errors.EntitlementForged, match="signature"):
            run(session, sim)
        with pytest.raises(RuntimeError, match="no result"):
            _ = session.result


def test_a_card_that_proves_nothing_is_refused_whoever_makes_its_session_keys() -> None:
    late = Late()
    with pytest.raises(errors.ProofFailed, match="does not hold the key"):
        run(TapSession(PROFILE, KeyRing({3: bytes(16)}), seeded(), meanwhile=late), card())


def test_a_tap_with_a_thread_beside_it_finds_the_same() -> None:
    beside, sim = Beside(), loaded()
    for seed in range(5):
        assert run(TapSession(OFFICE, STATION_KEYS, seeded(seed), meanwhile=beside), sim) == tap(sim)
    with pytest.raises(errors.EntitlementForged):
        run(TapSession(OFFICE, STATION_KEYS, seeded(), meanwhile=beside), _with_entitlement(FORGED, loaded()))
    assert run(TapSession(OFFICE, STATION_KEYS, seeded(), meanwhile=beside), sim) == tap(sim), "it lives on"


def test_the_thread_beside_does_what_it_is_given_in_turn_and_gives_errors_to_who_asks() -> None:
    beside = Beside()
    inside = beside(threading.get_ident)
    wrong: Callable[[], int] = beside(lambda: 1 // 0)
    after = beside(threading.get_ident)
    assert inside() == after() != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        wrong()


_GARBAGE = st.one_of(
    st.none(),
    st.binary(max_size=70),
    st.tuples(st.binary(max_size=60), st.sampled_from([0x9100, 0x91AF, 0x91AE, 0x91A0, 0x9000, 0x6A82])).map(
        lambda parts: parts[0] + parts[1].to_bytes(2, "big")
    ),
)
_LOADED = loaded()


@settings(max_examples=80)
@given(st.integers(0, 24), st.lists(_GARBAGE, min_size=1, max_size=4), st.sampled_from(["tap", "late tap", "read"]))
def test_garbage_only_raises_named_errors(at: int, garbage: list[bytes | None], how: str) -> None:
    if how == "read":
        session: ReadSession | TapSession = ReadSession(OFFICE, STATION_KEYS, seeded(2))
    else:
        meanwhile = Late() if how == "late tap" else at_once
        session = TapSession(OFFICE, STATION_KEYS, seeded(2), meanwhile=meanwhile)
    fed_garbage(session, at, garbage, SimCard(_LOADED.state.copy(), seeded()).transmit)


def test_a_card_left_in_the_midst_of_a_command_is_asked_again() -> None:
    sim = loaded()
    sim.reset()
    sim.transmit(bytes.fromhex("9060000000"))
    facts = run_session_blocking(TapSession(OFFICE, STATION_KEYS, seeded()), sim.transmit)
    assert facts.card_number == NUMBER


def test_the_header_names_what_the_office_made() -> None:
    assert run(ReadSession(OFFICE, STATION_KEYS, seeded()), issued()).header == HEADER
