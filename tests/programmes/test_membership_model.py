"""Random histories of Positive Card's tokens against a second, plain account of them, made from the terms alone.

Cards lost and replaced, plates verified, bound, changed and sold, the watch against abuse, reviews, reversals. It keeps
lists and looks through them each time. The engine must give the same result, reason and points after every event.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from tests.programmes.bench import ENDER, Lab

PLATES = ("34 A 1", "34 A 2", "34 A 3", "34 A 4")
PHONES = {"M1": "+905321112233", "M2": "+905329998877"}
APP = ""
TANK_ML = 300_000
APART = timedelta(minutes=10)
A_DAY = 5


@dataclass
class Sold:
    """A sale that stands."""

    member: str
    token: str
    station: str
    at: datetime
    volume_ml: int
    points: int = 0
    reversed: bool = False


@dataclass
class Model:
    now: datetime
    cards: dict[str, str] = field(default_factory=lambda: {"K1": "M1", "K2": "M2"})
    blocked: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    announced: list[tuple[str, str, str]] = field(default_factory=list)
    """(member, card or APP, plate), as `bound`."""
    bound: list[tuple[str, str, str]] = field(default_factory=list)
    verified: set[tuple[str, str]] = field(default_factory=set)
    changed: set[tuple[str, int]] = field(default_factory=set)
    suspended: dict[str, list[Sold]] = field(default_factory=dict)
    """Member: the sales whose points may be taken back."""
    reviewed: dict[str, int] = field(default_factory=dict)
    """Member: how many sales were made before the last review."""
    sales: list[Sold] = field(default_factory=list)
    refs: dict[str, Sold] = field(default_factory=dict)

    def points(self, member: str) -> int:
        return sum(sale.points for sale in self.sales if sale.member == member)

    def owner(self, plate: str) -> str:
        return next((member for member, _, known in self.bound if known == plate), "")

    def has(self, member: str, plate: str) -> list[tuple[str, str, str]]:
        return [each for each in (*self.bound, *self.announced) if (each[0], each[2]) == (member, plate)]

    def sale(self, ref: str, token: dict[str, str], plate: str, station: str, volume_ml: int) -> str | None:
        shown = next(iter(token.values()), plate)
        if "card" in token and shown in self.blocked | {"KX"}:
            return "card_blocked" if shown in self.blocked else "card_unknown"
        member = self.cards[shown] if "card" in token else next((m for m in PHONES if PHONES[m] == shown), "")
        member = member or self.owner(plate)
        if not member:
            return "plate_not_bound"
        sale = Sold(member, shown, station, self.now, volume_ml)
        self.watch(sale)
        reason = self.plate(member, token.get("card", APP), plate) if token else None
        if member in self.suspended and reason not in ("plate_limit", "plate_in_use"):
            reason = "suspended"
        today = [each for each in self.of_day(member) if each.points]
        if reason is None and len(today) >= A_DAY:
            reason = "daily_sales_cap"
        sale.points = 10 if reason is None else 0
        self.sales.append(sale)
        self.refs[ref] = sale
        return reason

    def of_day(self, member: str) -> list[Sold]:
        return [each for each in self.sales if each.member == member and each.at.date() == self.now.date()]

    def watch(self, sale: Sold) -> None:
        if sale.member in self.suspended:
            return
        watched = self.sales[self.reviewed.get(sale.member, 0) :]
        today = [each for each in watched if each in self.of_day(sale.member) and not each.reversed]
        pair = [
            each
            for each in watched
            if each.token == sale.token and each.station != sale.station and self.now - each.at < APART
        ]
        if pair or sum(each.volume_ml for each in (*today, sale)) > TANK_ML:
            self.suspended[sale.member] = [*self.of_day(sale.member), *pair]

    def plate(self, member: str, card: str, plate: str) -> str | None:
        """Why a purchase with it earns nothing; or it is bound now."""
        if not plate or self.owner(plate) == member:
            return None
        if len([each for each in self.bound if each[:2] == (member, card)]) >= 2:
            return "plate_limit"
        if self.owner(plate):
            return "plate_in_use"
        if (member, plate) not in self.verified:
            return "not_verified"
        self.announced = [each for each in self.announced if each not in self.has(member, plate)]
        self.bound.append((member, card, plate))
        return None

    def add(self, member: str, plate: str) -> str | None:
        if self.owner(plate) or self.has(member, plate):
            return "plate_in_use"
        if len([each for each in (*self.bound, *self.announced) if each[:2] == (member, APP)]) >= 2:
            return "plate_limit"
        self.announced.append((member, APP, plate))
        return None

    def change(self, member: str, plate: str, new_plate: str) -> str | None:
        found = self.has(member, plate)
        if not found:
            return "plate_not_bound"
        if self.owner(new_plate) or self.has(member, new_plate):
            return "plate_in_use"
        if (member, self.now.year) in self.changed:
            return "plate_change_limit"
        self.changed.add((member, self.now.year))
        self.release(member, plate)
        self.announced.append((member, found[0][1], new_plate))
        return None

    def release(self, member: str, plate: str) -> str | None:
        found = self.has(member, plate)
        if not found:
            return "plate_not_bound"
        self.bound = [each for each in self.bound if each not in found]
        self.announced = [each for each in self.announced if each not in found]
        self.verified.discard((member, plate))
        return None

    def replace(self, old: str, new: str) -> str | None:
        if new in self.cards:
            return "card_in_use"
        if old in self.replaced:
            return "card_blocked"
        self.cards[new] = self.cards[old]
        self.blocked.add(old)
        self.replaced.add(old)
        self.bound = [(member, new if card == old else card, plate) for member, card, plate in self.bound]
        self.announced = [(member, new if card == old else card, plate) for member, card, plate in self.announced]
        return None

    def review(self, member: str, outcome: str) -> None:
        for sale in self.suspended.pop(member, ()) if outcome == "take_back" else ():
            sale.points = 0
        self.suspended.pop(member, None)
        self.reviewed[member] = len(self.sales)

    def reverse(self, ref: str) -> str | None:
        sale = self.refs.get(ref)
        if sale is None:
            return None
        if sale.reversed:
            return "already_reversed"
        sale.reversed, sale.points = True, 0
        return None


KINDS = {"sale": 24, "verify": 9, "add": 1, "change": 3, "sold": 1, "lost": 1, "replace": 1, "review": 4, "reverse": 5}
WAITS_MIN = (0, 0, 0, 0, 1, 3, 9, 10, 20 * 60)
STEPS = 150


def step(lab: Lab, model: Model, made: list[str], kind: str, a: int, b: int, c: int, ref: str) -> None:
    cards = sorted(set(model.cards) - model.blocked if b % 8 else model.cards) or ["K1"]
    member, plate, card = ("M1", "M2")[a % 2], PLATES[b % 4], cards[a % len(cards)]
    at, declines = model.now.isoformat(), True
    expected: str | None = None
    if kind == "sale":
        tokens: list[dict[str, str]] = [{"phone": PHONES[member]}, {}, {"card": "KX"}, *[{"card": card}] * 7]
        token = tokens[c % 10]
        station, volume_ml = ("S2" if a % 13 == 0 else "S1"), (120_000 if b % 3 == 0 else 1_000)
        with_plate = plate if c % 3 or not token else ""
        more: dict[str, Any] = {**token, **({"plate": with_plate} if with_plate else {})}
        answer = lab.sale(1_000, at, volume_ml=volume_ml, ref=ref, station=station, **more)
        expected, declines = model.sale(ref, token, with_plate, station, volume_ml), False
        made.append(ref)
    elif kind == "verify":
        answer = lab.do("member.verify", at, member=member, plate=plate)
        model.verified.add((member, plate))
    elif kind == "add":
        answer, expected = lab.do("plate.add", at, member=member, plate=plate), model.add(member, plate)
    elif kind == "change":
        new_plate = PLATES[c % 4]
        answer = lab.do("plate.change", at, member=member, plate=plate, new_plate=new_plate)
        expected = model.change(member, plate, new_plate)
    elif kind == "sold":
        answer, expected = lab.do("plate.sold", at, member=member, plate=plate), model.release(member, plate)
    elif kind == "lost":
        answer = lab.do("card.lost", at, card=card)
        model.blocked.add(card)
    elif kind == "replace":
        form = {**ENDER, "phone": PHONES[model.cards[card]]}
        answer = lab.do("card.replace", at, old_card=card, new_card=f"K{c % 9}", form=form)
        expected = model.replace(card, f"K{c % 9}")
    elif kind == "review":
        outcome = ("clear", "take_back")[b % 2]
        answer = lab.do("member.review", at, member=member, outcome=outcome)
        model.review(member, outcome)
    elif made:
        sale = made[-1 - c % len(made)]
        answer = lab.do("sale.reverse", at, sale=sale)
        expected = model.reverse(sale)
        if sale not in model.refs:
            made.remove(sale)
    else:
        answer = lab.do("clock", at)
    said = "declined" if declines and expected else "accepted"
    assert (answer["result"], answer["reason"]) == (said, expected), (ref, kind)
    for each in PHONES:
        assert lab.balance(f"points:{each}:fuel") == model.points(each), (ref, kind)


@pytest.mark.parametrize("seed", range(60))
def test_a_plain_account_of_the_tokens_comes_to_the_same_points_and_reasons(seed: int) -> None:
    """Cards, plates, the watch and its reviews, the most sales of a day."""
    chance = Random(seed)
    at = datetime.fromisoformat("2025-12-27T12:00:00")
    lab = Lab("positive-card", at=at.isoformat())
    for number, (member, phone) in enumerate(PHONES.items(), 1):
        lab.member(member, card=f"K{number}", phone=phone)
    model, made = Model(at), list[str]()
    for number in range(STEPS):
        model.now += timedelta(minutes=chance.choice(WAITS_MIN))
        (kind,) = chance.choices(list(KINDS), list(KINDS.values()))
        a, b, c = (chance.randrange(60) for _ in range(3))
        step(lab, model, made, kind, a, b, c, f"r{number}")
