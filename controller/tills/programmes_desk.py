"""Fuel programmes at the station's desk: quotes of sales, tokens that are shown at a till, questions of points.

A quote goes to disk in the commit of its settlement. Whoever calls holds the tills' lock where something is written.
Knows no HTTP, no printer, and not how points pay (`controller.tills.redeeming`).
"""

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec

from controller.deciding.decisions import refuse
from controller.domain.books import Sale, Unpaid
from controller.domain.days import local_time
from controller.domain.desk import AskPoints, CommandResult, ExpectShown, PresentAfter, SendCode, Shown
from controller.domain.headquarters import Headquarters
from controller.domain.lists import ListState
from controller.domain.memberships import Membership, PurseState
from controller.domain.programme_reasons import attendant_text
from controller.domain.programme_records import Presented, Quoted, RulesTaken
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.programme import Programme
from controller.domain.programmes.reasons import Reason as ProgrammeReason
from controller.domain.programmes.rules import Product
from controller.domain.questions import CodeAnswer, CodeAsk, Heard, Outcome, PointsAnswer, PointsAsk
from controller.domain.quoted import Buyer, Sold, balance_of, programme_for, quoted, token_reason
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.records import Record, RowName, Tender
from controller.domain.tokens import Assurance, TokenKind, TokenRef, token_key
from controller.programme_files import ProgrammeText
from controller.site import Site
from controller.store.writer import JournalUnwritable

HIDDEN = "***"


class ProgrammesDesk:
    """The programmes of one station."""

    def __init__(
        self,
        site: Site,
        used: Sequence[ProgrammeText],
        products: Mapping[str, Product],
        *,
        list_secret: bytes,
        headquarters: Headquarters | None,
        on_quoted: Callable[[Sale], str],
    ) -> None:
        """`products`: by grade. `on_quoted` hears of a sale that was quoted after it was paid, and gives its slip."""
        self._site = site
        self._used = {text.programme.name: text for text in used}
        self._products = products
        self._list_secret = list_secret
        self._headquarters = headquarters
        self._on_quoted = on_quoted

    async def start(self) -> None:
        """Put rules that this journal has not seen into it: quotes can be made again from it alone."""
        known = self._site.books.members.rules
        new = [
            RulesTaken(name, text.version, text.text) for name, text in self._used.items() if text.version not in known
        ]
        if new:
            await self._site.write(*new)

    async def go_by(self, text: ProgrammeText) -> None:
        """Quote by these rules of a programme that is used here: in the journal first. JournalUnwritable."""
        name = text.programme.name
        taken = self._site.books.members.taken.get(name)
        if taken is None or taken.version != text.version:
            await self._site.write(RulesTaken(name, text.version, text.text))
        self._used[name] = text

    def version(self, name: str) -> str:
        """Of the rules by which a programme that is used here quotes."""
        return self._used[name].version

    @property
    def connected(self) -> bool:
        """Headquarters is heard."""
        return self._headquarters is not None and self._headquarters.state.connected

    def programme(self, name: str) -> Programme | None:
        """A programme of this station."""
        text = self._used.get(name)
        return None if text is None else text.programme

    @property
    def programmes(self) -> list[Programme]:
        """All that are used here, in the order of station.toml."""
        return [text.programme for text in self._used.values()]

    @property
    def point_worth_minor(self) -> int:
        """What a point pays, where all programmes of this station that have points say the same; else 0."""
        worth = {each.file.programme.point_worth_minor for each in self.programmes if each.purse_names}
        return next(iter(worth or {1})) if len(worth) <= 1 else 0

    def product(self, grade: str) -> Product | None:
        """The programmes' word for a grade."""
        return self._products.get(grade)

    def buyer(self, token: TokenRef, vehicle: bytes = b"") -> Buyer:
        """Who shows this, by the list."""
        lists = self._site.lists
        vehicle_row = lists.look_up(vehicle).row if vehicle else None
        return Buyer(token, lists.look_up(token.key).row, vehicle, vehicle_row)

    def token_for(self, unpaid: Unpaid) -> tuple[TokenRef | None, bytes]:
        """The token that a delivery will be quoted for, and its vehicle's plate."""
        members = self._site.books.members
        shown = members.presented.get(unpaid.name.text)
        if shown is not None:
            return shown.token, shown.plate_key
        return unpaid.delivery.token, members.plates.get(unpaid.name.text, b"")

    def quotes(
        self, unpaid: Unpaid, tenders: tuple[Tender, ...], left: Mapping[bytes, tuple[PurseState, ...]] | None = None
    ) -> tuple[Record, ...]:
        """The rows that go before the settlement, in its commit. `left`: by token, what headquarters says is left."""
        token, vehicle = self.token_for(unpaid)
        if token is None:
            return ()
        buyer = self.buyer(token, vehicle)
        if left and (purses := left.get(token.key)) and buyer.row is not None and buyer.row.member is not None:
            member = msgspec.structs.replace(buyer.row.member, purses=purses, as_of_ms=self._site.wall_ms)
            row = msgspec.structs.replace(buyer.row, member=member)
            buyer = Buyer(token, row, vehicle, buyer.vehicle_row)
        found = self._quote(buyer, unpaid.name, unpaid, tenders)
        return () if found is None else (found,)

    async def present(self, command: PresentAfter, shown_for: Unpaid | Sale, till: str) -> CommandResult:
        """A token is shown for a delivery that waits, or was paid: one of the two."""
        token, vehicle = self.token_of(command.shown), self._vehicle(command.shown)
        if isinstance(token, CommandResult):
            return msgspec.structs.replace(token, command_id=command.command_id)
        return await self.present_token(command.command_id, token, vehicle, shown_for, till)

    async def present_token(
        self, command_id: str, token: TokenRef, vehicle: bytes, shown_for: Unpaid | Sale, till: str
    ) -> CommandResult:
        """The same of a token that is known, as a card at a till's reader is. `vehicle`: of the plate beside it."""
        buyer = self.buyer(token, vehicle)
        reason = token_reason(buyer)
        if buyer.member is not None and self.programme(buyer.member.programme) is None:
            reason = ProgrammeReason.CARD_UNKNOWN
        if reason is None and buyer.member is None:
            reason = ProgrammeReason.CARD_UNKNOWN
        if reason is not None:
            return refused(command_id, reason)
        try:
            if isinstance(shown_for, Unpaid):
                answer = await self._present_waiting(command_id, shown_for, buyer, till)
            else:
                answer = await self._present_paid(command_id, shown_for, buyer, till)
        except JournalUnwritable:
            return refuse(command_id, Reason.JOURNAL_FULL)
        return self._with_worth(answer, token)

    def answer_of_before(self, command: PresentAfter | ExpectShown, name: RowName) -> CommandResult | None:
        """The answer to a command that made this row, if it said the same."""
        members = self._site.books.members
        delivery = members.commands.get(name.text)
        if isinstance(command, ExpectShown):
            same = delivery is not None and delivery.text == command.delivery_id
            return CommandResult(command.command_id, done=True) if same else None
        token = self.token_of(command.shown)
        if delivery is None or delivery.text != command.delivery_id or isinstance(token, CommandResult):
            return None
        quote = members.quoted.get(delivery.text)
        shown = quote.token if quote is not None else None
        waiting = members.presented.get(delivery.text)
        shown = waiting.token if waiting is not None else shown
        if shown is None or shown.key != token.key:
            return None
        return CommandResult(command.command_id, done=True)

    async def points(self, command: AskPoints, question: str) -> CommandResult:
        """A holder's points: by headquarters, or by the list where it is not heard. `question`: its name there."""
        token = self.token_of(command.shown)
        if isinstance(token, CommandResult):
            return msgspec.structs.replace(token, command_id=command.command_id)
        outcome = await self.ask_points(token, question)
        if isinstance(outcome.answer, PointsAnswer):
            text = self._points_text(token, outcome.answer.purses, outcome.answer.as_of_ms)
            answer = CommandResult(command.command_id, done=True, text=text)
            return self._with_worth(answer, token, outcome.answer.programme)
        if outcome.heard is Heard.REFUSED and outcome.reason:
            return refused(command.command_id, outcome.reason, outcome.text)
        buyer = self.buyer(token)
        member = buyer.member
        if member is None:
            return refused(command.command_id, token_reason(buyer) or ProgrammeReason.CARD_UNKNOWN)
        text = self._points_text(token, self._purses_here(member), member.as_of_ms)
        text = f"{text} (by the list: headquarters does not answer)"
        return self._with_worth(CommandResult(command.command_id, done=True, text=text), token)

    async def ask_points(self, token: TokenRef, question: str) -> Outcome:
        """Headquarters' word on a token's points."""
        if self._headquarters is None or not self.connected:
            return Outcome(Heard.UNKNOWN)
        return await self._headquarters.ask(PointsAsk(token.kind, token.key), question)

    async def send_code(self, command: SendCode, question: str) -> CommandResult:
        """Have a one-time password sent."""
        token = self.token_of(command.shown)
        if isinstance(token, CommandResult):
            return msgspec.structs.replace(token, command_id=command.command_id)
        if self._headquarters is None or not self.connected:
            return refused(command.command_id, ProgrammeReason.NEEDS_HEADQUARTERS)
        outcome = await self._headquarters.ask(CodeAsk(token.kind, token.key), question)
        if isinstance(outcome.answer, CodeAnswer):
            text = f"A code was sent to {outcome.answer.sent_to}: type what the customer tells"
            return CommandResult(command.command_id, done=True, text=text)
        if outcome.heard is Heard.REFUSED:
            return refused(command.command_id, outcome.reason or Reason.HEADQUARTERS_REFUSED, outcome.text)
        return refuse(command.command_id, Reason.HEADQUARTERS_SILENT)

    def token_of(self, shown: Shown) -> TokenRef | CommandResult:
        """What was typed or scanned, as a token; a refusal without a command id if it cannot be one.

        A plate beside another token is the vehicle's. A QR code is a card's number, or a member's own text.
        """
        site = self._site
        try:
            if shown.card:
                return site.card(shown.card)
            if qr := shown.qr.strip():
                with contextlib.suppress(ValueError):
                    return site.card(qr)
                key = token_key(self._list_secret, TokenKind.QR, qr)
                return TokenRef(TokenKind.QR, key, HIDDEN, Assurance.IDENTIFIED)
            if shown.phone:
                return site.phone(shown.phone)
            if shown.voucher:
                return site.voucher(shown.voucher)
            if shown.plate:
                return site.plate(shown.plate)
        except ValueError as error:
            reason = ProgrammeReason.VOUCHER_UNKNOWN if shown.voucher else ProgrammeReason.CARD_UNKNOWN
            return CommandResult("", done=False, reason=reason, text=str(error))
        text = "Type a card's number, a phone, a plate, or scan a code"
        return CommandResult("", done=False, reason=ProgrammeReason.CARD_UNKNOWN, text=text)

    # ---- inside

    def _with_worth(self, answer: CommandResult, token: TokenRef, programme: str = "") -> CommandResult:
        """With what a point of this token's programme pays, where that is known here."""
        member = self.buyer(token).member
        found = self.programme(programme or (member.programme if member is not None else ""))
        worth_minor = 0 if found is None else found.file.programme.point_worth_minor
        return msgspec.structs.replace(answer, point_worth_minor=worth_minor) if answer.done else answer

    def _vehicle(self, shown: Shown) -> bytes:
        """The plate that was told beside another token."""
        if not shown.plate or not (shown.card or shown.qr or shown.phone or shown.voucher):
            return b""
        try:
            return self._site.plate(shown.plate).key
        except ValueError:
            return b""

    async def _present_waiting(self, command_id: str, unpaid: Unpaid, buyer: Buyer, till: str) -> CommandResult:
        own = unpaid.delivery.token
        named = own is not None and self.buyer(own).member is not None
        if named or unpaid.name.text in self._site.books.members.presented:
            return refused(command_id, ProgrammeReason.ALREADY_PRESENTED)
        row = Presented(unpaid.name, buyer.token, till, command_id, buyer.vehicle)
        await self._site.write(row)
        return CommandResult(command_id, done=True)

    async def _present_paid(self, command_id: str, sale: Sale, buyer: Buyer, till: str) -> CommandResult:
        assert buyer.member is not None  # `present` has looked
        text = self._used[buyer.member.programme]
        time = LocalTime(text.programme.zone)
        day = time.day(sale.ended_ms)
        before = self._site.books.members.quoted.get(sale.name.text)
        reason = None
        if text.programme.on(day).present_after is None:
            reason = ProgrammeReason.NOT_OFFERED
        elif before is not None and before.holder:
            reason = ProgrammeReason.ALREADY_PRESENTED
        elif day != time.day(self._site.wall_ms):
            reason = ProgrammeReason.PRESENT_TOO_LATE
        if reason is not None:
            return refused(command_id, reason)
        row = self._quote(buyer, sale.name, Unpaid(sale.name, sale.delivery, sale.ended_ms), sale.settlement.tenders)
        if row is None:
            return refused(command_id, ProgrammeReason.PRODUCT_NOT_ALLOWED)
        row = msgspec.structs.replace(row, shown_after=True, till=till, command_id=command_id)
        await self._site.write(row)
        return CommandResult(command_id, done=True, receipt=self._on_quoted(sale))

    def _quote(self, buyer: Buyer, name: RowName, unpaid: Unpaid, tenders: tuple[Tender, ...]) -> Quoted | None:
        product = self._products.get(unpaid.delivery.grade)
        if product is None:
            return None
        member = buyer.member
        if member is not None:
            text = self._used.get(member.programme)
        elif buyer.row is not None or self._site.lists.look_up(buyer.token.key).state is not ListState.READY:
            return None  # a customer of another kind; or the list can say nothing of anybody
        else:
            taken = programme_for(self.programmes, buyer.token)
            text = None if taken is None else self._used[taken.name]
        if text is None:
            return None
        sold = Sold(name, unpaid.delivery, unpaid.ended_ms, tenders, product, offline=not self.connected)
        return quoted(text.programme, text.version, buyer, sold, self._site.books.members)

    def _purses_here(self, member: Membership) -> tuple[PurseState, ...]:
        """The list's purses, with what was given and taken here since."""
        members, now_ms = self._site.books.members, self._site.wall_ms
        found = []
        for state in member.purses:
            points = balance_of(member, state.purse, members, now_ms)
            since = 0 if points is None else points - state.points
            found.append(PurseState(state.purse, state.points + since, max(state.available + min(since, 0), 0)))
        return tuple(found)

    def _points_text(self, token: TokenRef, purses: tuple[PurseState, ...], as_of_ms: int) -> str:
        parts = [f"{state.purse} {state.points} points, {state.available} to spend" for state in purses]
        at = local_time(as_of_ms, self._site.books.business_day.zone)
        return f"{token.shown}: {'; '.join(parts) or 'no points'}, as of {at:%Y-%m-%d %H:%M}"


def refused(command_id: str, reason: str, text: str = "") -> CommandResult:
    """A programme's refusal, in the attendant's words; `text`: headquarters' own, where nobody here knows the code."""
    known = attendant_text(reason)
    if known == reason:
        known = text or next((words.attendant for code, words in CATALOGUE.items() if code == reason), reason)
    return CommandResult(command_id, done=False, reason=reason, text=known)


def question_id(till: str, command_id: str, what: str = "") -> str:
    """A name for a question: command ids are each till's own, and headquarters' are not."""
    return hashlib.sha256(f"{what}{till}/{command_id}".encode()).hexdigest()
