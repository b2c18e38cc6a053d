"""A laboratory with its events as Python calls: what the tests of programmes stand on.

Fields are Any, since wrong ones are tried too.
"""

from __future__ import annotations

import json
from typing import Any

from controller.domain.programmes.engine import Engine
from controller.domain.programmes.lab import Laboratory
from controller.domain.programmes.ledger import Posting
from controller.domain.programmes.programme import parse
from controller.office.programme_commands import shipped

OFFSETS = {"Asia/Ho_Chi_Minh": "+07:00", "Europe/Istanbul": "+03:00", "Europe/Kyiv": "+02:00"}
ENDER = {"name": "Ender", "surname": "Aytekin", "birth_date": "1974-03-20", "phone": "+905321112233"}
"""A member's data; the same on a form."""


class Lab:
    """One programme's laboratory. `at` stays until another is given; refs come by themselves."""

    def __init__(self, name: str = "", toml: str = "", at: str = "2026-01-05T10:00:00") -> None:
        self.programme = parse(toml, "test.toml") if toml else shipped(name)
        self.laboratory = Laboratory(self.programme)
        self.at = at
        self.number = 0
        self.postings: list[Posting] = []
        self.laboratory.engine.books.ledger.sink = self.postings.append

    @property
    def engine(self) -> Engine:
        return self.laboratory.engine

    def do(self, event_type: str, at: Any = "", ref: Any = "", **fields: Any) -> dict[str, Any]:
        """The answer to one event. `at` is local time without an offset, or with its own."""
        self.at = at or self.at
        self.number += 1
        moment = self.at if self.at[19:] else self.at + OFFSETS[str(self.programme.zone)]
        event = {"at": moment, "type": event_type, "ref": ref or f"e{self.number}", **fields}
        (answer,) = self.laboratory.answers([json.dumps(event).encode()], "events")
        decoded: dict[str, Any] = json.loads(answer)
        return decoded

    def reason(self, event_type: str, at: Any = "", **fields: Any) -> tuple[str, str | None]:
        """(result, reason) of one event."""
        answer = self.do(event_type, at, **fields)
        return answer["result"], answer["reason"]

    def sale(
        self, amount_minor: Any = 100_000, at: Any = "", paid: Any = "cash", volume_ml: Any = 20_000, **fields: Any
    ) -> dict[str, Any]:
        """A sale, by default of diesel for cash."""
        fields.setdefault("product", "diesel")
        fields.setdefault("station", "S1")
        fields.setdefault("tenders", [{"kind": paid, "amount_minor": amount_minor}])
        return self.do("sale", at, amount_minor=amount_minor, volume_ml=volume_ml, **fields)

    def member(self, member: str = "M1", card: str = "", at: str = "", **fields: Any) -> None:
        """A person with the data of ENDER (others by `fields`), and a card."""
        data = {"kind": "person", "consents": ["information"], **ENDER, **fields}
        assert self.reason("member.enrol", at, member=member, **data) == ("accepted", None)
        if card:
            assert self.reason("card.issue", holder=member, card=card) == ("accepted", None)

    def balance(self, account: str) -> int:
        """A balance as the books have it, for accounts of points too."""
        kind, _, rest = account.partition(":")
        books = self.engine.books
        if kind == "points":
            holder, _, purse = rest.rpartition(":")
            return books.all_points(books.purse(books.holder_of[holder], purse))
        for commodity in books.ledger.commodities():
            found = dict(books.ledger.accounts(commodity))
            if account in found:
                return found[account]
        return 0


def positive(at: Any = "2026-01-05T10:00:00", **fields: Any) -> Lab:
    """Positive Card with the active member M1 and the card K1."""
    lab = Lab("positive-card", at=at)
    lab.member(card="K1", **fields)
    lab.do("member.activate", member="M1", channel="web")
    return lab


def petrolimex(at: str = "2023-01-05T10:00:00", kind: str = "person") -> Lab:
    """Petrolimex ID with the verified member M1 (or organisation) and the card K1."""
    lab = Lab("petrolimex-id", at=at)
    lab.member(card="K1", kind=kind)
    lab.do("member.verify", member="M1")
    return lab


def cng(at: str = "2026-01-05T10:00:00", paid_in: int = 0) -> Lab:
    """CNG cards with the contract A, the card K1, and an order of two tiers."""
    lab = Lab("cng-interissuer", at=at)
    lab.do("contract.open", contract="A", prepaid=True)
    lab.do("card.issue", holder="A", card="K1")
    tiers = [
        {"from_ml": 1_000_000, "discount_per_m3_minor": 50},
        {"from_ml": 5_000_000, "discount_per_m3_minor": 120},
    ]
    lab.do("order.publish", order="O1", valid_from="2026-01-01", tiers=tiers)
    if paid_in:
        lab.do("account.pay_in", contract="A", amount_minor=paid_in)
    return lab


def lpg(**contract: Any) -> Lab:
    """LPG Pass with the customer C1, an LPG Pass card L1 (plate 34 ABC 12) and an Automatic card A1."""
    lab = Lab("lpg-pass")
    lab.do("contract.open", customer="C1", **{"discount": {"per_litre_minor": 75}, **contract})
    lab.do("card.issue", holder="C1", card="L1", product_set="lpg", plates=["34 ABC 12"])
    lab.do("card.issue", holder="C1", card="A1", product_set="automatic")
    return lab


def redeem(lab: Lab, points: int = 10, at: str = "", **more: Any) -> tuple[str, str | None]:
    """M1 pays diesel with points, by default with a one-time password: (result, reason)."""
    more.setdefault("proof", {"otp": True})
    return lab.reason("redeem", at, holder="M1", product="diesel", points=points, **more)


def earned(answer: dict[str, Any]) -> tuple[int, str | None]:
    """(points, reason) of a sale that stands."""
    assert answer["result"] == "accepted"
    return answer.get("points", 0), answer["reason"]
