"""Fuelling from a card's purse: debited before, given back after, and never unknown without saying so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_io.counters import CardDebit, Counters, PurseIntent
from card_io.facts import Purse
from card_io.inspect_card import ReadSession
from card_io.keys import KeyRing
from card_io.purse import DebitSession, NoteSession, RefundSession, Resolved, ResolveSession
from card_io.transaction import Changed
from card_io.transport import run_session_blocking
from sim.cards.card import SimCard
from sim.cards.state import ValueFile
from tests.cards.bench import UID, seeded
from tests.cards.office import (
    FILL,
    INTENT,
    OFFICE,
    READER_ID,
    STATION_KEYS,
    TODAY,
    fed_garbage,
    issued,
    length_of,
    load,
    loaded,
    run,
    tap,
    torn,
)
from tests.cards.test_tap import loaded_without_mac

OTHER = replace(INTENT, station=99)
_LOADED = loaded().state


def fresh() -> SimCard:
    return SimCard(_LOADED.copy(), seeded())


def debiting(intent: PurseIntent = INTENT, uid: bytes = UID) -> DebitSession:
    return DebitSession(OFFICE, STATION_KEYS, seeded(5), uid=uid, intent=intent, reader_id=READER_ID)


def refunding(unused: int = 2_000, intent: PurseIntent = INTENT) -> RefundSession:
    return RefundSession(
        OFFICE,
        STATION_KEYS,
        seeded(6),
        uid=UID,
        intent=intent,
        unused=unused,
        fill=FILL,
        today=TODAY,
        reader_id=READER_ID,
    )


def resolved(card: SimCard, before: CardDebit | None = None) -> Resolved:
    return run(ResolveSession(OFFICE, STATION_KEYS, seeded(8), uid=UID, intent=INTENT, before=before), card)


def purse(card: SimCard) -> int:
    found = tap(card).purse
    assert isinstance(found, Purse)
    return found.value


def debited() -> SimCard:
    card = fresh()
    assert run(debiting(), card).outcome == "applied"
    return card


def test_a_debit_is_on_the_card_with_its_name() -> None:
    card = fresh()
    done = run(debiting(), card)
    assert (done.outcome, done.uid, done.error_kind) == ("applied", UID, None)
    assert done.proof is not None
    assert done.proof.counter == 2, "the load was the first commit"
    facts = tap(card)
    assert facts.purse == Purse(150_000, "money_minor", 2)
    assert facts.counters == Counters(debit=CardDebit(INTENT, "open"))


def test_the_unused_comes_back_with_the_fill_counted_and_recorded() -> None:
    card = debited()
    assert run(refunding(), card).outcome == "applied"
    read = run(ReadSession(OFFICE, STATION_KEYS, seeded()), card)
    assert read.facts.purse == Purse(152_000, "money_minor", 3)
    assert read.fills == (FILL,)
    counted = Counters().after_fill(TODAY, FILL.volume_ml, FILL.amount_minor)
    assert read.facts.counters == replace(counted, debit=CardDebit(INTENT, "settled"))


def test_a_debit_used_up_is_settled_with_nothing_to_give_back() -> None:
    card = debited()
    assert run(refunding(0), card).outcome == "applied"
    assert purse(card) == 150_000
    assert resolved(card).fate == "refunded"


def test_nothing_is_given_back_twice() -> None:
    card = debited()
    run(refunding(), card)
    again = run(refunding(), card)
    assert (again.outcome, again.error_kind) == ("not_applied", "debit_not_open")
    assert purse(card) == 152_000


def test_a_debit_elsewhere_in_between_ends_the_refund() -> None:
    card = debited()
    run(debiting(OTHER), card)
    late = run(refunding(), card)
    assert (late.outcome, late.error_kind) == ("not_applied", "debit_not_open")
    assert "another debit" in (late.text or "")
    assert resolved(card).fate == "unknown", "the card cannot tell any more"
    assert purse(card) == 100_000


def test_more_than_was_debited_cannot_be_given_back() -> None:
    with pytest.raises(ValueError, match="cannot be left"):
        refunding(INTENT.maximum + 1)


def test_a_reader_without_a_proper_name_begins_nothing() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        DebitSession(OFFICE, STATION_KEYS, seeded(), uid=UID, intent=INTENT, reader_id=b"short")


def test_an_empty_purse_is_said_so() -> None:
    card = issued()
    done = run(debiting(), card)
    assert (done.outcome, done.error_kind) == ("not_applied", "purse_too_small")
    assert resolved(card).fate == "not_applied"


def test_another_card_is_never_debited() -> None:
    card = fresh()
    done = run(debiting(uid=b"\x04" * 7), card)
    assert (done.outcome, done.error_kind) == ("not_applied", "another_card")
    assert purse(card) == 200_000


def test_a_station_without_the_debit_key_debits_nothing() -> None:
    done = run(
        DebitSession(OFFICE, KeyRing(), seeded(), uid=UID, intent=INTENT, reader_id=READER_ID),
        fresh(),
    )
    assert (done.outcome, done.error_kind) == ("not_applied", "key_missing")


def test_a_fill_and_wrong_pins_are_noted_without_a_purse_being_touched() -> None:
    card = fresh()
    note = NoteSession(
        OFFICE, STATION_KEYS, seeded(), uid=UID, reader_id=READER_ID, today=TODAY, fill=FILL, odometer_km=120_000
    )
    assert run(note, card).outcome == "applied"
    tries = NoteSession(
        OFFICE, STATION_KEYS, seeded(), uid=UID, reader_id=READER_ID, today=date(2026, 3, 15), pin_tries=2
    )
    assert run(tries, card).outcome == "applied"
    facts = tap(card)
    assert facts.counters is not None
    assert (facts.counters.pin_tries, facts.counters.day_fills, facts.counters.odometer_km) == (2, 1, 120_000)
    assert facts.purse == Purse(200_000, "money_minor", 3)


def test_an_ev1_card_is_debited_and_settled_without_a_transaction_mac() -> None:
    card = loaded_without_mac()
    assert load(card, 200_000).outcome == "applied"
    done = run(debiting(), card)
    assert (done.outcome, done.proof) == ("applied", None)
    assert run(refunding(), card).outcome == "applied"
    assert purse(card) == 152_000
    assert resolved(card).fate == "refunded"


# --- torn out: at every frame, heard or not, the card and the story agree


DEBIT_FRAMES = length_of(debiting(), fresh())
REFUND_FRAMES = length_of(refunding(), debited())


@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
@pytest.mark.parametrize("after", range(DEBIT_FRAMES))
def test_a_torn_debit_is_never_lost(after: int, heard: bool) -> None:
    card = fresh()
    done = torn(debiting(), card, after, heard=heard)
    _agree(done, card, after == DEBIT_FRAMES - 1)
    assert done.error_kind == "card_removed"
    happened = purse(card) == 150_000
    assert happened == (heard and after == DEBIT_FRAMES - 1), "only the commit changes anything"
    assert resolved(card).fate == ("applied" if happened else "not_applied")


@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
@pytest.mark.parametrize("after", range(REFUND_FRAMES - 6, REFUND_FRAMES))
def test_a_torn_refund_is_never_lost(after: int, heard: bool) -> None:
    card = debited()
    done = torn(refunding(), card, after, heard=heard)
    _agree(done, card, after == REFUND_FRAMES - 1)
    happened = purse(card) == 152_000
    assert resolved(card).fate == ("refunded" if happened else "applied")
    again = run(refunding(), card)
    assert again.outcome == ("not_applied" if happened else "applied"), "it may be tried again, and pays once"
    assert purse(card) == 152_000


def _agree(done: Changed, card: SimCard, last: bool) -> None:
    assert done.outcome == ("unknown" if last else "not_applied")
    assert done.text


def test_a_commit_whose_answer_is_forged_is_unknown() -> None:
    card = fresh()
    session = debiting()
    count = 0

    def transmit(apdu: bytes) -> bytes:
        nonlocal count
        count += 1
        answer = card.transmit(apdu)
        return bytes(20) + b"\x91\x00" if count == DEBIT_FRAMES else answer

    assert run_session_blocking(session, transmit).outcome == "unknown"
    assert resolved(card).fate == "applied"


def test_a_debit_before_it_is_told_from_this_one() -> None:
    card = fresh()
    run(debiting(OTHER), card)
    before = CardDebit(OTHER, "open")
    assert resolved(card, before).fate == "not_applied"
    assert resolved(card, None).fate == "unknown"


_GARBAGE = st.one_of(
    st.none(),
    st.binary(max_size=70),
    st.tuples(st.binary(max_size=60), st.sampled_from([0x9100, 0x91AF, 0x91AE, 0x91BE, 0x919D, 0x9000])).map(
        lambda parts: parts[0] + parts[1].to_bytes(2, "big")
    ),
)


@settings(max_examples=80)
@given(st.integers(0, 30), st.lists(_GARBAGE, min_size=1, max_size=4), st.booleans())
def test_garbage_at_any_step_never_tells_a_lie(at: int, garbage: list[bytes | None], refund: bool) -> None:
    card = SimCard(_DEBITED.copy(), seeded()) if refund else fresh()
    before = _value(card)
    done = fed_garbage(refunding() if refund else debiting(), at, garbage, card.transmit)
    assert isinstance(done, Changed), "a session that changes a card has a result, whatever it hears"
    if done.outcome != "unknown":
        assert (done.outcome == "applied") == (_value(card) != before)


@settings(max_examples=80)
@given(st.integers(0, DEBIT_FRAMES - 1), st.integers(0, 500))
def test_a_turned_bit_at_any_step_never_tells_a_lie(at: int, bit: int) -> None:
    card = fresh()
    count = -1

    def transmit(apdu: bytes) -> bytes:
        nonlocal count
        count += 1
        answer = bytearray(card.transmit(apdu))
        if count == at:
            answer[bit // 8 % len(answer)] ^= 1 << bit % 8
        return bytes(answer)

    done = run_session_blocking(debiting(), transmit)
    assert done.outcome != "applied" or _value(card) == 150_000
    assert done.outcome != "not_applied" or _value(card) == 200_000


@settings(max_examples=40)
@given(st.integers(0, 30), st.lists(_GARBAGE, min_size=1, max_size=4))
def test_garbage_is_never_taken_for_a_debits_fate(at: int, garbage: list[bytes | None]) -> None:
    session = ResolveSession(OFFICE, STATION_KEYS, seeded(), uid=UID, intent=INTENT, before=None)
    found = fed_garbage(session, at, garbage, SimCard(_DEBITED.copy(), seeded()).transmit)
    assert found is None or found.fate == "applied"


def _value(card: SimCard) -> int:
    file = card.state.applications[0].files[3]
    assert isinstance(file, ValueFile)
    return file.value


_DEBITED = debited().state
