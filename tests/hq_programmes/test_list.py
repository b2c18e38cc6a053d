"""The list for stations: what headquarters writes, a station imports, and finds by the token that is shown to it."""

from pathlib import Path
from zoneinfo import ZoneInfo

from controller.domain.funds import Funds
from controller.domain.lists import ListRow, Status
from controller.domain.memberships import Membership, PurseState
from controller.domain.quantities import CURRENCIES
from controller.domain.tokens import TokenKind
from controller.store.whitelist_columns import COLUMNS as KNOWN
from controller.store.whitelist_import import read_csv
from sync.hq.programmes.asks import ListAnswer, ListAsk
from sync.hq.programmes.listing import COLUMNS
from sync.hq.programmes.showing import list_csv
from tests.hq_programmes.bench import SECRET, Office, ms, sale_event, token
from tests.hq_programmes.test_five import K1, K2, enrolled, event

NOW = "2026-01-10T00:00:00+03:00"


def imported(office: Office, folder: Path, currency: str = "TRY", now: str = NOW) -> dict[bytes, ListRow]:
    answer = office.desk.answer(ListAsk(office.name), ms(now))
    assert isinstance(answer, ListAnswer)
    path = folder / "list.csv"
    path.write_text(list_csv(answer), encoding="utf-8")
    rows = read_csv(path, SECRET, CURRENCIES[currency], ZoneInfo("Europe/Istanbul"))
    return {row.key: row for row in rows}


def test_every_column_is_one_of_the_whitelists() -> None:
    assert set(COLUMNS) <= set(KNOWN)


def test_members_with_their_purses_and_a_lost_card(tmp_path: Path) -> None:
    office = Office("opet-kart")
    at = "2026-01-05T10:00:00+03:00"
    office.enter(
        [
            *enrolled(at),
            event(at, "card.issue", "i2", holder="M1", card=K2),
            event(at, "card.issue", "i3", holder="M1", card="K3"),
            event(at, "card.lost", "l2", card=K2),
            event(at, "member.activate", "a1", member="M1", channel="web"),
            sale_event("s1", at, 123_450, card=K1),
            sale_event("s2", at, 20_000, card=K1, product="autogas"),
        ]
    )
    found = imported(office, tmp_path)
    member = Membership(
        "opet-kart",
        "M1",
        activated=True,
        purses=(PurseState("autogas", 100, 100), PurseState("petrol", 617, 617)),
        as_of_ms=ms(NOW),
    )
    assert len(found) == 3, "the phone is a token; no station could read the card K3"
    row = found[token(K1).key]
    assert (row.member, row.status, row.funds, row.products) == (member, Status.ACTIVE, Funds.NONE, "")
    assert found[token(K2).key].status is Status.STOPPED


def test_a_fleet_with_its_products_discount_and_plates(tmp_path: Path) -> None:
    office = Office("lpg-pass")
    at = "2026-01-05T10:00:00+03:00"
    office.enter(
        [
            event(at, "contract.open", "1", customer="C1", discount={"per_litre_minor": 75}),
            event(at, "card.issue", "2", holder="C1", card=K1, product_set="lpg", plates=["34 ABC 12"]),
            event(at, "card.issue", "3", holder="C1", card=K2, product_set="automatic"),
            event(at, "contract.open", "4", customer="C2", discount={"percent_bp": 250}),
            event(at, "card.issue", "5", holder="C2", card="9001000000000103", product_set="lpg"),
            event(at, "contract.close", "6", customer="C2"),
        ]
    )
    found = imported(office, tmp_path)
    plate = token("34ABC12", TokenKind.PLATE).key
    row = found[token(K1).key]
    assert (row.account, row.products, row.funds) == ("C1", "lpg", Funds.NONE), "the grade that is autogas here"
    assert row.member == Membership("lpg-pass", "C1", "lpg", plates=(plate,), per_litre_minor=75, as_of_ms=ms(NOW))
    assert found[plate].member == row.member
    assert found[token(K2).key].products == "gasoline,motorin"
    closed = found[token("9001000000000103").key].member
    assert closed is not None
    assert (closed.contract_valid, closed.percent_bp) == (False, 250)


def test_plates_and_phones_are_tokens_of_their_own(tmp_path: Path) -> None:
    office = Office("positive-card")
    at = "2026-01-05T10:00:00+03:00"
    events = enrolled(at)
    for number in (1, 2):
        events += [
            event(at, "member.verify", f"v{number}", member="M1", plate=f"34 ABC {number}"),
            event(at, "member.verify", f"w{number}", member="M1", plate=f"34 XYZ {number}"),
            sale_event(f"s{number}", at, 10_000, card=K1, plate=f"34 ABC {number}"),
        ]
    office.enter(events)
    found = imported(office, tmp_path)
    card, phone = found[token(K1).key], found[token("+905321112233", TokenKind.PHONE).key]
    plate = found[token("34ABC1", TokenKind.PLATE).key]
    assert len(found) == 4
    for row in (card, phone, plate):
        assert row.member is not None
        assert (row.member.holder, row.member.verified, len(row.member.plates)) == ("M1", True, 2)
        assert len(row.member.plates_waiting) == 2
    assert card.member is not None
    assert phone.member is not None
    assert (card.member.plates_full, phone.member.plates_full) == (True, False), "the app has two of its own"
    assert (card.member.plates_free, phone.member.plates_free) == (0, 2)


def test_a_contract_paid_in_advance(tmp_path: Path) -> None:
    office = Office("cng-interissuer")
    at = "2026-01-05T10:00:00+02:00"
    office.enter(
        [
            event(at, "contract.open", "1", contract="A", prepaid=True),
            event(at, "card.issue", "2", holder="A", card=K1),
        ]
    )
    row = imported(office, tmp_path, "UAH")[token(K1).key]
    assert (row.account, row.funds) == ("A", Funds.PREPAID)
