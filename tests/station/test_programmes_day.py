"""A mixed day of all five programmes: what stations quoted is what the laboratory gives for the same events."""

from collections.abc import Mapping
from typing import Any

import msgspec

from controller.domain.allotments import account_pot
from controller.domain.funds import Funds
from controller.domain.member_books import voucher_pot
from controller.domain.memberships import PurseState
from controller.domain.programmes.lab import Laboratory
from controller.domain.records import Allotted, Settlement, TenderKind
from controller.domain.tokens import TokenKind
from controller.office.programme_commands import shipped
from controller.pincheck import make_verifier
from sim.chance import Chance
from tests.station.exported import Exported
from tests.station.house import SEED
from tests.station.members import UKRAINE, VIETNAM, MemberHouse, member, member_story, opet

GASOLINE, DIESEL = 1, 2
AUTOGAS_POINT = 4
BEFORE = "2025-12-20T10:00:00+03:00"
"""When everybody joined: all points of the day are the day's own."""


class Town:
    """The tokens of a station's customers, in clear, and what the laboratory must hear before the day."""

    def __init__(self, house: MemberHouse) -> None:
        self.house = house
        self.names: dict[bytes, tuple[TokenKind, str]] = {}
        self.before: dict[str, list[dict[str, Any]]] = {}

    def put(self, kind: TokenKind, value: str, *args: Any, **row: Any) -> None:
        """On the list, and known by name."""
        self.names[self.house.put(kind, value, *args, **row)] = kind, value

    def knows(self, kind: TokenKind, value: str) -> bytes:
        """Known by name, and not on the list."""
        key = self.house.key(kind, value)
        self.names[key] = kind, value
        return key

    def tell(self, programme: str, *events: dict[str, Any]) -> None:
        told = self.before.setdefault(programme, [])
        told += [{"at": BEFORE, "ref": f"before-{len(told) + at}"} | event for at, event in enumerate(events)]

    def check(self, programme: str, products: Mapping[str, str]) -> list[str]:
        """The laboratory says the same to everything. Returns the reasons that came up."""
        exported = Exported(programme, self.names, products)
        exported.take(list(self.house.journal.replay()))
        events = self.before.get(programme, []) + [event for _, event in exported.events]
        laboratory = Laboratory(shipped(programme))
        lines = [msgspec.json.encode(event) for event in events]
        answers = [msgspec.json.decode(answer) for answer in laboratory.answers(lines, programme)]
        reasons = []
        for event, answer in zip(events, answers, strict=True):
            said = exported.said.get(event["ref"])
            if said is None:
                assert answer["result"] == "accepted", (event, answer)
                continue
            got = answer["result"], answer["reason"], answer.get("points", 0), answer.get("rebate_minor", 0)
            assert got == (said.result, said.reason, said.points, said.rebate_minor), (SEED, event, answer)
            reasons.append(answer["reason"] or answer["result"])
        return reasons


async def _by_card(house: MemberHouse, point: int, nozzle: int, card: str, volume_ml: int) -> None:
    """A fill on a card at the pump; it pays itself, or is paid in cash."""
    await house.calls(point, nozzle)
    house.show_card(point, card)
    await house.shows_nothing(point)
    await house.fills(point, volume_ml)
    await house.until(lambda: house.head(point).volume_ml(house.now_us) >= volume_ml)
    await house.wait(3)
    for unpaid in house.point(point).unpaid:
        assert (await house.pay(unpaid.delivery_id)).done


async def _declined(house: MemberHouse, point: int, nozzle: int, card: str) -> None:
    before = len(house.reasons)
    await house.calls(point, nozzle)
    house.show_card(point, card)
    await house.until(lambda: len(house.reasons) > before, 20)
    house.hang_up(point)
    await house.wait(3)


TURKISH_PRODUCTS = {"gasoline": "gasoline", "diesel": "diesel", "autogas": "autogas"}
LPG, AUTOMATIC, LINKED = "9001000000000201", "9001000000000301", "9001000000000202"
CREDIT = [{"token": "credit", "accepts": True}]
OPET_1, OPET_2, POSITIVE = "9876540012806566", "9876540012800002", "6333000011112222"


def _turkey(town: Town) -> None:
    fleet = {"account": "C1", "funds": Funds.POSTPAID}
    lpg = member("lpg-pass", "C1", product_set="lpg", per_litre_minor=75)
    town.put(TokenKind.CARD, LPG, lpg, products="autogas", **fleet)
    automatic = member("lpg-pass", "C1", product_set="automatic", per_litre_minor=75)
    town.put(TokenKind.CARD, AUTOMATIC, automatic, products="gasoline,diesel", **fleet)
    town.put(TokenKind.PLATE, "06 SIM 201", lpg, products="autogas", **fleet)
    town.tell(
        "lpg-pass",
        {"type": "contract.open", "customer": "C1", "discount": {"per_litre_minor": 75}},
        {"type": "card.issue", "holder": "C1", "card": LPG, "product_set": "lpg", "plates": ["06 SIM 201"]},
        {"type": "card.issue", "holder": "C1", "card": AUTOMATIC, "product_set": "automatic"},
        {"type": "card.issue", "holder": "C1", "card": LINKED, "product_set": "lpg"},
        {"type": "card.link_credit", "card": LINKED, "credit_cards": CREDIT},
    )
    town.put(TokenKind.CARD, LINKED, msgspec.structs.replace(lpg, pay_and_go=True), products="autogas")
    for holder, card in (("M1", OPET_1), ("M2", OPET_2)):
        town.put(TokenKind.CARD, card, opet(0, holder))
        town.tell(
            "opet-kart",
            {"type": "member.enrol", "member": holder, "kind": "person", "consents": []},
            {"type": "card.issue", "holder": holder, "card": card},
        )
    bound, waiting = town.knows(TokenKind.PLATE, "34 ABC 12"), town.knows(TokenKind.PLATE, "34 ABC 13")
    town.knows(TokenKind.PLATE, "35 NEW 1")
    nine = member("positive-card", "M9", verified=True, plates=(bound,), plates_waiting=(waiting,))
    town.put(TokenKind.CARD, POSITIVE, msgspec.structs.replace(nine, pay_and_go=True))
    town.put(TokenKind.PHONE, "+905321112233", nine)
    town.put(TokenKind.PLATE, "34 ABC 12", nine)
    town.put(TokenKind.PHONE, "+905320000008", member("positive-card", "M8", remote=True))
    for holder, phone, channel in (("M9", "+905321112233", "station"), ("M8", "+905320000008", "app")):
        town.tell(
            "positive-card",
            {
                "type": "member.enrol",
                "member": holder,
                "kind": "person",
                "name": "Ada",
                "surname": "Su",
                "phone": phone,
                "birth_date": "1980-01-01",
                "channel": channel,
                "consents": ["information"],
            },
        )
    town.tell(
        "positive-card",
        {"type": "card.issue", "holder": "M9", "card": POSITIVE},
        {"type": "card.link_credit", "card": POSITIVE, "credit_cards": CREDIT},
        {"type": "member.verify", "member": "M9"},
        {"type": "member.verify", "member": "M9", "plate": "34 ABC 12"},
        {"type": "member.verify", "member": "M9", "plate": "34 ABC 13"},
        {
            "type": "sale",
            "card": POSITIVE,
            "plate": "34 ABC 12",
            "product": "diesel",
            "volume_ml": 1,
            "amount_minor": 1,
            "tenders": [{"kind": "cash", "amount_minor": 1}],
            "station": "S1",
        },
    )


@member_story()
async def test_a_mixed_day_in_turkey(house: MemberHouse) -> None:
    town, chance = Town(house), Chance(SEED, "mixed day")
    _turkey(town)
    await house.join()
    await house.passes(2)  # behind the day's last hour, into the morning
    shown = [
        {"card": OPET_1},
        {"card": OPET_2},
        {"phone": "+90 532 111 22 33"},
        {"phone": "+90 532 000 00 08"},
        {"card": POSITIVE, "plate": "34 ABC 12"},
        {"card": POSITIVE, "plate": "34-abc-13"},
        {"card": POSITIVE, "plate": "35 NEW 1"},
        {},
    ]
    for turn in range(20):
        await house.passes(chance.between(0, 1))
        volume_ml = chance.between(1_000, 9_000)
        who, bank = shown[turn % len(shown)], chance.one_in(3)
        sale = await house.cash_delivery(1, volume_ml, GASOLINE if chance.one_in(2) else DIESEL)
        after = who.get("card") in (OPET_1, OPET_2) and chance.one_in(2)
        if who and not after:
            assert (await house.shows(sale, **who)).done
        amount = house.point(1).unpaid[0].amount_minor
        tender = TenderKind.BANK_CARD if bank else TenderKind.CASH
        if who.get("card") == POSITIVE and chance.one_in(2):
            tender = TenderKind.PAY_AND_GO
        assert (await house.pay(sale, amount, tender=tender)).done
        if after:
            assert (await house.shows(sale, **who)).done
            assert (await house.shows(sale, **who)).reason == "already_presented"
    await _by_card(house, AUTOGAS_POINT, 1, LPG, 8_765)
    await _by_card(house, AUTOGAS_POINT, 1, LINKED, 5_432)
    await _by_card(house, 2, GASOLINE, AUTOMATIC, 4_321)
    await _declined(house, 2, DIESEL, LPG)
    for plate, point in (("06 SIM 201", AUTOGAS_POINT), ("34 ABC 12", 2)):
        await house.calls(point, 1)
        assert (await house.authorise(point, plate=plate)).done
        await house.shows_nothing(point)
        await house.fills(point, 2_000)
        await house.wait(3)
        for unpaid in house.point(point).unpaid:
            assert (await house.pay(unpaid.delivery_id)).done
    assert set(town.check("lpg-pass", TURKISH_PRODUCTS)) == {"accepted", "product_not_allowed"}
    assert set(town.check("opet-kart", TURKISH_PRODUCTS)) == {"accepted"}
    reasons = town.check("positive-card", TURKISH_PRODUCTS)
    assert {"not_verified", "daily_sales_cap", "accepted"} <= set(reasons)
    assert any(quoted.shown_after for quoted in house.quotes)
    charged = [row for row in house.rows_of(Settlement) if row.tenders[0].kind is TenderKind.PAY_AND_GO]
    assert {bool(row.till) for row in charged} == {True, False}, "at the till, and by itself"
    assert {quoted.programme for quoted in house.quotes} == {"lpg-pass", "opet-kart", "positive-card"}


VOUCHER, PIN = "V-2026-7", "4711"
PHONE = "+84912345678"


@member_story(yard=VIETNAM)
async def test_a_mixed_day_in_vietnam(house: MemberHouse) -> None:
    town, chance = Town(house), Chance(SEED, "mixed day")
    one = member("petrolimex-id", "P1", verified=True, purses=(PurseState("fuel", 0, 0),))
    town.put(TokenKind.PHONE, PHONE, one)
    town.put(TokenKind.QR, "P2", member("petrolimex-id", "P2"))
    pin = make_verifier(PIN, bytes(16), cost=2**4)
    town.put(TokenKind.VOUCHER, VOUCHER, member("petrolimex-id", "ORG", organisation=True), pin=pin)
    rich = {"product": "diesel", "volume_ml": 1, "amount_minor": 10_000_000, "station": "S1"}
    town.tell(
        "petrolimex-id",
        {"type": "member.enrol", "member": "P1", "kind": "person", "phone": PHONE, "consents": []},
        {"type": "member.enrol", "member": "P2", "kind": "person", "consents": []},
        {"type": "member.enrol", "member": "ORG", "kind": "organisation", "consents": []},
        {"type": "member.verify", "member": "P1"},
        {"type": "member.verify", "member": "ORG"},
        {"type": "sale", "member": "ORG", "tenders": [{"kind": "electronic", "amount_minor": 10_000_000}], **rich},
        {"type": "sale", "phone": PHONE, "tenders": [{"kind": "electronic", "amount_minor": 10_000_000}], **rich},
        {
            "type": "voucher.create",
            "organisation": "ORG",
            "voucher": VOUCHER,
            "points": 40_000,
            "user_may_manage": True,
        },
    )
    house.office.points[house.key(TokenKind.PHONE, PHONE)] = 50_000
    road = await house.join()
    await house.station.site.write(Allotted("a", voucher_pot(VOUCHER), 40_000, "", ""))
    for turn in range(9):
        sale = await house.cash_delivery(1, chance.between(2_000, 6_000), DIESEL)
        amount = house.point(1).unpaid[0].amount_minor
        if turn == 5:
            road.closed = True
            await house.until(lambda: not house.snapshot.link.connected, 120)
        if turn % 3 < 2:
            assert (await house.shows(sale, **({"phone": PHONE} if turn % 3 == 0 else {"qr": "P2"}))).done
        more: dict[str, Any] = {}
        if turn == 3:
            more = {"points": 3_333, "code": "123456"}
        elif turn == 8:
            more = {"points": 20_000, "voucher": VOUCHER, "pin": PIN}
        rest = amount - more.get("points", 0)
        bank = TenderKind.BANK_CARD if chance.one_in(2) else TenderKind.CASH
        assert (await house.pays(sale, rest, bank, **more)).done
    reasons = town.check("petrolimex-id", {"diesel": "diesel", "gasoline": "gasoline"})
    assert set(reasons) == {"accepted", "not_verified"}


@member_story(yard=UKRAINE)
async def test_a_mixed_day_in_ukraine(house: MemberHouse) -> None:
    town, chance = Town(house), Chance(SEED, "mixed day")
    prepaid = {"products": "autogas", "funds": Funds.PREPAID}
    town.put(TokenKind.CARD, LPG, member("cng-interissuer", "K7", product_set="cng"), account="K7", **prepaid)
    closed = member("cng-interissuer", "K8", product_set="cng", contract_valid=False)
    town.put(TokenKind.CARD, AUTOMATIC, closed, account="K8", **prepaid)
    for contract, card in (("K7", LPG), ("K8", AUTOMATIC)):
        town.tell(
            "cng-interissuer",
            {"type": "contract.open", "contract": contract, "prepaid": True},
            {"type": "card.issue", "holder": contract, "card": card},
            {"type": "account.pay_in", "contract": contract, "amount_minor": 100_000},
        )
    town.tell("cng-interissuer", {"type": "contract.close", "contract": "K8"})
    await house.station.site.write(Allotted("a", account_pot("K7"), 100_000, "", ""))
    for _ in range(4):
        await _by_card(house, AUTOGAS_POINT, 1, LPG, chance.between(3_000, 8_500))
    await _by_card(house, AUTOGAS_POINT, 1, LPG, 9_000)
    assert sum(delivery.amount_minor for delivery in house.deliveries) <= 100_000
    await _declined(house, AUTOGAS_POINT, 1, AUTOMATIC)
    products = {"autogas": "cng", "diesel": "diesel", "gasoline": "gasoline"}
    assert set(town.check("cng-interissuer", products)) == {"accepted", "contract_not_valid"}
