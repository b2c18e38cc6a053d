"""Who may fuel at one fuelling point, and up to what: tokens, decisions, stops, and what is asked and shown meanwhile.

An authorisation is on disk, then the pump is told. Whoever stops the pump goes before everything that was asked for:
from then on nothing is let go until the nozzle was hung up. Called by the point for one thing after the other; only a
stop comes in between. Knows nothing of what a pump says and of a delivery's way to disk; no protocol, reader or screen.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from controller.display import OPEN_STATES, Display
from controller.domain.decide import Approved, Facts, Needs, Refusal, Request, decide, narrow, preset_of
from controller.domain.desk import AnswerNeed, AuthorisePoint, CommandResult, Need, PointState
from controller.domain.products import Grade
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.records import Authorised, Declined, Evidence, Funds, Limits, Released, RowName
from controller.domain.seams import US_PER_S, Timer
from controller.domain.tokens import TokenRef, fold_plate
from controller.held import HeldToken
from controller.lifted import Choice, Lifted, question
from controller.pumps import words
from controller.site import MAX_UNPAID, Site
from controller.store.writer import JournalUnwritable

UNUSED_AUTHORISATION_S = 120
"""A pump that was let go and gives no fuel for this long is stopped again."""
QUESTIONS = {Need.PLATE: "Which plate does the vehicle have?", Need.ODOMETER: "What does the odometer say?"}

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
        self._pending: _Pending | None = None
        self._held = HeldToken(site.clock)
        self._unused: Timer | None = None

    # ---- what the point tells

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
        self._pending = None
        self.lifted.choices = ()
        self.stopping = self.stopped = False
        self.display.show(PointState.IDLE)

    def stands(self) -> None:
        """The pump itself says that it delivers nothing, with its nozzle out."""
        self._pending = None
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
        await self._decide(self._request(token), None, "", "")

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

    async def release(self, why: str) -> None:
        """End the authorisation, if there is one, without a delivery."""
        authorisation = self.authorisation
        if authorisation is not None:
            await self._site.write_surely(Released(authorisation[0], why))

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
            return await self._decide(self._request(token), command, till, command.command_id)
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
            limits=Limits(),
            evidence=Evidence(at_ms=self._site.wall_ms, grade=grade.code if codes and grade else "", grades=codes),
            wanted=wanted,
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
        answered = self._with_answer(request, command)
        if isinstance(answered, Reason):
            return answered
        return await self._decide(answered, pending.wanted, till, command.command_id)

    def _name(self, typed: str) -> Reason | None:
        """This is the grade, or the nozzle. The reason if it cannot be; a slip of the keys ends nothing."""
        reason = self.lifted.name(typed)
        if reason is Reason.PRICE_NOT_SHOWN:
            self._pending = None
            return self.refused(PointState.ERROR, reason)
        return reason

    def _with_answer(self, request: Request, command: AnswerNeed) -> Request | Reason:
        match command.need:
            case Need.PLATE:
                try:
                    fold_plate(command.value)
                except ValueError:
                    return Reason.PLATE_MISMATCH
                return replace(request, plate_key=self._site.plate(command.value).key)
            case Need.ODOMETER:
                digits = command.value.strip()
                if not (digits.isascii() and digits.isdecimal() and len(digits) <= 7):
                    return Reason.ODOMETER_IMPLAUSIBLE
                return replace(request, odometer_km=int(digits))
            case Need.GRADE:
                return self._for_lifted(request)

    def _request(self, token: TokenRef) -> Request:
        request = Request(token, "", None, self._site.currency, grades=self.lifted.codes)
        return self._for_lifted(request) if self.lifted.known else request

    def _for_lifted(self, request: Request) -> Request:
        grade = self.lifted.grade
        assert grade is not None  # a point calls with a known grade only, or one of its own is chosen
        return replace(request, grade=grade.code, price=grade.price)

    def _ask(self, need: Need, request: Request | None, wanted: AuthorisePoint | None) -> None:
        self._pending = _Pending(request, need, wanted)
        token = request.token.shown if request else ""
        text = question(self.lifted.choices) if need is Need.GRADE else QUESTIONS[need]
        self.display.show(PointState.DECIDING, keep=True, token=token, need=need, text=text)

    async def _decide(
        self, request: Request, wanted: AuthorisePoint | None, till: str, command_id: str
    ) -> Reason | None:
        """Decide, and act on it. Returns the reason if it is refused; None if approved or something is needed."""
        site = self._site
        now_ms = site.wall_ms
        found = site.lists.look_up(request.token.key)
        site.trouble("card list", site.lists.trouble or None)
        used_ml, used_minor = site.books.used_on(request.token.key, site.day_of(now_ms))
        for allowed in site.allowed_elsewhere(request.token.key, self._number):
            used_ml += allowed.limits.volume_ml or 0
            used_minor += allowed.limits.amount_minor or 0
        odometer_km = site.books.odometer_km.get(request.token.key, 0)
        decision = decide(request, Facts(found, used_ml, used_minor, odometer_km), now_ms)
        self._pending = None
        if isinstance(decision, Refusal):
            return await self._decline(request.token, decision.reason, decision.evidence)
        if decision.evidence.grade and not request.grade:
            # The list allows one nozzle of this pump only.
            if reason := self._name(decision.evidence.grade):
                return reason
            request = self._for_lifted(request)
        match decision:
            case Needs(need):
                self._ask(need, request, wanted)
                return None
            case Approved():
                return await self._authorise(
                    token=request.token,
                    account=decision.account,
                    funds=decision.funds,
                    limits=decision.limits,
                    evidence=decision.evidence,
                    wanted=wanted,
                    till=till,
                    command_id=command_id,
                )

    async def _decline(self, token: TokenRef | None, reason: Reason, evidence: Evidence) -> Reason:
        """No fuel has flowed and none will: a disk that takes no row of it must not hold up the point."""
        try:
            await self._site.write(Declined(self._number, self.display.nozzle, token, reason, evidence))
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
        wanted: AuthorisePoint | None,
        till: str,
        command_id: str,
    ) -> Reason | None:
        nozzle = self.display.nozzle
        grade = self.lifted.grade
        if grade is None or grade.price.value <= 0:
            return Reason.PRICE_MISSING
        if len(self._site.books.unpaid_at(self._number)) >= MAX_UNPAID:
            return await self._decline(token, Reason.TWO_UNPAID, evidence)
        if wanted is not None:
            limits = narrow(limits, wanted.preset_volume_ml, wanted.preset_amount_minor)
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
        )
        try:
            await self._site.write_authorised(record)
        except JournalUnwritable:
            return self.refused(PointState.ERROR, Reason.JOURNAL_FULL)
        if self.stopped:
            # A stop came while this was on its way: it goes before everything that was asked for earlier.
            await self.release("stopped before the pump was told")
            return Reason.PUMP_STOPPED
        preset = None if preset_ml is None and preset_minor is None else words.Preset(preset_ml, preset_minor)
        self.display.show(PointState.AUTHORISED, keep=True, token=token.shown if token else "")
        self._tell(words.Authorise((nozzle,), preset, grade.price))
        self.watch_unused()
        return None


@dataclass(frozen=True, slots=True)
class _Pending:
    """A decision that waits for an answer, and the command that began it, if one did. For cash there is no request."""

    request: Request | None
    need: Need
    wanted: AuthorisePoint | None


def refuse(command_id: str, reason: Reason) -> CommandResult:
    """The answer to a command that was not done."""
    return CommandResult(command_id, done=False, reason=reason, text=CATALOGUE[reason].attendant)
