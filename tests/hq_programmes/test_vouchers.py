"""Vouchers at stations that hear nothing: what was set apart there is spent there, nowhere else, and never twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.domain.member_books import voucher_pot
from controller.domain.pin_records import PinTried
from controller.domain.programme_records import Redeemed
from controller.domain.programmes.dates import LocalTime
from controller.domain.questions import RedeemAnswer, RedeemAsk, VoidAsk
from controller.domain.records import Allotted, TenderKind
from controller.domain.tokens import Assurance, TokenKind, TokenRef, token_key
from controller.office.programme_commands import shipped
from controller.pincheck import make_verifier
from sim.chance import Chance
from sim.site import STATION_ID
from sync.hq.answers import Answers
from sync.hq.ingest import Ingest
from sync.hq.prepaid import AccountRefused, Prepaid
from sync.hq.programmes.asks import (
    AllotAnswer,
    AllotAsk,
    BalancesAnswer,
    BalancesAsk,
    EnterAsk,
    ListAnswer,
    ListAsk,
    OdditiesAnswer,
    OdditiesAsk,
    PinAsk,
    StationPart,
)
from sync.hq.programmes.desk import Desk
from sync.hq.programmes.ledger import at_text
from sync.hq.programmes.redeeming import Redemptions
from sync.hq.programmes.showing import list_csv
from sync.hq.programmes.statements import DeskError
from sync.hq.requests import Requests
from sync.hq.store import Store
from sync.runner import LinkDown
from sync.wire import BATCHES_PATH
from tests.hq_programmes.bench import SECRET, ms, sale_event
from tests.hq_programmes.test_five import K1, enrolled, event
from tests.hq_programmes.test_list import imported
from tests.hq_programmes.test_redemptions import NOW, Lane, Phones
from tests.station.members import VIETNAM, MemberHouse, member_story
from tests.sync.peers import KEY, PUBLIC, STATION

VOUCHER, PIN = "V-2026-17", "4711"
DUE = 100_500
BEFORE = "2025-12-20T10:00:00+07:00"

LOCKED = "V-LOCK"
OTHER_STATION = "VN-2"
POINTS = 150_000


class Headquarters:
    """The production headquarters in memory, and the road to it. Implements `Transport`."""

    def __init__(self, house: MemberHouse) -> None:
        self.house = house
        self.closed = False
        self.store = store = Store.in_memory()
        for station in (STATION_ID, OTHER_STATION):
            store.enrol(station, PUBLIC, 0)
        self.ingest = Ingest(store, simulated=True)
        self.desk = Desk(store.commit, [shipped("petrolimex-id")], house._list_secret)
        self.points = Redemptions(self.desk, Phones(), Chance(7, "codes"))
        self.requests = Requests(store, Answers(Prepaid(store.commit), self.points))

    @property
    def now_ms(self) -> int:
        return self.house.clock.now().wall_ms

    async def post(self, path: str, body: bytes) -> bytes:
        await self.house.wait(1)
        if self.closed:
            raise LinkDown("headquarters cannot be reached (test): check the router")
        if path != BATCHES_PATH:
            return self.requests.receive(body, self.now_ms)
        answer = self.ingest.receive(body, self.now_ms)
        while self.desk.follow(STATION_ID, self.now_ms):
            pass
        return answer

    def enter(self, *events: dict[str, Any]) -> None:
        lines = "\n".join(json.dumps(each) for each in events)
        self.desk.answer(EnterAsk("petrolimex-id", "events.jsonl", lines), self.now_ms)

    def allot(self, station: str, name: str, points: int, voucher: str = VOUCHER) -> AllotAnswer:
        answer = self.desk.answer(AllotAsk("petrolimex-id", voucher, station, name, points), self.now_ms)
        assert isinstance(answer, AllotAnswer)
        return answer

    def lots(self) -> list[tuple[int, int, int]]:
        """Of the organisation's own purse: (expiry, net, expired)."""
        with self.store.commit() as db:
            history = self.desk.ledger("petrolimex-id").at(db, "holder:M1")
        assert history is not None
        return history.engine.books.holder_of["M1"].purses["fuel"].snapshot()

    def cancel(self) -> None:
        at = at_text(LocalTime(ZoneInfo("Asia/Ho_Chi_Minh")), self.now_ms)
        named = {"organisation": "M1", "voucher": VOUCHER, "user_may_manage": True}
        self.enter(event(at, "voucher.cancel", "x1", **named))

    def csv(self) -> str:
        answer = self.desk.answer(ListAsk("petrolimex-id"), self.now_ms)
        assert isinstance(answer, ListAnswer)
        return list_csv(answer)

    def spends_at(self, station: str, command_id: str, points: int) -> Any:
        """Another station asks for points of the voucher, with headquarters."""
        key = self.house.key(TokenKind.VOUCHER, VOUCHER)
        ask = RedeemAsk(TokenKind.VOUCHER, key, "diesel", points, "d", self.now_ms, pin=PIN, voucher=VOUCHER)
        return self.points.answer(station, command_id, ask, self.now_ms)

    def balances(self) -> dict[str, int]:
        answer = self.desk.answer(BalancesAsk("petrolimex-id", "M1"), self.now_ms)
        assert isinstance(answer, BalancesAnswer)
        return {each.account: each.amount for each in answer.balances}


def made(voucher: str, points: int) -> dict[str, Any]:
    return event(
        BEFORE,
        "voucher.create",
        f"w-{voucher}",
        organisation="M1",
        voucher=voucher,
        points=points,
        user_may_manage=True,
    )


def rich() -> list[dict[str, Any]]:
    """An organisation with 200,000 points."""
    paid = [{"kind": "electronic", "amount_minor": 40_000_000}]
    return [
        *enrolled(BEFORE, kind="organisation"),
        event(BEFORE, "member.verify", "v1", member="M1"),
        sale_event("s1", BEFORE, 40_000_000, card=K1, tenders=paid),
    ]


def verifier(pin: str = PIN) -> str:
    return make_verifier(pin, b"s" * 16, cost=2)


async def opened(house: MemberHouse) -> Headquarters:
    """100,000 points of a voucher are set apart here, 40,000 elsewhere; the list is imported."""
    hq = Headquarters(house)
    hq.enter(*rich(), made(VOUCHER, POINTS), made(LOCKED, 1_000))
    for voucher in (VOUCHER, LOCKED):
        hq.desk.answer(PinAsk("petrolimex-id", voucher, verifier(), voucher=True), hq.now_ms)
    hq.allot(STATION_ID, "a1", 100_000)
    hq.allot(STATION_ID, "a1", 1_000, LOCKED)
    assert hq.allot(OTHER_STATION, "a1", 40_000).free == 10_000
    await house.kill()
    house.write_list(hq.csv(), 2)
    house.transport, house.link_key = hq, KEY
    await house.start()
    await house.until(lambda: len(house.rows_of(Allotted)) == 2, 60)
    assert {row.pot: row.amount_minor for row in house.rows_of(Allotted)} == {
        voucher_pot(VOUCHER): 100_000,
        voucher_pot(LOCKED): 1_000,
    }
    return hq


async def away(house: MemberHouse, hq: Headquarters) -> str:
    """Headquarters is not heard any more; a delivery that waits."""
    hq.closed = True
    sale = await house.cash_delivery(1, 5_000)
    await house.until(lambda: not house.snapshot.link.connected, 200)
    return sale


async def synced(house: MemberHouse, hq: Headquarters) -> None:
    hq.closed = False
    await house.until(lambda: house.snapshot.link.connected and not house.snapshot.link.waiting_rows, 400)


@member_story(yard=VIETNAM)
async def test_spent_offline_in_parts_with_the_right_pin_and_nowhere_else(house: MemberHouse) -> None:
    hq = await opened(house)
    sale = await away(house, hq)
    for wrong in ("0000", "1111"):
        assert (await house.pays(sale, points=DUE, voucher=VOUCHER, pin=wrong)).reason == "pin_wrong"
    tried = [await house.pays(sale, DUE, points=500, voucher=LOCKED, pin=pin) for pin in ("1", "0000", "0000", PIN)]
    assert [each.reason for each in tried] == ["pin_wrong", "pin_wrong", "pin_locked", "pin_locked"]
    assert (await house.pays(sale, DUE, points=60_000, voucher=VOUCHER, pin=PIN)).done
    sale = await house.cash_delivery(1, 5_000)
    refused = await house.pays(sale, DUE, points=40_001, voucher=VOUCHER, pin=PIN)
    assert refused.reason == "insufficient_points", "so much is not set apart here, though the voucher has it"
    assert (await house.pays(sale, DUE, points=30_000, voucher=VOUCHER, pin=PIN)).done
    assert [row.right for row in house.rows_of(PinTried)] == [False] * 5 + [True]
    assert hq.spends_at(OTHER_STATION, "c1", 50_001).reason == "insufficient_points", "100,000 are not its to give"
    assert isinstance(hq.spends_at(OTHER_STATION, "c2", 50_000), RedeemAnswer)
    assert hq.balances()["voucher:V-2026-17"] == 100_000
    await synced(house, hq)
    assert hq.balances()["voucher:V-2026-17"] == 10_000
    assert hq.balances()["points:M1:fuel"] == 200_000 - 140_000


@member_story(yard=VIETNAM)
async def test_spent_online_and_offline_taken_back_and_cancelled(house: MemberHouse) -> None:
    hq = await opened(house)
    before = hq.lots()
    sale = await house.cash_delivery(1, 5_000)
    assert (await house.pays(sale, DUE, points=30_000, voucher=VOUCHER, pin=PIN)).done
    assert not house.rows_of(Redeemed)[0].offline
    sale = await away(house, hq)
    refused = await house.pays(sale, DUE, points=70_001, voucher=VOUCHER, pin=PIN)
    assert refused.reason == "insufficient_points", "what was spent here with headquarters was of this part too"
    assert (await house.pays(sale, DUE, points=60_000, voucher=VOUCHER, pin=PIN)).done
    with pytest.raises(DeskError, match=f"x1 would cancel {VOUCHER}, of which 70000 points are set apart at"):
        hq.cancel()
    await synced(house, hq)
    with pytest.raises(DeskError, match=f"only 10000 points of {VOUCHER} can be taken back"):
        hq.allot(STATION_ID, "b1", -10_001)
    hq.allot(STATION_ID, "b1", -10_000)
    with pytest.raises(DeskError, match="only 0 points"):
        hq.allot(STATION_ID, "b2", -1)
    with pytest.raises(DeskError, match=f"10000 points are set apart at {STATION_ID}"):
        hq.cancel()
    await house.cash_delivery(1, 5_000)
    await house.until(lambda: len(house.rows_of(Allotted)) == 3 and not house.snapshot.link.waiting_rows, 200)
    with pytest.raises(DeskError, match=f"40000 points are set apart at {OTHER_STATION}"):
        hq.cancel()
    assert isinstance(hq.spends_at(OTHER_STATION, "c1", 40_000), RedeemAnswer)
    hq.cancel()
    assert hq.balances()["voucher:V-2026-17"] == 0
    assert hq.balances()["available:M1:fuel"] == 200_000 - POINTS - 1_000 + 20_000
    assert [(expiry, points + 20_000) for expiry, points, _ in before] == [(at, net) for at, net, _ in hq.lots()]
    assert ["stopped" in line for line in hq.csv().splitlines() if VOUCHER in line] == [True]
    sale = await away(house, hq)
    late = await house.pays(sale, DUE, points=1, voucher=VOUCHER, pin=PIN)
    assert late.reason == "insufficient_points", "by the old list, and it was taken back"
    assert sum(row.points for row in house.rows_of(Redeemed)) == 90_000


class Apart:
    """A voucher of 3,000 points, of which `here` are set apart at the one station."""

    def __init__(self, here: int) -> None:
        self.lane = Lane(kind="organisation")
        self.office = self.lane.office
        at = "2023-01-05T11:00:00+07:00"
        more = {"organisation": "M1", "voucher": "V-001", "points": 3_000, "user_may_manage": True}
        self.office.enter([event(at, "voucher.create", "w1", **more)])
        self.office.desk.answer(PinAsk(self.office.name, "V-001", verifier(), voucher=True), NOW)
        if here:
            self.allot("a1", here)

    def allot(self, name: str, points: int, station: str = STATION, voucher: str = "V-001") -> AllotAnswer:
        answer = self.office.desk.answer(AllotAsk(self.office.name, voucher, station, name, points), NOW)
        assert isinstance(answer, AllotAnswer)
        return answer

    def spend_online(self, points: int, command_id: str) -> Any:
        key = token_key(SECRET, TokenKind.VOUCHER, "V-001")
        ask = RedeemAsk(TokenKind.VOUCHER, key, "diesel", points, "d1", NOW, pin=PIN, voucher="V-001")
        return self.lane.ask(ask, command_id)

    def spend_offline(self, points: int, at: str = "2023-01-06T10:00:00+07:00") -> None:
        station = self.office.station
        delivery = station.deliver_at(at, points, 2_000, "diesel", None)
        shown = TokenRef(TokenKind.VOUCHER, token_key(SECRET, TokenKind.VOUCHER, "V-001"), "", Assurance.IDENTIFIED)
        station.write(Redeemed(delivery, at, self.office.name, shown, points, points, "V-001", offline=True))
        station.settle_by(delivery, [(TenderKind.POINTS, points)])
        self.office.sync()
        self.office.post(NOW)


def test_online_a_station_spends_its_own_part_too_and_gives_it_back() -> None:
    world = Apart(2_000)
    world.office.store.enrol("st-2", PUBLIC, 0)
    assert world.allot("a1", 600, "st-2").stations == (StationPart(STATION, 2_000, 0), StationPart("st-2", 600, 0))
    assert world.spend_online(2_401, "c1").reason == "insufficient_points"
    assert isinstance(world.spend_online(2_400, "c2"), RedeemAnswer)
    assert world.allot("a1", 600, "st-2").stations[0].left == 0
    world.lane.ask(VoidAsk("c2"), "v")
    assert world.allot("a1", 600, "st-2").stations[0].left == 2_000, "it was not spent after all"


def test_what_was_given_out_beyond_a_voucher_is_booked_and_shown_to_a_person() -> None:
    """A grant whose answer was lost, and the same points given out offline before it was voided."""
    world = Apart(3_000)
    assert isinstance(world.spend_online(3_000, "c1"), RedeemAnswer)
    world.spend_offline(2_500)
    assert world.office.balances("M1", NOW)["available:M1:fuel"] == 2_000 - 2_500
    assert world.office.balances("M1", NOW)["voucher:V-001"] == 0
    world.office.restart()
    world.lane.restart()
    world.lane.ask(VoidAsk("c1"), "v")
    kept = world.office.balances("M1", NOW)
    assert (kept["available:M1:fuel"], kept["voucher:V-001"], kept["points:M1:fuel"]) == (-500, 3_000, 2_500)
    world.office.kept()
    answer = world.office.desk.answer(OdditiesAsk(world.office.name), NOW)
    assert isinstance(answer, OdditiesAnswer)
    (odd,) = answer.oddities
    assert (odd.station, odd.what) == (
        STATION,
        "2500 points were given out and are booked, against: insufficient_points",
    )


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (("b1", 1_001), "has 1000 points that are set apart nowhere"),
        (("b1", 0), "0 points"),
        (("b1", -2_001), "only 2000 points of V-001 can be taken back from st-1"),
        (("a1", 1_999), "was another: take another --id"),
        (("", 1), "--id"),
        (("b1", 1, "st-9"), "station st-9 is not enrolled here"),
        (("b1", 1, STATION, "V-009"), "knows no voucher V-009"),
    ],
)
def test_what_cannot_be_set_apart(ask: tuple[Any, ...], what: str) -> None:
    world = Apart(2_000)
    with pytest.raises(DeskError, match=what):
        world.allot(*ask)
    assert world.allot("a1", 2_000).free == 1_000, "the same again is no more"


def test_no_account_has_the_name_of_a_voucher() -> None:
    prepaid = Prepaid(Store.in_memory().commit)
    with pytest.raises(AccountRefused, match="no name for an account"):
        prepaid.pay_in("voucher:V-001", "p1", 1_000, NOW)


def test_a_new_pin_is_another_one_on_the_list(tmp_path: Path) -> None:
    world = Apart(2_000)
    for pin in ("1111", "2222"):
        found = imported(world.office, tmp_path, "VND", "2023-01-10T00:00:00+07:00")
        before = found[token_key(SECRET, TokenKind.VOUCHER, "V-001")]
        world.office.desk.answer(PinAsk(world.office.name, "V-001", verifier(pin), voucher=True), NOW)
    assert (before.pin_version, before.account, before.status) == (2, "M1", "active")
    assert before.member is not None
    assert before.valid_until_ms == ms("2024-03-31T00:00:00+03:00"), "by the station's own midnight"
