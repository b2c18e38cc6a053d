"""Who may fuel at one fuelling point, and up to what: tokens, decisions, stops, and what is asked and shown meanwhile.

An authorisation is on disk, then the pump is told. Whoever stops the pump goes before everything that was asked for:
from then on nothing is let go until the nozzle was hung up. Called by the point for one thing after the other; only a
stop comes in between. Knows nothing of what a pump says and of a delivery's way to disk; no protocol, reader or screen.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from controller.answers import QUESTIONS, Pending, answered, told_before, with_pin
from controller.display import OPEN_STATES, Display, up_to
from controller.domain.allotments import PURSE_POT, Reservation
from controller.domain.decide import Approved, Needs, Refusal, Request, decide
from controller.domain.desk import AnswerNeed, AuthorisePoint, CommandResult, Need, PointState
from controller.domain.funds import Funds
from controller.domain.headquarters import Granted
from controller.domain.limits import preset_of, smallest, wanted_bounds
from controller.domain.pins import TRIES
from controller.domain.products import Grade
from controller.domain.purses import Taken
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import CATALOGUE, Reason, limit_text
from controller.domain.records import Authorised, Declined, Evidence, Limits, Released, RowName
from controller.domain.seams import US_PER_S, Timer
from controller.domain.tokens import TokenRef
from controller.facts import facts_for, reservation_for
from controller.held import HeldToken
from controller.lifted import Choice, Lifted, question
from controller.pumps import words
from controller.site import MAX_UNPAID, Site
from controller.store.writer import JournalUnwritable

UNUSED_AUTHORISATION_S = 120
"""A pump that was let go and gives no fuel for this long is stopped again."""

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
    ) -> None:
        """`grades` are those of its logical nozzles, at their prices of now; `tell` gives an order to the pump."""
        self.display = Display(site, since_ms=site.wall_ms)
        self.stopping = False
        """The pump was told to stop, and has not said since that it stands."""
        self.stopped = False
        """Somebody stopped it while its nozzle was out: nothing is let go until that was hung up."""
        self._site = site
        self._number = number
        self._tell = tell
        self.lifted = Lifted(self.display, grades)
        self._pending: Pending | None = None
        self._answered: Request | None = None
        """What was approved last since the nozzle was lifted: a card shown again is not asked the same again."""
        self._held = HeldToken(site.clock)
        self._unused: Timer | None = None
        self._deaf = True
        """Since the pump was told, it was not heard all the time: of before a restart, or the line was broken."""

    # ---- what the point tells

    def not_heard(self) -> None:
        """The pump does not answer: what it does meanwhile is known by its totaliser alone."""
        self._deaf = True

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
            self._hold(token)
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
    def authorisation(self) -> tuple[RowName, Authorised] | None:
        """What this pump may deliver on, by the books."""
        return self._site.books.open.get(self._number)

    async def release(self, why: str, *, sure: bool = True) -> None:
        """End the authorisation, if there is one, without a delivery. `sure`: by what the pump said, nothing ran."""
        authorisation = self.authorisation
        if authorisation is not None:
            await self._site.write_surely(Released(authorisation[0], why, sure and not self._deaf))

    def refused(self, state: PointState, reason: Reason, token: str | None = None) -> Reason:
        """Show why nothing was let go, unless a stop came meanwhile: that stays what the tile says."""
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

    def watch_unused(self) -> None:
        """Stop the pump if it has not begun to deliver in time."""

        def check() -> None:
            if self.display.state is PointState.AUTHORISED:
                log.info("point %d: authorised and not used: stopped", self._number)
                self._stop_pump()
                self.watch_unused()  # the stop may get lost

        self.watch_no_more()
        due_us = self._site.clock.now().mono_us + UNUSED_AUTHORISATION_S * US_PER_S
        self._unused = self._site.clock.call_at(due_us, check)

    def watch_no_more(self) -> None:
        if self._unused is not None:
            self._unused.cancel()

    # ---- inside

    def _stop_pump(self) -> None:
        self.stopping = True
        self._tell(words.Stop())

    def _hold(self, token: TokenRef) -> None:
        """Keep a card for the nozzle that will be lifted."""

        def forgotten() -> None:
            if self.display.state is PointState.IDLE:
                self.display.show(PointState.IDLE)

        self._held.hold(token, forgotten)
        if self.display.state is PointState.IDLE:
            self.display.show(PointState.IDLE, token=token.shown, text="Card read: lift the nozzle")

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
        token = None
        if command.plate:
            try:
                token = self._site.plate(command.plate)
            except ValueError:
                return Reason.PLATE_UNKNOWN
        if command.grade:
            if reason := self._name(command.grade):
                return reason
        else:
            self.lifted.forget()
        if token is not None:
            return await self._decide(self._request(token, command), command, till, command.command_id)
        if not self.lifted.known:
            self._ask(Need.GRADE, None, command)
            return None
        return await self._authorise_for_cash(command, till, command.command_id)

    async def _authorise_for_cash(self, wanted: AuthorisePoint, till: str, command_id: str) -> Reason | None:
        self._pending = None
        codes, grade = self.lifted.codes, self.lifted.grade
        return await self._authorise(
            token=None,
            account="",
            funds=Funds.NONE,
            limits=smallest(wanted_bounds(wanted.preset_volume_ml, wanted.preset_amount_minor)),
            evidence=Evidence(at_ms=self._site.wall_ms, grade=grade.code if codes and grade else "", grades=codes),
            till=till,
            command_id=command_id,
        )

    async def _answer(self, command: AnswerNeed, till: str) -> Reason | None:
        if self.stopped:
            return Reason.PUMP_STOPPED
        pending = self._pending
        if pending is None or pending.need is not command.need:
            return Reason.NOTHING_TO_ANSWER
        if command.need is Need.GRADE and (reason := self._name(command.value)):
            return reason
        request = pending.request
        if request is None:
            assert pending.wanted is not None  # without a token, a till began it
            return await self._authorise_for_cash(pending.wanted, till, command.command_id)
        if command.need is Need.PIN:
            return await self._pin_typed(request, pending, command, till)
        told = self._for_lifted(request) if command.need is Need.GRADE else answered(self._site, request, command)
        if isinstance(told, Reason):
            return told
        return await self._decide(told, pending.wanted, till, command.command_id)

    async def _pin_typed(self, request: Request, pending: Pending, command: AnswerNeed, till: str) -> Reason | None:
        try:
            told = await with_pin(self._site, request, command.value)
        except JournalUnwritable:
            return self.refused(PointState.ERROR, Reason.JOURNAL_FULL)
        if self.stopped:
            return Reason.PUMP_STOPPED  # it came while the PIN was being checked
        return await self._decide(told, pending.wanted, till, command.command_id)

    def _name(self, typed: str) -> Reason | None:
        """This is the grade, or the nozzle. The reason if it cannot be; a slip of the keys ends nothing."""
        reason = self.lifted.name(typed)
        if reason is Reason.PRICE_NOT_SHOWN:
            self._pending = None
            return self.refused(PointState.ERROR, reason)
        return reason

    def _request(self, token: TokenRef, wanted: AuthorisePoint | None) -> Request:
        request = Request(token, "", None, self._site.currency, grades=self.lifted.codes)
        if wanted is not None:
            request = replace(request, wanted_ml=wanted.preset_volume_ml, wanted_minor=wanted.preset_amount_minor)
        return self._for_lifted(request) if self.lifted.known else request

    def _for_lifted(self, request: Request) -> Request:
        grade = self.lifted.grade
        assert grade is not None  # a point calls with a known grade only, or one of its own is chosen
        return replace(request, grade=grade.code, price=grade.price)

    def _ask(self, need: Need, request: Request | None, wanted: AuthorisePoint | None, before: str = "") -> None:
        """`before`: what is said before the question."""
        self._pending = Pending(request, need, wanted)
        token = request.token.shown if request else ""
        text = before + (question(self.lifted.choices) if need is Need.GRADE else QUESTIONS[need])
        self.display.show(PointState.DECIDING, keep=True, token=token, need=need, text=text)

    async def _decide(
        self, request: Request, wanted: AuthorisePoint | None, till: str, command_id: str
    ) -> Reason | None:
        """Decide, and act on it. Returns the reason if it is refused; None if approved or something is needed."""
        site, point = self._site, self._number
        now_ms = site.wall_ms
        facts = facts_for(site, request.token, point, now_ms)
        decision = decide(request, facts, now_ms)
        self._pending = None
        if not isinstance(decision, Refusal) and decision.evidence.grade and not request.grade:
            # The list allows one nozzle of this pump only: now its price is known too.
            if reason := self._name(decision.evidence.grade):
                return reason
            request = self._for_lifted(request)
            decision = decide(request, facts, now_ms)
        if isinstance(decision, Needs) and decision.need is Need.HEADQUARTERS:
            # The wire has no question for it: headquarters' word is what it has set apart here before.
            request = replace(request, granted=Granted(None))
            decision = decide(request, facts, now_ms)
        match decision:
            case Refusal(Reason.PIN_WRONG, evidence):
                return await self._ask_pin_again(request, wanted, evidence)
            case Refusal(reason, evidence):
                return await self._decline(request.token, reason, evidence)
            case Needs(need):
                self._ask(need, request, wanted)
                return None
            case Approved():
                self._answered = request
                row = facts.found.row
                held_by = limit_text(decision.held_by)
                return await self._authorise(
                    token=request.token,
                    account=decision.account,
                    funds=decision.funds,
                    limits=decision.limits,
                    evidence=decision.evidence,
                    till=till,
                    command_id=command_id,
                    vehicle=row.vehicle if row else b"",
                    reserved=reservation_for(site, request, decision),
                    held_by=held_by if decision.partial else "",
                )

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

    async def _authorise(
        self,
        *,
        token: TokenRef | None,
        account: str,
        funds: Funds,
        limits: Limits,
        evidence: Evidence,
        till: str,
        command_id: str,
        vehicle: bytes = b"",
        reserved: Reservation | None = None,
        held_by: str = "",
    ) -> Reason | None:
        nozzle = self.display.nozzle
        grade = self.lifted.grade
        if grade is None or grade.price.value <= 0:
            return Reason.PRICE_MISSING
        if len(self._site.books.unpaid_at(self._number)) >= MAX_UNPAID:
            return await self._decline(token, Reason.TWO_UNPAID, evidence)
        taken: Taken | None = None
        if funds is Funds.CARD_PURSE and token is not None:
            try:
                said = await self._site.take_from_purse(self._number, token, limits, grade.price)
            except JournalUnwritable:
                return self.refused(PointState.ERROR, Reason.JOURNAL_FULL)
            if not isinstance(said, Taken):
                return await self._decline(token, said, evidence)
            taken, limits, reserved = said, said.limits, Reservation(PURSE_POT, said.most_minor)
        preset_ml, preset_minor = preset_of(limits, grade.price, self._site.currency)
        record = Authorised(
            point=self._number,
            nozzle=nozzle,
            grade=grade.code,
            unit=grade.unit,
            price=grade.price,
            token=token,
            account=account,
            funds=funds,
            limits=limits,
            preset_volume_ml=preset_ml,
            preset_amount_minor=preset_minor,
            totaliser_before_ml=self._site.books.totaliser_ml(self._number, nozzle),
            evidence=evidence,
            till=till,
            command_id=command_id,
            vehicle=vehicle,
            reserved=reserved,
            card=None if token is None else self._site.card_seen(token.key),
            purse=taken.name if taken else None,
        )
        self._deaf = False
        try:
            await self._site.write_authorised(record, *((taken.debited,) if taken else ()))
        except JournalUnwritable:
            return self.refused(PointState.ERROR, Reason.JOURNAL_FULL)
        finally:
            if taken:
                taken.written()
        if self.stopped:
            # A stop came while this was on its way: it goes before everything that was asked for earlier.
            await self.release("stopped before the pump was told")
            return Reason.PUMP_STOPPED
        preset = None if preset_ml is None and preset_minor is None else words.Preset(preset_ml, preset_minor)
        text = up_to(preset_ml, preset_minor, held_by, grade.unit, self._site.currency) if held_by else ""
        self.display.show(PointState.AUTHORISED, keep=True, token=token.shown if token else "", text=text)
        self._tell(words.Authorise((nozzle,), preset, grade.price))
        self.watch_unused()
        return None


def refuse(command_id: str, reason: Reason) -> CommandResult:
    """The answer to a command that was not done."""
    return CommandResult(command_id, done=False, reason=reason, text=CATALOGUE[reason].attendant)
