"""What a card counts of itself, at a station: use and wrong PINs of elsewhere, and what is written on it here."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Literal

import pytest

from card_io.application import Part
from card_io.counters import Counters
from card_io.entitlement import Entitlement, Limits
from card_io.fills import CardFill
from card_io.purse import NoteSession
from card_io.transport import run_session_blocking
from controller.domain.card_use import CardUse
from controller.domain.desk import Need, PointState, UnlockPin
from controller.domain.explain import explain
from controller.domain.pin_records import PinNoted, PinTried
from controller.domain.records import Authorised, Body, Declined
from sim.cards.broken import RestoredCard, Tear
from sim.cards.card import SimCard
from sim.cards.state import BackupFile
from sync.hq.cards.check import CardCheck, KnownCard
from sync.hq.cards.claims import proofs_in
from tests.cards.bench import NUMBER, UID, seeded
from tests.cards.office import OFFICE, STATION_KEYS
from tests.cards.test_card_check import mac_key
from tests.station.cards import (
    LOADED,
    PIN,
    PLAIN,
    CardHouse,
    CardYard,
    Hand,
    a_card,
    a_purse,
    entitled,
    limited,
    value_of,
    with_pin,
)
from tests.station.house import story

TODAY = date(2025, 12, 31)
"""The house's business day: it opens at three in the morning of the first of January."""
ELSEWHERE = b"another  station"
MACED = PLAIN | Part.TRANSACTION_MAC
LISTED = f"card,plate,account,status,products\n{NUMBER},,ACME,active,diesel\n,16 SIM 401,BURSA,active,diesel\n"
counter_story = story(kind=CardHouse)
"""Of cards with purses."""
plain_story = story(kind=CardHouse, cards_csv=LISTED)


def counters_of(card: SimCard) -> Counters:
    """As the chip keeps them."""
    file = card.state.applications[0].files[5]
    assert isinstance(file, BackupFile)
    return Counters.decode(file.data)


def elsewhere(
    card: SimCard, today: date = TODAY, volume_ml: int = 0, amount_minor: int = 0, pin_tries: int | None = None
) -> None:
    """What another station of the network has noted on it."""
    fill = None
    if volume_ml:
        fill = CardFill(99, bytes(8), 1, 1, 0, volume_ml, amount_minor, 1_767_200_000)
    session = NoteSession(
        OFFICE,
        STATION_KEYS,
        seeded(11),
        uid=UID,
        reader_id=ELSEWHERE,
        today=today,
        fill=fill,
        pin_tries=pin_tries,
    )
    card.reset()
    assert run_session_blocking(session, card.transmit).outcome == "applied"
    card.reset()


def decisions(house: CardHouse) -> list[Body]:
    bodies = house.journal.bodies_after(0, 100_000)
    return [body for body in bodies if isinstance(body.record, Authorised | Declined)]


def assert_explained(house: CardHouse, *words: str) -> None:
    """Each decision, made again from its row alone, is the same; the last one is told in these words."""
    told = [explain(body) for body in decisions(house)]
    assert all(each.same for each in told), told
    assert all(word in "\n".join(told[-1].lines) for word in words), told[-1].lines


# --- a day's and a month's use


@counter_story
async def test_a_card_that_bought_elsewhere_today_has_less_left_here(house: CardHouse) -> None:
    card = a_purse(rights=limited(NUMBER, day_ml=30_000))
    elsewhere(card, volume_ml=28_000, amount_minor=90_000)
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    (authorised,) = house.authorised
    assert authorised.limits.volume_ml == 2_000
    assert authorised.evidence.used_day_ml == 28_000
    assert authorised.evidence.card_use == CardUse(1, 28_000, 90_000, 28_000, 90_000)
    assert_explained(house, "used 28.000 (its card counts 28.000)")
    await house.fills(1, 1_500)
    await house.until(lambda: not house.open_cases)
    assert (counters_of(card).day_fills, counters_of(card).day_volume_ml) == (2, 29_500)
    house.take_off()
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    assert house.authorised[-1].limits.volume_ml == 500, "what it took here is not counted twice"
    assert_explained(house)


def monthly(volume_ml: int) -> Entitlement:
    return replace(entitled(NUMBER), month=Limits(volume_ml))


USED = {
    "today": (TODAY, limited(NUMBER, day_ml=30_000), 10_000),
    "a station whose day began earlier": (TODAY + timedelta(days=1), limited(NUMBER, day_ml=30_000), 10_000),
    "yesterday": (TODAY - timedelta(days=1), limited(NUMBER, day_ml=30_000), 30_000),
    "a clock that runs ahead": (TODAY + timedelta(days=2), limited(NUMBER, day_ml=30_000), 30_000),
    "earlier this month": (TODAY - timedelta(days=30), monthly(30_000), 10_000),
    "last month": (TODAY - timedelta(days=31), monthly(30_000), 30_000),
    "this month, last year": (TODAY - timedelta(days=365), monthly(30_000), 30_000),
}


@pytest.mark.parametrize("name", USED)
@plain_story
async def test_counters_of_another_day_or_month_are_worth_nothing(house: CardHouse, name: str) -> None:
    day, rights, left = USED[name]
    card = a_card(rights)
    elsewhere(card, day, volume_ml=20_000, amount_minor=1)
    before = card.state.copy()
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    assert house.authorised[0].limits.volume_ml == left
    assert_explained(house)
    await house.fills(1, 1_000)
    await house.until(lambda: house.books.sums.sales == 1)
    assert card.state == before, "a card that pays nothing itself is never written at the pump"


@plain_story
async def test_a_day_that_is_used_up_elsewhere_is_refused(house: CardHouse) -> None:
    card = a_card(replace(entitled(NUMBER), day=Limits(None, 50_000)))
    elsewhere(card, volume_ml=20_000, amount_minor=50_000)
    await house.calls(1)
    house.put_on(card)
    await house.refused("limit_day")
    assert_explained(house, "its card counts")


@plain_story
async def test_what_the_journal_knows_holds_where_the_card_knows_less(house: CardHouse) -> None:
    card = a_card(limited(NUMBER, day_ml=30_000))
    for _ in range(2):
        await house.calls(1)
        house.put_on(card)
        await house.is_let_go(1)
        await house.fills(1, 2_000)
        await house.until(lambda: not house.books.open)
        house.take_off()
    elsewhere(card, volume_ml=3_000)
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    assert house.authorised[-1].limits.volume_ml == 26_000, "4 litres here are more than 3 elsewhere"


@counter_story
async def test_a_debit_counts_the_most_and_the_refund_what_was_taken(house: CardHouse) -> None:
    card = a_purse(rights=limited(NUMBER, fill_ml=10_000))
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    (intended,) = house.intended
    counted = counters_of(card)
    assert intended.counted is not None
    assert (counted.day, counted.day_fills, counted.day_volume_ml) == (TODAY, 1, 10_000)
    assert counted.day_amount_minor == intended.counted.amount_minor == LOADED - value_of(card)
    await house.fills(1, 3_000)
    await house.until(lambda: not house.open_cases)
    after, (delivery,) = counters_of(card), house.deliveries
    assert (after.day_fills, after.day_volume_ml, after.month_volume_ml) == (1, 3_000, 3_000)
    assert after.day_amount_minor == after.month_amount_minor == delivery.amount_minor


@counter_story
async def test_what_is_not_used_was_never_counted(house: CardHouse) -> None:
    card = a_purse(rights=limited(NUMBER, day_ml=10_000))
    await house.calls(1)
    house.at("before purse_debited", house.station.points[1].stop)
    house.put_on(card)
    await house.until(lambda: bool(house.kinds.count("purse_refunded")), 10)
    counters = counters_of(card)
    assert (counters.day_fills, counters.day_volume_ml, counters.day_amount_minor) == (0, 0, 0)


TEARS = [(at, when) for at in (1, 2) for when in ("before", "after")]


@pytest.mark.parametrize(("at", "when"), TEARS)
@counter_story
async def test_a_torn_commit_counts_with_the_money_or_not_at_all(
    house: CardHouse, at: int, when: Literal["before", "after"]
) -> None:
    hand = Hand(a_purse(rights=limited(NUMBER, day_ml=50_000)))
    hand.plan(Tear(at, when, commits=True))
    await house.pays(hand, 1_000)
    await house.gets_back(hand)
    await house.wait(1)
    house.assert_all_paid_once(hand.card)
    counters, sums = counters_of(hand.card), house.books.sums
    assert (counters.day_fills, counters.day_volume_ml) == (1, 1_000)
    assert counters.day_amount_minor == sums.sales_amount_minor == LOADED - value_of(hand.card)
    assert_explained(house)


@counter_story
async def test_a_debit_that_is_taken_back_in_the_same_showing_leaves_the_whole_day(house: CardHouse) -> None:
    hand = Hand(a_purse(rights=limited(NUMBER, day_ml=10_000)))
    await house.calls(1)
    hand.plan(Tear(1, "after", commits=True))
    house.put_on(hand)
    await house.refused("purse_unknown")
    assert counters_of(hand.card).day_volume_ml == 10_000, "it was debited, and nobody heard it"
    house.put_on(hand)
    await house.is_let_go(1)
    assert house.authorised[0].limits.volume_ml == 10_000


# --- wrong PINs


async def asks(house: CardHouse, card: SimCard | Hand) -> None:
    if house.point(1).state != "calling":
        await house.calls(1)
    house.put_on(card)
    await house.until(lambda: house.point(1).need is Need.PIN, 10)


def tries(house: CardHouse) -> list[tuple[bool, int, int]]:
    return [(row.right, row.wrong, row.on_card) for row in house.records if isinstance(row, PinTried)]


@plain_story
async def test_wrong_pins_are_on_the_card_and_a_right_one_takes_them_off(house: CardHouse) -> None:
    card = a_card(with_pin(), MACED)
    await asks(house, card)
    for wrong in (1, 2):
        assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
        assert counters_of(card).pin_tries == wrong
    assert "tries left: 1" in house.point(1).text
    assert (await house.answer(1, Need.PIN, PIN)).done
    await house.is_let_go(1)
    assert counters_of(card).pin_tries == 0
    noted = house.of_kind(PinNoted)
    assert [(row.wrong, row.proof.act, row.proof.tmc, row.proof.station) for row in noted] == [
        (1, "note", 1, 12),
        (2, "note", 2, 12),
        (0, "note", 3, 12),
    ]
    assert_explained(house)
    await house.fills(1, 1_000)
    house.take_off()
    await asks(house, card)
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
    assert counters_of(card).pin_tries == 1, "in a row"


@counter_story
async def test_headquarters_finds_true_what_a_card_signed_of_its_counters(house: CardHouse) -> None:
    card = a_purse(rights=with_pin())
    await asks(house, card)
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
    assert (await house.answer(1, Need.PIN, PIN)).done
    await house.is_let_go(1)
    await house.fills(1, 1_000)
    await house.until(lambda: not house.open_cases)
    proofs = [proof for record in house.records for proof in proofs_in(record)]
    assert [proof.act for proof in proofs] == ["note", "note", "debit", "refund"]
    known = KnownCard(NUMBER, UID)
    check = CardCheck(lambda key: known, mac_key)
    for number, proof in enumerate(proofs):
        check.take(f"row {number}", proof)
    (missing,) = check.findings()
    assert missing.tmc == 1, "the office's load, and nothing else"


@plain_story
async def test_tries_of_elsewhere_count_and_three_lock_it(house: CardHouse) -> None:
    card = a_card(with_pin())
    elsewhere(card, pin_tries=2)
    await asks(house, card)
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_locked"
    assert tries(house) == [(False, 3, 2)]
    assert counters_of(card).pin_tries == 3
    assert_explained(house, "wrong tries in a row: 3, of which its card counts 3")
    assert house.kinds.count("pin_locked") == 1


@plain_story
async def test_a_card_that_was_locked_elsewhere_is_locked_until_somebody_unlocks_it(house: CardHouse) -> None:
    card = a_card(with_pin())
    elsewhere(card, pin_tries=3)
    await house.calls(1)
    house.put_on(card)
    await house.refused("pin_locked")
    assert not tries(house)
    assert_explained(house)
    assert (await house.command(UnlockPin(house.next_id(), card=NUMBER))).done
    await house.kill()
    await house.start()
    house.hang_up()
    house.take_off()
    await asks(house, card)
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
    assert counters_of(card).pin_tries == 1, "the card is told where this station stands"
    assert (await house.answer(1, Need.PIN, PIN)).done
    await house.is_let_go(1)
    assert counters_of(card).pin_tries == 0


@story(kind=CardHouse, cards_csv=LISTED, debit_key=False)
async def test_a_station_without_the_debit_key_counts_for_itself(house: CardHouse) -> None:
    card = a_card(with_pin())
    elsewhere(card, pin_tries=2)
    before = card.state.copy()
    await asks(house, card)
    assert (await house.answer(1, Need.PIN, PIN)).done
    await house.is_let_go(1)
    await house.fills(1, 1_000)
    house.take_off()
    await asks(house, card)
    for reason in ("pin_wrong", "pin_wrong", "pin_locked"):
        assert (await house.answer(1, Need.PIN, "1234")).reason == reason, "its own count began anew with the right one"
    assert card.state == before
    assert not house.of_kind(PinNoted)


@story(kind=CardHouse, cards_csv=LISTED, yard=CardYard(keys=""))
async def test_a_station_that_cards_know_by_no_number_writes_on_none(house: CardHouse) -> None:
    card = a_card(with_pin())
    before = card.state.copy()
    await asks(house, card)
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
    assert card.state == before


@plain_story
async def test_a_card_that_was_taken_away_is_counted_here(house: CardHouse) -> None:
    card = a_card(with_pin())
    before = card.state.copy()
    await asks(house, card)
    house.take_off()
    await house.wait(1)
    for reason in ("pin_wrong", "pin_wrong", "pin_locked"):
        assert (await house.answer(1, Need.PIN, "1234")).reason == reason
    assert card.state == before
    assert [wrong for _, wrong, _ in tries(house)] == [1, 2, 3]


@pytest.mark.parametrize("when", ["before", "after"])
@plain_story
async def test_a_card_torn_while_it_is_told_changes_nothing_of_the_count(
    house: CardHouse, when: Literal["before", "after"]
) -> None:
    hand = Hand(a_card(with_pin(), MACED))
    await asks(house, hand)
    hand.plan(Tear(1, when, commits=True))
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
    assert counters_of(hand.card).pin_tries == (when == "after")
    assert not house.of_kind(PinNoted)
    asked = house.point(1).question
    house.put_on(hand)
    await house.until(lambda: house.point(1).question not in {asked, ""}, 10)
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
    assert counters_of(hand.card).pin_tries == 2
    assert_explained(house)


@pytest.mark.parametrize("moment", ["before pin_tried", "after pin_tried", "before pin_noted", "after pin_noted"])
@plain_story
async def test_a_controller_killed_in_the_midst_gives_no_more_than_three_tries(house: CardHouse, moment: str) -> None:
    card = a_card(with_pin(), MACED)
    await asks(house, card)
    house.kill_when(moment)
    house.send(house.answering(1, Need.PIN, "1234"))
    await house.until(lambda: house.dead, 10)
    await house.kill()
    house.take_off()
    await house.start()
    heard = "before pin_tried" not in moment
    assert [wrong for _, wrong, _ in tries(house)] == ([1] if heard else [])
    await house.state(1, PointState.CALLING)
    await asks(house, card)
    for reason in ("pin_wrong", "pin_locked") if heard else ("pin_wrong", "pin_wrong", "pin_locked"):
        assert (await house.answer(1, Need.PIN, "1234")).reason == reason
    assert counters_of(card).pin_tries == 3


@counter_story
async def test_an_old_state_from_before_the_wrong_pin_is_refused(house: CardHouse) -> None:
    """A thief who puts the card's old state back, to try again: as before, its count of commits tells."""
    card = a_purse(rights=with_pin())
    old = card.state.copy()
    await asks(house, card)
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
    house.take_off()
    house.put_on(RestoredCard(old, seeded(6)))
    await house.refused("card_rolled_back")


@plain_story
async def test_a_pin_of_the_list_is_counted_by_the_station_alone(house: CardHouse) -> None:
    card = a_card(entitled(NUMBER))
    elsewhere(card, pin_tries=3)
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
