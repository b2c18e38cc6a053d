"""Stations' rows into a programme's ledger: each counted settlement once, over any crash, and in any order.

How far it has come stands beside the postings, in their commit. Rows of all branches are read: what a restored disk
wrote a second time is a sale only where headquarters' books count it as one. Knows no rule of any programme.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from controller.domain.member_books import voucher_pot
from controller.domain.programme_records import Quoted, Redeemed
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.rules import MOST, Product
from controller.domain.records import Allotted, Authorised, Body, Delivery, RowName, Settlement
from controller.domain.tokens import TokenKind, TokenRef, mask_voucher
from sync.hq.programmes.apart import Apart
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.ledger import Entered, NewEvent, ProgrammeLedger, RefTaken
from sync.hq.programmes.routing import CARD, PHONE, PLATE, QR, VOUCHER
from sync.hq.programmes.rows_read import StationRows
from sync.hq.programmes.sales import (
    Sold,
    of_delivery,
    product_of,
    redemption_of,
    ref_of,
    sale_of,
    shown_of,
)
from sync.hq.programmes.splitting import Splits
from sync.hq.programmes.stand_ins import unknown_plate
from sync.hq.programmes.tables import cursors, oddities, waiting
from sync.hq.schema import branches

ROWS_AT_ONCE = 500
"""Rows of one commit: a running headquarters answers stations in between."""
_VOUCHERS = voucher_pot("")
PREFIX = {TokenKind.CARD: CARD, TokenKind.PLATE: PLATE, TokenKind.PHONE: PHONE, TokenKind.QR: QR}
"""How the names of tokens begin."""


BEYOND_64_BITS = "a balance or a time would go beyond what 64 bits hold: look at the row, and at the discount"
BEYOND_SALES = f"a volume or an amount is below zero, or beyond all that is sold ({MOST}): it is not posted"
CANNOT = (OverflowError, RefTaken)
"""Why an event cannot be kept, though it is a good one. What was begun of it has to come to nothing."""
_WHAT_LETTERS = 200


def in_words(error: Exception) -> str:
    """What is the matter with an event that cannot be kept (`CANNOT`)."""
    return BEYOND_64_BITS if isinstance(error, OverflowError) else str(error)


def no_product(grade: str) -> str:
    """What is the matter with a row of a grade that [products] does not know."""
    return f"grade {grade[:64]} is no product: put it into [products] of hq.toml, then post the row again"


class Posting:
    """One programme's posting of stations' rows. `grades`: the programmes' products by the stations' grades."""

    def __init__(self, ledger: ProgrammeLedger, grades: Mapping[str, Product]) -> None:
        self._ledger = ledger
        self._grades = grades
        self._local = LocalTime(ledger.programme.zone)

    def step(self, db: sa.Connection, station: str, now_ms: int) -> bool:
        """Post some rows of a station that are not posted yet, within this transaction. Whether there were any."""
        for branch in db.execute(sa.select(branches).where(branches.c.station_id == station)).all():
            reached = self._reached(db, station, branch.branch)
            after = branch.fork_seq if reached is None else reached
            if after >= branch.head_seq:
                continue
            self._post(db, station, branch.branch, after, now_ms)
            self._reach(db, station, branch.branch, min(after + ROWS_AT_ONCE, branch.head_seq), new=reached is None)
            return True
        return False

    def post_waiting(self, db: sa.Connection, now_ms: int) -> int:
        """Post the rows whose token nobody knew, and somebody knows now. How many events they made."""
        programme = self._ledger.programme.name
        keeping = Keeping(db, programme)
        for name in keeping.names_without_key():
            key = self._ledger.key_of(name)
            if key is not None:
                keeping.give_key(name, key)
        known = sa.select(waiting.c.token_key).where(waiting.c.programme == programme).distinct()
        waited: list[tuple[str, RowName]] = []
        for token_key in [bytes(key) for key in db.execute(known).scalars()]:
            if not keeping.names_with(token_key):
                continue
            where = (waiting.c.programme == programme, waiting.c.token_key == token_key)
            found = db.execute(sa.select(waiting).where(*where)).all()
            db.execute(sa.delete(waiting).where(*where))
            for row in found:
                waited.append((row.station_id, RowName(bytes(row.epoch), row.seq)))
        try:
            with db.begin_nested():
                new = [each for station, name in waited for each in self.reader(db, station, now_ms).events_at(name)]
                unique = list({each.event.ref: each for each in new}.values())
                self._ledger.enter(db, unique, now_ms)
                return len(unique)
        except CANNOT:
            self._ledger.forget()
        return sum(self._post_alone(db, station, name, now_ms) for station, name in waited)

    def _post(self, db: sa.Connection, station: str, branch: int, after: int, now_ms: int) -> None:
        """Rows of a branch at once; where one of them cannot be kept, each alone, so that it holds up no other."""
        reader = self.reader(db, station, now_ms)
        found = reader.read(branch, after, after + ROWS_AT_ONCE)
        try:
            with db.begin_nested():
                new = [each for body, received_ms in found for each in reader.events_of(body, received_ms)]
                reader.look_at(self._ledger.enter(db, new, now_ms))
                return
        except CANNOT:
            self._ledger.forget()
        for body, _ in found:
            self._post_alone(db, station, body.name, now_ms)

    def _post_alone(self, db: sa.Connection, station: str, name: RowName, now_ms: int) -> int:
        """One row, which is put down for a person where it cannot be kept. How many events it made."""
        try:
            with db.begin_nested():
                return len(self.reader(db, station, now_ms).post_one(name))
        except CANNOT as error:
            self._ledger.forget()
            self.reader(db, station, now_ms).odd(name, in_words(error))
        return 0

    def reader(self, db: sa.Connection, station: str, now_ms: int) -> "_Reader":
        """For single rows of a station."""
        return _Reader(self, db, station, now_ms)

    def known(self, db: sa.Connection, refs: Iterable[str]) -> list[str]:
        """Those of these events that are posted."""
        return sorted(Keeping(db, self._ledger.programme.name).known(sorted(refs)))

    @property
    def ledger(self) -> ProgrammeLedger:
        return self._ledger

    @property
    def local(self) -> LocalTime:
        return self._local

    def product(self, grade: str) -> Product | None:
        return product_of(self._grades, grade)

    def _reached(self, db: sa.Connection, station: str, branch: int) -> int | None:
        query = sa.select(cursors.c.seq).where(*self._cursor(station, branch))
        return db.execute(query).scalar()

    def _reach(self, db: sa.Connection, station: str, branch: int, seq: int, *, new: bool) -> None:
        if new:
            values = {"programme": self._ledger.programme.name, "station_id": station, "branch": branch, "seq": seq}
            db.execute(sa.insert(cursors).values(**values))
        else:
            db.execute(sa.update(cursors).where(*self._cursor(station, branch)).values(seq=seq))

    def _cursor(self, station: str, branch: int) -> tuple[sa.ColumnElement[bool], ...]:
        mine = (cursors.c.programme == self._ledger.programme.name, cursors.c.station_id == station)
        return (*mine, cursors.c.branch == branch)


class _Reader:
    """Rows of one station as events of one programme, within one transaction."""

    def __init__(self, posting: Posting, db: sa.Connection, station: str, now_ms: int) -> None:
        self._posting = posting
        self._db = db
        self._station = station
        self._now_ms = now_ms
        self._programme = posting.ledger.programme.name
        self._keeping = Keeping(db, self._programme)
        self._rows = StationRows(db, station)
        self._names: dict[bytes, list[str]] = {}
        self._known: dict[str, bool] = {}
        self._made: set[str] = set()
        """Sales of this transaction."""
        self._said: dict[str, Body] = {}
        """By event, the rows that may be refused, or taken only because they are facts."""

    def read(self, branch: int, after: int, until: int) -> list[tuple[Body, int]]:
        """Rows of a branch, and at once what will be asked of them: one by one it takes ten times as long."""
        self._rows.load(after, until)
        self._names = self._keeping.names_of_keys(list(self._rows.token_keys()))
        refs = [ref_of(self._station, delivery) for delivery in self._rows.deliveries()]
        self._known = dict.fromkeys(refs, False) | dict.fromkeys(self._keeping.known(refs), True)
        return self._rows.of_branch(branch, after)

    def events_of(self, body: Body, received_ms: int) -> Iterator[NewEvent]:
        match body.record:
            case Settlement() as record:
                sold = self._sold(record.delivery)
                if sold is not None and sold.settlement.name == body.name:
                    yield from self._sale(body, sold)
            case Quoted(shown_after=True, programme=self._programme) as record:
                sold = self._sold(record.delivery)
                # Before the settlement there is no sale yet: the settlement's turn comes.
                if sold is not None and sold.settlement.name.seq < body.name.seq:
                    yield from self._shown(sold, [body])
            case Allotted() as record if record.pot.startswith(_VOUCHERS):
                Apart(self._db, self._programme).arrived(self._station, record.pot, record.allotment_id)
            case Redeemed(offline=True, programme=self._programme) as record:
                yield from self._redemption(body, record, received_ms)

    def row(self, name: RowName) -> Body | None:
        """A row of the station; None for one that never came."""
        found = self._rows.one(name)
        return None if found is None else found[0]

    def events_at(self, name: RowName) -> Sequence[NewEvent]:
        """The events of one row."""
        found = self._rows.one(name)
        return [] if found is None else list(self.events_of(*found))

    def post_one(self, name: RowName) -> tuple[str, ...]:
        """Post what a row makes now. The refs of the events that are new."""
        posted = self._posting.ledger.enter(self._db, self.events_at(name), self._now_ms)
        self.look_at(posted)
        return tuple(each.ref for each in posted if each.answer is not None)

    def look_at(self, entered: Iterable[Entered]) -> None:
        """Note what of these events a person should look at."""
        for each in entered:
            body, answer = self._said.get(each.ref), each.answer
            if body is None or answer is None or answer.reason is None:
                continue
            if answer.result == "declined":
                self._odd(body, f"refused: {answer.reason}")
            elif isinstance(body.record, Redeemed):
                self._odd(body, f"{body.record.points} points were given out and are booked, against: {answer.reason}")

    def _sale(self, body: Body, sold: Sold) -> Iterator[NewEvent]:
        token = sold.token(self._programme)
        name = "" if token is None else self._name(token)
        if token is not None and not name:
            self._wait(token.key, body)
        if name:
            yield from self._as_sale(sold, Splits(self._db, self._programme).name_at(name, sold.at_ms))
        yield from self._shown(sold, sold.shown_after(self._programme))

    def _shown(self, sold: Sold, shown: Iterable[Body]) -> Iterator[NewEvent]:
        for body in shown:
            record = body.record
            assert isinstance(record, Quoted)
            name = "" if record.token is None else self._name(record.token)
            if record.token is not None and not name:
                self._wait(record.token.key, body)
            elif name.startswith(CARD):
                yield from self._as_sale(sold, "")
                new = shown_of(sold, body, name.removeprefix(CARD), self._posting.local)
                self._said[new.event.ref] = body
                yield new
            else:
                self._odd(body, "what was shown after the sale is no card")

    def _as_sale(self, sold: Sold, name: str) -> Iterator[NewEvent]:
        if sold.ref in self._made or self._is_known(sold.ref):
            return
        record = sold.delivery.record
        assert isinstance(record, Delivery)
        product = self._posting.product(record.grade)
        if product is None:
            self._odd(sold.settlement, no_product(record.grade))
            return
        if sold.is_beyond:
            self._odd(sold.settlement, BEYOND_SALES)
            return
        if sold.delivery.stamp.wall_ms > sold.received_ms:
            self._odd(sold.settlement, "the station's clock is ahead: taken as of when headquarters heard of it")
        self._made.add(sold.ref)
        yield sale_of(sold, product, name, self._plate(sold) if name else "", self._posting.local)

    def _plate(self, sold: Sold) -> str:
        """The plate beside the token; empty for none, and where nothing is asked of one that nobody knows."""
        plate_key = sold.plate_key(self._programme)
        known = [name for name in self._names_with(plate_key) if name.startswith(PLATE)] if plate_key else []
        if known:
            return known[0].removeprefix(PLATE)
        rules = self._posting.ledger.programme.on(self._posting.local.day(sold.at_ms))
        return unknown_plate(plate_key) if plate_key and rules.plates is not None else ""

    def _redemption(self, body: Body, record: Redeemed, received_ms: int) -> Iterator[NewEvent]:
        history = self._posting.ledger.at(self._db, VOUCHER + record.voucher)
        delivery = self._rows.one(record.delivery)
        grade = delivery[0].record.grade if delivery and isinstance(delivery[0].record, Delivery) else ""
        product = self._posting.product(grade)
        voucher = None if history is None else history.engine.books.vouchers.get(record.voucher)
        if not 0 < record.points <= MOST:
            self._odd(body, BEYOND_SALES)
            return
        if delivery and product is None:
            self._odd(body, no_product(grade))
            return
        if voucher is None or product is None:
            self._odd(body, f"points of the voucher {mask_voucher(record.voucher)}, which is not known here")
            return
        holder = voucher.purse.name.removeprefix("available:").rpartition(":")[0]
        at_ms = min(body.stamp.wall_ms, received_ms)
        new = redemption_of(self._station, body, product, holder, at_ms, self._posting.local)
        self._said[new.event.ref] = body
        yield new

    def _sold(self, delivery: RowName) -> Sold | None:
        """A delivery with the settlement that counts; None for a test measure, and where there is none."""
        sale = self._rows.sale(delivery)
        if sale is None or sale.settled_seq is None or sale.receipt_number is None:
            return None
        first = self._rows.one(delivery)
        last = self._rows.one(RowName(bytes(sale.settled_epoch), sale.settled_seq))
        if first is None or last is None:
            return None
        between = of_delivery(self._rows.between(delivery.seq, last[0].name), delivery)
        return Sold(self._station, first[0], last[0], between, last[1], self._told_plate(first[0]))

    def _told_plate(self, delivery: Body) -> bytes:
        authorised = delivery.record.authorised if isinstance(delivery.record, Delivery) else None
        allowed = None if authorised is None else self._rows.one(authorised)
        record = None if allowed is None else allowed[0].record
        return record.evidence.plate_key if isinstance(record, Authorised) else b""

    def _name(self, token: TokenRef) -> str:
        """The token's name, of those that the programme knows; empty for none."""
        found = self._names_with(token.key)
        prefix = PREFIX.get(token.kind, "")
        return next((name for name in found if prefix and name.startswith(prefix)), "")

    def _names_with(self, token_key: bytes) -> list[str]:
        found = self._names.get(token_key)
        return self._keeping.names_with(token_key) if found is None else found

    def _is_known(self, ref: str) -> bool:
        known = self._known.get(ref)
        return bool(self._keeping.known([ref])) if known is None else known

    def _wait(self, token_key: bytes, body: Body) -> None:
        where = {
            "programme": self._programme,
            "token_key": token_key,
            "station_id": self._station,
            "seq": body.name.seq,
            "epoch": body.name.epoch,
        }
        query = sa.select(waiting.c.seq).where(*(waiting.c[name] == value for name, value in where.items()))
        if self._db.execute(query).first() is None:
            self._db.execute(sa.insert(waiting).values(**where))

    def _odd(self, body: Body, what: str) -> None:
        self.odd(body.name, what)

    def odd(self, name: RowName, what: str) -> None:
        """Put a row down for a person to look at, once."""
        where = {"programme": self._programme, "station_id": self._station, "seq": name.seq, "epoch": name.epoch}
        query = sa.select(oddities.c.seq).where(*(oddities.c[name] == value for name, value in where.items()))
        if self._db.execute(query).first() is None:
            self._db.execute(sa.insert(oddities).values(**where, what=what[:_WHAT_LETTERS], at_ms=self._now_ms))
