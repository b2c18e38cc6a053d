"""Fuelling from a card's purse: whatever is torn, killed or taken away, the purse and the sales agree in the end."""

import asyncio

import pytest

from card_io.counters import PurseIntent
from card_io.purse import DebitSession
from card_io.release import Release
from card_io.rotate import LoadSession
from card_io.transport import run_session_blocking
from controller.domain.desk import PointState, ReleasePurse
from controller.domain.purse_records import PurseDebited, PurseRefunded, PurseReleased, PurseResolved
from controller.domain.records import Authorised, parse_row_name
from sim.cards.broken import RestoredCard, Tear
from sim.cards.card import SimCard
from tests.cards.bench import UID, seeded
from tests.cards.office import OFFICE, STATION_KEYS, VAULT
from tests.station.cards import LOADED, STATION_NUMBER, CardHouse, CardYard, Hand, a_purse, value_of
from tests.station.house import story

TAP_FRAMES, DEBIT_FRAMES, REFUND_FRAMES = 20, 18, 19
"""`test_the_frames_are_all_of_them` holds it."""
purse_story = story(kind=CardHouse)


@purse_story
async def test_the_maximum_is_taken_before_and_the_rest_comes_back(house: CardHouse) -> None:
    card = a_purse()
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    assert value_of(card) == 0, "nothing else bounds this sale"
    (debited,) = house.of_kind(PurseDebited)
    assert (debited.proof.amount, debited.proof.tmc) == (LOADED, 2)
    (authorised,) = house.of_kind(Authorised)
    preset = authorised.preset_amount_minor
    assert LOADED - 1_000 < preset < LOADED, "less what the pump may run over"
    await house.fills(1, 3_000)
    await house.until(lambda: not house.open_cases)
    assert house.story() == [
        "purse_intended",
        "purse_debited",
        "authorised",
        "delivery",
        "settlement",
        "purse_refunded",
    ]
    (refunded,) = house.of_kind(PurseRefunded)
    assert refunded.amount == LOADED - house.deliveries[0].amount_minor
    assert (refunded.proof.act, refunded.proof.tmc) == ("refund", 3)
    house.assert_all_paid_once(card)
    await house.until(lambda: bool(house.slips))
    assert "Card purse" in house.slips[0].text


@purse_story
async def test_a_purse_of_litres_pays_in_litres(house: CardHouse) -> None:
    card = a_purse(20_000, holds="volume_ml")
    await house.pays(card, 3_000)
    await house.until(lambda: not house.open_cases)
    (authorised,) = house.authorised
    assert authorised.preset_volume_ml == 20_000 - house.station.site.rules.overrun_ml
    assert value_of(card) == 17_000
    assert house.books.sums.sales_volume_ml == 3_000


@purse_story
async def test_points_are_not_spent_at_a_pump(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_purse(20_000, holds="points"))
    await house.refused("purse_missing")


@story(kind=CardHouse, yard=CardYard(keys="unlisted = true"))
async def test_a_station_without_purses_takes_none(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_purse())
    await house.refused("purse_unsupported")


@purse_story
async def test_a_fill_up_of_the_whole_purse_needs_no_second_sight(house: CardHouse) -> None:
    card = a_purse(10_000)
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    house.take_off()
    house.squeeze(1, 50_000)
    await house.until(lambda: house.head(1).volume_ml(house.now_us) > 2_000)
    await house.wait(10)
    house.hang_up(1)
    await house.until(lambda: house.books.sums.sales == 1)
    assert house.books.sums.sales_amount_minor < 10_000, "the preset holds"
    await house.gets_back(card)
    house.assert_all_paid_once(card, 10_000)


async def _torn_sale(house: CardHouse, hand: Hand, before: int, left: int) -> int:
    """One sale with whatever is planned; the purse's new value."""
    await house.pays(hand, 200)
    await house.gets_back(hand)
    sold = house.deliveries[-1].amount_minor
    assert len(house.deliveries) == before + 1
    assert value_of(hand.card) == left - sold
    assert not house.open_cases
    house.take_off()
    await house.wait(1)
    return left - sold


@pytest.mark.parametrize("when", ["before", "after"])
@purse_story
async def test_a_card_torn_at_any_frame_of_tap_or_debit(house: CardHouse, when: str) -> None:
    hand, left = Hand(a_purse()), LOADED
    frames = (1, 2, TAP_FRAMES // 2, *range(TAP_FRAMES, TAP_FRAMES + DEBIT_FRAMES + 1))
    for number, at in enumerate(frames):
        hand.plan(Tear(at, "before" if when == "before" else "after"))
        left = await _torn_sale(house, hand, number, left)
    house.assert_all_paid_once(hand.card)
    fates = {resolved.fate for resolved in house.of_kind(PurseResolved)}
    assert fates == ({"not_applied"} if when == "before" else {"not_applied", "applied"})


@pytest.mark.parametrize("when", ["before", "after"])
@purse_story
async def test_a_card_torn_at_any_frame_of_the_refund(house: CardHouse, when: str) -> None:
    hand, left = Hand(a_purse()), LOADED
    torn = 0

    def tear_next() -> None:
        nonlocal torn
        torn += 1
        hand.plan(Tear(torn, "before" if when == "before" else "after"))

    house.at("before delivery", tear_next)
    for number in range(REFUND_FRAMES):
        left = await _torn_sale(house, hand, number, left)
    house.assert_all_paid_once(hand.card)
    resolved = house.of_kind(PurseResolved)
    assert {each.fate for each in resolved} == (set() if when == "before" else {"refunded"})
    assert len(house.of_kind(PurseRefunded)) + len(resolved) == torn


@purse_story
async def test_the_frames_are_all_of_them(house: CardHouse) -> None:
    hand = Hand(a_purse())
    await house.calls(1)
    house.put_on(hand)
    tap = hand.frames
    await house.is_let_go(1)
    debit = hand.frames - tap
    await house.fills(1, 500)
    await house.until(lambda: not house.open_cases)
    assert (tap, debit, hand.frames - tap - debit) == (TAP_FRAMES, DEBIT_FRAMES, REFUND_FRAMES)


@purse_story
async def test_a_card_taken_away_gets_its_rest_at_its_next_sight_anywhere(house: CardHouse) -> None:
    card = a_purse()
    await house.pays(card, 2_000, take_off_when=lambda: True)
    owed = LOADED - house.deliveries[0].amount_minor
    text = f"{owed // 100}.{owed % 100:02} TRY goes back to it"
    await house.until(lambda: text in house.point(1).text, 5)
    where = next(trouble.where for trouble in house.snapshot.troubles if text in trouble.text)
    assert "700123******0123" in where
    await house.kill()
    await house.start()
    await house.state(1, PointState.IDLE)
    assert text in house.trouble(where), "a restart forgets nothing"
    assert house.books.sums.sales == 1
    house.lift(2)
    await house.state(2, PointState.CALLING)
    house.put_on(card, 2)
    await house.until(lambda: not house.open_cases, 5)
    await house.wait(2)
    assert house.point(2).state is PointState.CALLING, "this showing was for the rest, and pays for nobody's fuel"
    assert not house.trouble(where)
    house.assert_all_paid_once(card)
    house.take_off(2)
    house.put_on(card, 2)
    await house.state(2, PointState.AUTHORISED)


def _debit_elsewhere(card: SimCard, amount: int) -> None:
    intent = PurseIntent(99, bytes(8), 1, amount)
    session = DebitSession(OFFICE, STATION_KEYS, seeded(9), uid=UID, intent=intent, reader_id=b"another  station")
    card.reset()
    assert run_session_blocking(session, card.transmit).outcome == "applied"


@purse_story
async def test_a_card_used_elsewhere_in_between_is_headquarters_affair(house: CardHouse) -> None:
    card = a_purse()
    await house.pays(card, 1_000, take_off_when=lambda: True)
    await house.until(lambda: house.books.sums.sales == 1)
    owed = house.open_cases[0].owed
    assert owed
    name = next(iter(house.books.purses.cases))
    # headquarters has loaded it meanwhile, and another station has taken some of that
    _loaded(card, 5_000)
    _debit_elsewhere(card, 3_000)
    house.put_on(card)
    await house.until(lambda: house.open_cases[0].elsewhere, 5)
    assert house.of_kind(PurseResolved)[-1].fate == "unknown"
    assert "enter headquarters' release" in house.point(1).text
    row = parse_row_name(name)
    release = Release(STATION_NUMBER, row.epoch, row.seq, owed)
    good = release.signed(VAULT)
    changed = good[:-1] + ("A" if good[-1] != "A" else "B")
    for forged in ("", "nonsense", changed, Release(13, row.epoch, row.seq, owed).signed(VAULT)):
        assert (await house.command(ReleasePurse(house.next_id(), forged))).reason == "release_forged"
    other = Release(STATION_NUMBER, row.epoch, row.seq + 1, owed).signed(VAULT)
    assert (await house.command(ReleasePurse(house.next_id(), other))).reason == "purse_not_open"
    release_it = ReleasePurse(house.next_id(), good)
    assert (await house.command(release_it)).done
    (released,) = house.of_kind(PurseReleased)
    assert released.amount == owed
    assert not house.open_cases
    assert not house.point(1).text
    assert value_of(card) + owed + house.books.sums.sales_amount_minor == LOADED + 5_000 - 3_000
    await house.kill()
    await house.start()
    assert (await house.command(release_it)).done, "a till that asks again gets the first answer"
    spaced = ReleasePurse(release_it.command_id, f" {good[:30]}\n{good[30:]}")
    assert (await house.command(ReleasePurse(release_it.command_id, changed))).reason == "command_reused"
    await house.kill()
    await house.start()
    assert (await house.command(spaced)).done, "as it was typed off a letter"
    assert (await house.command(ReleasePurse(house.next_id(), good))).reason == "purse_not_open"
    assert len(house.of_kind(PurseReleased)) == 1


def _loaded(card: SimCard, amount: int) -> None:
    session = LoadSession(OFFICE, VAULT, seeded(8), uid=UID, amount=amount, reader_id=b"headquarters' 01")
    card.reset()
    assert run_session_blocking(session, card.transmit).outcome == "applied"


MOMENTS = [
    "before purse_intended",
    "after purse_intended",
    "before purse_debited",
    "after purse_debited",
    "pump AUTHORIZE",
    "before delivery",
    "after delivery",
    "before settlement",
    "after settlement",
    "before purse_refunded",
    "after purse_refunded",
]


@pytest.mark.parametrize("moment", MOMENTS)
@purse_story
async def test_the_controller_killed_at_this_moment_ends_in_the_same_books(house: CardHouse, moment: str) -> None:
    card = a_purse()
    house.kill_when(moment)
    customer = asyncio.ensure_future(_customer(house, card, 1_000))
    await house.until(lambda: house.dead)
    await house.kill()
    await house.wait(2)
    await house.start()
    await customer
    await house.until(lambda: house.books.sums.sales == 1 and not house.books.open)
    await house.gets_back(card)
    house.assert_all_paid_once(card)
    house.assert_books_agree(deliveries=1)


async def _customer(house: CardHouse, card: SimCard, volume_ml: int) -> None:
    head = house.head(1)
    house.lift(1)
    head.squeeze(volume_ml, house.now_us)
    shown_us = -(10**9)
    while head.volume_ml(house.now_us) < volume_ml:
        waits = not house.dead and house.point(1).state in {PointState.CALLING, PointState.IDLE, PointState.REFUSED}
        if waits and not head.flowing and house.now_us - shown_us > 8_000_000:
            house.put_on(card)
            shown_us = house.now_us
        await house.wait(0.5)
    await house.wait(1)
    house.hang_up(1)


@purse_story
async def test_an_old_state_put_back_on_a_card_is_refused(house: CardHouse) -> None:
    copied = RestoredCard(a_purse().state, seeded(6))
    await house.pays(copied, 1_000)
    await house.until(lambda: not house.open_cases)
    house.lift(1)
    await house.state(1, PointState.CALLING)
    house.put_on(copied)
    await house.refused("card_rolled_back")
    assert house.reasons[-1] == "card_rolled_back"
    assert house.books.sums.sales == 1


@purse_story
async def test_a_stop_before_the_pump_is_told_gives_all_of_it_back(house: CardHouse) -> None:
    card = a_purse()
    await house.calls(1)
    house.at("before purse_debited", house.station.points[1].stop)
    house.put_on(card)
    await house.until(lambda: bool(house.of_kind(PurseDebited)))
    await house.until(lambda: not house.open_cases, 10)
    assert value_of(card) == LOADED
    assert house.books.sums.deliveries == 0


@purse_story
async def test_a_card_in_use_at_one_pump_pays_at_no_other(house: CardHouse) -> None:
    card = a_purse()
    await house.calls(1)
    house.put_on(card)
    await house.is_let_go(1)
    house.take_off()
    house.lift(2)
    await house.state(2, PointState.CALLING)
    house.put_on(card, 2)
    await house.refused("purse_in_use", 2)
    await house.fills(1, 1_000)
    await house.until(lambda: house.books.sums.sales == 1)
    house.take_off(2)
    await house.gets_back(card, 2)
    house.assert_all_paid_once(card)


@purse_story
async def test_too_little_in_the_purse_and_a_disk_that_is_full(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_purse(300))
    await house.refused("purse_empty")
    house.take_off()
    card = a_purse()
    house.disk_full = lambda records: any(type(record).__name__ == "PurseIntended" for record in records)
    house.put_on(card)
    await house.refused("journal_full")
    assert value_of(card) == LOADED, "nothing is taken before it is on disk"
    house.hang_up()
    house.take_off()
    await house.state(1, PointState.IDLE)
    house.disk_full = lambda records: any(isinstance(record, PurseDebited) for record in records)
    await house.calls(1)
    house.put_on(card)
    await house.refused("journal_full")
    await house.until(lambda: not house.open_cases, 5)
    assert value_of(card) == LOADED, "nothing was let go, so all of it is back"
    assert not house.authorised
    assert house.kinds.count("purse_refunded") == 1


@purse_story
async def test_a_card_taken_away_too_early_keeps_its_answers(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_purse())
    house.take_off()
    await house.refused("card_taken_away")
    house.put_on(a_purse())
    await house.state(1, PointState.AUTHORISED)
