"""A station's disk that went back: what was set apart comes again, and never more than that is spent and left.

The model: one station whose disk is copied and put back at any moment, before or after its rows were sent.
"""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import msgspec
import pytest
import sqlalchemy as sa

from controller.domain.allotments import Moment, Reservation, account_pot, token_pot
from controller.domain.books import Books as StationBooks
from controller.domain.days import BusinessDay
from controller.domain.funds import Funds
from controller.domain.headquarters import SetApart
from controller.domain.member_books import voucher_pot
from controller.domain.programme_records import Redeemed
from controller.domain.records import GENESIS, Allotted, Body, Record, Row, RowName, Tender, TenderKind, seal_row
from sim.chance import Chance
from sync.hq.prepaid import AccountRefused, Prepaid, allotments_due
from sync.hq.prepaid_tables import allotments, allotted_rows
from sync.hq.store import Store
from sync.wire import Acknowledgement
from tests.domain.rows import CARD, STAMP, authorised, delivery, settlement

STATION, ACCOUNT, NOW_MS = "TR-1", "ACME", 1_790_000_000_000
PAID_IN = 1_000_000
VOUCHER = "V-1"


@dataclass
class Disk:
    """A station's journal: its rows, and how many of them headquarters has heard of."""

    rows: list[Row] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)

    def copy(self) -> "Disk":
        return Disk(list(self.rows), list(self.bodies))


class Street:
    """Headquarters, and a station whose disk may go back."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes, list[tuple[Row, Body]]]] = []
        """What headquarters has stored, in order."""
        self.put_headquarters_back(0)
        self.disk = Disk()
        self._starts = 0
        self.start()

    def put_headquarters_back(self, sent: int, *allotted_minor: int) -> None:
        """To a backup of when so much had been sent, and this was set apart before all that."""
        self.store = Store.in_memory()
        self.prepaid = Prepaid(self.store.commit)
        self.store.enrol(STATION, b"k".ljust(32), NOW_MS)
        self.prepaid.pay_in(ACCOUNT, "p", PAID_IN, NOW_MS)
        for number, amount_minor in enumerate(allotted_minor):
            self.prepaid.allot(STATION, ACCOUNT, f"a{number}", amount_minor, NOW_MS)
        self.known: set[RowName] = set()
        """Of rows that headquarters has."""
        again, self.sent = self.sent[:sent], []
        for each in again:
            self.send(*each)

    def send(self, after: int, before: bytes, new: list[tuple[Row, Body]]) -> Acknowledgement:
        answer = self.store.append(STATION, after, before, new, NOW_MS)
        self.sent.append((after, before, new))
        self.known |= {body.name for _, body in new}
        return answer

    def start(self) -> None:
        """The controller starts: another epoch."""
        self._starts += 1
        self.epoch = self._starts.to_bytes(8, "big")
        self.books = StationBooks(BusinessDay(ZoneInfo("Europe/Istanbul"), 0))
        for body in self.disk.bodies:
            self.books.apply(body)
        self.write(Allotted(f"nothing {self._starts}", account_pot("OTHER"), 0, "", ""))

    def put_back(self, disk: Disk) -> None:
        self.disk = disk.copy()
        self.start()

    def write(self, record: Record) -> RowName:
        name = RowName(self.epoch, len(self.disk.rows) + 1)
        body = Body(name, STAMP, record)
        self.disk.rows.append(seal_row(self.disk.rows[-1].hash if self.disk.rows else GENESIS, body))
        self.disk.bodies.append(body)
        self.books.apply(body)
        return name

    def left(self, pot: str = account_pot(ACCOUNT)) -> int | None:
        """What the station may still let out."""
        return self.books.usage.allotments.available_minor(pot, Moment(0, NOW_MS))

    def fuels(self, amount_minor: int, pot: str = account_pot(ACCOUNT)) -> None:
        allowed = msgspec.structs.replace(
            authorised(token=CARD), funds=Funds.PREPAID, reserved=Reservation(pot, amount_minor)
        )
        name = self.write(allowed)
        delivered = msgspec.structs.replace(
            delivery(allowed=name, token=CARD), amount_minor=amount_minor, funds=Funds.PREPAID, account=ACCOUNT
        )
        sold = self.write(delivered)
        tender = Tender(TenderKind.ACCOUNT, amount_minor, amount_minor)
        self.write(msgspec.structs.replace(settlement(sold), amount_minor=amount_minor, tenders=(tender,)))

    def sync(self, *, all_of_it: bool = True, rows: int = 10**6) -> list[SetApart]:
        """Send what headquarters lacks and write what it tells, until nothing more is told.

        `rows`: no more than so many of them, and write nothing then.
        """
        told: list[SetApart] = []
        while True:
            after = 0
            while after < len(self.disk.bodies) and self.disk.bodies[after].name in self.known:
                after += 1
            new = list(zip(self.disk.rows[after:], self.disk.bodies[after:], strict=True))
            before = self.disk.rows[after - 1].hash if after else GENESIS
            answer = self.send(after, before, new[:rows])
            if rows < len(new):
                return told
            if not answer.set_apart and not (new and all_of_it):
                return told
            for each in answer.set_apart:
                pot = each.pot or account_pot(each.account)
                ids = self.books.usage.allotments.pots.get(pot)
                assert ids is None or each.allotment_id not in ids.ids, "it is told what it knows"
                told.append(each)
                self.write(Allotted(each.allotment_id, pot, each.amount_minor, "", "", each.valid_until_ms))
            if not all_of_it:
                return told

    @property
    def set_apart_minor(self) -> int:
        """All that ever was."""
        with self.store.commit() as db:
            mine = allotments.c.account == ACCOUNT
            return int(
                db.execute(
                    sa.select(sa.func.coalesce(sa.func.sum(allotments.c.amount_minor), 0)).where(mine)
                ).scalar_one()
            )

    @property
    def spent_minor(self) -> int:
        """All that headquarters knows of."""
        return PAID_IN - self.prepaid.view(ACCOUNT).balance_minor


def a_life(seed: int, steps: int = 30) -> Street:
    """Whatever is lost and put back: what is known to be spent and what is left are what was set apart."""
    chance, street = Chance(seed, "disk"), Street()
    copies = [Disk()]
    for step in range(steps):
        match chance.below(7):
            case 0:
                street.prepaid.allot(STATION, ACCOUNT, f"a{step}", chance.between(1, 5_000), NOW_MS)
            case 1 | 2 if (left := street.left() or 0) > 0:
                street.fuels(chance.between(1, left))
            case 3:
                copies.append(street.disk.copy())
            case 4:
                here = street.disk.copy()
                street.put_back(copies[chance.below(len(copies))])
                copies.append(here)  # it may come back, too
            case 5:
                street.sync(all_of_it=False)
            case _:
                street.sync()
                assert (street.left() or 0) == street.set_apart_minor - street.spent_minor
                assert street.prepaid.view(ACCOUNT).allotted_minor == max(street.left() or 0, 0)
                assert street.sync() == [], "all is told"
    return street


def test_what_is_known_to_be_spent_and_what_is_left_are_what_was_set_apart() -> None:
    forks = 0
    for seed in range(20):
        try:
            street = a_life(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
        forks += street.store.totals(STATION).forks
    assert forks > 20, "disks did go back"


def test_an_allotment_that_a_restored_disk_lost_is_told_again_once() -> None:
    street = Street()
    old = street.disk.copy()
    street.prepaid.allot(STATION, ACCOUNT, "a", 600, NOW_MS)
    assert street.sync() == [SetApart("a", ACCOUNT, 600)]
    street.put_back(old)
    assert street.left() is None
    assert street.sync() == [SetApart("a", ACCOUNT, 600)]
    assert street.left() == 600
    assert street.sync() == []


def test_what_was_spent_since_is_taken_off_first() -> None:
    street = Street()
    old = street.disk.copy()
    street.prepaid.allot(STATION, ACCOUNT, "a", 600, NOW_MS)
    street.sync()
    street.fuels(400)
    street.sync()
    street.put_back(old)
    taken, again = street.sync()
    assert (taken.amount_minor, again) == (-400, SetApart("a", ACCOUNT, 600))
    assert street.left() == 200
    assert street.prepaid.view(ACCOUNT).allotted_minor == 200, "the correction sets nothing apart"


def test_what_a_disk_with_the_allotment_forgot_to_have_spent_is_taken_off_too() -> None:
    street = Street()
    street.prepaid.allot(STATION, ACCOUNT, "a", 600, NOW_MS)
    street.sync()
    old = street.disk.copy()
    street.fuels(400)
    street.sync()
    street.put_back(old)
    assert street.left() == 600, "until headquarters is heard"
    (taken,) = street.sync()
    assert (taken.amount_minor, street.left()) == (-400, 200)


@pytest.mark.parametrize("pot", [token_pot(CARD.key), voucher_pot(VOUCHER)])
def test_the_pots_of_cards_and_vouchers_come_back_as_such_with_their_last_day(pot: str) -> None:
    street = Street()
    old = street.disk.copy()
    street.write(Allotted("typed", pot, 600, "till-1", "c", NOW_MS + 1_000))
    street.sync()
    if pot == voucher_pot(VOUCHER):
        street.write(
            Redeemed(RowName(street.epoch, 1), "r", "petrolimex-id", CARD, 100, 100, VOUCHER, offline=True, pot=pot)
        )
    else:
        street.fuels(100, pot)
    street.sync()
    street.put_back(old)
    taken, again = street.sync()
    assert (taken.pot, taken.amount_minor) == (pot, -100)
    assert again == SetApart("typed", "", 600, pot, NOW_MS + 1_000)


def test_what_is_told_of_a_disk_that_went_back_is_no_name_for_an_allotment() -> None:
    street = Street()
    with pytest.raises(AccountRefused):
        street.prepaid.allot(STATION, ACCOUNT, "restored/1", 600, NOW_MS)


def test_what_is_taken_off_is_told_before_what_is_given_however_much_there_is() -> None:
    street = Street()
    old = street.disk.copy()
    for number in range(20):
        street.prepaid.allot(STATION, ACCOUNT, f"a{number:02}", 10, NOW_MS)
    street.sync()
    street.fuels(150)
    street.sync()
    street.put_back(old)
    street.sync(all_of_it=False)
    with street.store.commit() as db:
        assert len(allotments_due(db, STATION)) > 0
    assert (street.left() or 0) <= 50
    street.sync()
    assert street.left() == 50


def what_two_backups_leave(rows: int = 10**6) -> Street:
    """The station's disk went back to before it spent 400; then headquarters to when it knew of 300 of them only."""
    street = Street()
    street.prepaid.allot(STATION, ACCOUNT, "a0", 600, NOW_MS)
    street.sync()
    old = street.disk.copy()
    street.fuels(300)
    street.sync()
    backup = len(street.sent)
    street.fuels(100)
    street.sync()
    street.put_back(old)
    (taken,) = street.sync()
    assert (taken.amount_minor, street.left()) == (-400, 200)
    street.put_headquarters_back(backup, 600)
    street.sync(rows=rows)
    return street


@pytest.mark.parametrize("rows", [1, 10**6])
def test_after_a_backup_of_headquarters_what_it_still_knows_to_be_spent_counts(rows: int) -> None:
    """Also where the station's row of what was taken off comes after what is reckoned anew."""
    street = what_two_backups_leave(rows)
    street.sync()
    assert (street.spent_minor, street.left()) == (300, 300)
    assert street.prepaid.view(ACCOUNT).allotted_minor == 300
    assert street.sync() == []


def test_rows_that_came_before_they_were_kept_by_themselves_are_known_all_the_same() -> None:
    """A database of an older program: it knows the fills, and of allotments only that they had arrived."""
    street = Street()
    old = street.disk.copy()
    street.prepaid.allot(STATION, ACCOUNT, "a", 600, NOW_MS)
    street.write(Allotted("typed", voucher_pot(VOUCHER), 50, "till-1", "c", NOW_MS + 1_000))
    street.sync()
    street.fuels(400)
    street.write(
        Redeemed(RowName(street.epoch, 1), "r", "petrolimex-id", CARD, 20, 20, VOUCHER, offline=True, pot=VOUCHER)
    )
    street.sync()
    with street.store.commit() as db:
        db.execute(sa.delete(allotted_rows))
    street.put_back(old)
    told = {(each.account or each.pot, each.amount_minor, each.valid_until_ms) for each in street.sync()}
    assert told == {
        (ACCOUNT, -400, 0),
        (ACCOUNT, 600, 0),
        (voucher_pot(VOUCHER), -20, 0),
        (voucher_pot(VOUCHER), 50, NOW_MS + 1_000),
    }
    assert street.left() == 200
    assert street.left(voucher_pot(VOUCHER)) == 30
