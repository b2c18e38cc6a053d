"""A headquarters with programmes in memory, a station whose journal is synced to it, and a laboratory beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from controller.domain.funds import Funds
from controller.domain.programme_records import Quoted
from controller.domain.programmes.dates import to_ms
from controller.domain.programmes.events import moment
from controller.domain.programmes.lab import Laboratory
from controller.domain.programmes.rules import Product
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.records import (
    Body,
    Delivery,
    Record,
    RowName,
    Settlement,
    Stamp,
    Tender,
    TenderKind,
    seal_row,
)
from controller.domain.seams import ClockQuality
from controller.domain.tokens import (
    Assurance,
    TokenKind,
    TokenRef,
    check_card_number,
    fold_phone,
    fold_plate,
    token_key,
)
from controller.office.programme_commands import shipped
from sync.hq.ingest import Ingest
from sync.hq.programmes.asks import BalancesAnswer, BalancesAsk, EnterAnswer, EnterAsk
from sync.hq.programmes.desk import Desk
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.vat import VatRate
from sync.hq.store import Store
from tests.sync.peers import PUBLIC, STATION, Chance, Journal

SECRET = bytes(range(32))
NOW_MS = to_ms(moment("2027-06-01T00:00:00+03:00", "at"))
_FOLDS = {TokenKind.CARD: check_card_number, TokenKind.PLATE: fold_plate, TokenKind.PHONE: fold_phone}
_PAID = {"cash": TenderKind.CASH, "electronic": TenderKind.BANK_CARD, "account": TenderKind.ACCOUNT}
_PAID["pay_and_go"] = TenderKind.PAY_AND_GO


def ms(at: str) -> int:
    return to_ms(moment(at, "at"))


def token(text: str, kind: TokenKind = TokenKind.CARD) -> TokenRef:
    """As a station sends it: a keyed hash."""
    return TokenRef(kind, token_key(SECRET, kind, _FOLDS[kind](text)), "", Assurance.IDENTIFIED)


class StationJournal(Journal):
    """A station's journal whose rows have their times."""

    at_ms = 0

    def write(self, record: Record) -> RowName:
        name = RowName(self.epoch, self.head_seq + 1)
        stamp = Stamp(self.at_ms, b"boot", self.head_seq, ClockQuality.SIMULATED)
        self.rows.append(seal_row(self.head_hash, Body(name, stamp, record)))
        return name

    def deliver_at(self, at: str, amount_minor: int, volume_ml: int, grade: str, shown: TokenRef | None) -> RowName:
        self.at_ms = ms(at)
        price = UnitPrice(4379, 2)
        return self.write(
            Delivery(1, 1, grade, Unit.LITRE, price, volume_ml, amount_minor, 0, 0, None, shown, "", Funds.NONE, False)
        )

    def settle_by(
        self, delivery: RowName, tenders: Sequence[tuple[TenderKind, int]], *, late_ms: int = 60_000
    ) -> RowName:
        self.at_ms += late_ms
        paid = tuple(Tender(kind, amount, amount) for kind, amount in tenders)
        total = sum(amount for _, amount in tenders)
        return self.write(Settlement(delivery, self.head_seq, total, paid, "till", f"c{self.head_seq}"))

    def copied(self) -> StationJournal:
        made = StationJournal(self.station, list(self.rows), self.epoch, self.cursor, self.simulated)
        made.at_ms = self.at_ms
        return made


class Office:
    """Headquarters with its desk. `station`: the one journal; `sync` brings its rows."""

    def __init__(self, *programmes: str, vat: Sequence[VatRate] = (), secret: bytes = SECRET) -> None:
        self.store = Store.in_memory()
        self.store.enrol(STATION, PUBLIC, 0)
        self.ingest = Ingest(self.store, simulated=True)
        self.names = programmes
        self.vat = vat
        self.secret = secret
        self.station = StationJournal()
        self.station.at_ms = ms("2020-01-01T00:00:00+00:00")
        self.station.start(Chance(1))
        self.sent = 0
        self.restart()

    def restart(self) -> None:
        """As after a new start of the process: nothing but the database is left."""
        grades: dict[str, Product] = {"lpg": "autogas", "motorin": "diesel"}
        self.desk = Desk(self.store.commit, [shipped(name) for name in self.names], self.secret, grades, self.vat)

    @property
    def name(self) -> str:
        return self.names[0]

    def enter(self, events: Iterable[dict[str, Any]], now_ms: int = NOW_MS) -> list[dict[str, Any]]:
        lines = "\n".join(json.dumps(event) for event in events)
        answer = self.desk.answer(EnterAsk(self.name, "events.jsonl", lines), now_ms)
        assert isinstance(answer, EnterAnswer)
        return [json.loads(bytes(raw)) for raw in answer.answers]

    def sync(self, journal: StationJournal | None = None, after: int | None = None, now_ms: int = NOW_MS) -> None:
        """Send the rows of a journal that were not sent yet."""
        from_seq = self.sent if after is None else after
        one = journal or self.station
        self.ingest.receive(one.batch(from_seq), now_ms)
        if journal is None:
            self.sent = one.head_seq

    def post(self, now_ms: int = NOW_MS) -> None:
        for name in self.names:
            self.desk.post(name, now_ms)

    def sell(
        self,
        at: str,
        amount_minor: int,
        *,
        shown: TokenRef | None = None,
        product: str = "diesel",
        volume_ml: int = 20_000,
        paid: Sequence[tuple[str, int]] = (),
        journal: StationJournal | None = None,
        quoted: Sequence[Quoted] = (),
    ) -> str:
        """A sale in the station's journal; its ref at headquarters."""
        station = journal or self.station
        delivery = station.deliver_at(at, amount_minor, volume_ml, product, shown)
        tenders = paid or [("cash", amount_minor)]
        station.settle_by(delivery, [(_PAID[kind], amount) for kind, amount in tenders])
        return f"{STATION}/{delivery.text}"

    def balances(self, holder: str = "", now_ms: int = NOW_MS) -> dict[str, int]:
        answer = self.desk.answer(BalancesAsk(self.name, holder), now_ms)
        assert isinstance(answer, BalancesAnswer)
        return {balance.account: balance.amount for balance in answer.balances}

    def kept(self) -> dict[tuple[str, str], int]:
        """All balances that are not zero, after a look at them: each commodity sums to zero, by the postings too."""
        with self.store.commit() as db:
            keeping = Keeping(db, self.name)
            moved, counted = keeping.balances(), keeping.recount()
        assert moved == counted
        sums: dict[str, int] = {}
        for commodity, _, amount in moved:
            sums[commodity] = sums.get(commodity, 0) + amount
        assert set(sums.values()) <= {0}
        return {(commodity, account): amount for commodity, account, amount in moved if amount}


def laboratory(name: str, events: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[tuple[str, str], int]]:
    """The answers of the laboratory to these events in the order of their times, and its balances at the end."""
    lab = Laboratory(shipped(name))
    ordered = sorted(events, key=lambda event: ms(event["at"]))
    answers = [json.loads(answer) for answer in lab.answers([json.dumps(each).encode() for each in ordered], "events")]
    books = lab.engine.books.ledger
    found = {
        (commodity, account): amount
        for commodity in books.commodities()
        for account, amount in books.accounts(commodity)
        if amount
    }
    return answers, found


def sale_event(ref: str, at: str, amount_minor: int, **fields: Any) -> dict[str, Any]:
    """What a station's sale is to the laboratory."""
    given = {"product": "diesel", "volume_ml": 20_000, "station": STATION, **fields}
    given.setdefault("tenders", [{"kind": "cash", "amount_minor": amount_minor}])
    return {"at": at, "type": "sale", "ref": ref, "amount_minor": amount_minor, **given}
