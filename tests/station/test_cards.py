"""Cards at the pump without a purse: signed rights, PINs, broken cards each with its reason, readers of tills."""

import asyncio
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_io.errors import CardError
from card_io.reader import CardPresented, CardRefused, ReaderUp
from controller.domain.card_reasons import CARD_REASONS, card_reason
from controller.domain.desk import Need, PointState
from controller.domain.funds import Funds
from controller.domain.reasons import CATALOGUE
from sim.cards.broken import BREAKS, GarbageCard, ReplayCard, SlowCard, Tear, TornCard
from sim.cards.field import FieldCard, SilentCard
from sim.cards.inline import InlineReader
from sim.cards.make import make_uid_only_card
from sim.cards.state import CardState, StandardFile
from tests.cards.bench import NUMBER, UID, seeded
from tests.cards.office import OFFICE, STATION_KEYS
from tests.station.cards import (
    PIN,
    PLATE,
    UNLISTED,
    CardHouse,
    CardYard,
    WideYard,
    a_card,
    a_purse,
    entitled,
    limited,
    with_pin,
)
from tests.station.house import DIESEL, OTHER_TILL, TILL, story

LISTED_CSV = f"""\
card,plate,account,status,products,only_plate,day_volume
{NUMBER},,ACME,active,diesel,,100
,{PLATE},BURSA,active,diesel,,
"""
card_story = story(kind=CardHouse, cards_csv=LISTED_CSV)
PLATES_YARD = CardYard(
    keys='station_number = 12\nunlisted = true\nproduct_sets = { heavy = ["diesel"], light = ["gasoline"] }'
)


@card_story
async def test_a_card_that_the_list_does_not_know_buys_by_its_signed_rights(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_card(limited(UNLISTED, fill_ml=7_000)))
    await house.state(1, PointState.AUTHORISED)
    (authorised,) = house.authorised
    assert (authorised.account, authorised.funds, authorised.preset_volume_ml) == ("ACME", Funds.POSTPAID, 7_000)
    assert authorised.card is not None
    assert authorised.card.sequence == 5


@story(kind=CardHouse, cards_csv=LISTED_CSV, yard=CardYard(keys=""))
async def test_without_the_networks_leave_only_listed_cards_buy(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_card(entitled(UNLISTED)))
    await house.refused("card_unknown")
    house.take_off()
    house.put_on(a_card())
    await house.state(1, PointState.AUTHORISED)


@card_story
async def test_list_and_card_both_count_and_the_narrower_holds(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_card(limited(NUMBER, day_ml=30_000)))
    await house.state(1, PointState.AUTHORISED)
    assert house.authorised[0].limits.volume_ml == 30_000
    assert house.authorised[0].account == "ACME"


RIGHTS = {
    "expired": (entitled(valid_from=date(2025, 1, 1), valid_until=date(2025, 12, 31)), "expired"),
    "of next year": (entitled(valid_from=date(2027, 1, 1)), "not_yet_valid"),
    "other products": (entitled(product_set="light"), "product_not_allowed"),
    "no such set": (entitled(product_set="kerosene"), "product_not_allowed"),
    "other money": (entitled(currency="UAH"), "card_currency"),
}


@pytest.mark.parametrize("name", RIGHTS)
@story(kind=CardHouse, cards_csv=LISTED_CSV, yard=PLATES_YARD)
async def test_signed_rights_refuse(house: CardHouse, name: str) -> None:
    rights, reason = RIGHTS[name]
    await house.calls(1)
    house.put_on(a_card(rights))
    await house.refused(reason)
    assert house.reasons == [reason]
    assert ("issued for the products 'kerosene'" in house.trouble("card list")) == (name == "no such set")


@story(kind=CardHouse, cards_csv=LISTED_CSV, yard=PLATES_YARD)
async def test_a_card_of_several_vehicles_asks_which(house: CardHouse) -> None:
    card = a_card(entitled(plates=("34ABC123", "34ABC124"), product_set="heavy"))
    for plate, reason in (("34 ABC 125", "plate_mismatch"), ("34 abc 124", "")):
        await house.calls(1)
        house.put_on(card)
        await house.until(lambda: house.point(1).need is Need.PLATE)
        assert (await house.answer(1, Need.PLATE, plate)).reason == reason
        if not reason:
            break
        house.hang_up()
        house.take_off()
        await house.state(1, PointState.IDLE)
    await house.state(1, PointState.AUTHORISED)


@card_story
async def test_the_pin_of_a_card_is_checked_by_the_card_and_stands_in_no_row(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_card(with_pin()))
    await house.until(lambda: house.point(1).need is Need.PIN)
    assert (await house.answer(1, Need.PIN, "1234")).reason == "pin_wrong"
    assert (await house.answer(1, Need.PIN, PIN)).done
    await house.state(1, PointState.AUTHORISED)
    verifier = with_pin().pin
    assert verifier is not None
    raw = b"".join((house.folder / name).read_bytes() for name in ("journal.db", "journal.db-wal"))
    for secret in (verifier.digest, verifier.digest.hex().encode(), NUMBER.encode(), NUMBER.encode().hex().encode()):
        assert secret not in raw


@card_story
async def test_an_older_entitlement_than_before_is_an_old_card_put_back(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_card(entitled(sequence=9)))
    await house.is_let_go(1)
    await house.fills(1, 1_000)
    await house.until(lambda: house.books.sums.sales == 1)
    house.take_off()
    await house.kill()
    await house.start()
    await house.state(1, PointState.IDLE)
    await house.calls(1)
    house.put_on(a_card(entitled(sequence=8)))
    await house.refused("card_rolled_back")


# --- broken cards


def _with_file_2(change: bytes) -> FieldCard:
    card = a_card()
    file = card.state.applications[0].files[2]
    assert isinstance(file, StandardFile)
    file.data = file.data[:30] + change + file.data[30 + len(change) :]
    return card


def _never(state: CardState) -> None:
    raise AssertionError("a broken card wrote to the good card's file")


def _replayed() -> FieldCard:
    card = ReplayCard(a_card())
    card.reset()
    reader = InlineReader(OFFICE, STATION_KEYS, seeded(3))
    reader.insert(card)  # the session that it listens to, at another station
    return card


BROKEN: dict[str, tuple[Callable[[], FieldCard], str]] = {
    "silent": (lambda: BREAKS["silent"](a_card().state, seeded(3), _never), "card_silent"),
    "slow": (lambda: SlowCard(a_card()), "card_silent"),
    "wrong key": (lambda: BREAKS["wrong-key"](a_card().state, seeded(3), _never), "card_not_proven"),
    "cloned": (lambda: BREAKS["cloned"](a_card().state, seeded(3), _never), "card_not_proven"),
    "replayed": (_replayed, "card_not_proven"),
    "torn": (lambda: TornCard(a_card(), Tear(9, "before")), "card_taken_away"),
    "forged rights": (lambda: _with_file_2(b"\xff"), "entitlement_forged"),
    "never written rights": (lambda: _with_file_2(bytes(209)), "entitlement_unchecked"),
    "uid only": (lambda: make_uid_only_card(b"\1\2\3\4", seeded()), "card_foreign"),
}


@pytest.mark.parametrize("name", BROKEN)
@card_story
async def test_each_broken_card_has_its_reason_and_the_next_card_works(house: CardHouse, name: str) -> None:
    make, reason = BROKEN[name]
    await house.calls(1)
    house.put_on(make())
    await house.refused(reason)
    assert house.reasons == [reason]
    assert house.trouble("reader of point 1")
    house.take_off()
    await house.until(lambda: not house.trouble("reader of point 1"), 5)
    house.put_on(a_card())
    await house.state(1, PointState.AUTHORISED)


@card_story
async def test_a_card_that_breaks_during_a_delivery_disturbs_nobody(house: CardHouse) -> None:
    await house.calls(1)
    house.put_on(a_card())
    await house.is_let_go(1)
    house.take_off()
    house.squeeze(1, 3_000)
    await house.state(1, PointState.FUELLING)
    house.put_on(SilentCard())
    await house.until(lambda: house.reasons == ["card_silent"], 5)
    assert house.point(1).state is PointState.FUELLING
    await house.shown_ml(3_000)
    house.hang_up()
    await house.until(lambda: house.books.sums.sales == 1)


@card_story
async def test_garbage_never_ends_a_reader(house: CardHouse) -> None:
    for seed in range(40):
        house.put_on(GarbageCard(a_card(), seeded(seed)))
    await house.until(lambda: len(house.declined) == 40, 20)
    await house.calls(1)
    house.put_on(a_card())
    await house.state(1, PointState.AUTHORISED)


class Scripted(FieldCard):
    """Answers what it is told to, then as a good card."""

    latency_ms = 0

    def __init__(self, answers: list[bytes | None], at: int) -> None:
        self._card = a_purse()
        self._answers, self._at, self._count = answers, at, -1

    @property
    def atr(self) -> bytes:
        return self._card.atr

    def reset(self) -> None:
        self._card.reset()

    def transmit(self, frame: bytes) -> bytes | None:
        self._count += 1
        index = self._count - self._at
        return self._answers[index] if 0 <= index < len(self._answers) else self._card.transmit(frame)


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), st.binary(max_size=70)), min_size=1, max_size=3), st.integers(0, 24))
def test_a_reader_says_something_of_every_card_whatever_it_answers(answers: list[bytes | None], at: int) -> None:
    async def look() -> None:
        reader = InlineReader(OFFICE, STATION_KEYS, seeded(7))
        events = reader.events()
        assert await anext(events) == ReaderUp()
        reader.insert(Scripted(answers, at))
        event = await anext(events)
        assert isinstance(event, CardPresented | CardRefused)
        if isinstance(event, CardRefused):
            assert event.error_kind in CARD_REASONS
        elif event.facts.assurance == "proven":
            assert event.facts.uid == UID

    asyncio.run(look())


STATION_MODULES = (
    "import sys, card_io.pcsc_child, card_io.tcp; print(*(m for m in sys.modules if m.startswith('card_io.')))"
)
BEFORE_ANY_CARD = {"ReaderExtraMissing", "KeyFileRefused"}
"""Said by the reader or at the start, and never of a card."""


def test_every_error_that_a_station_can_hear_has_a_reason() -> None:
    found = subprocess.run([sys.executable, "-c", STATION_MODULES], capture_output=True, text=True, check=True)
    named: set[str] = set()
    for module in set(found.stdout.split()) - {"card_io.errors", "card_io.reader"}:
        path = importlib.util.find_spec(module)
        assert path is not None
        assert path.origin is not None
        named |= set(re.findall(r"\b[A-Z]\w+\b", Path(path.origin).read_text(encoding="utf-8")))
    heard = {kind.kind for kind in _errors(CardError) if kind.__name__ in named - BEFORE_ANY_CARD} - {"card_error"}
    assert len(heard) > 12
    assert heard == set(CARD_REASONS)
    assert all(reason in CATALOGUE for reason in CARD_REASONS.values())
    assert card_reason("of tomorrow") == "card_faulty"


def _errors(root: type[CardError]) -> list[type[CardError]]:
    found = [root]
    for child in root.__subclasses__():
        found += _errors(child)
    return found


# --- readers


@card_story
async def test_a_station_sells_by_plate_while_a_reader_is_down_and_says_which(house: CardHouse) -> None:
    house.reader(1).unplug()
    await house.until(lambda: "unplugged" in house.trouble("reader of point 1"), 5)
    assert not house.trouble("reader of point 2")
    house.put_on(a_card())
    await house.calls(1)
    assert (await house.authorise(1, plate=PLATE)).done
    await house.is_let_go(1)
    await house.fills(1, 2_000)
    await house.until(lambda: house.books.sums.sales == 1)
    await house.state(1, PointState.IDLE)
    house.reader(1).plug_in()
    await house.until(lambda: not house.trouble("reader of point 1"), 5)
    await house.calls(1)
    house.put_on(a_card())
    await house.state(1, PointState.AUTHORISED)


class TillHouse(CardHouse):
    """With a reader at the first till."""

    async def start(self) -> None:
        self.till_readers[TILL] = InlineReader(self.profile, self.ring, seeded(len(self.till_readers)))
        await super().start()


@story(kind=TillHouse, cards_csv=LISTED_CSV)
async def test_a_card_at_a_till_is_for_the_pump_that_the_attendant_named(house: TillHouse) -> None:
    at_till = house.till_readers[TILL]
    at_till.insert(a_card())
    await house.until(lambda: "Name the pump" in house.trouble(f"reader of till {TILL}"), 5)
    at_till.remove()
    await house.calls(1)
    await house.calls(2)
    at_till.insert(a_card())
    await house.until(lambda: "Name the pump" in house.trouble(f"reader of till {TILL}"), 5)
    at_till.remove()
    await house.expect(OTHER_TILL, 1)
    await house.expect(TILL, 2)
    at_till.insert(a_card())
    await house.state(2, PointState.AUTHORISED)
    assert house.point(1).state is PointState.CALLING
    at_till.remove()
    at_till.insert(a_card(entitled(UNLISTED)))
    await house.state(1, PointState.AUTHORISED)  # the only one that still waits for somebody to pay


@story(kind=TillHouse, cards_csv=LISTED_CSV)
async def test_a_card_that_was_torn_away_at_a_till_is_shown_again_for_the_same_pump(house: TillHouse) -> None:
    at_till = house.till_readers[TILL]
    await house.calls(1)
    await house.calls(2)
    await house.expect(TILL, 2)
    at_till.insert(TornCard(a_card(), Tear(9, "before")))
    await house.refused("card_taken_away", 2)
    at_till.remove()
    at_till.insert(a_card())
    await house.state(2, PointState.AUTHORISED)
    assert house.point(1).state is PointState.CALLING


@story(kind=TillHouse, cards_csv=LISTED_CSV)
async def test_a_broken_card_at_a_till_is_written_down_without_a_pump(house: TillHouse) -> None:
    house.till_readers[TILL].insert(SilentCard())
    await house.until(lambda: house.reasons == ["card_silent"], 5)
    assert house.declined[0].point == 0
    assert (await house.command_expect(77)) == "point_unknown"


@story(kind=CardHouse, cards_csv=LISTED_CSV, yard=WideYard())
async def test_sixteen_readers_at_once(house: CardHouse) -> None:
    cards = {number: a_card(entitled(f"70012345678901{number:02}", sequence=number)) for number in range(1, 17)}
    for number, card in cards.items():
        house.lift(number, DIESEL if len(house.head(number).nozzles) > 1 else 1)
        house.put_on(card, number)
    for number in cards:
        await house.is_let_go(number)
    for number in cards:
        house.squeeze(number, 1_000)
    for number in cards:
        await house.shown_ml(1_000, number)
        house.hang_up(number)
    await house.until(lambda: house.books.sums.sales == 16)
    house.assert_books_agree(deliveries=16)
