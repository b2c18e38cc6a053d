"""Random histories against a second, slow and simple account of points, made from the programmes' terms alone.

It counts points one lot at a time in plain dictionaries and knows no posting: what is free, what is gone, what is owed
(taken back though it was spent). The engine must come to the same balance, result and reason after every event.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programmes.bench import Lab

Piece = tuple[date, int]
FOREVER = date.max


class Points:
    """One balance. Lots by the day on whose midnight they are gone."""

    def __init__(self) -> None:
        self.free: Counter[date] = Counter()
        self.gone: Counter[date] = Counter()
        self.owed: Counter[date] = Counter()

    @property
    def balance(self) -> int:
        return self.free.total() - self.owed.total()

    def put(self, lot: date, points: int) -> None:
        """Earned, or given back: first it fills what this lot owes."""
        filled = min(points, self.owed[lot])
        self.owed[lot] -= filled
        self.free[lot] += points - filled

    def take_back(self, lot: date, points: int) -> None:
        """What the lot still holds; then what expired of it, which costs nothing; then what was spent is owed."""
        for held in (self.free, self.gone):
            part = min(points, held[lot])
            held[lot] -= part
            points -= part
        self.owed[lot] += points

    def spend(self, points: int) -> list[Piece]:
        """The lot that expires first is spent first; what fills a debt is not there to be spent."""
        filling, pieces = self.owed.total(), []
        for lot in sorted(self.free):
            covered = min(filling, self.free[lot])
            filling -= covered
            part = min(points, self.free[lot] - covered)
            if part:
                self.free[lot] -= part
                points -= part
                pieces.append((lot, part))
        assert not points
        return pieces

    def expire(self, today: date) -> None:
        filling = self.owed.total()
        for lot in sorted(self.free):
            covered = min(filling, self.free[lot])
            filling -= covered
            if lot <= today:
                self.gone[lot] += self.free[lot] - covered
                self.free[lot] = covered


class Model:
    """One holder: what the terms say of earning, limits, expiry, redemption, vouchers, reversal and inactivity."""

    def __init__(self, programme: str, at: datetime) -> None:
        self.programme = programme
        self.now = self.bought = at
        self.purses = {"petrol": Points(), "autogas": Points()} if programme == "opet-kart" else {"fuel": Points()}
        self.vouchers: dict[str, tuple[Points, list[bool]]] = {}
        """Points, and [cancelled]."""
        self.day: dict[date, dict[str, int]] = {}
        self.undo: dict[str, Callable[[], None]] = {}
        self.cancelled = False

    def come_to(self, at: datetime) -> None:
        self.now = at
        if self.programme == "positive-card" and not self.cancelled:
            year, month = divmod(self.bought.year * 12 + self.bought.month - 1 + 6, 12)
            day = min(self.bought.day, monthrange(year, month + 1)[1])
            due = self.bought.replace(year=year, month=month + 1, day=day)
            if due <= at:
                self.expire(due.date())
                self.cancelled = True
        self.expire(at.date())

    def expire(self, today: date) -> None:
        for made, _ in self.vouchers.values():
            for lot, points in made.free.items():
                if lot <= today:
                    # What a voucher still holds expires in its purse: nothing of it was spent.
                    self.purses["fuel"].put(lot, points)
                    made.free[lot] = 0
        for purse in self.purses.values():
            purse.expire(FOREVER if self.cancelled else today)

    def purse(self, product: str) -> Points:
        if self.programme != "opet-kart":
            return self.purses["fuel"]
        return self.purses["autogas" if product == "autogas" else "petrol"]

    def lot(self) -> date:
        if self.programme == "opet-kart":
            return FOREVER
        if self.programme == "petrolimex-id" and self.now.year == 2021:
            return date(2023, 4, 1)
        return date(self.now.year + 1, 3, 31)

    def earned(self, tenders: dict[str, int]) -> tuple[int, str | None]:
        money = sum(amount for kind, amount in tenders.items() if kind != "points")
        if self.programme == "opet-kart":
            return money * 5 // 1000, None
        if self.programme == "petrolimex-id":
            electronic = tenders.get("electronic", 0) + tenders.get("pay_and_go", 0)
            return electronic // 10_000 * 50 + tenders.get("cash", 0) // 20_000 * 50, None
        if self.cancelled:
            return 0, "inactive_cancelled"
        today = self.day.get(self.now.date(), {})
        wanted = money // 100
        allowed = {"daily_points_cap": 10_000 - sum(today.values()), "sale_cap": 5_000}
        if len(today) >= 5:
            allowed = {"daily_points_cap": 10_000 - sum(today.values()), "daily_sales_cap": 0}
        least = min(wanted, *allowed.values())
        if least == wanted:
            return wanted, None
        return least, next(reason for reason, left in allowed.items() if left == least)

    def sale(self, ref: str, product: str, tenders: dict[str, int]) -> str | None:
        points, reason = self.earned(tenders)
        purse, lot, today = self.purse(product), self.lot(), self.day.setdefault(self.now.date(), {})
        if points:
            purse.put(lot, points)
            today[ref] = points
        if not self.cancelled:
            self.bought = self.now

        def undo() -> None:
            purse.take_back(lot, points)
            today.pop(ref, None)

        self.undo[ref] = undo
        return reason

    def redeem(self, ref: str, product: str, points: int, voucher: str) -> str | None:
        account = self.purse(product)
        if voucher:
            if voucher not in self.vouchers or self.vouchers[voucher][1]:
                return "voucher_unknown"
            account = self.vouchers[voucher][0]
            if all(lot <= self.now.date() for lot in account.free | account.gone | account.owed):
                return "voucher_expired"
        if self.cancelled:
            return "inactive_cancelled"
        if self.programme == "petrolimex-id" and self.now.date() < date(2022, 11, 10):
            return "not_started"
        if points > account.balance:
            return "insufficient_points"
        pieces = account.spend(points)

        def undo() -> None:
            back = self.purse(product) if voucher and self.vouchers[voucher][1] else account
            for lot, part in pieces:
                back.put(lot, part)

        self.undo[ref] = undo
        return None

    def reverse(self, sale: str) -> str | None:
        if sale not in self.undo:
            return "sale_unknown"
        self.undo[sale]()
        self.undo[sale] = lambda: None
        self.expire(self.now.date())
        return None

    def create(self, voucher: str, points: int) -> str | None:
        purse = self.purses["fuel"]
        if voucher in self.vouchers:
            return "voucher_exists"
        if self.now.date() < date(2022, 11, 10):
            return "not_started"
        if points > purse.balance:
            return "insufficient_points"
        made = Points()
        made.free.update(dict(purse.spend(points)))
        self.vouchers[voucher] = (made, [])
        return None

    def cancel(self, voucher: str) -> str | None:
        if voucher not in self.vouchers or self.vouchers[voucher][1]:
            return "voucher_unknown"
        made, cancelled = self.vouchers[voucher]
        if all(lot <= self.now.date() for lot in made.free | made.gone | made.owed):
            return "voucher_expired"
        cancelled.append(True)
        for lot, part in made.spend(made.balance):
            self.purses["fuel"].put(lot, part)
        self.expire(self.now.date())
        return None


TENDERS: list[dict[str, int]] = [
    {"cash": 1},
    {"electronic": 1},
    {"pay_and_go": 1},
    {"cash": 2, "electronic": 1},
    {"points": 1, "cash": 1},
]
OPENINGS = {
    "opet-kart": ("2022-01-10",),
    "petrolimex-id": ("2021-12-01", "2022-10-20", "2022-12-20"),
    "positive-card": ("2021-11-20", "2022-02-10"),
}
STEP = st.tuples(
    st.sampled_from(["sale"] * 4 + ["redeem"] * 3 + ["reverse"] * 3 + ["create", "cancel", "clock"]),
    st.integers(0, 100),
    st.integers(0, 100),
    st.sampled_from([0] * 6 + [1, 9, 40, 70]),
)


def compared(lab: Lab, model: Model, steps: list[tuple[str, int, int, int]]) -> None:
    """Both take each step; after it they agree."""
    made: list[str] = []
    organisation = model.programme == "petrolimex-id"
    for number, (kind, a, b, days) in enumerate(steps):
        model.come_to(model.now + timedelta(days=days, minutes=1))
        at, ref = model.now.isoformat(), f"r{number}"
        product = ("diesel", "gasoline", "autogas")[a % 3]
        voucher = f"V{b % 3}" if organisation and a % 2 else ""
        expected: str | None = None
        declines = kind != "sale"
        if kind == "sale":
            # Large enough for limits; without pay-and-go, which would ask for a code.
            unit, paid = (5_003, TENDERS[a % 2 * 3]) if model.programme == "positive-card" else (1_777, TENDERS[a % 5])
            tenders = {name: parts * b * unit for name, parts in paid.items()}
            listed = [{"kind": name, "amount_minor": amount} for name, amount in tenders.items()]
            answer = lab.sale(
                sum(tenders.values()), at, volume_ml=1, ref=ref, card="K1", product=product, tenders=listed
            )
            expected = model.sale(ref, product, tenders)
            made.append(ref)
        elif kind == "redeem":
            proof: dict[str, Any] = {"voucher": voucher, "driver_pin": "ok"} if voucher else {"otp": True, "pin": "ok"}
            points = b * 4 + 1
            answer = lab.do("redeem", at, ref=ref, holder="M1", product=product, points=points, proof=proof)
            expected = model.redeem(ref, product, points, voucher)
            made += [ref] if expected is None else []
        elif kind == "reverse" and made:
            sale = made.pop(a % len(made))
            answer = lab.do("sale.reverse", at, sale=sale)
            expected = model.reverse(sale)
        elif kind == "create" and organisation:
            points = b * 3 + 1
            answer = lab.do(
                "voucher.create", at, organisation="M1", voucher=f"V{a % 3}", points=points, user_may_manage=True
            )
            expected = model.create(f"V{a % 3}", points)
        elif kind == "cancel" and organisation:
            answer = lab.do("voucher.cancel", at, organisation="M1", voucher=f"V{a % 3}", user_may_manage=True)
            expected = model.cancel(f"V{a % 3}")
        else:
            answer, declines = lab.do("clock", at), False
        said = "declined" if declines and expected else "accepted"
        assert (answer["result"], answer["reason"]) == (said, expected), (number, kind)
        for name, purse in model.purses.items():
            vouchers = sum(points.balance for points, _ in model.vouchers.values())
            assert lab.balance(f"available:M1:{name}") == purse.balance, (number, kind)
            assert lab.balance(f"points:M1:{name}") == purse.balance + vouchers, (number, kind)
        for name, (points_in, _) in model.vouchers.items():
            assert lab.balance(f"voucher:{name}") == points_in.balance, (number, kind)


@pytest.mark.parametrize("programme", list(OPENINGS))
@given(steps=st.lists(STEP, min_size=30, max_size=60), opening=st.integers(0, 2))
@settings(max_examples=70, deadline=None, derandomize=True)
def test_a_simple_account_of_the_terms_comes_to_the_same_balances_and_reasons(
    programme: str, steps: list[tuple[str, int, int, int]], opening: int
) -> None:
    """Earning, limits, lots, expiry, redemption, vouchers, reversal, inactivity."""
    at = datetime.fromisoformat(f"{(OPENINGS[programme] * 3)[opening]}T12:00:00")
    lab = Lab(programme, at=at.isoformat())
    lab.member(card="K1", kind="organisation" if programme == "petrolimex-id" else "person")
    lab.do("member.verify", member="M1")
    lab.do("member.activate", member="M1", channel="web")
    compared(lab, Model(programme, at), steps)
