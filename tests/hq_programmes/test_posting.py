"""Rows of stations come twice, late, from a restored disk, and over a crash: each sale is posted once, in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.programme_records import Presented, Quoted, Redeemed
from controller.domain.records import TenderKind
from controller.domain.records import TestMeasure as Measured
from controller.domain.tokens import Assurance, TokenKind, TokenRef, token_key
from sync.hq.programmes.asks import EnterAsk
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.posting import Posting
from sync.hq.programmes.statements import DeskError
from sync.hq.programmes.tables import cursors, legs, metadata, oddities, waiting
from tests.hq_programmes.bench import NOW_MS, SECRET, Office, laboratory, ms, sale_event, token
from tests.hq_programmes.test_five import K1, K2, agree, enrolled, event
from tests.sync.peers import STATION, Chance

START = "2027-05-05T09:00:00+03:00"


def positive(*, entered: bool = True) -> tuple[Office, list[dict[str, Any]]]:
    office = Office("positive-card")
    events = enrolled(START)
    if entered:
        office.enter(events)
    return office, events


def quoted(delivery: Any, programme: str, shown: TokenRef | None, *, after: bool = False) -> Quoted:
    return Quoted(delivery, programme, "v", "M1", shown, 0, b"", shown_after=after)


def test_rows_that_come_twice_are_posted_once() -> None:
    office, events = positive()
    at = "2027-05-05T10:00:00+03:00"
    ref = office.sell(at, 100_000, shown=token(K1))
    for _ in range(3):
        office.sync(office.station, 0)
        office.post()
        office.restart()
    assert agree(office, [*events, sale_event(ref, at, 100_000, card=K1)])["points:fuel", "available:M1:fuel"] == 1_000


def test_late_rows_are_rated_in_their_place_and_no_posting_changes() -> None:
    office, events = positive()
    sales = [
        ("2027-05-05T10:00:00+03:00", 300_000),
        ("2027-05-05T11:00:00+03:00", 500_000),
        ("2027-05-05T12:00:00+03:00", 400_000),
    ]
    refs = []
    for at, amount in [*sales[1:], sales[0]]:
        refs.append(office.sell(at, amount, shown=token(K1)))
        with office.store.commit() as db:
            before = list(db.execute(sa.select(legs).order_by(legs.c.number, legs.c.leg)))
        office.sync()
        office.post()
        with office.store.commit() as db:
            after = list(db.execute(sa.select(legs).order_by(legs.c.number, legs.c.leg)))
        assert after[: len(before)] == before
    last = after[-1]
    assert (last.ref, last.event_ms, last.booked_ms) == (refs[-1], ms(sales[0][0]), NOW_MS)
    for ref, (at, amount) in zip(refs, [*sales[1:], sales[0]], strict=True):
        events.append(sale_event(ref, at, amount, card=K1))
    agree(office, events)


def test_a_test_measure_and_an_unpaid_delivery_are_no_sale() -> None:
    office, events = positive()
    measured = office.station.deliver_at("2027-05-05T10:00:00+03:00", 1_000, 100, "diesel", token(K1))
    office.station.write(Measured(measured, "till", "c"))
    unpaid = office.station.deliver_at("2027-05-05T11:00:00+03:00", 50_000, 100, "diesel", token(K1))
    office.sync()
    office.post()
    assert office.kept() == {}
    office.station.settle_by(unpaid, [(TenderKind.CASH, 50_000)], late_ms=3_600_000)
    office.sync()
    office.post()
    sold = sale_event(f"{STATION}/{unpaid.text}", "2027-05-05T11:00:00+03:00", 50_000, card=K1)
    agree(office, [*events, sold])


def test_a_restored_disk_makes_no_sale_twice() -> None:
    """A delivery settled on both branches counts once; what only one branch sold counts too."""
    office, events = positive()
    at = "2027-05-05T10:00:00+03:00"
    shared = office.station.deliver_at(at, 100_000, 20_000, "diesel", token(K1))
    disk = office.station.copied()
    office.station.settle_by(shared, [(TenderKind.CASH, 100_000)])
    lost_at, kept_at = "2027-05-05T10:30:00+03:00", "2027-05-05T10:45:00+03:00"
    lost = office.sell(lost_at, 200_000, shown=token(K1))
    office.sync()
    office.post()
    disk.start(Chance(2))
    disk.settle_by(shared, [(TenderKind.CASH, 100_000)])
    kept = office.sell(kept_at, 50_000, shown=token(K1), journal=disk)
    office.ingest.receive(disk.batch(2), NOW_MS)
    assert office.store.totals(STATION).forks == 1
    office.post()
    office.restart()
    office.post()
    sold = [
        sale_event(f"{STATION}/{shared.text}", at, 100_000, card=K1),
        sale_event(lost, lost_at, 200_000, card=K1),
        sale_event(kept, kept_at, 50_000, card=K1),
    ]
    assert agree(office, [*events, *sold])["points:fuel", "available:M1:fuel"] == 3_500


class Killed(Exception):
    """The process died here."""


@pytest.mark.parametrize("after", range(5))
def test_a_crash_at_any_commit_loses_and_doubles_nothing(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the commit of the n-th step: nothing of it is there, and the next process does it."""
    monkeypatch.setattr("sync.hq.programmes.posting.ROWS_AT_ONCE", 2)
    office, events = positive()
    for hour in (10, 11, 12):
        at = f"2027-05-05T{hour}:00:00+03:00"
        events.append(sale_event(office.sell(at, 100_000, shown=token(K1)), at, 100_000, card=K1))
    office.sync()
    steps, real = 0, Posting.step

    def step(self: Posting, db: sa.Connection, station: str, now_ms: int) -> bool:
        nonlocal steps
        more = real(self, db, station, now_ms)
        steps += 1
        if steps == after + 1:
            raise Killed
        return more

    monkeypatch.setattr(Posting, "step", step)
    with pytest.raises(Killed):
        office.post()
    office.restart()
    office.post()
    agree(office, events)


def test_a_card_entered_after_its_first_sale_finds_it() -> None:
    office, events = positive(entered=False)
    at = "2027-05-05T10:00:00+03:00"
    ref = office.sell(at, 100_000, shown=token(K1))
    office.sync()
    office.post()
    with office.store.commit() as db:
        assert len(db.execute(sa.select(waiting)).all()) == 1
    office.enter(events)
    with office.store.commit() as db:
        assert db.execute(sa.select(waiting)).all() == []
    agree(office, [*events, sale_event(ref, at, 100_000, card=K1)])


def test_what_the_station_quoted_names_the_programme_and_the_token() -> None:
    """Paid in cash without a token, the card shown at the till; another delivery quoted for another programme."""
    office, events = positive()
    at, other = "2027-05-05T10:00:00+03:00", "2027-05-05T11:00:00+03:00"
    first = office.station.deliver_at(at, 100_000, 20_000, "diesel", None)
    office.station.write(quoted(first, "positive-card", token(K1)))
    office.station.settle_by(first, [(TenderKind.CASH, 100_000)])
    second = office.station.deliver_at(other, 70_000, 20_000, "diesel", token(K1))
    office.station.write(quoted(second, "opet-kart", token(K1)))
    office.station.settle_by(second, [(TenderKind.CASH, 70_000)])
    office.sync()
    office.post()
    agree(office, [*events, sale_event(f"{STATION}/{first.text}", at, 100_000, card=K1)])


@pytest.mark.parametrize("paid_first", [True, False])
def test_a_card_shown_after_fuelling_earns_once(paid_first: bool) -> None:
    office = Office("opet-kart")
    entered = enrolled("2026-01-05T09:00:00+03:00")
    office.enter(entered)
    at = "2026-01-05T10:00:00+03:00"
    delivery = office.station.deliver_at(at, 123_450, 20_000, "diesel", None)
    shown = quoted(delivery, "opet-kart", token(K1), after=True)
    if paid_first:
        office.station.settle_by(delivery, [(TenderKind.CASH, 123_450)])
        office.sync()
        office.post()
    office.station.at_ms += 60_000
    name = office.station.write(shown)
    if not paid_first:
        office.station.settle_by(delivery, [(TenderKind.CASH, 123_450)])
    office.station.write(shown)
    office.sync()
    office.post()
    ref = f"{STATION}/{delivery.text}"
    minute = "10:02" if paid_first else "10:01"
    shown_at = f"2026-01-05T{minute}:00+03:00"
    events = [
        *entered,
        sale_event(ref, at, 123_450),
        event(shown_at, "present.after", f"{STATION}/{name.text}", card=K1, sale=ref),
    ]
    assert agree(office, events)["points:petrol", "available:M1:petrol"] == 617


def test_points_of_a_voucher_spent_offline_are_taken_here() -> None:
    office = Office("petrolimex-id")
    at = "2023-01-05T10:00:00+07:00"
    entered = [
        *enrolled(at, kind="organisation"),
        event(at, "member.verify", "v1", member="M1"),
        sale_event(
            "s1",
            "2023-01-06T10:00:00+07:00",
            1_000_000,
            card=K1,
            tenders=[{"kind": "electronic", "amount_minor": 1_000_000}],
        ),
        event(
            "2023-01-06T11:00:00+07:00",
            "voucher.create",
            "w1",
            organisation="M1",
            voucher="V1",
            points=3_000,
            user_may_manage=True,
        ),
    ]
    office.enter(entered)
    sold_at = "2023-01-07T10:00:00+07:00"
    delivery = office.station.deliver_at(sold_at, 50_000, 2_000, "diesel", None)
    shown = TokenRef(TokenKind.VOUCHER, token_key(SECRET, TokenKind.VOUCHER, "V1"), "", Assurance.IDENTIFIED)
    name = office.station.write(Redeemed(delivery, "r1", "petrolimex-id", shown, 2_000, 2_000, "V1", offline=True))
    office.station.settle_by(delivery, [(TenderKind.CASH, 48_000), (TenderKind.POINTS, 2_000)])
    office.sync()
    office.post(ms("2023-01-08T00:00:00+07:00"))
    proof = {"voucher": "V1", "driver_pin": "ok"}
    redeemed = event(
        sold_at, "redeem", f"{STATION}/{name.text}", holder="M1", product="diesel", points=2_000, proof=proof
    )
    _, expected = laboratory("petrolimex-id", [*entered, redeemed])
    assert office.kept() == expected
    assert expected["points:fuel", "voucher:V1"] == 1_000


def test_a_delivery_that_is_settled_a_thousand_rows_later_is_a_sale_as_any() -> None:
    office, _ = positive()
    at = "2027-05-05T10:00:00+03:00"
    first = office.station.deliver_at(at, 100_000, 20_000, "diesel", None)
    shown = office.station.write(Presented(first, token(K1), "till", "c1"))
    assert shown.seq == first.seq + 1
    for _ in range(3):
        for _ in range(400):
            office.station.deliver_at(at, 1, 1, "diesel", None)
        office.sync()
        office.post()
    office.station.settle_by(first, [(TenderKind.CASH, 100_000)])
    office.sync()
    office.post()
    assert office.kept()["points:fuel", "available:M1:fuel"] == 1_000


def test_a_clock_ahead_does_not_let_points_expire() -> None:
    office, _ = positive()
    office.sell("2040-05-05T10:00:00+03:00", 100_000, shown=token(K1))
    office.sync()
    office.post()
    assert office.kept()["points:fuel", "available:M1:fuel"] == 1_000
    with office.store.commit() as db:
        (odd,) = db.execute(sa.select(oddities)).all()
    assert "clock" in odd.what


def test_a_grade_that_is_no_product_is_said_and_not_posted() -> None:
    office, _ = positive()
    office.sell("2027-05-05T10:00:00+03:00", 100_000, shown=token(K1), product="adblue")
    office.sync()
    office.post()
    assert office.kept() == {}
    with office.store.commit() as db:
        (odd,) = db.execute(sa.select(oddities)).all()
    assert "adblue" in odd.what


def test_two_members_with_one_phone_are_one_account_and_nothing_changes() -> None:
    """A late link between two accounts that have gone on apart, over an expiry of one of them."""
    office = Office("petrolimex-id")
    events = [
        *enrolled("2022-05-01T10:00:00+07:00", phone="+84900000001"),
        event("2022-05-01T11:00:00+07:00", "member.verify", "v1", member="M1"),
        *enrolled("2022-05-02T10:00:00+07:00", "M2", K2, phone="+84900000002"),
        event("2022-05-02T11:00:00+07:00", "member.verify", "v2", member="M2"),
        sale_event("s1", "2022-06-01T10:00:00+07:00", 200_000, card=K1),
        sale_event("s2", "2023-06-01T10:00:00+07:00", 200_000, card=K2),
    ]
    office.enter(events)
    office.restart()
    link = sale_event("s3", "2023-06-02T10:00:00+07:00", 200_000, card=K1, plate="51F-123.45")
    late = sale_event("s4", "2023-02-02T10:00:00+07:00", 200_000, card=K2, plate="51F-123.45")
    office.enter([link])
    office.enter([late])
    _, expected = laboratory("petrolimex-id", [*events, link, late])
    with office.store.commit() as db:
        assert Keeping(db, office.name).all_accounts() == [1]
    office.restart()
    assert office.kept() == expected
    assert expected["points:fuel", "company:expired"] == 500


def test_a_file_is_checked_whole_before_anything_is_kept() -> None:
    office, _ = positive(entered=False)
    good, bad = enrolled(START)
    for line, what in [
        (json.dumps({**bad, "card": 7}), "line 2, field card: expected `?str"),
        (json.dumps({**bad, "at": "2026-01-01T00:00:00+03:00"}), "line 2, field at: .* is before the event above"),
        (json.dumps({**bad, "at": "2030-01-01T00:00:00+03:00"}), "line 2, field at: .* has not come yet"),
        (json.dumps({**bad, "ref": "time/1"}), "line 2, field ref"),
        (json.dumps({**bad, "ref": good["ref"]}), "is the ref of another event already"),
    ]:
        with pytest.raises(DeskError, match=f"events.jsonl.*{what}"):
            office.desk.answer(EnterAsk(office.name, "events.jsonl", f"{json.dumps(good)}\n{line}\n"), NOW_MS)
    with office.store.commit() as db:
        assert Keeping(db, office.name).count == 0


def test_what_was_entered_before_is_known() -> None:
    office, events = positive()
    assert office.enter(events) == []
    (answer,) = office.enter([*events, sale_event("s1", "2027-05-05T10:00:00+03:00", 100_000, card=K1)])
    assert (answer["ref"], answer["points"]) == ("s1", 1_000)


def test_a_programme_that_is_not_kept_is_said() -> None:
    office, _ = positive()
    with pytest.raises(DeskError, match="lpg-pass is not kept here"):
        office.desk.post("lpg-pass", NOW_MS)


def test_every_table_is_led_by_its_programme() -> None:
    for table in metadata.tables.values():
        assert next(iter(table.primary_key.columns)).name == "programme"
    assert cursors.name in metadata.tables


def test_a_draw_is_among_the_members_of_all_accounts() -> None:
    office = Office("petrolimex-id")
    events: list[dict[str, Any]] = []
    for number in range(5):
        events += enrolled(
            f"2023-01-0{number + 1}T10:00:00+07:00", f"M{number}", f"900100000000010{number}", phone=None
        )
        events.append(
            event(f"2023-01-0{number + 1}T11:00:00+07:00", "member.verify", f"v{number}", member=f"M{number}")
        )
    events.append(event("2023-02-01T10:00:00+07:00", "draw", "d", seed="00ff", prizes=[{"rank": 1, "count": 3}]))
    told, _ = laboratory("petrolimex-id", events)
    assert office.enter(events)[-1] == told[-1]


_MEMBERS = [("M1", K1, "+905321112233"), ("M2", K2, "+905321112233"), ("M3", "9001000000000103", "+905321112244")]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_order_of_arrival_comes_to_the_laboratorys_books(data: st.DataObject) -> None:
    """Members who share a phone and plates; sales, reversals and redemptions in any order, in any batches."""
    events: list[dict[str, Any]] = []
    for member, card, phone in _MEMBERS:
        events += enrolled(START, member, card, phone=phone)
        events.append(event(START, "member.activate", f"a-{member}", member=member, channel="web"))
    first = list(events)
    minutes = data.draw(st.lists(st.integers(0, 600), min_size=1, max_size=10, unique=True), label="minutes")
    for number, minute in enumerate(sorted(minutes)):
        at = f"2027-05-{6 + minute // 60:02}T10:{minute % 60:02}:00+03:00"
        shown = data.draw(
            st.sampled_from(
                [{"card": card} for _, card, _ in _MEMBERS]
                + [{"phone": phone} for *_, phone in _MEMBERS]
                + [{"card": K1, "plate": "34 ABC 1"}, {"card": K2, "plate": "34ABC1"}, {}]
            )
        )
        what = data.draw(st.sampled_from(["sale", "sale", "sale", "reverse", "verify"]))
        if what == "sale" or number == 0:
            events.append(sale_event(f"s{number}", at, data.draw(st.integers(0, 900_000)), **shown))
        elif what == "verify":
            member, _, _ = data.draw(st.sampled_from(_MEMBERS))
            events.append(event(at, "member.verify", f"v{number}", member=member, plate="34ABC1"))
        else:
            sale = data.draw(st.integers(0, number - 1))
            events.append(event(at, "sale.reverse", f"r{number}", sale=f"s{sale}"))
    office = Office("positive-card")
    office.enter(first)
    rest = data.draw(st.permutations(events[len(first) :]), label="order of arrival")
    while rest:
        size = data.draw(st.integers(1, len(rest)), label="batch")
        office.enter(sorted(rest[:size], key=lambda each: str(each["at"])))
        rest = rest[size:]
        if data.draw(st.booleans(), label="a new start"):
            office.restart()
    _, expected = laboratory("positive-card", events)
    assert office.kept() == expected


def test_a_programme_that_cannot_be_posted_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office("lpg-pass", "positive-card")
    office.sell(START, 10_000)
    office.sync()
    step = Posting.step

    def fails(posting: Posting, db: sa.Connection, station: str, now_ms: int) -> bool:
        if posting.ledger.programme.name == "lpg-pass":
            raise ValueError("a row that the programme cannot take")
        return step(posting, db, station, now_ms)

    monkeypatch.setattr(Posting, "step", fails)
    assert office.desk.follow(STATION, NOW_MS), "the other one may have more"
    with office.store.commit() as db:
        assert list(db.execute(sa.select(cursors.c.programme)).scalars()) == ["positive-card"]
    with pytest.raises(ValueError, match="cannot take"):
        office.desk.follow(STATION, NOW_MS)
