"""Who may fuel at one fuelling point, and up to what: tokens, decisions, stops, and what is asked and shown meanwhile.

An authorisation is on disk, then the pump is told. Whoever stops the pump goes before everything that was asked for:
from then on nothing is let go until the nozzle was hung up. Called by the point for one thing after the other; only a
stop comes in between. Knows nothing of what a pump says and of a delivery's way to disk; no protocol, reader or screen.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from controller.domain.decide import Approved, Facts, Needs, Refusal, Request, decide, narrow, preset_of
from controller.domain.desk import AnswerNeed, AuthorisePoint, CommandResult, Need, PointState
from controller.domain.products import Grade
from controller.domain.quantities import UnitPrice
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.records import Authorised, Declined, Evidence, Funds, Limits, Released, RowName
from controller.domain.seams import US_PER_S, Timer
from controller.domain.tokens import TokenRef, fold_plate
from controller.pumps import words
from controller.site import MAX_UNPAID, Site
from controller.store.writer import JournalUnwritable

HELD_TOKEN_S = 60
"""A card shown before the nozzle was lifted counts for this long."""
UNUSED_AUTHORISATION_S = 120
"""A pump that was let go and gives no fuel for this long is stopped again."""
QUESTIONS = {Need.PLATE: "Which plate does the vehicle have?", Need.ODOMETER: "What does the odometer say?"}

_OPEN_STATES = {PointState.CALLING, PointState.DECIDING, PointState.REFUSED}
"""The nozzle is out and nothing is authorised yet."""
_SERVED_STATES = {PointState.AUTHORISED, PointState.FUELLING, PointState.COMPLETED, PointState.STOPPED}
"""Somebody is being served, or just was."""

log = logging.getLogger("forecourt.point")


class Decisions:
    """Decides for one point and tells its pump. `display` is what the point's tile shows."""

    def __init__(
        self,
        site: Site,
        number: int,
        grade_of: Callable[[int], Grade | None],
        tell: Callable[[words.Order], None],
    ) -> None:
        """`grade_of` knows the grade of a logical nozzle; `tell` gives an order to the pump."""
        self.display = Display(site, since_ms=site.wall_ms)
        self.stopping = False
        """The pump was told to stop, and has not said since that it stands."""
        self.stopped = False
        """Somebody stopped it while its nozzle was out: nothing is let go until that was hung up."""
        self._site = site
        self._number = number
        self._grade_of = grade_of
        self._tell = tell
        self._pending: _Pending | None = None
        self._held: tuple[TokenRef, int] | None = None
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
        self._held = None
        if self.display.state in _OPEN_STATES | {PointState.ERROR, PointState.STOPPED}:
            self.show_stopped()

    def hung_up(self) -> None:
        """The nozzle is in, and nothing is authorised."""
        self._pending = None
        self.stopping = self.stopped = False
        self.display.show(PointState.IDLE)

    def stands(self) -> None:
        """The pump itself says that it delivers nothing, with its nozzle out."""
        self._pending = None
        self.stopping = False

    async def called(self) -> None:
        """The pump calls, with a known grade at the right price: a card that was shown before counts now."""
        if self._held is not None:
            token, until_us = self._held
            self._held = None
            if self._site.clock.now().mono_us <= until_us:
                await self.token_shown(token)

    async def token_shown(self, token: TokenRef) -> None:
        """A token was proven at this point."""
        if self.display.state in _SERVED_STATES:
            # This customer is served: held, the card would pay for whoever lifts the nozzle next.
            log.info("point %d: a card was shown during a delivery: not used", self._number)
            return
        if self.display.state not in _OPEN_STATES:
            self._hold(token)
            return
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
        until_us = self._site.clock.now().mono_us + HELD_TOKEN_S * US_PER_S
        held = self._held = (token, until_us)

        def forget() -> None:
            if self._held is held:
                self._held = None
                if self.display.state is PointState.IDLE:
                    self.display.show(PointState.IDLE)

        self._site.clock.call_at(until_us, forget)
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
        if self.display.state not in _OPEN_STATES:
            return Reason.PUMP_NOT_CALLING
        if command.plate:
            try:
                token = self._site.plate(command.plate)
            except ValueError:
                return Reason.PLATE_UNKNOWN
            return await self._decide(self._request(token), command, till, command.command_id)
        self._pending = None
        return await self._authorise(
            token=None,
            account="",
            funds=Funds.NONE,
            limits=Limits(),
            evidence=Evidence(at_ms=self._site.wall_ms),
            wanted=command,
            till=till,
            command_id=command.command_id,
        )

    async def _answer(self, command: AnswerNeed, till: str) -> Reason | None:
        if self.stopped:
            return Reason.PUMP_STOPPED
        pending = self._pending
        if pending is None or pending.need is not command.need:
            return Reason.NOTHING_TO_ANSWER
        request = pending.request
        if command.need is Need.PLATE:
            try:
                fold_plate(command.value)
            except ValueError:
                return Reason.PLATE_MISMATCH
            request = replace(request, plate_key=self._site.plate(command.value).key)
        else:
            digits = command.value.strip()
            if not (digits.isascii() and digits.isdecimal() and len(digits) <= 7):
                return Reason.ODOMETER_IMPLAUSIBLE
            request = replace(request, odometer_km=int(digits))
        return await self._decide(request, pending.wanted, till, command.command_id)

    def _called_grade(self) -> Grade | None:
        """What the lifted nozzle gives, at the price that its customer reads: a newer one is for the next sale."""
        grade, price = self._grade_of(self.display.nozzle), self.display.price
        return grade if grade is None or price is None else msgspec.structs.replace(grade, price=price)

    def _request(self, token: TokenRef) -> Request:
        grade = self._called_grade()
        assert grade is not None  # a point calls with a known grade only
        return Request(token, grade.code, grade.price, self._site.currency)

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
        match decision:
            case Refusal():
                return await self._decline(request.token, decision.reason, decision.evidence)
            case Needs(need):
                self._pending = _Pending(request, need, wanted)
                self.display.show(
                    PointState.DECIDING, keep=True, token=request.token.shown, need=need, text=QUESTIONS[need]
                )
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
        grade = self._called_grade()
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
    """A decision that waits for an answer, and the command that began it, if one did."""

    request: Request
    need: Need
    wanted: AuthorisePoint | None


@dataclass(slots=True)
class Display:
    """What a tile shows of a point."""

    site: Site
    since_ms: int
    state: PointState = PointState.OFFLINE
    nozzle: int = 0
    price: UnitPrice | None = None
    volume_ml: int = 0
    amount_minor: int = 0
    token: str = ""
    need: Need | None = None
    reason: str = ""
    text: str = ""

    def show(
        self,
        state: PointState,
        *,
        keep: bool = False,
        nozzle: int | None = None,
        price: UnitPrice | None = None,
        token: str | None = None,
        need: Need | None = None,
        reason: Reason | None = None,
        text: str = "",
    ) -> None:
        """Show `state`; `keep` leaves nozzle, values and token of before, which another state does not inherit."""
        if not keep:
            self.nozzle, self.price, self.token = 0, None, ""
        if not keep or state in _OPEN_STATES or state is PointState.AUTHORISED:
            self.volume_ml = self.amount_minor = 0
        if state is not self.state:
            self.state, self.since_ms = state, self.site.wall_ms
        self.nozzle = self.nozzle if nozzle is None else nozzle
        self.price = self.price if price is None else price
        self.token = self.token if token is None else token
        self.need = need
        self.reason = reason or ""
        self.text = text or (CATALOGUE[reason].attendant if reason else "")
        self.site.changed()


def refuse(command_id: str, reason: Reason) -> CommandResult:
    """The answer to a command that was not done."""
    return CommandResult(command_id, done=False, reason=reason, text=CATALOGUE[reason].attendant)
