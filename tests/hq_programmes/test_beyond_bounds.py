"""Numbers beyond all that is sold, and rows that collide with what was entered by hand: looked at, never in the way."""

from __future__ import annotations

import pytest

from controller.domain.programme_records import Redeemed
from controller.domain.programmes.rules import MOST
from controller.domain.tokens import Assurance, TokenKind, TokenRef, token_key
from sync.hq.programmes.asks import OdditiesAnswer, OdditiesAsk
from sync.hq.programmes.office_asks import AgainAnswer, AgainAsk
from sync.hq.programmes.statements import DeskError
from tests.hq_programmes.bench import NOW_MS, SECRET, Office, ms, sale_event, token
from tests.hq_programmes.test_again import mend
from tests.hq_programmes.test_five import K1, event
from tests.hq_programmes.test_statements import lpg
from tests.hq_programmes.test_vouchers import Apart
from tests.sync.peers import STATION

AT = "2026-03-05T{:02}:00:00+03:00"


def odd(office: Office) -> list[str]:
    answer = office.desk.answer(OdditiesAsk(office.name), NOW_MS)
    assert isinstance(answer, OdditiesAnswer)
    return [each.what for each in answer.oddities]


def fleet_with(per_litre_minor: int) -> Office:
    office = Office("lpg-pass")
    discount = {"per_litre_minor": per_litre_minor}
    office.enter(
        [
            event("2026-01-02T10:00:00+03:00", "contract.open", "1", customer="C1", discount=discount),
            event("2026-01-02T10:00:00+03:00", "card.issue", "2", holder="C1", card=K1, product_set="lpg"),
        ]
    )
    return office


@pytest.mark.parametrize(("volume_ml", "amount_minor"), [(MOST + 1, 1), (1, MOST + 1), (-5, -7), (1 << 62, 1 << 62)])
def test_a_row_beyond_what_is_sold_is_looked_at_and_the_next_is_posted(volume_ml: int, amount_minor: int) -> None:
    office, _ = lpg()
    before = office.kept()
    office.sell(AT.format(10), amount_minor, shown=token(K1), product="lpg", volume_ml=volume_ml)
    office.sell(AT.format(11), 20_000, shown=token(K1), product="lpg", volume_ml=10_000)
    office.sync()
    office.post()
    (what,) = odd(office)
    assert "beyond all that is sold" in what
    assert office.kept() == before | {
        ("rebate", "rebate:C1:2026-03"): 750,
        ("rebate", "company:rebate"): before["rebate", "company:rebate"] - 750,
    }


def test_a_discount_that_leaves_64_bits_is_looked_at_and_the_next_is_posted() -> None:
    office = fleet_with(MOST)
    for hour, volume_ml in ((10, 1_000), (11, MOST), (12, 2_000)):
        office.sell(AT.format(hour), 20_000, shown=token(K1), product="lpg", volume_ml=volume_ml)
    office.sync()
    office.post()
    (what,) = odd(office)
    assert "64 bits" in what
    assert office.kept()["rebate", "rebate:C1:2026-03"] == 3 * MOST
    office.restart()
    assert office.balances("C1")["rebate:C1:2026-03"] == 3 * MOST


def test_balances_never_leave_64_bits() -> None:
    """Each sale is whole in 64 bits, and their sum is not."""
    office = fleet_with(MOST)
    for hour in range(4):
        office.sell(AT.format(hour), 20_000, shown=token(K1), product="lpg", volume_ml=4_000_000)
    office.sync()
    office.post()
    assert len(odd(office)) == 2
    assert office.kept()["rebate", "rebate:C1:2026-03"] == 8_000 * MOST
    sale = {"card": K1, "product": "autogas", "volume_ml": 4_000_000}
    with pytest.raises(DeskError, match=r"64 bits.* Nothing was entered"):
        office.enter([sale_event("by-hand", AT.format(5), 20_000, **sale)])
    assert office.kept()["rebate", "rebate:C1:2026-03"] == 8_000 * MOST


def test_a_row_that_waited_for_its_card_and_leaves_64_bits_does_not_hold_up_the_card() -> None:
    office = Office("lpg-pass")
    office.sell(AT.format(10), 20_000, shown=token(K1), product="lpg", volume_ml=MOST)
    office.sell(AT.format(11), 20_000, shown=token(K1), product="lpg", volume_ml=1_000)
    office.sync()
    office.post()
    at = "2026-01-02T10:00:00+03:00"
    office.enter([event(at, "contract.open", "1", customer="C1", discount={"per_litre_minor": MOST})])
    office.enter([event(at, "card.issue", "2", holder="C1", card=K1, product_set="lpg")])
    (what,) = odd(office)
    assert "64 bits" in what
    assert office.kept()["rebate", "rebate:C1:2026-03"] == MOST


def test_a_row_whose_name_was_entered_by_hand_holds_up_no_other() -> None:
    world = Apart(2_000)
    office, at = world.office, "2023-01-06T10:00:00+07:00"
    shown = TokenRef(TokenKind.VOUCHER, token_key(SECRET, TokenKind.VOUCHER, "V-001"), "", Assurance.IDENTIFIED)
    names = []
    for _ in range(2):
        delivery = office.station.deliver_at(at, 500, 2_000, "motorin", None)
        names.append(office.station.write(Redeemed(delivery, at, office.name, shown, 500, 500, "V-001", offline=True)))
    now = ms(at) + 3_600_000
    office.enter([event(at, "clock", f"{STATION}/{names[0].text}")], now)
    office.sync(now_ms=now)
    office.post(now)
    (what,) = odd(office)
    assert "is the ref of another event already" in what
    assert office.balances("M1", now)["voucher:V-001"] == 2_500


def test_all_that_can_be_posted_again_is_beside_one_that_never_can() -> None:
    world = Apart(2_000)
    office, at = world.office, "2023-01-06T10:00:00+07:00"
    shown = TokenRef(TokenKind.VOUCHER, token_key(SECRET, TokenKind.VOUCHER, "V-001"), "", Assurance.IDENTIFIED)
    names = []
    for _ in range(3):
        delivery = office.station.deliver_at(at, 500, 2_000, "v95", None)
        names.append(office.station.write(Redeemed(delivery, at, office.name, shown, 500, 500, "V-001", offline=True)))
    now = ms(at) + 3_600_000
    office.sync(now_ms=now)
    office.post(now)
    office.enter([event(at, "clock", f"{STATION}/{names[1].text}")], now)
    mend(office, {"v95": "gasoline"})
    answer = office.desk.answer(AgainAsk(office.name, (), True), now)
    assert isinstance(answer, AgainAnswer)
    assert [each.row for each in answer.posted] == [f"{STATION}/{names[0].text}", f"{STATION}/{names[2].text}"]
    assert len(odd(office)) == 1
    assert office.balances("M1", now)["voucher:V-001"] == 2_000
