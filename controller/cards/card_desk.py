"""Cards at a running station: what readers say, brought to its fuelling point or the till that it belongs to.

A card that proves itself is held against what was seen of it before, its purse's open cases are closed first, and then
it is a token like any other. A reader that fails is a trouble of its own; plates, cash and the other readers go on.
Knows no protocol of a reader, and not who may fuel.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from card_io.errors import ReleaseForged
from card_io.facts import CardFacts
from card_io.reader import CardPresented, CardReader, CardRefused, CardRemoved, ReaderDown, ReaderUp
from card_io.release import verified_release
from controller.cards.purse_desk import PurseDesk
from controller.deciding.decisions import refuse
from controller.deciding.display import OPEN_STATES
from controller.deciding.entitled import CardsProven
from controller.deciding.pin_notes import PinNotes
from controller.domain.card_reasons import card_reason
from controller.domain.desk import CardCommand, CommandResult, ExpectCard, ExpectShown, ReleasePurse
from controller.domain.names import RowName, parse_row_name
from controller.domain.purse_records import PurseReleased
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.records import Declined, Evidence
from controller.domain.seams import US_PER_S
from controller.domain.tokens import Assurance, TokenRef, card_token
from controller.points.point import CardRejected, FuellingPoint, TokenShown
from controller.site import Site
from controller.store.writer import JournalUnwritable

EXPECTED_S = 60
"""How long a till waits for the card of a pump that it named."""
ShowCard = Callable[[ExpectShown, TokenRef, str], Awaitable[CommandResult]]
"""Takes a card that was shown for a delivery at a till."""
NO_POINT = 0
"""In the row of a card that was refused at a till, where nobody knows for which pump it was."""


class CardDesk:
    """All readers of a station. `purse`: None where no card purses are taken."""

    def __init__(
        self,
        site: Site,
        points: Mapping[int, FuellingPoint],
        *,
        list_secret: bytes,
        proven: CardsProven,
        purse: PurseDesk | None,
        notes: PinNotes,
        station_number: int,
        issuer_keys: tuple[bytes, ...],
    ) -> None:
        self._site = site
        self._points = points
        self._list_secret = list_secret
        self._proven = proven
        self._purse = purse
        self._notes = notes
        self._station_number = station_number
        self._issuer_keys = issuer_keys
        self._expected: dict[str, tuple[ExpectCard | ExpectShown, int]] = {}
        """By till. Of no use after a restart: whoever held the card has gone."""
        self.show: ShowCard | None = None

    async def listen_at_point(self, number: int, reader: CardReader) -> None:
        """What a fuelling point's reader says. Until cancelled."""
        await self._listen(f"reader of point {number}", reader, lambda: number)

    async def listen_at_till(self, till: str, reader: CardReader) -> None:
        """What a till's reader says. Until cancelled."""
        await self._listen(f"reader of till {till}", reader, lambda: self._point_for(till), till)

    async def command(self, command: CardCommand, till: str) -> CommandResult:
        """A till's word on cards."""
        if isinstance(command, ReleasePurse):
            reason = await self._release(command, till)
        else:
            if isinstance(command, ExpectCard) and command.point not in self._points:
                return refuse(command.command_id, Reason.POINT_UNKNOWN)
            reason = None
            self._expected[till] = (command, self._site.clock.now().mono_us + EXPECTED_S * US_PER_S)
        if reason is not None:
            return refuse(command.command_id, reason)
        return CommandResult(command.command_id, done=True)

    def sale_over(self, delivery: RowName, till: str = "") -> None:
        """No till waits any more for a card that is shown for this delivery; with `till`, that one does not."""
        self._forget(lambda waiting, shown_for: shown_for == delivery and till in {"", waiting})

    def sale_open(self, delivery: RowName, till: str) -> None:
        """This till has another sale now: it waits for no card of one before."""
        self._forget(lambda waiting, shown_for: shown_for != delivery and waiting == till)

    # ---- inside

    def _forget(self, over: Callable[[str, RowName], bool]) -> None:
        for till, (wanted, _) in list(self._expected.items()):
            if isinstance(wanted, ExpectShown) and over(till, parse_row_name(wanted.delivery_id)):
                del self._expected[till]

    async def _listen(self, where: str, reader: CardReader, point_of: Callable[[], int | None], till: str = "") -> None:
        async for event in reader.events():
            match event:
                case CardPresented(facts):
                    await self._presented(where, reader, facts, point_of, till)
                case CardRefused():
                    self._taken_off(reader)
                    self._site.trouble(where, event.text)
                    named = self._expected.get(till)
                    point = point_of()
                    if named is not None:
                        self._expected[till] = named  # it was not read: the attendant still means it, or the next
                    await self._reject(point, card_reason(event.error_kind), None)
                case CardRemoved() | ReaderUp():
                    self._taken_off(reader)
                    self._site.trouble(where, None)
                case ReaderDown():
                    self._taken_off(reader)
                    self._site.trouble(where, event.text)
        # It is read once and cannot be asked again. Pumps, plates, cash and the other readers go on without it.
        text = "The card reader's program has ended: take plates or cash, and restart the station"
        self._site.trouble(where, text)
        await asyncio.Event().wait()

    async def _presented(
        self, where: str, reader: CardReader, facts: CardFacts, point_of: Callable[[], int | None], till: str
    ) -> None:
        if facts.card_number is None:
            self._site.trouble(where, "This card proves nothing here: it has no fuel application")
            await self._reject(point_of(), Reason.CARD_FOREIGN, None)
            return
        self._site.trouble(where, None)
        token = card_token(self._list_secret, facts.card_number, Assurance(facts.assurance))
        if (reason := self._suspicion(token, facts)) is not None:
            self._site.trouble(where, CATALOGUE[reason].attendant)
            await self._reject(point_of(), reason, token)
            return
        self._proven.proved(token.key, facts)
        self._notes.put_on(token, reader, facts)
        if self._purse is not None:
            self._purse.put_on(token, reader, facts)
            settled = await self._purse.settle(token)
            if isinstance(settled, Reason):
                self._site.trouble(where, CATALOGUE[settled].attendant)
                await self._reject(point_of(), settled, token)
                return
            if settled is not None:
                self._site.trouble(where, "The rest of the last fill is on the card again: it can be taken away")
                return  # this showing was for that, and pays for nobody's fuel
            facts = self._purse.facts(token) or facts
            self._proven.proved(token.key, facts)
            self._notes.put_on(token, reader, facts)
        wanted = self._take_expected(till)
        if isinstance(wanted, ExpectShown):
            await self._show_for(wanted, token, till, where)
            return
        point = point_of() if wanted is None else wanted.point
        if point is None:
            self._site.trouble(where, "Name the pump of this card at the till first, then present it again")
            return
        self._points[point].post(TokenShown(token))

    def _suspicion(self, token: TokenRef, facts: CardFacts) -> Reason | None:
        """What a proven card says of itself that cannot be."""
        highest = self._site.books.purses.highest(token.key)
        if facts.purse is not None and facts.purse.counter is not None and facts.purse.counter < highest.counter:
            return Reason.CARD_ROLLED_BACK
        if facts.entitlement is None:
            return None
        if facts.entitlement.sequence < highest.sequence:
            return Reason.CARD_ROLLED_BACK
        return Reason.CARD_CURRENCY if facts.entitlement.currency != self._site.currency.code else None

    async def _reject(self, point: int | None, reason: Reason, token: TokenRef | None) -> None:
        if point is not None:
            self._points[point].post(CardRejected(reason, token))
            return
        try:
            await self._site.write(Declined(NO_POINT, 0, token, reason, Evidence(at_ms=self._site.wall_ms)))
        except JournalUnwritable:
            return  # the trouble stands on the screen already, and nothing was sold

    def _taken_off(self, reader: CardReader) -> None:
        self._notes.taken_off(reader)
        if self._purse is not None:
            self._purse.taken_off(reader)

    def _point_for(self, till: str) -> int | None:
        """The pump that the attendant has named, or the only one that waits for somebody to pay."""
        wanted = self._take_expected(till)
        if wanted is not None:
            return wanted.point if isinstance(wanted, ExpectCard) else None
        waiting = [number for number, point in self._points.items() if point.display.state in OPEN_STATES]
        return waiting[0] if len(waiting) == 1 else None

    def _take_expected(self, till: str) -> ExpectCard | ExpectShown | None:
        """What the attendant has said of the next card, if that was not too long ago."""
        wanted, until_us = self._expected.pop(till, (None, 0))
        return wanted if self._site.clock.now().mono_us <= until_us else None

    async def _show_for(self, wanted: ExpectShown, token: TokenRef, till: str, where: str) -> None:
        """For a sale, and for no pump: what cannot be stands on the screen until the card is taken away."""
        assert self.show is not None  # the station has put its tills here
        answer = await self.show(wanted, token, till)
        self._site.trouble(where, None if answer.done else answer.text)

    async def _release(self, command: ReleasePurse, till: str) -> Reason | None:
        try:
            release, signature = verified_release(command.release, self._station_number, self._issuer_keys)
        except ReleaseForged:
            return Reason.RELEASE_FORGED
        name = RowName(release.epoch, release.seq)
        case = self._site.books.purses.cases.get(name.text)
        if case is None or self._purse is None:
            return Reason.PURSE_NOT_OPEN
        async with self._purse.closing(case.token.key):
            case = self._site.books.purses.cases.get(name.text)  # its card may have got the rest meanwhile
            if case is None or case.fuelling:
                return Reason.PURSE_NOT_OPEN
            if release.amount > case.maximum:
                return Reason.RELEASE_FORGED
            try:
                await self._site.write(PurseReleased(name, release.amount, signature, till, command.command_id))
            except JournalUnwritable:
                return Reason.JOURNAL_FULL
        return None
