"""Prepaid accounts at headquarters: promises to stations never exceed what an account has, whatever comes how often.

The model: one account, stations that ask, void late or early, deliver and settle, in any order and twice.
"""

from collections import Counter
from typing import TypeVar

import msgspec
import pytest
import sqlalchemy as sa

from controller.domain.allotments import HEADQUARTERS_POT, Reservation, account_pot
from controller.domain.funds import Funds
from controller.domain.grants import grant_command
from controller.domain.headquarters import Granted, SetApart
from controller.domain.questions import GrantAnswer, GrantAsk, PointsAsk, VoidAnswer, VoidAsk
from controller.domain.reasons import Reason
from controller.domain.records import Allotted, Body, Record, RowName, Tender, TenderKind, Unreserved
from controller.domain.tokens import TokenKind
from sim.chance import Chance
from sync.hq.answers import Answers
from sync.hq.books import Books
from sync.hq.prepaid import AccountRefused, AccountView, Prepaid, allotments_due
from sync.hq.prepaid_rows import TOLD_TWICE
from sync.hq.schema import oddities
from sync.hq.store import Store
from sync.wire import RefusedAnswer
from tests.domain.rows import CARD, EPOCH, STAMP, authorised, delivery, settlement

ACCOUNT = "ACME"
STATIONS = ("TR-1", "TR-2", "TR-3")
NOW_MS = 1_790_000_000_000
_T = TypeVar("_T")


class Office:
    """Headquarters with an account, and stations whose rows come without any wire."""

    def __init__(self, paid_in: int = 0) -> None:
        self.store = Store.in_memory()
        self.prepaid = Prepaid(self.store.commit)
        self.answers = Answers(self.prepaid)
        self.seq = dict.fromkeys(STATIONS, 0)
        for station in STATIONS:
            self.store.enrol(station, station.encode().ljust(32), NOW_MS)
        if paid_in:
            self.prepaid.pay_in(ACCOUNT, "p", paid_in, NOW_MS)

    def ask(self, station: str, name: RowName, most_minor: int = 0) -> int | None:
        answer = self.answers.answer(station, grant_command(name), GrantAsk(ACCOUNT, most_minor), NOW_MS)
        if isinstance(answer, RefusedAnswer):
            return None
        assert isinstance(answer, GrantAnswer)
        return answer.amount_minor

    def void(self, station: str, name: RowName) -> int:
        answer = self.answers.answer(station, "v", VoidAsk(grant_command(name)), NOW_MS)
        assert isinstance(answer, VoidAnswer)
        return answer.given_back

    def row(self, station: str, record: Record) -> RowName:
        self.seq[station] += 1
        name = RowName(EPOCH, self.seq[station])
        with self.store.commit() as db:
            Books(db, station, NOW_MS).enter([Body(name, STAMP, record)])
        return name

    def let_go(self, station: str, asked: RowName | None, amount_minor: int) -> RowName:
        record = authorised(token=CARD)
        evidence = msgspec.structs.replace(record.evidence, granted=Granted(amount_minor, asked) if asked else None)
        pot = HEADQUARTERS_POT if asked else account_pot(ACCOUNT)
        reserved = Reservation(pot, amount_minor)
        return self.row(
            station, msgspec.structs.replace(record, funds=Funds.PREPAID, evidence=evidence, reserved=reserved)
        )

    def deliver(self, station: str, name: RowName, amount_minor: int) -> RowName:
        record = delivery(allowed=name, token=CARD)
        record = msgspec.structs.replace(record, amount_minor=amount_minor, funds=Funds.PREPAID, account=ACCOUNT)
        return self.row(station, record)

    def settle(self, station: str, name: RowName, amount_minor: int) -> None:
        paid = settlement(name)
        tender = Tender(TenderKind.ACCOUNT, amount_minor, amount_minor)
        self.row(station, msgspec.structs.replace(paid, amount_minor=amount_minor, tenders=(tender,)))

    @property
    def view(self) -> AccountView:
        return self.prepaid.view(ACCOUNT)


def name(number: int) -> RowName:
    return RowName(EPOCH, number)


def test_a_grant_is_reserved_once_and_settled_by_the_sale() -> None:
    office = Office(1_000)
    assert office.ask("TR-1", name(1), 400) == 400
    assert office.ask("TR-1", name(1), 400) == 400, "said again after a crash"
    assert office.view == AccountView(ACCOUNT, 1_000, 400, 0)
    allowed = office.let_go("TR-1", name(1), 400)
    sold = office.deliver("TR-1", allowed, 390)
    assert office.view.reserved_minor == 400, "delivered is not in the balance yet"
    assert office.void("TR-1", name(1)) == 0, "what was delivered is not undone"
    office.settle("TR-1", sold, 390)
    assert office.view == AccountView(ACCOUNT, 610, 0, 0)


def test_what_is_free_bounds_all_stations_together() -> None:
    office = Office(1_000)
    assert office.ask("TR-1", name(1), 700) == 700
    assert office.ask("TR-2", name(1), 700) == 300
    assert office.ask("TR-3", name(1)) == 0
    assert office.void("TR-1", name(1)) == 700
    assert office.void("TR-1", name(1)) == 700, "said again"
    assert office.ask("TR-3", name(2)) == 700


def test_a_void_that_overtakes_its_question_refuses_it_for_ever() -> None:
    office = Office(1_000)
    assert office.void("TR-1", name(1)) == 0
    assert office.ask("TR-1", name(1), 100) is None
    assert office.ask("TR-2", name(1), 100) == 100, "another station's has the same name and is another"
    assert office.view.reserved_minor == 100


def test_nobody_else_answers_here() -> None:
    answers = Office().answers
    for question in (PointsAsk(TokenKind.CARD, bytes(8)), VoidAsk("redeem/1")):
        answer = answers.answer("TR-1", "c", question, NOW_MS)
        assert isinstance(answer, RefusedAnswer)
        assert answer.reason == Reason.HEADQUARTERS_REFUSED


def test_set_apart_is_told_until_its_row_comes_and_counts_once() -> None:
    office = Office(1_000)
    assert office.prepaid.allot("TR-1", ACCOUNT, "a", 600, NOW_MS) == AccountView(ACCOUNT, 1_000, 0, 600)
    assert office.prepaid.allot("TR-1", ACCOUNT, "a", 600, NOW_MS).allotted_minor == 600
    for wrong in (
        ("TR-1", ACCOUNT, "a", 500),
        ("TR-1", "OTHER", "b", 1),
        ("TR-1", ACCOUNT, "b", 401),
        ("X", "A", "b", 1),
    ):
        with pytest.raises(AccountRefused):
            office.prepaid.allot(*wrong, NOW_MS)
    with office.store.commit() as db:
        assert allotments_due(db, "TR-1") == (SetApart("a", ACCOUNT, 600),)
        assert allotments_due(db, "TR-2") == ()
    office.row("TR-1", Allotted("a", account_pot(ACCOUNT), 600, "", ""))
    office.row("TR-1", Allotted("typed", account_pot(ACCOUNT), 50, "till-1", "c"))
    with office.store.commit() as db:
        assert allotments_due(db, "TR-1") == ()
    assert office.view.allotted_minor == 650, "what a manager typed there is promised too"
    sold = office.deliver("TR-1", office.let_go("TR-1", None, 200), 200)
    assert office.view == AccountView(ACCOUNT, 1_000, 0, 650), "not in the balance yet: it stays promised"
    office.settle("TR-1", sold, 200)
    assert office.view == AccountView(ACCOUNT, 800, 0, 450)
    office.row("TR-1", Unreserved(name(99), account_pot(ACCOUNT), 100, 1_000))
    assert office.view == AccountView(ACCOUNT, 700, 0, 350)


def test_a_delivery_on_headquarters_money_leaves_no_less_set_apart_though_its_grant_was_voided() -> None:
    """Two copies of a disk: one says that nothing came of a grant, and the other delivers on it."""
    for voided_first in (True, False):
        office = Office(1_000)
        office.prepaid.allot("TR-1", ACCOUNT, "a", 500, NOW_MS)
        assert office.ask("TR-1", name(1), 400) == 400
        if voided_first:
            assert office.void("TR-1", name(1)) == 400
        allowed = office.let_go("TR-1", name(1), 400)
        if not voided_first:
            assert office.void("TR-1", name(1)) == 400
        office.settle("TR-1", office.deliver("TR-1", allowed, 390), 390)
        assert office.view == AccountView(ACCOUNT, 610, 0, 500)
        office.settle("TR-1", office.deliver("TR-1", allowed, 10), 10)
        assert office.view == AccountView(ACCOUNT, 600, 0, 500), "the other copy delivered too"


def test_a_grant_that_headquarters_lost_with_its_backup_leaves_no_less_set_apart() -> None:
    office = Office(1_000)
    office.prepaid.allot("TR-1", ACCOUNT, "a", 500, NOW_MS)
    allowed = office.let_go("TR-1", name(1), 400)
    office.settle("TR-1", office.deliver("TR-1", allowed, 390), 390)
    assert office.view == AccountView(ACCOUNT, 610, 0, 500)
    assert office.void("TR-1", name(1)) == 0
    assert office.ask("TR-1", name(1), 400) == 0, "it was used"


@pytest.mark.parametrize("granted", [True, False])
@pytest.mark.parametrize("delivered", [True, False])
def test_a_disk_that_went_back_tells_again_what_ran_out_and_nobody_pays_twice(granted: bool, delivered: bool) -> None:
    """The authorisation is on the old disk, its end was on the new one: the totaliser's word comes a second time."""
    office = Office(1_000)
    office.prepaid.allot("TR-1", ACCOUNT, "a", 500, NOW_MS)
    asked, pot = (name(1), HEADQUARTERS_POT) if granted else (None, account_pot(ACCOUNT))
    if granted:
        office.ask("TR-1", name(1), 300)
    allowed = office.let_go("TR-1", asked, 300)
    if delivered:
        office.settle("TR-1", office.deliver("TR-1", allowed, 300), 300)
    else:
        office.row("TR-1", Unreserved(allowed, pot, 300, 1_000))
    once = office.view
    assert once == AccountView(ACCOUNT, 700, 0, 500 if granted else 200)
    again = office.row("TR-1", Unreserved(allowed, pot, 300, 1_000))
    assert office.view == once
    with office.store.commit() as db:
        odd = db.execute(sa.select(oddities.c.seq, oddities.c.what)).all()
    assert [tuple(each) for each in odd] == [(again.seq, TOLD_TWICE)]
    office.row("TR-2", Unreserved(allowed, account_pot(ACCOUNT), 100, 1_000))
    assert office.view.balance_minor == 600, "another station's row has the same name and is another"


def test_payments_count_once_and_no_more_is_paid_back_than_is_free() -> None:
    office = Office(1_000)
    assert office.prepaid.pay_in(ACCOUNT, "p", 1_000, NOW_MS).balance_minor == 1_000
    office.ask("TR-1", name(1), 900)
    for payment, amount in (("p", 2_000), ("back", -101)):
        with pytest.raises(AccountRefused):
            office.prepaid.pay_in(ACCOUNT, payment, amount, NOW_MS)
    assert office.prepaid.pay_in(ACCOUNT, "back", -100, NOW_MS).free_minor == 0
    assert [view.account for view in office.prepaid.views()] == [ACCOUNT]


class Promises:
    """Everything that stations do, in any order; what they may spend at most is never more than was paid in."""

    def __init__(self, seed: int) -> None:
        self.chance = Chance(seed, "promises")
        self.office = Office(1_000)
        self.paid_in = 1_000
        self.held: list[tuple[str, RowName, int]] = []
        self.let_go: list[tuple[str, RowName, RowName, int]] = []
        self.unpaid: list[tuple[str, RowName, int]] = []
        self.spent = 0
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """One of what can be done now."""
        could = [self.ask, self.ask, self.pay_in]
        could += [self.void, self.authorise, self.authorise] if self.held else []
        could += [self.unused, self.deliver, self.deliver] if self.let_go else []
        could += [self.settle] if self.unpaid else []
        does = could[self.chance.below(len(could))]
        does()
        self.done[does.__name__] += 1
        self.look()

    def one_of(self, waiting: list[_T]) -> _T:
        return waiting.pop(self.chance.below(len(waiting)))

    def pay_in(self) -> None:
        amount = self.chance.between(1, 150)
        self.office.prepaid.pay_in(ACCOUNT, f"p{self.done['pay_in']}", amount, NOW_MS)
        self.paid_in += amount

    def ask(self) -> None:
        station, asked = STATIONS[self.chance.below(len(STATIONS))], name(10_000 + self.done["ask"])
        most, void_first = self.chance.below(601), self.chance.one_in(4)
        if void_first:
            self.office.void(station, asked)
        free = self.office.view.free_minor
        granted = self.office.ask(station, asked, most)
        assert granted == (None if void_first else min(most or free, free))
        if granted:
            self.held.append((station, asked, granted))
        self.done["granted less" if granted is not None and granted < most else "granted"] += 1

    def void(self) -> None:
        station, asked, granted = self.one_of(self.held)
        for _ in range(1 + self.chance.below(2)):
            assert self.office.void(station, asked) == granted

    def authorise(self) -> None:
        station, asked, granted = self.one_of(self.held)
        self.let_go.append((station, asked, self.office.let_go(station, asked, granted), granted))

    def deliver(self) -> None:
        station, asked, allowed, granted = self.one_of(self.let_go)
        amount = granted * self.chance.below(101) // 100
        self.unpaid.append((station, self.office.deliver(station, allowed, amount), amount))
        assert self.office.void(station, asked) == 0, "what was delivered is not undone"

    def unused(self) -> None:
        station, asked, _, granted = self.one_of(self.let_go)
        assert self.office.void(station, asked) == granted

    def settle(self) -> None:
        station, sold, amount = self.one_of(self.unpaid)
        self.office.settle(station, sold, amount)
        self.spent += amount

    def look(self) -> None:
        promised = sum(each[-1] for each in self.held) + sum(each[-1] for each in self.let_go)
        promised += sum(each[-1] for each in self.unpaid)
        assert promised + self.spent <= self.paid_in
        view = self.office.view
        assert view.balance_minor == self.paid_in - self.spent
        assert 0 <= view.free_minor <= self.paid_in - self.spent - promised
        if not self.unpaid:  # until it is settled, the whole grant of a delivery is reserved
            assert view.free_minor == self.paid_in - self.spent - promised


def test_stations_never_have_more_than_was_paid_in() -> None:
    done: Counter[str] = Counter()
    for seed in range(6):
        promises = Promises(seed)
        try:
            for _ in range(80):
                promises.step()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, after {dict(promises.done)}") from error
        done += promises.done
    for what in ("pay_in", "granted", "granted less", "void", "authorise", "unused", "deliver", "settle"):
        assert done[what] >= 20, f"{what} was hardly tried: {dict(done)}"
