"""Members who share a phone or a plate: by what they are one account, and whose a phone is from a day on.

The engine gives a phone to the member who told it first. From a split on a sale by it is posted as one of the member
that was named; what was posted stays. A plate needs none of this: events of its own release it. Knows no wire.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import sqlalchemy as sa

from controller.domain.programmes.books import Books
from controller.domain.programmes.dates import FIRST_YEAR, LAST_YEAR, LocalTime
from controller.domain.programmes.events import Sale
from controller.domain.programmes.folding import fold_phone as phone_of
from controller.domain.programmes.members import Holder
from controller.domain.tokens import fold_phone, mask_phone
from sync.hq.programmes.deeds import check_signed
from sync.hq.programmes.keeping import Keeping
from sync.hq.programmes.ledger import NewEvent, ProgrammeLedger
from sync.hq.programmes.office_asks import SharedToken, SplitAnswer, SplitAsk, TogetherAnswer
from sync.hq.programmes.routing import HOLDER, PHONE
from sync.hq.programmes.statements import DeskError
from sync.hq.programmes.tables import phones_split


class Splits:
    """One programme's part of the table, within one transaction."""

    def __init__(self, db: sa.Connection, programme: str) -> None:
        self._db = db
        self._programme = programme

    def holder_of(self, name: str, at_ms: int) -> str:
        """Whose a token (`phone:...`) is at a time by a split; empty where none says it."""
        if not name.startswith(PHONE):
            return ""
        where = (self._mine, phones_split.c.phone == name.removeprefix(PHONE), phones_split.c.from_ms <= at_ms)
        query = sa.select(phones_split.c.holder).where(*where).order_by(phones_split.c.from_ms.desc()).limit(1)
        return self._db.execute(query).scalar() or ""

    def name_at(self, name: str, at_ms: int) -> str:
        """By what a token's sale at this time is to be posted: its holder after a split, else the token itself."""
        holder = self.holder_of(name, at_ms)
        return HOLDER + holder if holder else name

    def is_others(self, holder: Holder, at_ms: int) -> bool:
        """Whether this member's phone is another's now."""
        whose = self.holder_of(PHONE + holder.phone, at_ms) if holder.phone else ""
        return whose not in ("", holder.id)

    def now(self, at_ms: int) -> dict[str, str]:
        """All phones that are somebody's by a split, and whose."""
        where = (self._mine, phones_split.c.from_ms <= at_ms)
        rows = self._db.execute(sa.select(phones_split).where(*where).order_by(phones_split.c.from_ms))
        return {row.phone: row.holder for row in rows}

    def of(self, phone: str, from_ms: int) -> str:
        """Whom a split of exactly this time gave it to; empty for none."""
        where = (self._mine, phones_split.c.phone == phone, phones_split.c.from_ms == from_ms)
        return self._db.execute(sa.select(phones_split.c.holder).where(*where)).scalar() or ""

    def keep(self, phone: str, from_ms: int, holder: str, by: str, why: str, at_ms: int) -> None:
        new = {"phone": phone, "from_ms": from_ms, "holder": holder, "split_by": by, "why": why, "at_ms": at_ms}
        self._db.execute(sa.insert(phones_split).values(programme=self._programme, **new))

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return phones_split.c.programme == self._programme


def split(db: sa.Connection, ledger: ProgrammeLedger, ask: SplitAsk, now_ms: int) -> SplitAnswer:
    """From a day on a phone is another's; the same again changes nothing. DeskError."""
    by, why = check_signed(ask.by, ask.why, "splits it")
    try:
        phone = fold_phone(ask.phone)
    except ValueError as error:
        raise DeskError(
            f"{mask_phone(ask.phone)} is no phone (+, its country's code, digits). A plate is released by an event "
            "plate.sold or plate.change, and is another's by the purchase that binds it"
        ) from error
    try:
        day = date.fromisoformat(ask.since)
        if day.isoformat() != ask.since or not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValueError(ask.since)
    except ValueError as error:
        raise DeskError(f"--from: expected a day such as 2026-01-31, got {ask.since}") from error
    name, tokens = ledger.programme.name, ledger.programme.tokens
    if not {"phone", "member"} <= tokens:
        raise DeskError(f"{name} knows nobody by a phone: there is nothing to split")
    if not Keeping(db, name).accounts_of([PHONE + phone]):
        raise DeskError(f"{name} knows no phone {mask_phone(phone)}")
    history = ledger.at(db, HOLDER + ask.to)
    holder = None if history is None else history.engine.books.holder_of.get(ask.to)
    if holder is None or holder.kind not in ("person", "organisation"):
        raise DeskError(f"{name} knows no {ask.to}: enter it first")
    splits, from_ms = Splits(db, name), LocalTime(ledger.programme.zone).midnight(day.toordinal())
    before = splits.of(phone, from_ms)
    if before not in ("", ask.to):
        raise DeskError(f"{mask_phone(phone)} is {before}'s from {day} on already: take another day")
    if not before:
        splits.keep(phone, from_ms, ask.to, by, why, now_ms)
    return SplitAnswer(mask_phone(phone), ask.to, day.isoformat())


def check_split(db: sa.Connection, ledger: ProgrammeLedger, new: Sequence[NewEvent]) -> None:
    """DeskError for a new sale by a phone that is somebody's by a split: the engine would give it to the first."""
    splits, keeping = Splits(db, ledger.programme.name), Keeping(db, ledger.programme.name)
    for each in new:
        event = each.event
        if not isinstance(event, Sale) or not event.phone or keeping.known([event.ref]):
            continue
        phone = phone_of(event.phone)
        whose = splits.holder_of(PHONE + phone, each.at_ms)
        if whose:
            raise DeskError(
                f"{event.ref}: {mask_phone(phone)} is {whose}'s from a split on: name the member in the place of the "
                "phone. Nothing was entered"
            )


def together(books: Books, splits: Splits, now_ms: int) -> TogetherAnswer:
    """All holders of one account, and the phones and plates that more than one of them gave."""
    whose = splits.now(now_ms)
    shared = []
    for phone, holders in sorted(_phones(books).items()):
        owner = books.phones.get(phone)
        shared.append((f"phone {mask_phone(phone)}", holders, whose.get(phone) or ("" if owner is None else owner.id)))
    for plate, holders in sorted(_plates(books).items()):
        owner = books.plates.get(plate)
        shared.append((f"plate {plate}", holders, "" if owner is None else owner.id))
    return TogetherAnswer(
        tuple(holder.id for holder in books.holders),
        tuple(SharedToken(token, tuple(holders), owner) for token, holders, owner in shared if len(holders) > 1),
    )


def _phones(books: Books) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for holder in books.holders:
        if holder.phone:
            found.setdefault(holder.phone, []).append(holder.id)
    return found


def _plates(books: Books) -> dict[str, list[str]]:
    """Plates that were told of, or shown with, several holders."""
    found: dict[str, dict[str, None]] = {}
    for plate, holder in _plates_told(books):
        found.setdefault(plate, {})[holder.id] = None
    return {plate: sorted(holders) for plate, holders in found.items()}


def _plates_told(books: Books) -> Iterator[tuple[str, Holder]]:
    for holder in books.holders:
        plates = holder.plates
        if plates is not None:
            lists = [*plates.bound.values(), *plates.waiting.values(), plates.verified]
            yield from ((plate, holder) for some in lists for plate in some)
    for card in books.cards.values():
        yield from ((plate, card.holder) for plate in card.plates)
    sales = books.sales
    for number, index in enumerate(sales.holder):
        if index >= 0 and sales.plate_of(number):
            yield sales.plate_of(number), books.holders[index]
