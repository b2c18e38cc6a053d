"""Points that pay for a delivery: asked of headquarters, or taken from a voucher that was set apart at this station.

The order: `redeem_intended` on disk; the question under its request id; then `redeemed` in the commit of the
settlement. What was not heard of, or came to nothing, is voided until headquarters has heard that, also after a
restart, since the books know it. Knows no till's lease and no receipt.
"""

import asyncio
import logging
from dataclasses import dataclass

import msgspec

from controller.deciding.decisions import refuse
from controller.domain.books import Unpaid
from controller.domain.desk import CommandResult, PayDelivery, Shown
from controller.domain.headquarters import Headquarters, LinkState
from controller.domain.lists import ListRow, Status
from controller.domain.member_books import voucher_pot
from controller.domain.memberships import PurseState
from controller.domain.pin_records import PinLocked, PinTried
from controller.domain.pins import parse_verifier
from controller.domain.programme_records import Redeemed, RedeemIntended, RedeemVoided
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.offline import offline_limit
from controller.domain.programmes.programme import Programme, RuleSet
from controller.domain.programmes.quoting import not_running
from controller.domain.programmes.reasons import Reason as ProgrammeReason
from controller.domain.questions import Heard, Outcome, RedeemAnswer, RedeemAsk, VoidAnswer, VoidAsk
from controller.domain.reasons import Reason
from controller.domain.records import Record, TenderKind
from controller.domain.tokens import TokenKind, TokenRef, fold_voucher
from controller.paying import voucher_of
from controller.site import Site
from controller.store.writer import JournalUnwritable
from controller.tills.programmes_desk import ProgrammesDesk, question_id, refused

VOID_AGAIN_S = 30
"""After a void that nobody answered, or that headquarters would not take."""
ASKED, VOID = "redeem/", "void/"
NOT_TAKEN = "They were asked for and not used: headquarters does not take them back yet"

log = logging.getLogger("forecourt.station")


@dataclass(frozen=True, slots=True)
class Taken:
    """Points that were taken and are not booked yet. `left`: by token, what headquarters says is left."""

    row: Redeemed
    left: dict[bytes, tuple[PurseState, ...]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a till wants taken, as far as it is known here."""

    command: PayDelivery
    unpaid: Unpaid
    token: TokenRef
    voucher: str
    programme: Programme
    product: str
    row: ListRow | None
    worth_minor: int


class Redeeming:
    """The points of one station. `run()` it beside the link."""

    def __init__(self, site: Site, desk: ProgrammesDesk, headquarters: Headquarters | None) -> None:
        self._site = site
        self._desk = desk
        self._headquarters = headquarters
        self._undecided: set[str] = set()
        """Asked by this run of the program, and not over: not to be voided yet."""
        self._held: dict[str, int] = {}
        """By pot: what is being taken and is not on disk yet."""
        self._stir = asyncio.Event()
        site.on_change(self._stir.set)
        if headquarters is not None:
            headquarters.on_state(self._link_changed)

    async def take(self, command: PayDelivery, unpaid: Unpaid, till: str) -> Taken | CommandResult:
        """Take the points that a payment names; the refusal if they cannot be. `over` ends what this began."""
        wanted = self._wanted(command, unpaid)
        if isinstance(wanted, CommandResult):
            return wanted
        try:
            if self._desk.connected:
                return await self._ask(wanted, till)
            return await self._take_here(wanted, till)
        except JournalUnwritable:
            return refuse(command.command_id, Reason.JOURNAL_FULL)

    def over(self, taken: Taken) -> None:
        """It was booked, or could not be: then headquarters is told that it came to nothing."""
        row = taken.row
        if row.pot:
            self._held[row.pot] = self._held.get(row.pot, 0) - row.points
        self._undecided.discard(row.request_id)
        self._stir.set()

    def answer_of_before(self, command: PayDelivery, till: str) -> CommandResult | None:
        """The answer to a payment that asked for points and settled nothing; None for one that never was."""
        members, request_id = self._site.books.members, question_id(till, command.command_id, ASKED)
        voided = members.voided.get(request_id)
        if voided is not None and voided.reason:
            return refused(command.command_id, voided.reason)
        if (locked := members.wrong_pins.get(request_id)) is not None:
            return refused(command.command_id, ProgrammeReason.PIN_LOCKED if locked else ProgrammeReason.PIN_WRONG)
        if voided is not None or (request_id in members.intended and request_id not in self._undecided):
            return refuse(command.command_id, Reason.POINTS_NOT_HEARD)
        return None

    async def run(self) -> None:
        """Void what came to nothing. Until cancelled."""
        while True:
            self._stir.clear()
            if self._desk.connected and not await self._void_all():
                await self._site.sleep_s(VOID_AGAIN_S)
                continue
            await self._stir.wait()

    # ---- inside

    def _wanted(self, command: PayDelivery, unpaid: Unpaid) -> _Wanted | CommandResult:
        typed = voucher_of(command)
        # A voucher is its own token: its PIN and its state count, whatever is shown beside it.
        shown = Shown(voucher=typed) if typed else command.shown
        token = self._desk.token_for(unpaid)[0] if shown is None else self._desk.token_of(shown)
        if isinstance(token, CommandResult):
            return msgspec.structs.replace(token, command_id=command.command_id)
        if token is None or command.points <= 0:
            return refuse(command.command_id, Reason.POINTS_INVALID)
        try:
            voucher = fold_voucher(typed) if typed else ""
        except ValueError:
            return refused(command.command_id, ProgrammeReason.VOUCHER_UNKNOWN)
        if token.kind is TokenKind.VOUCHER and not voucher:
            # It was shown before, and its id is in no book: what it pays could not be held against what is apart here.
            return refused(command.command_id, ProgrammeReason.VOUCHER_UNKNOWN)
        row = self._desk.buyer(token).row
        programme = self._programme(row, token, voucher)
        if programme is None:
            reason = ProgrammeReason.VOUCHER_UNKNOWN if voucher else ProgrammeReason.CARD_UNKNOWN
            return refused(command.command_id, reason)
        product = self._desk.product(unpaid.delivery.grade)
        if product is None:
            return refused(command.command_id, ProgrammeReason.PRODUCT_NOT_ALLOWED)
        worth_minor = command.points * programme.file.programme.point_worth_minor
        rest_minor = unpaid.delivery.amount_minor - worth_minor
        if rest_minor < 0:
            return refuse(command.command_id, Reason.POINTS_INVALID)
        if command.given_minor < rest_minor:
            return refuse(command.command_id, Reason.TENDER_TOO_SMALL)
        if command.given_minor > rest_minor and command.tender is not TenderKind.CASH:
            return refuse(command.command_id, Reason.TENDER_TOO_LARGE)
        if command.tender is TenderKind.POINTS and rest_minor:
            return refuse(command.command_id, Reason.POINTS_INVALID)
        return _Wanted(command, unpaid, token, voucher, programme, product, row, worth_minor)

    def _programme(self, row: ListRow | None, token: TokenRef, voucher: str) -> Programme | None:
        """Whose points they are: by the list, else the first programme that could have such ones."""
        if row is not None and row.member is not None:
            return self._desk.programme(row.member.programme)
        for programme in self._desk.programmes:
            if voucher and programme.file.voucher:
                return programme
            if not voucher and str(token.kind) in programme.tokens and programme.file.purse:
                return programme
        return None

    async def _ask(self, wanted: _Wanted, till: str) -> Taken | CommandResult:
        command, unpaid = wanted.command, wanted.unpaid
        request_id = question_id(till, command.command_id, ASKED)
        intended = RedeemIntended(unpaid.name, request_id, wanted.token, command.points, wanted.voucher)
        self._undecided.add(request_id)
        try:
            await self._site.write(intended)
            outcome = await self._question(wanted, request_id)
            answer = outcome.answer
            if isinstance(answer, RedeemAnswer) and (answer.points, answer.worth_minor) == (
                command.points,
                wanted.worth_minor,
            ):
                row = self._row(wanted, request_id, programme=answer.programme)
                return Taken(row, {wanted.token.key: answer.purses})
            if outcome.heard is Heard.REFUSED and outcome.reason:
                await self._site.write(RedeemVoided(request_id, 0, outcome.reason))
                self._undecided.discard(request_id)
                return refused(command.command_id, outcome.reason, outcome.text)
        except BaseException:
            self._undecided.discard(request_id)
            self._stir.set()
            raise
        # Not heard, or of another worth than was reckoned with: it is given back, whatever became of it.
        self._undecided.discard(request_id)
        self._stir.set()
        log.info("redemption %s: %s %s", request_id, outcome.heard, outcome.text)
        return refuse(command.command_id, Reason.POINTS_NOT_HEARD)

    async def _question(self, wanted: _Wanted, request_id: str) -> Outcome:
        command = wanted.command
        assert self._headquarters is not None  # it is connected
        return await self._headquarters.ask(
            RedeemAsk(
                token_kind=wanted.token.kind,
                token_key=wanted.token.key,
                product=wanted.product,
                points=command.points,
                delivery=wanted.unpaid.name.text,
                at_ms=self._site.wall_ms,
                code=command.code,
                pin=command.pin,
                voucher=wanted.voucher,
            ),
            request_id,
        )

    def _row(self, wanted: _Wanted, request_id: str, *, programme: str, pot: str = "") -> Redeemed:
        member = wanted.row.member if wanted.row is not None else None
        day = LocalTime(wanted.programme.zone).day(self._site.wall_ms)
        return Redeemed(
            delivery=wanted.unpaid.name,
            request_id=request_id,
            programme=programme,
            token=wanted.token,
            points=wanted.command.points,
            worth_minor=wanted.worth_minor,
            voucher=wanted.voucher,
            offline=bool(pot),
            holder=member.holder if member is not None else "",
            purse=wanted.programme.on(day).purse_of.get(wanted.product, ""),
            pot=pot,
        )

    async def _take_here(self, wanted: _Wanted, till: str) -> Taken | CommandResult:
        """Without headquarters: only a voucher that was allotted to this station, with its PIN."""
        command, row = wanted.command, wanted.row
        pot = voucher_pot(wanted.voucher)
        rules = wanted.programme.on(LocalTime(wanted.programme.zone).day(self._site.wall_ms))
        request_id = question_id(till, command.command_id, ASKED)
        reason = self._why_not_here(wanted, rules, pot) or await self._pin(wanted, rules, request_id)
        if reason is None and command.points > self._left(rules, pot):
            reason = ProgrammeReason.INSUFFICIENT_POINTS
        if reason is not None:
            return refused(command.command_id, reason)
        assert row is not None  # `_why_not_here` has looked
        self._held[pot] = self._held.get(pot, 0) + command.points
        return Taken(self._row(wanted, request_id, programme=wanted.programme.name, pot=pot), {})

    def _why_not_here(self, wanted: _Wanted, rules: RuleSet, pot: str) -> ProgrammeReason | None:
        row, now_ms = wanted.row, self._site.wall_ms
        if not wanted.voucher:
            return ProgrammeReason.NEEDS_HEADQUARTERS
        allotted = self._site.books.usage.allotments.pots.get(pot)
        if row is None and allotted is not None:
            return ProgrammeReason.VOUCHER_UNKNOWN
        if row is not None and row.status is Status.STOPPED:
            return ProgrammeReason.VOUCHER_UNKNOWN
        if row is not None and row.valid_until_ms and now_ms >= row.valid_until_ms:
            return ProgrammeReason.VOUCHER_EXPIRED
        if wanted.product not in rules.purse_of:
            return ProgrammeReason.PRODUCT_NOT_ALLOWED
        if (reason := not_running(rules, spending=True)) is not None:
            return reason
        apart = rules.voucher is not None and rules.voucher.allotted_to_stations
        if not apart or allotted is None or row is None or not row.pin:
            return ProgrammeReason.NEEDS_HEADQUARTERS
        return None

    def _left(self, rules: RuleSet, pot: str) -> int:
        books = self._site.books
        spent = books.members.spent.get(pot, 0) + self._held.get(pot, 0)
        allotted = books.usage.allotments.pots[pot].allotted_minor
        return offline_limit(rules.offline, allotted, spent, self._site.contact_age_ms() or 0)

    async def _pin(self, wanted: _Wanted, rules: RuleSet, request_id: str) -> ProgrammeReason | None:
        """What comes of the driver's PIN. What is to be counted is on disk before anybody is told."""
        row, token, typed = wanted.row, wanted.token, wanted.command.pin
        assert row is not None  # `_why_not_here` has looked
        assert rules.voucher is not None  # and here
        async with self._site.trying:
            before = self._site.books.usage.pins.wrong(token.key, row.pin_version)
            if before >= rules.voucher.wrong_pins:
                return ProgrammeReason.PIN_LOCKED
            if not typed:
                return ProgrammeReason.PIN_REQUIRED
            try:
                parse_verifier(row.pin)
                right = await self._site.pins.verify(row.pin, typed)
            except ValueError:
                return ProgrammeReason.NEEDS_HEADQUARTERS  # the list's verifier cannot be read
            rows: list[Record] = []
            locks = not right and before + 1 >= rules.voucher.wrong_pins
            if before or not right:
                wrong = 0 if right else before + 1
                rows.append(PinTried(token, row.pin_version, right=right, wrong=wrong, request_id=request_id))
            if locks:
                rows.append(PinLocked(token, row.pin_version, request_id))
            if rows:
                await self._site.write(*rows)
        if right:
            return None
        return ProgrammeReason.PIN_LOCKED if locks else ProgrammeReason.PIN_WRONG

    async def _void_all(self) -> bool:
        """Whether nothing is in doubt any more. One that is not taken holds up no other."""
        assert self._headquarters is not None  # it is connected
        owed = [name for name in self._site.books.members.intended if name not in self._undecided]
        tokens = {name: self._site.books.members.intended[name].token.shown for name in owed}
        not_taken: list[str] = []
        for request_id in owed:
            outcome = await self._headquarters.ask(VoidAsk(request_id), question_id("", request_id, VOID))
            if not isinstance(outcome.answer, VoidAnswer):
                log.info("void of redemption %s: %s %s", request_id, outcome.heard, outcome.text)
                not_taken.append(tokens[request_id])
                self._site.trouble(_of(tokens[request_id]), NOT_TAKEN)
                continue
            try:
                await self._site.write(RedeemVoided(request_id, outcome.answer.given_back))
            except JournalUnwritable:
                return False
            if tokens[request_id] not in not_taken:  # a card may have asked twice
                self._site.trouble(_of(tokens[request_id]), None)
        return not not_taken

    def _link_changed(self, state: LinkState) -> None:
        if state.connected:
            self._stir.set()


def _of(shown: str) -> str:
    """Where the trouble of a token is."""
    return f"points of {shown}"
