"""What all fuelling points of one station share: its books, its journal, its lists, its prices.

The one place where a record is written and the books take it. Knows no pump, reader, printer or till.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from controller.domain.books import Books
from controller.domain.card_use import CardUse
from controller.domain.codes import Verify
from controller.domain.grants import GrantDesk
from controller.domain.headquarters import Headquarters
from controller.domain.ladder import Rules
from controller.domain.list_entries import Catalogue
from controller.domain.lists import LookUp
from controller.domain.names import RowName
from controller.domain.prices import current
from controller.domain.products import Grade
from controller.domain.purse_records import CardSeen
from controller.domain.purses import TakeFromPurse, no_purse
from controller.domain.quantities import Currency
from controller.domain.records import Authorised, Body, Record, kind_of
from controller.domain.seams import MS_PER_S, US_PER_MS, US_PER_S, Clock
from controller.domain.tokens import (
    Assurance,
    TokenRef,
    card_token,
    driver_key,
    phone_token,
    plate_token,
    voucher_token,
)
from controller.pincheck import PinChecker
from controller.store.writer import JournalUnwritable, JournalWriter

JOURNAL_RETRY_S = 2
MAX_UNPAID = 2
"""Deliveries that may wait at a pump: the one that is being paid and one behind it. Then the pump is blocked."""

log = logging.getLogger("forecourt.station")


NotePin = Callable[[TokenRef, int, RowName], Awaitable[None]]
"""Of token, wrong PINs in a row, and the row of the try."""


async def no_note(token: TokenRef, wrong: int, tried: RowName) -> None:
    """A station that writes on no card."""


class Lists(Protocol):
    """Where tokens are looked up."""

    @property
    def trouble(self) -> str:
        """Why the list cannot be used, in a sentence; empty while it can."""
        ...

    def look_up(self, key: bytes) -> LookUp: ...

    def catalogue(self) -> Catalogue | None:
        """What headquarters sends along with the tokens; None where there is no list that can be read."""
        ...


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that wants a person."""

    text: str
    since_ms: int


class Site:
    """Shared by the points and tills of one running station."""

    def __init__(
        self,
        *,
        station: str,
        currency: Currency,
        file_grades: Mapping[str, Grade],
        books: Books,
        writer: JournalWriter,
        lists: Lists,
        list_secret: bytes,
        clock: Clock,
        rules: Rules,
        pins: PinChecker,
    ) -> None:
        self.station = station
        self.currency = currency
        self.file_grades = file_grades
        """As station.toml has them: `grade` says what counts."""
        self.books = books
        self.lists = lists
        self.clock = clock
        self.rules = rules
        self.pins = pins
        self.trying = asyncio.Lock()
        """Held while a PIN is tried: two tries at once count as two."""
        self.contact_age_ms: Callable[[], int | None] = lambda: None
        """How long ago headquarters was last heard; None for a station without one."""
        self.card_seen: Callable[[bytes], CardSeen | None] = lambda key: None
        """By token key: how old a card is that was proven here lately."""
        self.card_use: Callable[[bytes, date], CardUse | None] = lambda key, today: None
        """By token key and business day: what such a card counts of its own use."""
        self.note_pin: NotePin = no_note
        """Tells a card how many wrong PINs in a row there were, if it can be told."""
        self.take_from_purse: TakeFromPurse = no_purse
        """How a card's purse pays, before its pump is let go."""
        self.verify_code: Verify = lambda signature, message: False
        """Whether headquarters has signed a code."""
        self.code_used_elsewhere: Callable[[bytes], bool] = lambda nonce: False
        """Whether headquarters has told that another station let somebody go by this code."""
        self.headquarters: Headquarters | None = None
        """The link, at a station that has one."""
        self.grants: GrantDesk | None = None
        """Who asks headquarters for money of prepaid accounts; None at a station without headquarters."""
        self._writer = writer
        self._list_secret = list_secret
        self._troubles: dict[str, Trouble] = {}
        self._authorising: dict[int, Authorised] = {}
        self._watchers: list[Callable[[], None]] = []
        self.version = 0

    @property
    def wall_ms(self) -> int:
        return self.clock.now().wall_ms

    @property
    def epoch(self) -> str:
        """Of the journal since this start, in hex: no other start has it, and none of a restored disk."""
        head = self._writer.head
        return head.epoch.hex() if head else ""

    @property
    def troubles(self) -> Mapping[str, Trouble]:
        return self._troubles

    def grade(self, code: str) -> Grade:
        """A grade of this station, at its price of now."""
        return current(self.file_grades[code], self.books.prices.get(code))

    @property
    def grades(self) -> tuple[Grade, ...]:
        """All grades, at their prices of now."""
        return tuple(self.grade(code) for code in self.file_grades)

    def on_change(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` whenever something that a till shows has changed."""
        self._watchers.append(watcher)

    def changed(self) -> None:
        self.version += 1
        for watcher in self._watchers:
            watcher()

    def trouble(self, where: str, text: str | None) -> None:
        """Say what is wrong at `where` and what to do, or with None that it is well again."""
        before = self._troubles.get(where)
        if text is None:
            if before is not None:
                del self._troubles[where]
                log.info("%s is well again", where)
                self.changed()
        elif before is None or before.text != text:
            self._troubles[where] = Trouble(text, self.wall_ms)
            log.warning("%s: %s", where, text)
            self.changed()

    def plate(self, text: str) -> TokenRef:
        """A typed plate as a token. ValueError if it cannot be one."""
        return plate_token(self._list_secret, text)

    def phone(self, number: str) -> TokenRef:
        """A typed phone number as a token, not proven. ValueError if it cannot be one."""
        return phone_token(self._list_secret, number)

    def voucher(self, text: str) -> TokenRef:
        """A voucher by its id. ValueError if it cannot be one."""
        return voucher_token(self._list_secret, text)

    def card(self, number: str) -> TokenRef:
        """A typed card number as a token. ValueError if it cannot be one."""
        return card_token(self._list_secret, number, Assurance.IDENTIFIED)

    def driver(self, code: str) -> bytes:
        """A driver's code as list rows have it. ValueError if it cannot be one."""
        return driver_key(self._list_secret, code)

    async def write(self, *records: Record) -> tuple[Body, ...]:
        """Put records on disk, then into the books. JournalUnwritable if the disk refuses: then neither happened."""
        try:
            bodies = await self._writer.append(*records)
        except JournalUnwritable as error:
            self.trouble("journal", str(error))
            raise
        self.trouble("journal", None)
        for body in bodies:
            self.books.apply(body)
            log.info("%s %s", body.name.text, kind_of(body.record))
        self.changed()
        return bodies

    async def write_surely(self, *records: Record) -> tuple[Body, ...]:
        """As `write`, but what has happened at a pump cannot be refused: try until the disk takes it."""
        while True:
            try:
                return await self.write(*records)
            except JournalUnwritable:
                await self.sleep_s(JOURNAL_RETRY_S)

    @contextlib.contextmanager
    def on_its_way(self, record: Authorised) -> Iterator[None]:
        """What this allows counts from now on, not only once it is on disk: until it is, or is given up."""
        self._authorising[record.point] = record
        try:
            yield
        finally:
            del self._authorising[record.point]

    def allowed_elsewhere(self, point: int) -> list[Authorised]:
        """What may be taken at other points than this one at this moment: as good as used."""
        allowed = {number: record for number, (_, record) in self.books.open.items()} | self._authorising
        return [record for number, record in allowed.items() if number != point]

    def being_reserved_minor(self, pot: str) -> int:
        """What is on its way to be reserved of a pot, and not on disk yet."""
        on_the_way = (record.reserved for record in self._authorising.values())
        return sum(reserved.amount_minor for reserved in on_the_way if reserved is not None and reserved.pot == pot)

    @property
    def elapsed_ms(self) -> int:
        """The time that has passed along the journal, until now."""
        return self.books.usage.elapsed.at(self.clock.now().mono_us // US_PER_MS)

    @property
    def can_write(self) -> bool:
        """False while the journal is known to refuse: nothing new may be authorised."""
        return "journal" not in self._troubles

    async def sleep_s(self, seconds: int) -> None:
        await self.clock.sleep_until(self.clock.now().mono_us + seconds * US_PER_S)

    def day_of(self, wall_ms: int) -> int:
        return self.books.business_day.of(wall_ms)


def age_s(since_ms: int, now_ms: int) -> int:
    """Whole seconds between two wall readings, never below zero."""
    return max(now_ms - since_ms, 0) // MS_PER_S
