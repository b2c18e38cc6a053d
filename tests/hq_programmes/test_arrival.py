"""Whatever order rows and events arrive in, the balances are those of posting them in the order of their times.

Two stations; settlements that come long after their deliveries; rows sent again; a restored disk; cards entered after
their first sales, and replaced in mid-month; reversals that come before their sales; months that end, and clocks that
are set, in the programme's zone.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.programme_records import Presented
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.engine import Engine
from controller.domain.programmes.events import decode
from controller.domain.records import RowName, TenderKind
from controller.domain.tokens import TokenKind
from controller.office.programme_commands import shipped
from sync.hq.programmes.ledger import at_text
from tests.hq_programmes.bench import NOW_MS, SECRET, Office, StationJournal, ms, sale_event, token
from tests.hq_programmes.test_five import K1, K2, event
from tests.programmes.bench import ENDER
from tests.sync.peers import PUBLIC, STATION, Chance

UTC = LocalTime(ZoneInfo("UTC"))
K3 = "9001000000000103"
OTHER = "st-2"
RESTORED = 2
"""The journal of the restored disk, where there is one."""
FORM = dict(ENDER)
DAYS = {
    # Months end, and in Kyiv clocks are set forward and back.
    "cng-interissuer": [
        "2026-03-28T12:00:00+02:00",
        "2026-03-29T00:30:00+02:00",
        "2026-03-29T02:59:59+02:00",
        "2026-03-29T04:00:00+03:00",
        "2026-03-31T23:59:59+03:00",
        "2026-04-01T00:00:00+03:00",
        "2026-10-25T03:30:00+03:00",
        "2026-10-25T03:30:00+02:00",
        "2026-10-31T23:59:59+02:00",
        "2026-11-01T00:00:00+02:00",
    ],
    "lpg-pass": [
        "2026-01-15T23:59:59+03:00",
        "2026-01-16T00:00:00+03:00",
        "2026-01-31T23:59:59+03:00",
        "2026-02-01T00:00:00+03:00",
        "2026-02-10T10:00:00+03:00",
        "2026-02-15T22:30:00+01:00",
        "2026-02-28T23:59:59+03:00",
        "2026-03-01T00:00:00+03:00",
    ],
    "positive-card": [
        "2027-03-29T23:59:59+03:00",
        "2027-03-30T00:00:00+03:00",
        "2027-03-30T10:00:00+03:00",
        "2027-03-30T23:59:59+03:00",
        "2027-03-31T00:00:00+03:00",
        "2027-03-31T12:00:00+03:00",
        "2027-04-01T00:00:00+03:00",
        "2027-04-10T12:00:00+03:00",
    ],
}


def beginning(programme: str) -> list[dict[str, Any]]:
    """Who takes part, and what the office enters at the end of months."""
    if programme == "cng-interissuer":
        start = "2026-03-01T10:00:00+02:00"
        tiers = [{"from_ml": 20_000, "discount_per_m3_minor": 50}, {"from_ml": 60_000, "discount_per_m3_minor": 120}]
        return [
            event(start, "contract.open", "b1", contract="A", prepaid=True),
            event("2026-03-01T10:01:00+02:00", "card.issue", "b2", holder="A", card=K1),
            event("2026-03-01T10:02:00+02:00", "card.issue", "b3", holder="A", card=K2),
            event("2026-03-01T10:03:00+02:00", "order.publish", "b4", order="1", valid_from="2026-03-01", tiers=tiers),
            event("2026-03-30T10:00:00+03:00", "account.pay_in", "b5", contract="A", amount_minor=300_000),
            event("2026-04-02T10:00:00+03:00", "period.close", "b6", contract="A", period="2026-03"),
            event("2026-11-02T10:00:00+02:00", "period.close", "b7", contract="A", period="2026-10"),
        ]
    if programme == "lpg-pass":
        discount = {"per_litre_minor": 75}
        return [
            event("2026-01-02T10:00:00+03:00", "contract.open", "b1", customer="C1", discount=discount),
            event("2026-01-02T10:01:00+03:00", "card.issue", "b2", holder="C1", card=K1, product_set="lpg"),
            event("2026-01-02T10:02:00+03:00", "card.issue", "b3", holder="C1", card=K2, product_set="automatic"),
            event("2026-02-05T10:00:00+03:00", "contract.close", "b4", customer="C1"),
            event("2026-02-05T10:01:00+03:00", "contract.open", "b5", customer="C1", discount=discount, period="half"),
        ]
    at, person = "2027-03-01T10:0{}:00+03:00", {"kind": "person", "consents": ["information"], **ENDER}
    return [
        event(at.format(0), "member.enrol", "b1", member="M1", **person),
        event(at.format(1), "card.issue", "b2", holder="M1", card=K1),
        event(at.format(2), "member.enrol", "b3", member="M2", **person),
        event(at.format(3), "card.issue", "b4", holder="M2", card=K2),
        event(at.format(4), "member.verify", "b5", member="M1", plate="34ABC1"),
    ]


PRODUCTS = {"cng-interissuer": "cng", "lpg-pass": "autogas", "positive-card": "diesel"}


def in_order(programme: str, events: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """The balances of the engine, given all events in the order of their times."""
    engine = Engine(shipped(programme))
    for each in sorted(events, key=lambda one: ms(one["at"])):
        engine.post(decode(json.dumps(each).encode()), ms(each["at"]))
    engine.books.advance(NOW_MS)
    books = engine.books.ledger
    return {
        (commodity, account): amount
        for commodity in books.commodities()
        for account, amount in books.accounts(commodity)
        if amount
    }


@dataclass
class World:
    """A headquarters, its stations' journals (a restored disk is one more), and what was sold."""

    office: Office
    forked: int = 0
    journals: list[StationJournal] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    unpaid: dict[int, list[tuple[RowName, int]]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def add(self, journal: StationJournal, sent: int = 0) -> None:
        self.journals.append(journal)
        self.sent.append(sent)
        self.unpaid[len(self.journals) - 1] = []

    def sell(self, which: int, at: str, amount_minor: int, volume_ml: int, card: str, *, pays: bool, plate: str) -> str:
        journal, product = self.journals[which], PRODUCTS[self.office.name]
        delivery = journal.deliver_at(at, amount_minor, volume_ml, product, token(card))
        self.unpaid[which].append((delivery, amount_minor))
        if plate:
            journal.write(Presented(delivery, token(card), "till", "c", token(plate, TokenKind.PLATE).key))
        if pays:
            self.settle(which)
        ref = f"{journal.station}/{delivery.text}"
        sold = sale_event(ref, at, amount_minor, card=card, product=product, volume_ml=volume_ml)
        self.events.append({**sold, "station": journal.station, **({"plate": plate} if plate else {})})
        return ref

    def settle(self, which: int) -> None:
        for delivery, amount_minor in self.unpaid[which]:
            self.journals[which].settle_by(delivery, [(TenderKind.CASH, amount_minor)])
        self.unpaid[which].clear()

    @property
    def unsent(self) -> bool:
        return any(sent < journal.head_seq for sent, journal in zip(self.sent, self.journals, strict=True))

    def send(self, which: int, count: int, *, again: bool) -> None:
        journal = self.journals[which]
        after = 0 if again else self.sent[which]
        part = StationJournal(journal.station, journal.rows[: max(self.sent[which], after) + count], journal.epoch)
        self.office.ingest.receive(part.batch(after), NOW_MS)
        self.sent[which] = max(self.sent[which], part.head_seq)


def story(programme: str, rng: random.Random) -> tuple[World, list[dict[str, Any]]]:
    """Sales in three journals, of which nothing is sent yet; and what the office enters."""
    office = Office(programme, secret=SECRET)
    office.store.enrol(OTHER, PUBLIC, 0)
    world = World(office)
    world.add(office.station)
    other = StationJournal(OTHER)
    other.at_ms = office.station.at_ms
    other.start(Chance(3))
    world.add(other)
    days = [each for each in DAYS[programme] if rng.random() < 0.7]
    fork, refs = rng.randint(0, len(days)), list[str]()
    for number, at in enumerate(days):
        if number == fork:
            disk = office.station.copied()
            disk.start(Chance(2))
            world.forked = disk.head_seq - 1
            world.add(disk, world.forked)
            world.unpaid[RESTORED] = list(world.unpaid[0])
        which, pays = rng.randrange(len(world.journals)), rng.random() < 0.5
        card = rng.choice([K1, K1, K2, K3])
        plate = rng.choice(["", "34ABC1", "34ABC2"]) if programme == "positive-card" else ""
        amount_minor, volume_ml = 10_000 + 1_000 * number, 15_000 + 1_000 * number
        refs.append(world.sell(which, at, amount_minor, volume_ml, card, pays=pays, plate=plate))
    for which in range(len(world.journals)):
        world.settle(which)
    entered = beginning(programme)
    replaced = at_text(UTC, ms(DAYS[programme][3]) + 60_000)
    entered.append(event(replaced, "card.replace", "c1", old_card=K1, new_card=K3, form=FORM))
    for number, ref in enumerate(refs):
        if rng.random() < 0.3:
            later = ms(days[number]) + rng.choice([61_000, 86_400_500]) + number
            entered.append(event(at_text(UTC, later), "sale.reverse", f"r{number}", sale=ref))
    return world, entered


def arrive(world: World, entered: list[dict[str, Any]], rng: random.Random) -> None:
    """All of it, bit by bit, with rows that come again and headquarters started anew."""
    waiting = rng.sample(entered, len(entered))
    while waiting or world.unsent:
        what = rng.choice(["enter", "rows", "rows", "post", "restart"])
        if what == "enter" and waiting:
            world.office.enter([waiting.pop()])
        elif what == "rows":
            which = rng.randrange(len(world.journals))
            if which == RESTORED and world.sent[0] < world.forked:
                which = 0  # what is on the restored disk had been sent
            world.send(which, rng.randint(1, 6), again=which != RESTORED and rng.random() < 0.5)
        elif what == "post":
            world.office.post()
        elif what == "restart":
            world.office.restart()
    world.office.post()


@pytest.mark.parametrize("programme", DAYS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_any_order_of_arrival_ends_as_the_order_of_times(programme: str, seed: int) -> None:
    rng = random.Random(seed)
    world, entered = story(programme, rng)
    arrive(world, entered, rng)
    expected = in_order(programme, [*entered, *world.events])
    assert world.office.kept() == expected
    world.office.restart()
    world.office.post()
    assert world.office.kept() == expected


@pytest.mark.parametrize("at_once", [True, False])
def test_what_was_shown_on_another_branch_names_nobody(*, at_once: bool) -> None:
    """A delivery that was unpaid on the restored disk: another card is shown there, and it is settled a second time."""
    office, at = Office("positive-card"), "2027-05-05T10:00:00+03:00"
    entered = beginning("positive-card")
    office.enter(entered)
    delivery = office.station.deliver_at(at, 100_000, 20_000, "diesel", None)
    disk = office.station.copied()
    office.station.write(Presented(delivery, token(K1), "till", "c1"))
    for _ in range(5):
        office.station.deliver_at(at, 1, 1, "diesel", None)
    office.station.settle_by(delivery, [(TenderKind.CASH, 100_000)])
    disk.start(Chance(2))
    disk.write(Presented(delivery, token(K2), "till", "c2"))
    disk.settle_by(delivery, [(TenderKind.CASH, 100_000)])
    office.sync()
    if not at_once:
        office.post()
    office.ingest.receive(disk.batch(2), NOW_MS)
    office.post()
    assert office.kept()["points:fuel", "available:M1:fuel"] == 1_000


@pytest.mark.parametrize("started_anew", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_a_plate_that_is_told_after_its_first_purchase_finds_it(*, late: bool, started_anew: bool) -> None:
    """The office enters in the evening that a phone was verified for a plate: the purchase that binds it has come."""
    office, plate = Office("positive-card"), token("34ABC1", TokenKind.PLATE)
    entered = beginning("positive-card")
    verified = entered.pop()
    office.enter(entered)
    if not late:
        office.enter([verified])
    sold = []
    for hour in (10, 12):
        at = f"2027-05-05T{hour}:00:00+03:00"
        delivery = office.station.deliver_at(at, 100_000, 20_000, "diesel", None)
        office.station.write(Presented(delivery, token(K1), "till", f"c{hour}", plate.key))
        office.station.settle_by(delivery, [(TenderKind.CASH, 100_000)])
        sold.append(sale_event(f"{STATION}/{delivery.text}", at, 100_000, card=K1, plate="34ABC1"))
    office.sync()
    office.post()
    if started_anew:
        office.restart()
    if late:
        assert office.kept() == {}, "nobody knows the plate"
        office.enter([verified])
    expected = in_order("positive-card", [*entered, verified, *sold])
    assert expected["points:fuel", "available:M1:fuel"] == 2_000
    assert office.kept() == expected
    office.restart()
    office.enter([event("2027-05-06T10:00:00+03:00", "sale.reverse", "r1", sale=sold[0]["ref"])])
    assert office.kept()["points:fuel", "available:M1:fuel"] == 1_000
    office.restart()
    office.post()
    assert office.balances("M1")["available:M1:fuel"] == 1_000
