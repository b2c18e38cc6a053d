"""What was sent to other issuers and what came from them, on disk. One transaction a step; the caller brings it.

Knows no signature and no file; `sync.hq.exchange.office` decides what is sent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import sqlalchemy as sa

from sync.hq.exchange.packages import ListedCard, Package, PackageError, Service, Traded, Transaction, read_kept
from sync.hq.exchange.tables import cards, metadata, packages, partners, refs, reversals

Direction = Literal["in", "out"]
_ASKED_AT_ONCE = 500
"""Refs in one statement: below what any SQLite takes."""


@dataclass(frozen=True, slots=True)
class Partner:
    """An issuer by name. `own`: this headquarters. `zone`: where its days begin."""

    name: str
    own: bool
    public_key: bytes
    currency: str
    zone: str


class Ledger:
    """The exchange's tables, within one transaction."""

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    @staticmethod
    def make_tables(db: sa.Connection) -> None:
        """Those that are not there yet."""
        metadata.create_all(db)

    def add(self, partner: Partner) -> None:
        """A partner, or the newer word on one."""
        self._db.execute(sa.delete(partners).where(partners.c.partner == partner.name))
        values = {
            "partner": partner.name,
            "own": partner.own,
            "public_key": partner.public_key,
            "currency": partner.currency,
            "zone": partner.zone,
        }
        self._db.execute(sa.insert(partners).values(values))

    def partners(self) -> list[Partner]:
        found = self._db.execute(sa.select(partners).order_by(partners.c.partner)).all()
        return [Partner(row.partner, bool(row.own), bytes(row.public_key), row.currency, row.zone) for row in found]

    def last_sequence(self, partner: str, direction: Direction) -> int:
        """Of the packages in this direction; 0 before the first."""
        query = sa.select(sa.func.max(packages.c.sequence)).where(
            packages.c.partner == partner, packages.c.direction == direction
        )
        return self._db.execute(query).scalar() or 0

    def package(self, partner: str, direction: Direction, sequence: int) -> bytes | None:
        """The signed bytes of one package."""
        query = sa.select(packages.c.data).where(
            packages.c.partner == partner, packages.c.direction == direction, packages.c.sequence == sequence
        )
        data = self._db.execute(query).scalar()
        return None if data is None else bytes(data)

    def of_day(self, partner: str, direction: Direction, day: date) -> bytes | None:
        """The package of transactions that settles a day."""
        query = sa.select(packages.c.data).where(
            packages.c.partner == partner,
            packages.c.direction == direction,
            packages.c.kind == "transactions",
            packages.c.day == day.isoformat(),
        )
        data = self._db.execute(query).scalar()
        return None if data is None else bytes(data)

    def keep(self, partner: str, direction: Direction, package: Package, data: bytes, now_ms: int) -> None:
        """A package that was checked. PackageError where one of its transactions is known from another, or its day is.

        The newest service data from a partner takes the place of all its cards.
        """
        traded = isinstance(package, Traded)
        day = package.day.isoformat() if isinstance(package, Traded) else ""
        if isinstance(package, Traded):
            if (settled := self.of_day(partner, direction, package.day)) is not None:
                raise PackageError(
                    f"{package.day} is settled already by package {read_kept(settled).sequence}: "
                    "what came later belongs to a later day"
                )
            self._keep_refs(partner, direction, package.sequence, package.transactions)
        elif direction == "in":
            self._replace_cards(partner, package)
        values = {
            "partner": partner,
            "direction": direction,
            "sequence": package.sequence,
            "kind": "transactions" if traded else "service",
            "day": day,
            "data": data,
            "at_ms": now_ms,
        }
        self._db.execute(sa.insert(packages).values(values))

    def drop_sent(self, partner: str, sequence: int) -> None:
        """A package that the partner never took: what it sold is not sent, and its day is not settled."""
        of_partner = {"partner": partner, "direction": "out"}
        gone = sa.select(refs.c.ref).filter_by(**of_partner, sequence=sequence)
        self._db.execute(sa.delete(reversals).filter_by(**of_partner).where(reversals.c.ref.in_(gone)))
        self._db.execute(sa.delete(refs).filter_by(**of_partner, sequence=sequence))
        self._db.execute(sa.delete(packages).filter_by(**of_partner, sequence=sequence))

    def sent_refs(self, partner: str, wanted: Sequence[str]) -> set[str]:
        """Those of these transactions that were sent before."""
        return set(self._known(partner, "out", wanted))

    def cards(self, partner: str) -> list[tuple[ListedCard, bool]]:
        """All cards that a partner ever listed, and whether it still does."""
        found = self._db.execute(sa.select(cards).where(cards.c.partner == partner).order_by(cards.c.card)).all()
        return [
            (
                ListedCard(
                    row.card,
                    row.contract,
                    bool(row.stopped),
                    date.fromisoformat(row.valid_until) if row.valid_until else None,
                ),
                bool(row.listed),
            )
            for row in found
        ]

    def _keep_refs(self, partner: str, direction: Direction, sequence: int, sold: Iterable[Transaction]) -> None:
        sold = tuple(sold)
        for ref, before in self._known(partner, direction, [each.ref for each in sold]).items():
            raise PackageError(f"the transaction {ref} was in package {before} already: nobody pays for it twice")
        self._keep_reversals(partner, direction, sold)
        if sold:
            rows = [
                {"partner": partner, "direction": direction, "ref": each.ref, "sequence": sequence} for each in sold
            ]
            self._db.execute(sa.insert(refs), rows)

    def _keep_reversals(self, partner: str, direction: Direction, sold: Iterable[Transaction]) -> None:
        """Each takes back all of one earlier sale, once: the buyer gets the whole sale back."""
        before: dict[int, dict[str, Transaction]] = {}
        for each in sold:
            if each.reverses is None:
                continue
            says = f"{each.ref} reverses {each.reverses}"
            number = self._known(partner, direction, [each.reverses]).get(each.reverses)
            if number is None:
                raise PackageError(f"{says}, which was never exchanged")
            if number not in before:
                before[number] = self._transactions(partner, direction, number)
            was = before[number][each.reverses]
            if was.reverses is not None:
                raise PackageError(f"{says}, which is a reversal itself")
            if (each.card, each.product, -each.volume_ml, -each.amount_minor) != (
                was.card,
                was.product,
                was.volume_ml,
                was.amount_minor,
            ):
                raise PackageError(f"{says}, and is not what {each.reverses} was, below zero: all of it goes back")
            key = {"partner": partner, "direction": direction, "reversed": each.reverses}
            if self._db.execute(sa.select(reversals.c.ref).filter_by(**key)).first() is not None:
                raise PackageError(f"{says}, which was reversed before")
            self._db.execute(sa.insert(reversals).values(**key, ref=each.ref))

    def _transactions(self, partner: str, direction: Direction, sequence: int) -> dict[str, Transaction]:
        data = self.package(partner, direction, sequence)
        kept = None if data is None else read_kept(data)
        return {each.ref: each for each in kept.transactions} if isinstance(kept, Traded) else {}

    def _known(self, partner: str, direction: Direction, wanted: Sequence[str]) -> dict[str, int]:
        known: dict[str, int] = {}
        for at in range(0, len(wanted), _ASKED_AT_ONCE):
            query = sa.select(refs.c.ref, refs.c.sequence).where(
                refs.c.partner == partner,
                refs.c.direction == direction,
                refs.c.ref.in_(wanted[at : at + _ASKED_AT_ONCE]),
            )
            known |= {row.ref: row.sequence for row in self._db.execute(query)}
        return known

    def _replace_cards(self, partner: str, service: Service) -> None:
        theirs = cards.c.partner == partner
        self._db.execute(sa.update(cards).where(theirs).values(listed=False))
        known = set(self._db.execute(sa.select(cards.c.card).where(theirs)).scalars())
        changed: list[dict[str, object]] = []
        new: list[dict[str, object]] = []
        for listed in service.cards:
            row = {
                "b_card": listed.card,
                "contract": listed.contract,
                "stopped": listed.stopped,
                "listed": True,
                "valid_until": "" if listed.valid_until is None else listed.valid_until.isoformat(),
            }
            (changed if listed.card in known else new).append(row)
        if changed:
            change = sa.update(cards).where(theirs, cards.c.card == sa.bindparam("b_card"))
            names = ("contract", "stopped", "listed", "valid_until")
            self._db.execute(change.values({name: sa.bindparam(name) for name in names}), changed)
        if new:
            rows = [{"partner": partner, "card": row.pop("b_card"), **row} for row in new]
            self._db.execute(sa.insert(cards), rows)
