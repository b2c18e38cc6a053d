"""Money set apart at stations: whatever they do without headquarters, together they spend no more than that.

The model: one prepaid account, stations that hear nothing of each other. Each decides by its own journal, reserves,
delivers (pumps run over their presets), loses deliveries, restarts, and is restored from old copies of its disk.
"""

from dataclasses import replace
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.allotments import Allotments, Held, Reservation, account_pot, token_pot
from controller.domain.books import Books
from controller.domain.days import BusinessDay
from controller.domain.decide import Approved, Facts, decide
from controller.domain.funds import Funds
from controller.domain.headquarters import Granted
from controller.domain.limits import cost_minor, margin_minor, preset_of
from controller.domain.lists import ListState, LookUp
from controller.domain.quantities import amount_for
from controller.domain.records import (
    Allotted,
    Authorised,
    Body,
    Delivery,
    Record,
    Released,
    RowName,
    Stamp,
    Unreserved,
)
from controller.domain.seams import ClockQuality
from tests.domain.cases import CARD, LIRA, NOW_MS, PREPAID, PRICE, request
from tests.domain.rows import EPOCH, authorised, delivery

POT = account_pot("ACME")
OVERRUN_ML = 100
MARGIN_MINOR = margin_minor(OVERRUN_ML, PRICE, LIRA)
POINTS = 3


class Station:
    """A station's journal of one prepaid account, and what really ran at its pumps."""

    def __init__(self, allotted_minor: int) -> None:
        self.bodies: list[Body] = []
        self.books = Books(BusinessDay(ZoneInfo("Europe/Kyiv"), 0))
        self.delivered_minor = 0
        self.restored = 0
        self.lost: list[tuple[RowName, int]] = []
        self.allotted_minor = allotted_minor
        self.tell(Allotted("2026-11", POT, allotted_minor, "till-1", "c1"))
        self.backup = list(self.bodies)

    def tell(self, record: Record) -> RowName:
        name = RowName(EPOCH, len(self.bodies) + 1)
        self.bodies.append(Body(name, Stamp(NOW_MS, b"boot", len(self.bodies), ClockQuality.FREE_RUNNING), record))
        self.books.apply(self.bodies[-1])
        return name

    @property
    def available_minor(self) -> int:
        available = self.books.usage.allotments.available_minor(POT)
        assert available is not None
        return available

    def let_go(self, point: int, wanted_ml: int | None, wanted_minor: int | None) -> bool:
        """A card at a pump; headquarters is silent."""
        if point in self.books.open:
            return False
        asked = replace(request(granted=Granted(None)), wanted_ml=wanted_ml, wanted_minor=wanted_minor)
        known = Facts(LookUp(ListState.READY, 1, PREPAID), available_minor=self.available_minor, overrun_ml=OVERRUN_ML)
        decision = decide(asked, known, NOW_MS)
        if not isinstance(decision, Approved):
            return False
        preset_ml, preset_minor = preset_of(decision.limits, PRICE, LIRA)
        cost = cost_minor(decision.limits, OVERRUN_ML, PRICE, LIRA)
        assert cost is not None
        row = msgspec.structs.replace(
            authorised(token=CARD, point=point),
            price=PRICE,
            funds=Funds.PREPAID,
            preset_volume_ml=preset_ml,
            preset_amount_minor=preset_minor,
            reserved=Reservation(POT, min(cost, self.available_minor)),
        )
        self.tell(row)
        return True

    def runs(self, point: int, percent: int, overrun_ml: int) -> tuple[int, int]:
        """What the pump gives at most of its preset, and a little over it if it comes to its end."""
        _, allowed = self.books.open[point]
        whole = (
            amount_for(allowed.preset_volume_ml, PRICE, LIRA)
            if allowed.preset_volume_ml is not None
            else allowed.preset_amount_minor or 0
        )
        over = amount_for(overrun_ml, PRICE, LIRA) if percent == 100 else 0
        amount_minor = whole * percent // 100 + over
        self.delivered_minor += amount_minor
        return amount_minor * 1000 // 5000, amount_minor

    def delivers(self, point: int, percent: int, overrun_ml: int) -> None:
        if point not in self.books.open:
            return
        name, allowed = self.books.open[point]
        volume_ml, amount_minor = self.runs(point, percent, overrun_ml)
        row = delivery(volume_ml, point=point, allowed=name, token=CARD)
        self.tell(msgspec.structs.replace(row, amount_minor=amount_minor, funds=allowed.funds, price=PRICE))

    def gives_nothing(self, point: int) -> None:
        if point in self.books.open:
            self.tell(Released(self.books.open[point][0], "hung up before any fuel"))

    def loses(self, point: int, percent: int) -> None:
        """The pump forgets a delivery: only its totaliser knows."""
        if point in self.books.open:
            name, _ = self.books.open[point]
            self.lost = [*self.lost, (name, self.runs(point, percent, 0)[1])]
            self.tell(Released(name, "the pump forgot the delivery", proven=False))

    def totalisers_are_read(self) -> None:
        for name, amount_minor in self.lost:
            if name.text in self.books.usage.allotments.held:
                self.tell(Unreserved(name, POT, amount_minor, amount_minor * 1000 // 5000))
        self.lost = []

    def restarts(self) -> None:
        """All that it knows is in its journal."""
        self._read(self.bodies)

    def is_restored(self) -> None:
        """An old copy of its disk is put in: what it has spent since is forgotten, and what is allotted is not."""
        self.restored += 1
        self.lost = []
        self._read(self.backup)

    def _read(self, bodies: list[Body]) -> None:
        self.bodies = list(bodies)
        self.books = Books(self.books.business_day)
        for body in self.bodies:
            self.books.apply(body)


point = st.integers(1, POINTS)
wish = st.none() | st.integers(1, 60_000)
ordinary = st.one_of(
    st.tuples(st.just("let_go"), point, wish, st.none()),
    st.tuples(st.just("let_go"), point, st.none(), wish),
    st.tuples(st.just("delivers"), point, st.integers(0, 100) | st.just(100), st.integers(0, OVERRUN_ML)),
    st.tuples(st.just("gives_nothing"), point),
    st.tuples(st.just("loses"), point, st.integers(0, 100)),
    st.tuples(st.just("totalisers_are_read")),
    st.tuples(st.just("restarts")),
)
stations = st.lists(st.integers(1, 400_000), min_size=1, max_size=4)


def play(chains: list[Station], steps: list[tuple[int, tuple[object, ...]]]) -> None:
    for number, (what, *with_) in steps:
        getattr(chains[number % len(chains)], str(what))(*with_)


@settings(max_examples=150)
@given(stations, st.lists(st.tuples(st.integers(0, 3), ordinary), max_size=40))
def test_stations_that_hear_nothing_of_each_other_never_spend_more_than_was_set_apart(
    allotted: list[int], steps: list[tuple[int, tuple[object, ...]]]
) -> None:
    chains = [Station(amount) for amount in allotted]
    play(chains, steps)
    for chain in chains:
        assert chain.delivered_minor <= chain.allotted_minor, "the overrun is within the margin that is kept back"
        held = chain.books.usage.allotments.held.values()
        assert chain.available_minor + sum(each.amount_minor for each in held) >= 0
    assert sum(chain.delivered_minor for chain in chains) <= sum(allotted)


@settings(max_examples=100)
@given(st.integers(1, 400_000), st.lists(ordinary | st.tuples(st.just("is_restored")), max_size=40))
def test_a_disk_that_is_put_back_spends_again_no_more_than_it_was_allotted(
    allotted: int, steps: list[tuple[object, ...]]
) -> None:
    chain = Station(allotted)
    play([chain], [(0, step) for step in steps])
    assert chain.delivered_minor <= allotted * (1 + chain.restored)


def test_a_pump_that_runs_over_by_more_than_its_margin_is_that_much_too_much_once() -> None:
    chain = Station(100_000)
    assert chain.let_go(1, None, None)
    assert not chain.let_go(2, None, None), "the first pump may take it all"
    chain.delivers(1, 100, OVERRUN_ML + 50)
    assert chain.available_minor == 100_000 - chain.delivered_minor < 0
    assert chain.delivered_minor <= 100_000 + amount_for(50, PRICE, LIRA)
    assert not chain.let_go(2, None, None)


def test_the_rest_of_a_reservation_is_given_back_by_the_delivery() -> None:
    chain = Station(100_000)
    assert chain.let_go(1, None, 60_000)
    assert chain.available_minor == 100_000 - 60_000 - MARGIN_MINOR
    chain.delivers(1, 50, 0)
    assert chain.available_minor == 70_000
    assert not chain.books.usage.allotments.held


def test_without_proof_it_stays_reserved_also_over_a_restart_until_the_totaliser_is_read() -> None:
    chain = Station(100_000)
    chain.let_go(1, None, 60_000)
    chain.loses(1, 50)
    chain.restarts()
    assert chain.available_minor == 100_000 - 60_000 - MARGIN_MINOR
    ((_, held),) = chain.books.usage.allotments.doubtful_at(1, 1)
    assert held.doubtful
    chain.totalisers_are_read()
    assert chain.available_minor == 70_000


def test_what_a_pump_proves_not_to_have_given_is_free_at_once() -> None:
    chain = Station(100_000)
    chain.let_go(1, None, 60_000)
    chain.gives_nothing(1)
    assert chain.available_minor == 100_000


def test_an_allotment_counts_once_and_they_add_up() -> None:
    allotments = Allotments()
    assert allotments.available_minor(POT) is None
    for allotment_id, amount_minor in (("a", 500), ("b", 300), ("a", 500)):
        allotments.allot(POT, allotment_id, amount_minor)
    assert allotments.available_minor(POT) == 800


def test_a_card_with_money_of_its_own_spends_that() -> None:
    allotments = Allotments()
    allotments.allot(POT, "a", 500)
    assert allotments.pot_of(CARD, "ACME") == POT
    allotments.allot(token_pot(CARD.key), "b", 100)
    assert allotments.pot_of(CARD, "ACME") == token_pot(CARD.key)
    allotments.reserve("row", Held(token_pot(CARD.key), 60, 1, 1, PRICE, None))
    assert (allotments.available_minor(token_pot(CARD.key)), allotments.available_minor(POT)) == (40, 500)
    allotments.spend("row", POT, 70)
    assert (allotments.available_minor(token_pot(CARD.key)), allotments.available_minor(POT)) == (30, 500)


def test_a_delivery_whose_reservation_is_gone_is_spent_all_the_same() -> None:
    chain = Station(100_000)
    chain.let_go(1, None, 60_000)
    name, allowed = chain.books.open[1]
    assert isinstance(allowed, Authorised)
    chain.gives_nothing(1)
    row = msgspec.structs.replace(delivery(2_000, allowed=name, token=CARD), funds=Funds.PREPAID, amount_minor=10_000)
    assert isinstance(row, Delivery)
    chain.tell(row)
    assert chain.available_minor == 90_000
