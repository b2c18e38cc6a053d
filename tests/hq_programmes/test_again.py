"""Rows that could not be posted: mended in hq.toml, and posted again by a person, each once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from controller.domain.programme_records import Quoted, Redeemed
from controller.domain.programmes.rules import Product
from controller.domain.records import TenderKind
from controller.domain.tokens import Assurance, TokenKind, TokenRef, token_key
from sync.hq.programmes import commands
from sync.hq.programmes.asks import OdditiesAnswer, OdditiesAsk
from sync.hq.programmes.desk import Desk
from sync.hq.programmes.office_asks import AgainAnswer, AgainAsk
from sync.hq.programmes.statements import DeskError
from tests.hq_programmes.bench import NOW_MS, SECRET, Office, ms, sale_event, token
from tests.hq_programmes.test_commands import entered, run
from tests.hq_programmes.test_five import K1, agree, enrolled, event
from tests.hq_programmes.test_posting import positive
from tests.hq_programmes.test_vouchers import Apart
from tests.sync.peers import STATION

AT = "2027-05-05T10:00:00+03:00"


def mend(office: Office, grades: Mapping[str, Product]) -> None:
    """The person has mended [products] of hq.toml, and started headquarters again."""
    office.restart()
    office.desk = Desk(office.store.commit, [office.desk.ledger(office.name).programme], SECRET, grades)


def again(office: Office, *rows: str, every: bool = False, now_ms: int = NOW_MS) -> AgainAnswer:
    answer = office.desk.answer(AgainAsk(office.name, rows, every), now_ms)
    assert isinstance(answer, AgainAnswer)
    return answer


def odd(office: Office, *, every: bool = False) -> OdditiesAnswer:
    answer = office.desk.answer(OdditiesAsk(office.name, every), NOW_MS)
    assert isinstance(answer, OdditiesAnswer)
    return answer


def test_a_grade_that_was_mended_is_posted_again_once_and_in_its_place() -> None:
    office, events = positive()
    ref = office.sell(AT, 100_000, shown=token(K1), product="v95")
    office.sync()
    office.post()
    (found,) = odd(office).oddities
    row = f"{found.station}/{found.row}"
    with pytest.raises(DeskError, match=r"grade v95 is no product: put it into \[products\] of hq.toml"):
        again(office, row)
    assert again(office, every=True).posted == ()
    assert len(odd(office).oddities) == 1, "and it stays to be looked at"
    mend(office, {"v95": "gasoline"})
    (posted,) = again(office, row).posted
    assert (posted.row, posted.refs) == (row, (ref,))
    assert odd(office).oddities == ()
    (done,) = odd(office, every=True).oddities
    assert (done.row, done.again) == (found.row, "2027-06-01T00:00:00+03:00")
    with pytest.raises(DeskError, match=r"was posted again on 2027-06-01T00:00:00.* never twice"):
        again(office, row)
    office.post()
    sold = sale_event(ref, AT, 100_000, card=K1, product="gasoline")
    assert agree(office, [*events, sold])["points:fuel", "available:M1:fuel"] == 1_000


def test_all_that_can_be_posted_again_is_and_the_rest_stays() -> None:
    office, _ = positive()
    for grade, hour in (("v95", 10), ("v98", 11), ("adblue", 12)):
        office.sell(f"2027-05-05T{hour}:00:00+03:00", 10_000, shown=token(K1), product=grade)
    office.sell("2040-05-05T10:00:00+03:00", 10_000, shown=token(K1))
    office.sync()
    office.post()
    assert len(odd(office).oddities) == 4
    mend(office, {"v95": "gasoline", "v98": "gasoline"})
    assert len(again(office, every=True).posted) == 2
    left = odd(office).oddities
    assert sorted(each.what.split()[1] for each in left) == ["adblue", "station's"]
    ahead = next(each for each in left if "clock" in each.what)
    with pytest.raises(DeskError, match="is posted already"):
        again(office, f"{ahead.station}/{ahead.row}")
    assert again(office, every=True).posted == ()
    office.kept()


def test_a_row_that_cannot_be_posted_again_is_said() -> None:
    office, _ = positive()
    for row, what in (
        ("TR-1", "expected STATION/ROW"),
        (f"{STATION}/00-x", "expected STATION/ROW"),
        (f"{STATION}/{'0' * 16}-7", "is not among the oddities"),
    ):
        with pytest.raises(DeskError, match=what):
            again(office, row)
    with pytest.raises(DeskError, match="name rows, or --all"):
        again(office)


def test_a_sale_that_was_entered_by_hand_under_the_rows_own_name_is_not_posted_once_more() -> None:
    office, _ = positive()
    ref = office.sell(AT, 100_000, shown=token(K1), product="v95")
    office.sync()
    office.post()
    office.enter([sale_event(ref, AT, 100_000, card=K1, product="gasoline")])
    mend(office, {"v95": "gasoline"})
    (found,) = odd(office).oddities
    with pytest.raises(DeskError, match=f"it is posted already, as {ref}"):
        again(office, f"{found.station}/{found.row}")
    assert again(office, every=True).posted == ()
    assert office.kept()["points:fuel", "available:M1:fuel"] == 1_000


def test_points_that_were_entered_by_hand_under_the_rows_own_name_are_said() -> None:
    world = Apart(2_000)
    office, at = world.office, "2023-01-06T10:00:00+07:00"
    delivery = office.station.deliver_at(at, 500, 2_000, "v95", None)
    shown = TokenRef(TokenKind.VOUCHER, token_key(SECRET, TokenKind.VOUCHER, "V-001"), "", Assurance.IDENTIFIED)
    name = office.station.write(Redeemed(delivery, at, office.name, shown, 500, 500, "V-001", offline=True))
    now = ms(at) + 3_600_000
    office.sync(now_ms=now)
    office.post(now)
    office.enter([event(at, "clock", f"{STATION}/{name.text}")], now)
    mend(office, {"v95": "gasoline"})
    with pytest.raises(DeskError, match="is the ref of another event already"):
        again(office, f"{STATION}/{name.text}", now_ms=now)


def test_what_was_shown_after_a_sale_of_a_mended_grade_earns_then() -> None:
    office = Office("opet-kart")
    events = enrolled("2026-01-05T09:00:00+03:00")
    office.enter(events)
    at = "2026-01-05T10:00:00+03:00"
    delivery = office.station.deliver_at(at, 123_450, 20_000, "v95", None)
    office.station.settle_by(delivery, [(TenderKind.CASH, 123_450)])
    office.station.at_ms += 60_000
    name = office.station.write(Quoted(delivery, "opet-kart", "v", "M1", token(K1), 0, b"", shown_after=True))
    office.sync()
    office.post()
    assert office.kept() == {}
    mend(office, {"v95": "gasoline"})
    again(office, every=True)
    shown = event("2026-01-05T10:02:00+03:00", "present.after", f"{STATION}/{name.text}", card=K1, sale="")
    ref = f"{STATION}/{delivery.text}"
    sold = sale_event(ref, at, 123_450, product="gasoline")
    assert agree(office, [*events, sold, {**shown, "sale": ref}])["points:petrol", "available:M1:petrol"] == 617


def test_points_of_a_voucher_whose_grade_was_mended() -> None:
    world = Apart(2_000)
    office, at = world.office, "2023-01-06T10:00:00+07:00"
    delivery = office.station.deliver_at(at, 500, 2_000, "v95", None)
    shown = TokenRef(TokenKind.VOUCHER, token_key(SECRET, TokenKind.VOUCHER, "V-001"), "", Assurance.IDENTIFIED)
    office.station.write(Redeemed(delivery, at, office.name, shown, 500, 500, "V-001", offline=True))
    office.station.settle_by(delivery, [(TenderKind.POINTS, 500)])
    now = ms(at) + 3_600_000
    office.sync(now_ms=now)
    office.post(now)
    assert office.balances("M1", now)["voucher:V-001"] == 3_000
    assert "grade v95 is no product" in odd(office).oddities[0].what
    mend(office, {"v95": "gasoline"})
    assert len(again(office, every=True, now_ms=now).posted) == 1
    assert office.balances("M1", now)["voucher:V-001"] == 2_500


def test_the_command(config: Path) -> None:
    entered(config, "lpg-pass", [])
    assert run(config, "again", "lpg-pass", "--all").stdout == "nothing was posted\n"
    assert "name rows, or --all" in run(config, "again", "lpg-pass").stderr
    assert "name rows, or --all" in run(config, "again", "lpg-pass", "--all", "st-1/0000000000000000-7").stderr
    assert run(config, "oddities", "lpg-pass", "--all").stdout == "no oddities\n"


def test_the_command_posts_many_in_more_than_one_commit(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a running server answers stations in between."""
    office, _ = positive()
    for hour in range(5):
        office.sell(f"2027-05-05T{hour:02}:00:00+03:00", 1_000, shown=token(K1), product="v95")
    office.sync()
    office.post()
    mend(office, {"v95": "gasoline"})
    asked: list[object] = []

    def ask(_: Path, ask: AgainAsk | OdditiesAsk, __: type) -> object:
        asked.append(ask)
        return office.desk.answer(ask, NOW_MS)

    monkeypatch.setattr(commands, "_ask", ask)
    monkeypatch.setattr(commands, "AGAIN_AT_ONCE", 2)
    lines = run(config, "again", "positive-card", "--all").stdout.splitlines()
    assert len(lines) == 5
    assert [len(each.rows) for each in asked if isinstance(each, AgainAsk)] == [2, 2, 1]
    assert odd(office).oddities == ()
    assert run(config, "again", "positive-card", "--all").stdout == "nothing was posted\n"
