"""Two issuers for tests, each with an exchange of its own in memory."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy.pool import StaticPool

from sync.hq.exchange.office import Office, Taken, day_end_ms
from sync.hq.exchange.packages import IssuerKey, ListedCard, Transaction

ZONE = "Europe/Kyiv"
DAY = date(2026, 1, 15)
NOON = datetime(2026, 1, 15, 12, tzinfo=ZoneInfo(ZONE))


class Issuer:
    """`sold`: what its stations sold to the other's cards, by anybody's hand."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.key = Ed25519PrivateKey.from_private_bytes(random.Random(seed).randbytes(32))
        engine = sa.create_engine("sqlite://", poolclass=StaticPool)

        @contextmanager
        def commit() -> Iterator[sa.Connection]:
            with engine.begin() as db:
                yield db

        self.office = Office(commit)
        self.office.begin(name, self.key, "UAH", ZONE)
        self.cards = tuple(ListedCard(f"{7000 + seed}{number:012d}", "C1") for number in range(5))
        self.sold: list[Transaction] = []
        self.booked: list[str] = []

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def meet(self, other: Issuer) -> None:
        self.office.add_partner(other.name, other.public_key)
        other.office.add_partner(self.name, self.public_key)

    def service(self, other: Issuer, *, now_ms: int = 0, cards: tuple[ListedCard, ...] | None = None) -> bytes:
        keys = (IssuerKey(1, self.public_key.hex()),)
        listed = self.cards if cards is None else cards
        return self.office.service(other.name, lambda _: listed, keys, self.key, now_ms)

    def day(self, other: Issuer, day: date = DAY, *, now_ms: int | None = None) -> bytes:
        at = day_end_ms(day, ZONE) if now_ms is None else now_ms
        return self.office.day(other.name, day, self._sold_before, self.key, at)

    def take(self, data: bytes) -> Taken:
        return self.office.take(data, self, 0)

    def issued(self, db: sa.Connection, cards: Iterable[str]) -> set[str]:
        return {card.card for card in self.cards} & set(cards)

    def book(self, db: sa.Connection, partner: str, sold: Iterable[Transaction], now_ms: int) -> None:
        self.booked += [each.ref for each in sold]

    def sell(self, other: Issuer, ref: str, amount_minor: int, at: datetime = NOON, *, card: int = 0) -> None:
        volume_ml = amount_minor * 10
        number = other.cards[card].card
        self.sold.append(Transaction(ref, at, number, f"{self.name}-1", "cng", volume_ml, amount_minor))

    def reverse(self, ref: str, new_ref: str) -> None:
        was = next(each for each in self.sold if each.ref == ref)
        self.sold.append(
            Transaction(
                new_ref, was.at, was.card, was.station, was.product, -was.volume_ml, -was.amount_minor, reverses=ref
            )
        )

    def _sold_before(self, db: sa.Connection, end_ms: int) -> list[Transaction]:
        return [each for each in self.sold if each.at.timestamp() * 1000 < end_ms]


def two() -> tuple[Issuer, Issuer]:
    """Two that know each other by their keys."""
    a, b = Issuer("ACME", 1), Issuer("BETA", 2)
    a.meet(b)
    return a, b


def later(days: int) -> datetime:
    return NOON + timedelta(days=days)
