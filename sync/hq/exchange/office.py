"""The exchange with other issuers, step by step: service data, a day's transactions, netting. One call, one commit.

It knows the partners' names, days and numbers; not where sales come from (`sync.hq.exchange.acquired`), and not where
files lie.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sync.hq.exchange.ledger import Direction, Ledger, Partner
from sync.hq.exchange.netting import Netting, net
from sync.hq.exchange.packages import (
    FORMAT,
    IssuerKey,
    ListedCard,
    Name,
    Package,
    PackageError,
    Service,
    Traded,
    Transaction,
    pack,
    read_kept,
    unpack,
)

MS_PER_S = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Commit = Callable[[], AbstractContextManager[sa.Connection]]
"""One transaction of headquarters' database."""


class OwnCards(Protocol):
    """The cards that this headquarters issued."""

    def issued(self, db: sa.Connection, cards: Iterable[str]) -> set[str]:
        """Those of these numbers that are ours."""
        ...

    def book(self, db: sa.Connection, partner: str, sold: Iterable[Transaction], now_ms: int) -> None:
        """A partner sold this to our cards. Once for each transaction: its package is taken once."""
        ...


class ExchangeError(ValueError):
    """It cannot be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A package that came and is on disk now. `strangers`: refs of transactions whose card was never issued here.

    `ours`: this headquarters sent it itself, and has it back.
    """

    package: Package
    strangers: tuple[str, ...] = ()
    ours: bool = False


class Office:
    """One headquarters' end of the exchange."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        with commit() as db:
            Ledger.make_tables(db)

    def begin(self, name: str, key: Ed25519PrivateKey, currency: str, zone: str) -> None:
        """This headquarters' own name, among all that it exchanges with. ExchangeError if it has another already."""
        with self._commit() as db:
            ledger = Ledger(db)
            _check_name(name)
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ExchangeError(f"{zone!r} is no time zone: expected one such as Europe/Kyiv") from error
            own = [partner for partner in ledger.partners() if partner.own]
            if own and own[0].name != name:
                raise ExchangeError(f"this headquarters is {own[0].name} to its partners: it cannot be {name} as well")
            ledger.add(Partner(name, True, _public(key), currency, zone))

    def add_partner(self, name: str, public_key: bytes, *, replace: bool = False) -> None:
        """An issuer whose packages are taken from now on, if this key signed them.

        ExchangeError for a partner that has another key, unless it shall be replaced.
        """
        with self._commit() as db:
            ledger = Ledger(db)
            us = _us(ledger)
            _check_name(name)
            if name == us.name:
                raise ExchangeError(f"{name} is this headquarters itself")
            had = next((each.public_key for each in ledger.partners() if each.name == name), public_key)
            if had != public_key and not replace:
                raise ExchangeError(
                    f"{name} signs by another key, {had.hex()}: read the new one to each other on the telephone, "
                    "then say --replace"
                )
            ledger.add(Partner(name, False, public_key, us.currency, us.zone))

    def partners(self) -> list[Partner]:
        """This headquarters and all that it exchanges with."""
        with self._commit() as db:
            return Ledger(db).partners()

    def numbers(self, partner: str) -> tuple[int, int]:
        """Of the last package that was sent to a partner, and of the last that came from it; 0 before the first."""
        with self._commit() as db:
            ledger = Ledger(db)
            return ledger.last_sequence(partner, "out"), ledger.last_sequence(partner, "in")

    def service(
        self,
        partner: str,
        cards: Callable[[sa.Connection], Iterable[ListedCard]],
        keys: Iterable[IssuerKey],
        key: Ed25519PrivateKey,
        now_ms: int,
    ) -> bytes:
        """Our cards, stop list and keys as they stand: the next package for a partner."""
        with self._commit() as db:
            ledger = Ledger(db)
            us, _ = self._pair(ledger, partner, key)
            number = ledger.last_sequence(partner, "out") + 1
            package = Service(FORMAT, us.name, partner, number, _time(now_ms), tuple(cards(db)), tuple(keys))
            return _send(ledger, package, key, now_ms)

    def day(
        self,
        partner: str,
        day: date,
        sold: Callable[[sa.Connection, int], Iterable[Transaction]],
        key: Ed25519PrivateKey,
        now_ms: int,
    ) -> bytes:
        """What was sold to a partner's cards until the end of a day and not sent yet: the next package for it.

        `sold` gives all that was sold to them before a moment (ms, UTC). The same day again gives the same package.
        ExchangeError for a day that is not over.
        """
        with self._commit() as db:
            ledger = Ledger(db)
            us, _ = self._pair(ledger, partner, key)
            if (before := ledger.of_day(partner, "out", day)) is not None:
                return before
            end_ms = day_end_ms(day, us.zone)
            if now_ms < end_ms:
                raise ExchangeError(f"{day} is not over yet in {us.zone}: it is settled when it is")
            all_sold = list(sold(db, end_ms))
            sent = ledger.sent_refs(partner, [each.ref for each in all_sold])
            number = ledger.last_sequence(partner, "out") + 1
            new = tuple(each for each in all_sold if each.ref not in sent)
            package = Traded(FORMAT, us.name, partner, number, _time(now_ms), day, us.currency, new)
            return _send(ledger, package, key, now_ms)

    def take(self, data: bytes, issuing: OwnCards, now_ms: int) -> Taken:
        """A partner's package, and what it says was sold to our cards booked, in one commit.

        The same again changes nothing. PackageError: nothing of it was taken.
        """
        with self._commit() as db:
            ledger = Ledger(db)
            us = _us(ledger)
            senders = {each.name: each.public_key for each in ledger.partners()}
            package = unpack(data, us.name, senders)
            if package.sender == us.name:
                return _take_back(ledger, package, data, now_ms)
            sender, last = package.sender, ledger.last_sequence(package.sender, "in")
            if package.sequence <= last:
                if ledger.package(sender, "in", package.sequence) == data:
                    return Taken(package, _strangers(db, package, issuing))
                raise PackageError(
                    f"package {package.sequence} of {sender} was taken before, and was another one: if {sender} was "
                    f"restored from a backup, let it have what it sent: forecourt hq exchange return {sender} "
                    f"{package.sequence}"
                )
            if package.sequence > last + 1:
                raise PackageError(f"package {last + 1} of {sender} is missing: take it first, or ask for it")
            if isinstance(package, Traded) and package.currency != us.currency:
                raise PackageError(f"its amounts are in {package.currency}, ours in {us.currency}")
            ledger.keep(sender, "in", package, data, now_ms)
            if isinstance(package, Traded):
                issuing.book(db, sender, package.transactions, now_ms)
            return Taken(package, _strangers(db, package, issuing))

    def again(self, partner: str, sequence: int) -> bytes:
        """A package that was sent before, for a partner who lost it."""
        with self._commit() as db:
            data = Ledger(db).package(partner, "out", sequence)
        if data is None:
            raise ExchangeError(f"no package {sequence} was ever sent to {partner}")
        return data

    def give_back(self, partner: str, sequence: int) -> bytes:
        """A package that was taken from a partner, for one who was restored from a backup and does not know of it."""
        with self._commit() as db:
            data = Ledger(db).package(partner, "in", sequence)
        if data is None:
            raise ExchangeError(f"no package {sequence} was ever taken from {partner}")
        return data

    def cards_of(self, partner: str) -> list[tuple[ListedCard, bool]]:
        """All cards that a partner ever listed, and whether it still does."""
        with self._commit() as db:
            return Ledger(db).cards(partner)

    def net(self, partner: str, day: date) -> Netting:
        """What the two owe each other for a day."""
        with self._commit() as db:
            ledger = Ledger(db)
            us, them = self._pair(ledger, partner)
            sent, received = _traded(ledger, them, "out", day), _traded(ledger, them, "in", day)
            return net(us.name, partner, day, us.currency, sent, received)

    def _pair(self, ledger: Ledger, partner: str, key: Ed25519PrivateKey | None = None) -> tuple[Partner, Partner]:
        us = _us(ledger)
        them = next((each for each in ledger.partners() if each.name == partner and not each.own), None)
        if them is None:
            raise ExchangeError(f"{partner} is no partner here: forecourt hq exchange partner {partner} PUBLIC_KEY")
        if key is not None and _public(key) != us.public_key:
            raise ExchangeError("the exchange key is another than the one that partners know: look for the right file")
        return us, them


def day_end_ms(day: date, zone: str) -> int:
    """The first moment after a day, in ms of UTC."""
    after = day + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(zone))
    return (end - _EPOCH) // timedelta(milliseconds=1)


def _send(ledger: Ledger, package: Package, key: Ed25519PrivateKey, now_ms: int) -> bytes:
    data = pack(package, key)
    try:
        # One that the partner cannot take would stop all that come after it, for ever.
        unpack(data, package.receiver, {package.sender: _public(key)})
    except PackageError as error:
        raise ExchangeError(f"{package.receiver} could not take this package, it is not sent: {error}") from error
    ledger.keep(package.receiver, "out", package, data, now_ms)
    return data


def _take_back(ledger: Ledger, package: Package, data: bytes, now_ms: int) -> Taken:
    """What we sent before a backup was restored, from the partner who took it: it, and not what we made since."""
    partner, last = package.receiver, ledger.last_sequence(package.receiver, "out")
    if partner not in {each.name for each in ledger.partners()}:
        raise PackageError(f"it was sent to {partner}, who is no partner here: forecourt hq exchange partner")
    if package.sequence > last + 1:
        raise PackageError(f"package {last + 1} to {partner} is missing here: take it first")
    if ledger.package(partner, "out", package.sequence) != data:
        ledger.drop_sent(partner, package.sequence)
        ledger.keep(partner, "out", package, data, now_ms)
    return Taken(package, ours=True)


def _check_name(name: str) -> None:
    """Packages carry it: one that no partner could read is refused here."""
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise ExchangeError(f"{name!r} is no issuer's name: letters, digits, dots and dashes, at most 64") from error


def _traded(ledger: Ledger, them: Partner, direction: Direction, day: date) -> Traded | None:
    data = ledger.of_day(them.name, direction, day)
    package = None if data is None else read_kept(data)
    return package if isinstance(package, Traded) else None


def _us(ledger: Ledger) -> Partner:
    own = next((each for each in ledger.partners() if each.own), None)
    if own is None:
        raise ExchangeError("this headquarters has no name among issuers yet: forecourt hq exchange init NAME")
    return own


def _strangers(db: sa.Connection, package: Package, issuing: OwnCards) -> tuple[str, ...]:
    if isinstance(package, Service):
        return ()
    ours = issuing.issued(db, {each.card for each in package.transactions})
    return tuple(each.ref for each in package.transactions if each.card not in ours)


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _time(now_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=now_ms)
