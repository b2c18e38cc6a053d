"""Who may fuel at one fuelling point, and up to what: tokens, decisions, stops, and what is asked and shown meanwhile.

An authorisation is on disk, then the pump is told. Whoever stops the pump goes before everything that was asked for:
from then on nothing is let go until the nozzle was hung up. Called by the point for one thing after the other; only a
stop comes in between. Knows nothing of what a pump says and of a delivery's way to disk; no protocol, reader or screen.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from controller.deciding.answers import QUESTIONS, Pending, QuestionIds, answered, told_before, tried
from controller.deciding.asking import Asking, InTurn
from controller.deciding.display import OPEN_STATES, Display, up_to
from controller.deciding.facts import facts_for, looked_at, reservation_for
from controller.deciding.held import HeldToken
from controller.deciding.letting_go import Approval, write_approval
from controller.deciding.lifted import Choice, Lifted, question
from controller.deciding.phone_proof import PhoneProof
from controller.deciding.shown import SeenPlates, scanned, token_of
from controller.deciding.unused import UnusedWatch
from controller.domain.decide import Approved, Facts, Needs, Refusal, Request, decide
from controller.domain.desk import AnswerNeed, AuthorisePoint, CommandResult, Need, PointState
from controller.domain.funds import Funds
from controller.domain.headquarters import Granted
from controller.domain.limits import smallest, wanted_bounds
from controller.domain.pins import TRIES
from controller.domain.products import Grade
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import CATALOGUE, Reason, limit_text
from controller.domain.records import Authorised, Declined, Evidence, Released, RowName
from controller.domain.tokens import TokenRef
from controller.pumps import words
from controller.site import MAX_UNPAID, Site
from controller.store.writer import JournalUnwritable

_SERVED_STATES = {PointState.AUTHORISED, PointState.FUELLING, PointState.COMPLETED, PointState.STOPPED}
"""Somebody is being served, or just was."""

log = logging.getLogger("forecourt.point")


class Decisions:
    """Decides for one point and tells its pump. `display` is what the point's tile shows."""

    def __init__(
        self,
        site: Site,
        number: int,
        grades: Callable[[], Sequence[Grade]],
        tell: Callable[[words.Order], None],
        in_turn: InTurn,
    ) -> None:
        """`grades` are those of its logical nozzles, at their prices of now; `tell` gives an order to the pump.

        `in_turn` has something done when the point has handled all that came before.
        """
        self.display = Display(site, since_ms=site.wall_ms)
        self.stopping = False
        """The pump was told to stop, and has not said since that it stands."""
        self.stopped = False
        """Somebody stopped it while its nozzle was out: nothing is let go until that was hung up."""
        self._site = site
        self._number = number
        self._tell = tell
        self._asking = Asking(site, number, in_turn, self._granted)
        self.ids = QuestionIds(site, number)
        self._phone = PhoneProof(self._asking, self)
        self._seen = SeenPlates(site)
        self.lifted = Lifted(self.display, grades)
        self._pending: Pending | None = None
        self._answered: Request | None = None
        """What was approved last since the nozzle was lifted: a card shown again is not asked the same again."""
        self._held = HeldToken(site.clock)
        self.unused = UnusedWatch(site.clock, lambda: self.display.state is PointState.AUTHORISED, self._not_used)
        self._deaf = True
        """Since the pump was told, it was not heard all the time: of before a restart, or the line was broken."""

    # ---- what the point tells

    def not_heard(self) -> None:
        """The pump does not answer: what it does meanwhile is known by its totaliser alone. Nobody is asked for it."""
        self._deaf, self._pending = True, None

    def stop(self) -> None:
        """Stop the pump now. An idle one is told too, and blocks nobody: its next customer has done nothing."""
        self._stop_pump()
        if self.display.state is not PointState.IDLE:
            self.bar()

    def bar(self) -> None:
        """Its nozzle is out and it was stopped: whatever was begun ends, until `hung_up`."""
        self.stopped = True
        self._pending = None
        self._held.drop()
        if self.display.state in OPEN_STATES | {PointState.ERROR, PointState.STOPPED}:
            self.show_stopped()

    def hung_up(self) -> None:
        """The nozzle is in, and nothing is authorised."""
        self._pending = self._answered = None
        self.lifted.choices = ()
        self.stopping = self.stopped = False
        self.display.show(PointState.IDLE)

    def stands(self) -> None:
        """The pump itself says that it delivers nothing, with its nozzle out."""
        self._pending = self._answered = None
        self.lifted.choices = ()
        self.stopping = False

    async def called(self, choices: tuple[Choice, ...] = ()) -> None:
        """The pump calls, with a known grade at the right price: a card that was shown before counts now.

        Or it does not say for which of its nozzles: then it is one of these.
        """
        self.lifted.choices = choices
        if (token := self._held.take()) is not None:
            await self.token_shown(token)

    async def token_shown(self, token: TokenRef) -> None:
        """A token was proven at this point."""
        if self.display.state in _SERVED_STATES:
            # This customer is served: held, the card would pay for whoever lifts the nozzle next.
            log.info("point %d: a card was shown during a delivery: not used", self._number)
            return
        if self.display.state not in OPEN_STATES:
            self._held.hold(token, self.display.rest)
            self.display.was_read(token)
            return
        if self._pending is not None and self._pending.is_asked_for(token):
            return
        self.lifted.forget()
        await self._decide(told_before(self._request(token, None), self._answered), None, "", "")

    async def card_refused(self, reason: Reason, token: TokenRef | None) -> None:
        """A card at this point's reader proved nothing, or something else is wrong with it."""
        evidence = Evidence(at_ms=self._site.wall_ms)
        if self.display.state in OPEN_STATES:
            self._pending = None
            await self._decline(token, reason, evidence)
            return
        try:
            await self._write_declined(token, reason, evidence)
        except JournalUnwritable:
            log.warning("point %d: a card was refused (%s), and the journal took no row of it", self._number, reason)

    async def carry_out(self, command: AuthorisePoint | AnswerNeed, till: str) -> CommandResult:
        """A till's command."""
        if isinstance(command, AuthorisePoint):
            reason = await self._authorise_by_till(command, till)
        else:
            reason = await self._answer(command, till)
        if reason is not None:
            return refuse(command.command_id, reason)
        text = self.display.text if self.display.state is PointState.DECIDING else ""
        return CommandResult(command.command_id, done=True, text=text)

    @property
    def question(self) -> Pending | None:
        """What is asked of people now; another object for each time that it is asked."""
        return self._pending

    @property
    def authorisation(self) -> tuple[RowName, Authorised] | None:
        """What this pump may deliver on, by the books."""
        return self._site.books.open.get(self._number)

    async def release(self, why: str, *, sure: bool = True) -> None:
        """End the authorisation, if there is one, without a delivery. `sure`: by what the pump said, nothing ran."""
        authorisation = self.authorisation
        if authorisation is not None:
            await self._site.write_surely(Released(authorisation[0], why, sure and not self._deaf))

    def refused(self, state: PointState, reason: Reason, token: str | None = None) -> Reason:
        """Ask nothing more, and show why nothing was let go, unless a stop came: that stays what the tile says."""
        self._pending = None
        if self.stopped:
            self.show_stopped()
        else:
            self.lifted.forget()
            self.display.show(state, keep=True, token=token, reason=reason)
        return reason

    def show_stopped(self, nozzle: int | None = None, price: UnitPrice | None = None) -> None:
        """Show that the nozzle must be hung up first, beside what flowed, if anything did."""
        keep = self.display.state is not PointState.IDLE
        reason = Reason.PUMP_STOPPED
        self.display.show(PointState.STOPPED, keep=keep, nozzle=nozzle, price=price, reason=reason)

    def _not_used(self) -> None:
        log.info("point %d: authorised and not used: stopped", self._number)
        self._stop_pump()

    # ---- inside

    def _stop_pump(self) -> None:
        self.stopping = True
        self._tell(words.Stop())

    async def _authorise_by_till(self, command: AuthorisePoint, till: str) -> Reason | None:
        if command.preset_volume_ml is not None and command.preset_amount_minor is not None:
            return Reason.PRESET_INVALID
        presets = (command.preset_volume_ml, command.preset_amount_minor)
        if any(preset is not None and preset <= 0 for preset in presets):
            return Reason.PRESET_INVALID
        if self.display.state is PointState.OFFLINE:
            return Reason.PUMP_OFFLINE
        if self.stopped:
            return Reason.PUMP_STOPPED
        if self.display.state in _SERVED_STATES:
            return Reason.PUMP_BUSY
        if self.display.state not in OPEN_STATES:
            return Reason.PUMP_NOT_CALLING
        if isinstance(token := token_of(self._site, self._seen, command), Reason):
            return token
        if command.grade:
            if reason := self._name(command.grade):
                return reason
        else:
            self.lifted.forget()
        if token is not None:
            return await self._decide(self._request(token, command), command, till, command.command_id)
        if not self.lifted.known:
            asked = Pending(self.ids.next(), None, Need.GRADE, command, till=till)
            self.show_question(asked, question(self.lifted.choices))
            return None
        return await self._authorise_for_cash(command, till, command.command_id)

    async def _authorise_for_cash(self, wanted: AuthorisePoint, till: str, command_id: str) -> Reason | None:
        self._pending = None
        codes, grade = self.lifted.codes, self.lifted.grade
        return await self._authorise(
            Approval(
                token=None,
                account="",
                funds=Funds.NONE,
                limits=smallest(wanted_bounds(wanted.preset_volume_ml, wanted.preset_amount_minor)),
                evidence=Evidence(at_ms=self._site.wall_ms, grade=grade.code if codes and grade else "", grades=codes),
                till=till,
                command_id=command_id,
            )
        )

    async def _answer(self, command: AnswerNeed, till: str) -> Reason | None:
        if self.stopped:
            return Reason.PUMP_STOPPED
        pending = self._pending
        if pending is None:
            return Reason.QUESTION_GONE if command.question else Reason.NOTHING_TO_ANSWER
        if (reason := pending.refuses(command)) is not None:
            return reason
        if command.need is Need.GRADE and (reason := self._name(command.value)):
            return reason
        request = pending.request
        if request is None:
            assert pending.wanted is not None  # without a token, a till began it
            return await self._authorise_for_cash(pending.wanted, till or pending.till, command.command_id)
        if command.need is Need.PHONE_CODE:
            return await self._phone.typed(pending, command, till)
        if command.need in {Need.PIN, Need.CODE}:
            return await self._secret_typed(request, pending, command, till)
        told = self._for_lifted(request) if command.need is Need.GRADE else answered(self._site, request, command)
        if isinstance(told, Reason):
            return told
        return await self._decide(told, pending.wanted, till, command.command_id)

    async def _secret_typed(self, request: Request, pending: Pending, command: AnswerNeed, till: str) -> Reason | None:
        try:
            told = await tried(self._site, request, command)
        except JournalUnwritable:
            return self.refused(PointState.ERROR, Reason.JOURNAL_FULL)
        if isinstance(told, Reason):
            return told
        if self.stopped:
            return Reason.PUMP_STOPPED  # it came while the PIN or the code was being checked
        return await self._decide(told, pending.wanted, till, command.command_id)

    def _name(self, typed: str) -> Reason | None:
        """This is the grade, or the nozzle. The reason if it cannot be; a slip of the keys ends nothing."""
        reason = self.lifted.name(typed)
        if reason is Reason.PRICE_NOT_SHOWN:
            return self.refused(PointState.ERROR, reason)
        return reason

    def _request(self, token: TokenRef, wanted: AuthorisePoint | None) -> Request:
        code = scanned(self._site, wanted.shown if wanted else None)
        request = Request(token, "", None, self._site.currency, grades=self.lifted.codes, code=code)
        if wanted is not None:
            request = replace(request, wanted_ml=wanted.preset_volume_ml, wanted_minor=wanted.preset_amount_minor)
        return self._for_lifted(request) if self.lifted.known else request

    def _for_lifted(self, request: Request) -> Request:
        grade = self.lifted.grade
        assert grade is not None  # a point calls with a known grade only, or one of its own is chosen
        return replace(request, grade=grade.code, price=grade.price)

    def _ask(self, need: Need, request: Request | None, wanted: AuthorisePoint | None, before: str = "") -> None:
        """`before`: what is said before the question."""
        if request is not None:
            request = replace(request, granted=None)  # what headquarters granted was for a decision at once
        text = before + (question(self.lifted.choices) if need is Need.GRADE else QUESTIONS[need])
        self.show_question(Pending(self.ids.next(), request, need, wanted, again=bool(before)), text)

    def show_question(self, pending: Pending, text: str) -> None:
        self._pending = pending
        token = pending.request.token.shown if pending.request else ""
        show, need = self.display.show, pending.need
        show(PointState.DECIDING, keep=True, token=token, need=need, question=pending.id, text=text)

    async def _decide(
        self, request: Request, wanted: AuthorisePoint | None, till: str, command_id: str
    ) -> Reason | None:
        """Decide, and act on it. Returns the reason if it is refused; None if approved or something is needed."""
        site, point, now_ms = self._site, self._number, self._site.wall_ms
        facts = facts_for(site, request.token, point, now_ms)
        request = replace(request, code=looked_at(site, request.code, point))
        decision = decide(request, facts, now_ms)
        self._pending = None
        if not isinstance(decision, Refusal) and decision.evidence.grade and not request.grade:
            # The list allows one nozzle of this pump only: now its price is known too.
            if reason := self._name(decision.evidence.grade):
                return reason
            request = self._for_lifted(request)
            decision = decide(request, facts, now_ms)
        if isinstance(decision, Needs) and decision.need is Need.HEADQUARTERS:
            pending = Pending(self.ids.next(), request, decision.need, wanted, till=till, command_id=command_id)
            if (most := self._asking.wanted_minor(pending, facts)) is not None:
                return await self._ask_headquarters(pending, facts, most)
            request = replace(request, granted=Granted(None))
            decision = decide(request, facts, now_ms)
        match decision:
            case Refusal(Reason.PIN_WRONG, evidence):
                return await self._ask_pin_again(request, wanted, evidence)
            case Refusal(reason, evidence):
                return await self._decline(request.token, reason, evidence)
            case Needs(Need.PHONE_CODE):
                pending = Pending(self.ids.next(), request, decision.need, wanted, till=till, command_id=command_id)
                return await self._phone.send_code(pending)
            case Needs(need):
                self._ask(need, request, wanted)
                return None
            case Approved():
                self._answered = request
                row = facts.found.row
                return await self._authorise(
                    Approval(
                        token=request.token,
                        account=decision.account,
                        funds=decision.funds,
                        limits=decision.limits,
                        evidence=decision.evidence,
                        till=till,
                        command_id=command_id,
                        vehicle=row.vehicle if row else b"",
                        reserved=reservation_for(site, request, decision),
                        held_by=decision.held_by if decision.partial else "",
                    )
                )

    async def _ask_headquarters(self, pending: Pending, facts: Facts, most: int) -> Reason | None:
        """Its answer comes through the point's inbox: the pump is heard meanwhile."""
        self.show_question(pending, QUESTIONS[pending.need])
        try:
            await self._asking.grant(pending, facts, most)
        except JournalUnwritable:
            return self.refused(PointState.ERROR, Reason.JOURNAL_FULL)
        return Reason.PUMP_STOPPED if self.stopped else None

    async def _granted(self, pending: Pending, granted: Granted) -> None:
        """Headquarters has answered, or has not in time: decide again, if its question is still open."""
        if pending is self._pending and pending.request is not None:
            await self.go_on(replace(pending, request=replace(pending.request, granted=granted)))

    async def go_on(self, pending: Pending) -> None:
        """Decide on its request now."""
        assert pending.request is not None
        await self._decide(pending.request, pending.wanted, pending.till, pending.command_id)

    async def not_proven(self, token: TokenRef, reason: Reason) -> Reason:
        """Decline it, without any decision."""
        self._pending = None
        return await self._decline(token, reason, Evidence(at_ms=self._site.wall_ms))

    async def plate_seen(self, token: TokenRef) -> None:
        """A device has read a plate here. Only one that is on the list begins anything: others pay as they like."""
        self._seen.see(self._number, token)
        row = self._site.lists.look_up(token.key).row
        if row is not None and self.display.state in {PointState.IDLE, PointState.CALLING}:
            await self.token_shown(token)

    async def _ask_pin_again(self, request: Request, wanted: AuthorisePoint | None, evidence: Evidence) -> Reason:
        try:
            await self._write_declined(request.token, Reason.PIN_WRONG, evidence)
        except JournalUnwritable:
            return self.refused(PointState.ERROR, Reason.JOURNAL_FULL)
        if self.stopped:
            return Reason.PUMP_STOPPED
        left = TRIES - evidence.pin_wrong
        self._ask(Need.PIN, replace(request, pin=None), wanted, f"Wrong PIN, tries left: {left}. ")
        return Reason.PIN_WRONG

    async def _write_declined(self, token: TokenRef | None, reason: Reason, evidence: Evidence) -> None:
        await self._site.write(Declined(self._number, self.display.nozzle, token, reason, evidence))

    async def _decline(self, token: TokenRef | None, reason: Reason, evidence: Evidence) -> Reason:
        """No fuel has flowed and none will: a disk that takes no row of it must not hold up the point."""
        try:
            await self._write_declined(token, reason, evidence)
        except JournalUnwritable:
            return self.refused(PointState.ERROR, Reason.JOURNAL_FULL)
        return self.refused(PointState.REFUSED, reason, token.shown if token else "")

    async def _authorise(self, approval: Approval) -> Reason | None:
        nozzle = self.display.nozzle
        grade = self.lifted.grade
        if grade is None or grade.price.value <= 0:
            return Reason.PRICE_MISSING
        if len(self._site.books.unpaid_at(self._number)) >= MAX_UNPAID:
            return await self._decline(approval.token, Reason.TWO_UNPAID, approval.evidence)
        self._deaf = False
        try:
            record = await write_approval(self._site, self._number, nozzle, grade, approval)
        except JournalUnwritable:
            return self.refused(PointState.ERROR, Reason.JOURNAL_FULL)
        if isinstance(record, Reason):
            return await self._decline(approval.token, record, approval.evidence)
        if self.stopped:
            # A stop came while this was on its way: it goes before everything that was asked for earlier.
            await self.release("stopped before the pump was told")
            return Reason.PUMP_STOPPED
        preset_ml, preset_minor = record.preset_volume_ml, record.preset_amount_minor
        preset = None if preset_ml is None and preset_minor is None else words.Preset(preset_ml, preset_minor)
        held_by = limit_text(record.held_by) if record.held_by else ""
        text = up_to(preset_ml, preset_minor, held_by, grade.unit, self._site.currency) if held_by else ""
        token = record.token.shown if record.token else ""
        self.display.show(PointState.AUTHORISED, keep=True, token=token, text=text)
        self._tell(words.Authorise((nozzle,), preset, grade.price))
        self.unused.begin()
        return None


def refuse(command_id: str, reason: Reason) -> CommandResult:
    """The answer to a command that was not done."""
    return CommandResult(command_id, done=False, reason=reason, text=CATALOGUE[reason].attendant)
