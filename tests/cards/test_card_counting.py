"""What a debit counts on the card, and how the refund corrects it: with the money, in the same commit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_io.counters import CardDebit, Counters, Use, Used, countable
from card_io.fills import CardFill
from card_io.purse import DebitSession, NoteSession, RefundSession
from card_io.session import CardSession
from card_io.transaction import Changed
from sim.cards.card import SimCard
from sim.cards.state import BackupFile, ValueFile
from tests.cards.bench import UID, seeded
from tests.cards.office import (
    FILL,
    INTENT,
    OFFICE,
    READER_ID,
    STATION_KEYS,
    TODAY,
    length_of,
    loaded,
    run,
    tap,
    torn,
)

_LOADED = loaded().state
MOST = Use(60_000, 50_000)
TAKEN = Use(FILL.volume_ml, FILL.amount_minor)


def fresh() -> SimCard:
    return SimCard(_LOADED.copy(), seeded())


def debiting(counted: Use = MOST, today: date = TODAY) -> CardSession[Changed]:
    return DebitSession(
        OFFICE, STATION_KEYS, seeded(5), uid=UID, intent=INTENT, reader_id=READER_ID, today=today, counted=counted
    )


def refunding(
    fill: CardFill | None = FILL, unused: int = 2_000, counted: Use | None = MOST, today: date = TODAY
) -> CardSession[Changed]:
    return RefundSession(
        OFFICE,
        STATION_KEYS,
        seeded(6),
        uid=UID,
        intent=INTENT,
        unused=unused,
        fill=fill,
        today=today,
        reader_id=READER_ID,
        counted=counted,
    )


def on(card: SimCard) -> tuple[int, Counters]:
    """What is in the purse, and file 05, as the chip keeps them."""
    files = card.state.applications[0].files
    purse, counters = files[3], files[5]
    assert isinstance(purse, ValueFile)
    assert isinstance(counters, BackupFile)
    return purse.value, Counters.decode(counters.data)


BEFORE = (200_000, Counters())
DEBITED = (150_000, replace(Counters().after_fill(TODAY, 60_000, 50_000), debit=CardDebit(INTENT, "open")))
REFUNDED = (
    152_000,
    replace(Counters().after_fill(TODAY, FILL.volume_ml, FILL.amount_minor), debit=CardDebit(INTENT, "settled")),
)


def test_the_most_is_counted_with_the_debit_and_corrected_with_the_refund() -> None:
    card = fresh()
    done = run(debiting(), card)
    assert on(card) == DEBITED
    assert (done.counters, done.written) == (BEFORE[1], DEBITED[1])
    done = run(refunding(today=TODAY + timedelta(days=1)), card)
    assert on(card) == REFUNDED, "it stays on the day on which it was let go"
    assert done.written == REFUNDED[1]


def test_a_fill_that_took_nothing_was_none() -> None:
    card = fresh()
    run(debiting(), card)
    assert run(refunding(None, unused=INTENT.maximum), card).outcome == "applied"
    assert on(card) == (200_000, replace(Counters(day=TODAY), debit=CardDebit(INTENT, "settled")))


def test_where_nobody_knows_what_was_taken_the_most_stays_counted() -> None:
    card = fresh()
    run(debiting(), card)
    assert run(refunding(None, unused=10_000), card).outcome == "applied"
    assert on(card)[1] == replace(DEBITED[1], debit=CardDebit(INTENT, "settled"))


def test_a_debit_of_before_that_counted_nothing_is_counted_with_its_refund() -> None:
    card = fresh()
    plain = DebitSession(OFFICE, STATION_KEYS, seeded(5), uid=UID, intent=INTENT, reader_id=READER_ID)
    assert run(plain, card).outcome == "applied"
    assert on(card)[1].day_fills == 0
    assert run(refunding(counted=None), card).outcome == "applied"
    assert on(card) == REFUNDED


def test_wrong_pins_are_noted_beside_it() -> None:
    card = fresh()
    note = NoteSession(OFFICE, STATION_KEYS, seeded(7), uid=UID, reader_id=READER_ID, today=TODAY, pin_tries=2)
    assert run(note, card).outcome == "applied"
    run(debiting(), card)
    assert on(card) == (150_000, replace(DEBITED[1], pin_tries=2))


DEBIT_FRAMES = length_of(debiting(), fresh())


def _debited() -> SimCard:
    card = fresh()
    run(debiting(), card)
    return card


REFUND_FRAMES = length_of(refunding(), _debited())


@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
def test_a_torn_debit_counts_with_the_money_or_not_at_all(heard: bool) -> None:
    for after in range(DEBIT_FRAMES):
        card = fresh()
        torn(debiting(), card, after, heard=heard)
        happened = heard and after == DEBIT_FRAMES - 1
        assert on(card) == (DEBITED if happened else BEFORE), f"torn at frame {after}"


@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
def test_a_torn_refund_corrects_with_the_money_or_not_at_all(heard: bool) -> None:
    for after in range(REFUND_FRAMES):
        card = _debited()
        torn(refunding(), card, after, heard=heard)
        happened = heard and after == REFUND_FRAMES - 1
        assert on(card) == (REFUNDED if happened else DEBITED), f"torn at frame {after}"


def test_counters_that_are_full_take_no_more_and_nothing_is_debited() -> None:
    card = fresh()
    for _ in range(2):
        done = run(debiting(Use(0xFFFF_FFFF, 1)), card)
    assert (done.outcome, done.error_kind) == ("not_applied", "not_our_card")
    assert "counters are full" in (done.text or "")
    assert on(card)[0] == 150_000
    assert tap(card).counters is not None


uses = st.builds(Use, st.integers(0, 10**9), st.integers(0, 10**9))
days = st.dates(date(2020, 1, 1), date(2040, 12, 31))


@given(days, uses, uses.filter(lambda use: use != Use()))
def test_a_correction_leaves_what_was_taken(day: date, most: Use, taken: Use) -> None:
    counted = Counters().after_fill(day, most.volume_ml, most.amount_minor)
    assert counted.corrected(most, taken) == Counters().after_fill(day, taken.volume_ml, taken.amount_minor)
    assert counted.corrected(most, Use()).used_on(day) == Used()


@given(days, days, uses)
def test_only_this_day_and_this_month_count(counted_on: date, today: date, use: Use) -> None:
    used = Counters().after_fill(counted_on, use.volume_ml, use.amount_minor).used_on(today)
    now = counted_on in (today, today + timedelta(days=1))
    same_month = (counted_on.year, counted_on.month) == (today.year, today.month)
    assert (used.day, used.day_fills) == ((use, 1) if now else (Use(), 0))
    assert used.month == (use if now or same_month else Use())


def test_a_day_that_a_card_cannot_keep_is_refused_before_it_is_written() -> None:
    with pytest.raises(ValueError, match="2000-01-02"):
        Counters().after_fill(date(2000, 1, 1), 1_000, 1_000)
    for day in (date.min, date(1970, 1, 1), date(2000, 1, 1), date(2000, 1, 2), TODAY, date.max):
        counted = Counters().after_fill(countable(day), 1_000, 1_000)
        assert Counters.decode(counted.encode()) == counted


def test_a_day_that_nobody_lives_to_see_counts_for_nobody() -> None:
    spoilt = Counters().after_fill(date(2099, 5, 1), 1_000, 1_000)
    counted = spoilt.after_fill(TODAY, 5_000, 500)
    assert counted.used_on(TODAY) == Used(1, Use(5_000, 500), Use(5_000, 500))
