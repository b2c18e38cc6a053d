"""Random histories of a fleet and of a prepaid contract against a second, slow and simple reading of their terms.

The models keep every sale and every payment with its moment, and count all of it anew when they are asked: no running
balance, no month kept apart, no posting. The engine must come to the same result, reason and balances.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programmes.bench import Lab

ISTANBUL, KYIV = ZoneInfo("Europe/Istanbul"), ZoneInfo("Europe/Kyiv")
Said = tuple[str, str | None, dict[str, int]]
Step = tuple[str, int, int, int]


@dataclass
class Sold:
    at: datetime
    volume_ml: int
    amount_minor: int
    account: str = ""
    rebate_minor: int = 0
    debt_minor: int = 0
    own: bool = True
    by_pass: bool = False
    reversed_at: datetime | None = None


def said(reason: str | None, balances: dict[str, int], *, declined: bool = False) -> Said:
    return "declined" if declined else "accepted", reason, balances


def month_of(name: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When a period begins, and when it is over."""
    year, month = int(name[:4]), int(name[5:7])
    after = (year + 1, 1) if month == 12 else (year, month + 1)
    begins = datetime(year, month, 16 if name.endswith("b") else 1, tzinfo=zone)
    return begins, datetime(year, month, 16, tzinfo=zone) if name.endswith("a") else datetime(*after, 1, tzinfo=zone)


@dataclass
class Fleet:
    """The customer C1 of LPG Pass: 33 kuruş a litre, or 3.33 %."""

    half: bool = False
    is_open: bool = True
    percent: bool = False
    accepts: bool = False
    sales: dict[str, Sold] = field(default_factory=dict)

    def period(self, at: datetime) -> str:
        local = at.astimezone(ISTANBUL)
        return f"{local:%Y-%m}" + (("a" if local.day < 16 else "b") if self.half else "")

    def balances(self, *accounts: str) -> dict[str, int]:
        stand = [sold for sold in self.sales.values() if sold.reversed_at is None]
        found = dict.fromkeys(accounts, 0)
        for sold in stand:
            if sold.account in found:
                found[sold.account] += sold.rebate_minor
            if "debt:C1" in found:
                found["debt:C1"] += sold.debt_minor
        return found

    def sell(self, ref: str, at: datetime, card: str, product: str, volume_ml: int, amount: int, charged: int) -> Said:
        if product not in (("autogas",) if card == "L1" else ("gasoline", "diesel")):
            return said("product_not_allowed", {}, declined=True)
        if not self.is_open:
            return said("contract_not_valid", {}, declined=True)
        sold = self.sales[ref] = Sold(at, volume_ml, amount, by_pass=card == "L1")
        accounts = ["debt:C1"] if charged else []
        if card == "L1":
            sold.account = f"rebate:C1:{self.period(at)}"
            sold.rebate_minor = amount * 333 // 10_000 if self.percent else volume_ml * 33 // 1_000
            accounts.append(sold.account)
        sold.debt_minor = 0 if self.accepts else charged
        return said("charge_failed" if sold.debt_minor else None, self.balances(*accounts))

    def reverse(self, ref: str, at: datetime) -> Said:
        sold = self.sales[ref]
        if sold.reversed_at is not None:
            return said("already_reversed", {}, declined=True)
        sold.reversed_at = at
        return said(
            None, self.balances(*([sold.account] if sold.account else []), *(["debt:C1"] if sold.debt_minor else []))
        )

    def close(self, name: str, at: datetime) -> Said:
        account = f"rebate:C1:{name}"
        if at < month_of(name, ISTANBUL)[1]:
            return said("period_open", {}, declined=True)
        if self.half != (len(name) == 8) and account not in {sold.account for sold in self.sales.values()}:
            return said("wrong_period", {}, declined=True)
        return said(None, self.balances(account))

    def claim(self, damaged_at: datetime) -> Said:
        stand = (sold for sold in self.sales.values() if sold.by_pass and sold.reversed_at is None)
        covered = any(sold.at < damaged_at for sold in stand)
        return said(None if covered else "not_covered", {}, declined=not covered)


@dataclass
class Prepaid:
    """The contract A of the CNG cards."""

    paid: list[tuple[datetime, int]] = field(default_factory=list)
    sales: dict[str, Sold] = field(default_factory=dict)
    valid: list[tuple[datetime, bool]] = field(default_factory=list)
    orders: list[tuple[date, int, int, int]] = field(default_factory=list)
    """First day, number, from how much, how much for each m3: one tier an order."""
    closed: dict[str, tuple[str | None, tuple[int, int], datetime]] = field(default_factory=dict)

    def money(self, before: datetime | None = None) -> dict[str, int]:
        """As it stood just before a moment; else as it stands."""
        return {"money:A": sum(amount for at, amount in self.moves() if before is None or at < before)}

    def moves(self) -> Iterator[tuple[datetime, int]]:
        yield from self.paid
        for sold in self.sales.values():
            yield sold.at, -sold.amount_minor
            if sold.reversed_at is not None:
                yield sold.reversed_at, sold.amount_minor
        for name, (reason, (_, each), at) in self.closed.items():
            if reason is None:
                # What was reversed since corrects it, each time at the time of the reversal.
                begins, ends = month_of(name, KYIV)
                last = self.volume(begins, ends, at) * each // 1_000 if self.reaches(name, at) else 0
                yield at, last
                for later in sorted({sold.reversed_at for sold in self.sales.values() if sold.reversed_at}):
                    if later > at:
                        due = self.volume(begins, ends, later) * each // 1_000 if self.reaches(name, later) else 0
                        yield later, due - last
                        last = due

    def volume(self, begins: datetime, ends: datetime, known: datetime) -> int:
        """What was got in a month in the own network, without what was reversed until a moment."""
        return sum(
            sold.volume_ml
            for sold in self.sales.values()
            if sold.own and begins <= sold.at < ends and (sold.reversed_at is None or sold.reversed_at > known)
        )

    def reaches(self, name: str, known: datetime) -> bool:
        return self.volume(*month_of(name, KYIV), known) >= self.closed[name][1][0]

    def sell(self, ref: str, at: datetime, volume_ml: int, amount: int, own: bool) -> Said:
        if not self.valid[-1][1]:
            return said("contract_not_valid", self.money(), declined=True)
        if amount > self.money()["money:A"]:
            return said("insufficient_funds", self.money(), declined=True)
        self.sales[ref] = Sold(at, volume_ml, amount, own=own)
        return said(None, self.money())

    def reverse(self, ref: str, at: datetime) -> Said:
        sold = self.sales[ref]
        if sold.reversed_at is not None:
            return said("already_reversed", {}, declined=True)
        sold.reversed_at = at
        return said(None, self.money())

    def close(self, name: str, at: datetime) -> Said:
        begins, ends = month_of(name, KYIV)
        if at < ends:
            return said("period_open", {}, declined=True)
        if name not in self.closed:
            last_day = (ends - timedelta(days=1)).date()
            tier = max((order for order in self.orders if order[0] <= last_day), default=(last_day, 0, 1 << 60, 0))
            known = [is_open for moment, is_open in self.valid if moment < ends]
            reason = None
            if not known or not known[-1]:
                reason = "contract_not_valid"
            elif self.volume(begins, ends, at) < tier[2]:
                reason = "below_first_tier"
            elif self.money(ends)["money:A"] < 0:
                reason = "negative_balance"
            self.closed[name] = reason, tier[2:], at
        return said(self.closed[name][0], self.money())


MINUTE = timedelta(minutes=1)
MS = timedelta(milliseconds=1)


def later(now: datetime, move: int, zone: ZoneInfo) -> datetime:
    """Some minutes; some days; or to the next first or sixteenth of a month, just before it, at it, just after it."""
    if move < 40:
        return now + move * MINUTE + MS
    if move < 55:
        return now + timedelta(days=move - 39)
    local = now.astimezone(zone)
    first = datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=zone).astimezone(UTC)
    half = local.replace(day=16, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    bound = half if move % 2 and half - MS > now else first
    return max(bound + (move % 3 - 1) * MS, now + MS)


def heard(answer: dict[str, Any]) -> Said:
    return answer["result"], answer["reason"], answer["balances"]


def steps_of(*kinds: str) -> st.SearchStrategy[list[Step]]:
    amount = st.integers(0, 300)
    return st.lists(st.tuples(st.sampled_from(kinds), amount, amount, st.integers(0, 99)), min_size=25, max_size=50)


@given(
    steps=steps_of("sale", "sale", "sale", "reverse", "close", "contract", "credit", "claim"), start=st.integers(0, 2)
)
@settings(max_examples=100)
def test_a_fleets_rebates_debts_and_claims(steps: list[Step], start: int) -> None:
    lab, fleet, now = Lab("lpg-pass"), Fleet(), datetime((2013, 2016, 2026)[start], 2, 25, tzinfo=UTC)
    discounts = ({"per_litre_minor": 33}, {"percent_bp": 333})
    lab.do("contract.open", now.isoformat(), customer="C1", discount=discounts[0])
    lab.do("card.issue", holder="C1", card="L1", plates=["34 ABC 12"])
    lab.do("card.issue", holder="C1", card="A1", product_set="automatic")
    for number, (kind, a, b, move) in enumerate(steps):
        now = later(now, move, ISTANBUL)
        at, ref = now.isoformat(), f"s{number}"
        if kind == "sale":
            card, product = ("L1", "A1")[a % 5 == 0], ("autogas", "diesel", "gasoline", "cng")[min(b % 6 * (a % 2), 3)]
            tenders = [{"kind": ("cash", "pay_and_go")[b % 2], "amount_minor": a * b}]
            charged = a * b * (b % 2)
            heard_now = lab.sale(a * b, at, volume_ml=a, card=card, product=product, tenders=tenders, ref=ref)
            expected = fleet.sell(ref, now, card, product, a, a * b, charged)
        elif kind == "reverse" and fleet.sales:
            sale = list(fleet.sales)[a % len(fleet.sales)]
            heard_now, expected = lab.do("sale.reverse", at, sale=sale), fleet.reverse(sale, now)
        elif kind == "close":
            period = f"{(now - timedelta(days=b % 50)).astimezone(ISTANBUL):%Y-%m}{('', 'a', 'b')[a % 3]}"
            heard_now = lab.do("period.close", at, customer="C1", period=period)
            expected = fleet.close(period, now)
        elif kind == "contract" and fleet.is_open:
            heard_now, expected = lab.do("contract.close", at, customer="C1"), said(None, {})
            fleet.is_open = False
        elif kind == "contract":
            fleet.is_open, fleet.half, fleet.percent = True, a % 2 == 0, b % 2 == 0
            length = ("month", "half")[fleet.half]
            heard_now = lab.do("contract.open", at, customer="C1", discount=discounts[fleet.percent], period=length)
            expected = said(None, {})
        elif kind == "claim":
            first = min((sold.at for sold in fleet.sales.values() if sold.reversed_at is None), default=now)
            damaged_at = first + (b % 3) * MS
            heard_now = lab.do("claim.yes", at, plate="34abc-12", damaged_at=damaged_at.isoformat(), repair_minor=1)
            expected = fleet.claim(damaged_at)
        else:
            fleet.accepts = a % 2 == 0
            cards = [{"token": "T1", "accepts": False}, {"token": "T2", "accepts": fleet.accepts}]
            heard_now = lab.do("card.link_credit", at, card="L1", credit_cards=cards)
            lab.do("card.link_credit", at, card="A1", credit_cards=cards)
            expected = said(None, {})
        assert heard(heard_now) == expected, (number, kind)


@given(steps=steps_of("sale", "sale", "sale", "pay_in", "return", "reverse", "close", "close", "contract", "order"))
@settings(max_examples=150)
def test_a_prepaid_contracts_account_and_discounts(steps: list[Step]) -> None:
    lab, now = Lab("cng-interissuer"), datetime(2026, 2, 25, tzinfo=UTC)
    prepaid = Prepaid(valid=[(now, True)], orders=[(now.date(), -1, 1_000, 50)])
    tiers = [{"from_ml": 1_000, "discount_per_m3_minor": 50}]
    lab.do("order.publish", now.isoformat(), order="O", valid_from=now.date().isoformat(), tiers=tiers)
    lab.do("contract.open", now.isoformat(), contract="A", prepaid=True)
    lab.do("card.issue", holder="A", card="K1")
    for number, (kind, a, b, move) in enumerate(steps):
        now = later(now, move, KYIV)
        at, ref = now.isoformat(), f"s{number}"
        if kind == "sale":
            more = {} if b % 5 else {"acquirer": "X"}
            heard_now = lab.sale(b // 3, at, "account", a * 10, product="cng", card="K1", ref=ref, **more)
            expected = prepaid.sell(ref, now, a * 10, b // 3, not more)
        elif kind == "reverse" and prepaid.sales:
            sale = list(prepaid.sales)[a % len(prepaid.sales)]
            heard_now, expected = lab.do("sale.reverse", at, sale=sale), prepaid.reverse(sale, now)
        elif kind == "close":
            period = f"{(now - timedelta(days=b % 32)).astimezone(KYIV):%Y-%m}"
            heard_now, expected = lab.do("period.close", at, contract="A", period=period), prepaid.close(period, now)
        elif kind == "contract" and (a % 3 == 0 or not prepaid.valid[-1][1]):
            is_open = not prepaid.valid[-1][1]
            prepaid.valid.append((now, is_open))
            terms: dict[str, Any] = {"prepaid": True} if is_open else {}
            heard_now = lab.do(("contract.close", "contract.open")[is_open], at, contract="A", **terms)
            expected = said(None, prepaid.money())
        elif kind == "order":
            first = (now + timedelta(days=b % 60 - 45)).astimezone(KYIV).date()
            from_ml = a // 6 * 10
            prepaid.orders.append((first, number, from_ml, b * 10))
            tiers = [{"from_ml": from_ml, "discount_per_m3_minor": b * 10}]
            heard_now = lab.do("order.publish", at, order=ref, valid_from=first.isoformat(), tiers=tiers)
            expected = said(None, {})
        else:
            # What is returned: all of it, or a kopiyka more than that.
            paid = a * 5 if kind == "pay_in" else -prepaid.money()["money:A"] - b % 2
            prepaid.paid.append((now, paid))
            heard_now = lab.do("account.pay_in", at, contract="A", amount_minor=paid)
            expected = said(None, prepaid.money())
        assert heard(heard_now) == expected, (number, kind)
