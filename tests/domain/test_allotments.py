"""Money set apart at stations: whatever they do without headquarters, together they spend no more than that.

The model: a prepaid account, with a card and a vehicle that have money of their own, and stations that hear nothing of
each other. Each decides by its own journal, reserves, delivers (pumps run over their presets), loses deliveries, is
told by a manager what became of them, restarts, and is restored from old copies of its disk.
"""

import random
from dataclasses import replace
from zoneinfo import ZoneInfo

import msgspec

from controller.domain.allotments import Allotments, Held, Moment, Reservation, account_pot, token_pot
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
    Contact,
    Delivery,
    Record,
    Released,
    RowName,
    Stamp,
    Unreserved,
    parse_row_name,
)
from controller.domain.seams import ClockQuality
from controller.domain.tokens import TokenRef
from tests.domain.cases import CARD, LIRA, NOW_MS, PLATE, PREPAID, PRICE, request
from tests.domain.rows import EPOCH, authorised, delivery
from tests.domain.test_usage import Journal

POT = account_pot("ACME")
OVERRUN_ML = 100
MARGIN_MINOR = margin_minor(OVERRUN_ML, PRICE, LIRA)
POINTS = 3
NOW = Moment(0, NOW_MS)


OWN_CARD = msgspec.structs.replace(CARD, key=b"card-own")
TOKENS = {POT: CARD, token_pot(OWN_CARD.key): OWN_CARD, token_pot(PLATE.key): PLATE}
"""By the pot that it spends from: a card of the account, one with money of its own, a vehicle with money of its own."""
POTS = tuple(TOKENS)


class Station:
    """A station's journal of one prepaid account, and what really ran at its pumps."""

    def __init__(self, *allotted_minor: int) -> None:
        """By pot; of an amount of nothing, nothing is set apart."""
        self.bodies: list[Body] = []
        self.books = Books(BusinessDay(ZoneInfo("Europe/Kyiv"), 0))
        self.delivered = dict.fromkeys(POTS, 0)
        self.restored = 0
        self.lost: list[tuple[RowName, int]] = []
        self.allotted = dict.fromkeys(POTS, 0) | dict(zip(POTS, allotted_minor, strict=False))
        for pot, amount_minor in self.allotted.items():
            if amount_minor:
                self.tell(Allotted("2026-11", pot, amount_minor, "till-1", "c1"))
        self.backup = list(self.bodies)

    def tell(self, record: Record) -> RowName:
        name = RowName(EPOCH, len(self.bodies) + 1)
        self.bodies.append(Body(name, Stamp(NOW_MS, b"boot", len(self.bodies), ClockQuality.FREE_RUNNING), record))
        self.books.apply(self.bodies[-1])
        return name

    @property
    def delivered_minor(self) -> int:
        return sum(self.delivered.values())

    @property
    def available_minor(self) -> int:
        return self.available_of(CARD) or 0

    def available_of(self, token: TokenRef) -> int | None:
        allotments = self.books.usage.allotments
        return allotments.available_minor(allotments.pot_of(token, "ACME"), NOW)

    def let_go(self, point: int, wanted_ml: int | None, wanted_minor: int | None, pot: str = POT) -> bool:
        """A card or a vehicle at a pump; headquarters is silent."""
        token = TOKENS[pot]
        if point in self.books.open:
            return False
        asked = replace(request(token, granted=Granted(None)), wanted_ml=wanted_ml, wanted_minor=wanted_minor)
        row = msgspec.structs.replace(PREPAID, key=token.key, kind=token.kind)
        available_minor = self.available_of(token)
        known = Facts(LookUp(ListState.READY, 1, row), available_minor=available_minor, overrun_ml=OVERRUN_ML)
        decision = decide(asked, known, NOW_MS)
        if not isinstance(decision, Approved):
            return False
        preset_ml, preset_minor = preset_of(decision.limits, PRICE, LIRA)
        cost = cost_minor(decision.limits, OVERRUN_ML, PRICE, LIRA)
        assert cost is not None
        assert available_minor is not None
        pot = self.books.usage.allotments.pot_of(token, "ACME")
        allowed = msgspec.structs.replace(
            authorised(token=token, point=point),
            price=PRICE,
            funds=Funds.PREPAID,
            preset_volume_ml=preset_ml,
            preset_amount_minor=preset_minor,
            reserved=Reservation(pot, min(cost, available_minor)),
        )
        self.tell(allowed)
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
        assert allowed.reserved is not None
        self.delivered[allowed.reserved.pot] += amount_minor
        return amount_minor * 1000 // 5000, amount_minor

    def delivers(self, point: int, percent: int, overrun_ml: int) -> None:
        if point not in self.books.open:
            return
        name, allowed = self.books.open[point]
        volume_ml, amount_minor = self.runs(point, percent, overrun_ml)
        row = delivery(volume_ml, point=point, allowed=name, token=allowed.token)
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

    def is_given_up(self, point: int) -> None:
        """A manager says of what was lost there that all of it is spent."""
        for text, held in list(self.books.usage.allotments.held.items()):
            if held.doubtful and held.point == point:
                row = Unreserved(parse_row_name(text), held.pot, held.amount_minor, None, "till-1", "c9", "measured")
                self.tell(row)

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


SEEDS = range(150)
STEPS = 60


def some_stations(chance: random.Random) -> list[Station]:
    """Up to four; the card and the vehicle have money of their own at some of them."""

    def own() -> int:
        return chance.choice([0, chance.randint(1, 400_000)])

    return [Station(chance.randint(1, 400_000), own(), own()) for _ in range(chance.randint(1, 4))]


def some_step(chance: random.Random) -> tuple[object, ...]:
    """What happens next: mostly that somebody fuels, and takes all that he is let have."""
    point, wish = chance.randint(1, POINTS), chance.choice([None, chance.randint(1, 60_000)])
    percent = chance.choice([100, 100, chance.randint(0, 100)])
    what = chance.choice(
        ["let_go"] * 4 + ["delivers"] * 3 + ["gives_nothing", "loses", "totalisers_are_read", "is_given_up", "restarts"]
    )
    match what:
        case "let_go":
            wanted_ml, wanted_minor = chance.choice([(wish, None), (None, wish)])
            return what, point, wanted_ml, wanted_minor, chance.choice(POTS)
        case "delivers":
            return what, point, percent, chance.choice([0, OVERRUN_ML])
        case "loses":
            return what, point, percent
        case "gives_nothing" | "is_given_up":
            return what, point
        case _:
            return (what,)


def play(chains: list[Station], steps: list[tuple[int, tuple[object, ...]]]) -> None:
    for number, (what, *with_) in steps:
        getattr(chains[number % len(chains)], str(what))(*with_)


def test_stations_that_hear_nothing_of_each_other_never_spend_more_than_was_set_apart() -> None:
    used_up = 0
    for seed in SEEDS:
        chance = random.Random(seed)
        chains = some_stations(chance)
        play(chains, [(chance.randrange(4), some_step(chance)) for _ in range(STEPS)])
        for chain in chains:
            for pot, delivered_minor in chain.delivered.items():
                assert delivered_minor <= chain.allotted[pot], f"seed {seed}: what is kept back was not enough"
                held = sum(each.amount_minor for each in chain.books.usage.allotments.held.values() if each.pot == pot)
                assert (chain.books.usage.allotments.available_minor(pot, NOW) or 0) + held >= 0, f"seed {seed}"
                used_up += 2 * delivered_minor > chain.allotted[pot] > 0
        assert sum(chain.delivered_minor for chain in chains) <= sum(sum(chain.allotted.values()) for chain in chains)
    assert used_up > len(SEEDS), "these stations hardly sell"


def test_a_disk_that_is_put_back_spends_again_no_more_than_it_was_allotted() -> None:
    again = 0
    for seed in SEEDS:
        chance = random.Random(seed)
        chains = some_stations(chance)
        steps = [some_step(chance) for _ in range(STEPS)]
        for _ in range(2):
            steps[chance.randrange(STEPS)] = ("is_restored",)
        play(chains, [(chance.randrange(4), step) for step in steps])
        for chain in chains:
            for pot, delivered_minor in chain.delivered.items():
                assert delivered_minor <= chain.allotted[pot] * (1 + chain.restored), f"seed {seed}"
                again += delivered_minor > chain.allotted[pot]
    assert again > 0, "these disks were put back too early to matter"


def test_a_card_and_a_vehicle_spend_from_their_own_and_then_from_nobody_elses() -> None:
    chain = Station(100_000, 20_000, 30_000)
    for pot in POTS[1:]:
        assert chain.let_go(1, None, None, pot)
        chain.delivers(1, 100, 0)
        assert not chain.let_go(1, None, None, pot)
        assert chain.delivered[pot] > chain.allotted[pot] - 2 * MARGIN_MINOR
    assert chain.available_minor == 100_000


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
    assert allotments.available_minor(POT, NOW) is None
    for allotment_id, amount_minor in (("a", 500), ("b", 300), ("a", 500)):
        allotments.allot(POT, allotment_id, amount_minor)
    assert allotments.available_minor(POT, NOW) == 800


def test_a_card_with_money_of_its_own_spends_that() -> None:
    allotments = Allotments()
    allotments.allot(POT, "a", 500)
    assert allotments.pot_of(CARD, "ACME") == POT
    allotments.allot(token_pot(CARD.key), "b", 100)
    assert allotments.pot_of(CARD, "ACME") == token_pot(CARD.key)
    allotments.reserve("row", Held(token_pot(CARD.key), 60, 1, 1, PRICE, None))
    assert (allotments.available_minor(token_pot(CARD.key), NOW), allotments.available_minor(POT, NOW)) == (40, 500)
    allotments.spend("row", POT, 70, NOW)
    assert (allotments.available_minor(token_pot(CARD.key), NOW), allotments.available_minor(POT, NOW)) == (30, 500)


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


DAY_MS = 86_400_000


class Lasting:
    """A journal with money that ends two days from its first row, and some that lasts."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.journal.tell(Allotted("lasts", POT, 1_000, "till-1", "c1"))
        self.journal.tell(Allotted("ends", POT, 500, "till-1", "c2", self.journal.wall_ms + 2 * DAY_MS))

    @property
    def available(self) -> int | None:
        journal = self.journal
        elapsed_ms = journal.books.usage.elapsed.at(journal.mono_ms)
        return journal.books.usage.allotments.available_minor(POT, Moment(elapsed_ms, journal.wall_ms))

    def allow(self, amount_minor: int) -> RowName:
        own = Reservation(POT, amount_minor)
        return self.journal.tell(msgspec.structs.replace(authorised(token=CARD), reserved=own))

    def take(self, allowed: RowName, amount_minor: int) -> None:
        row = delivery(1_000, allowed=allowed, token=CARD)
        self.journal.tell(msgspec.structs.replace(row, amount_minor=amount_minor, funds=Funds.PREPAID))


def test_what_ends_first_is_taken_first_and_its_rest_ends_with_its_day() -> None:
    lasting = Lasting()
    assert lasting.available == 1_500
    lasting.take(lasting.allow(300), 200)
    assert lasting.available == 1_300
    lasting.journal.passes(2 * DAY_MS - 1)
    assert lasting.available == 1_300
    lasting.journal.passes(1)
    assert lasting.available == 1_000


def test_a_delivery_takes_what_was_there_when_it_was_let_go() -> None:
    lasting = Lasting()
    allowed = lasting.allow(400)
    lasting.journal.passes(3 * DAY_MS)
    lasting.take(allowed, 400)
    assert lasting.available == 1_000
    lasting.take(lasting.allow(400), 400)
    assert lasting.available == 600, "what is over pays for nothing new"


def test_a_clock_that_is_set_back_prolongs_nothing() -> None:
    lasting = Lasting()
    lasting.journal.clock_set(-30 * DAY_MS)
    lasting.journal.passes(2 * DAY_MS)
    assert lasting.available == 1_000
    lasting.journal.tell(Contact(0))
    assert lasting.available == 1_000


def test_a_clock_that_was_ahead_ends_it_no_longer_than_it_is_wrong() -> None:
    lasting = Lasting()
    lasting.journal.restarts(wrong_by_ms=300 * DAY_MS)
    lasting.journal.tell(Contact(0))
    assert lasting.available == 1_000
    lasting.journal.clock_set(-300 * DAY_MS)
    lasting.journal.tell(Contact(0))
    assert lasting.available == 1_500
    lasting.journal.passes(2 * DAY_MS)
    assert lasting.available == 1_000


def test_what_was_told_while_the_clock_was_ahead_ends_on_time_too() -> None:
    lasting = Lasting()
    lasting.journal.restarts(wrong_by_ms=300 * DAY_MS)
    lasting.journal.tell(Allotted("more", POT, 70, "till-1", "c3", lasting.journal.wall_ms + 2 * DAY_MS))
    lasting.journal.clock_set(-300 * DAY_MS)
    lasting.journal.tell(Contact(0))
    lasting.journal.passes(2 * DAY_MS)
    assert lasting.available == 1_000, "two days are two days"


def test_an_overrun_of_what_ends_is_no_gift_when_it_has_ended() -> None:
    lasting = Lasting()
    lasting.take(lasting.allow(1_500), 1_520)
    assert lasting.available == -20
    lasting.journal.passes(5 * DAY_MS)
    assert lasting.available == -20
