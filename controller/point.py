"""One fuelling point: from the lifted nozzle to a delivery that is on disk.

Everything that happens here comes through one inbox and is handled one after the other, so that a decision, a
pump event and a till's command never cross. The order of a delivery is: authorised is on disk, then the pump is
told; the delivery is on disk, then the pump is cleared. Knows no protocol, reader, screen or printer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import msgspec

from controller.domain.decide import Approved, Facts, Needs, Refusal, Request, decide, narrow, preset_of
from controller.domain.desk import AnswerNeed, AuthorisePoint, CommandResult, Need, PointState
from controller.domain.products import Grade
from controller.domain.quantities import UnitPrice, same_price
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.records import (
    Authorised,
    Declined,
    Delivery,
    Evidence,
    Funds,
    Limits,
    PumpAlarm,
    Released,
    RowName,
    TotaliserRead,
    UnrecordedDelivery,
)
from controller.domain.seams import US_PER_S, Timer
from controller.domain.tokens import TokenRef, fold_plate
from controller.pumps import words
from controller.site import MAX_UNPAID, Site
from controller.store.writer import JournalUnwritable

HELD_TOKEN_S = 60
"""A card shown before the nozzle was lifted counts for this long."""
UNUSED_AUTHORISATION_S = 120
"""A pump that was let go and gives no fuel for this long is stopped again."""
TOTALISER_RESOLUTION_ML = 10
"""Pumps count hundredths: a smaller difference between two readings is no fuel."""

log = logging.getLogger("forecourt.point")


@dataclass(frozen=True, slots=True)
class TokenShown:
    """A card was proven at this point's reader."""

    token: TokenRef


@dataclass(frozen=True, slots=True)
class _Commanded:
    command: AuthorisePoint | AnswerNeed
    till: str
    result: asyncio.Future[CommandResult]


@dataclass(frozen=True, slots=True)
class _Pending:
    """A decision that waits for an answer, and the command that began it, if one did."""

    request: Request
    need: Need
    wanted: AuthorisePoint | None


@dataclass(slots=True)
class Display:
    """What a tile shows of this point."""

    state: PointState = PointState.OFFLINE
    since_ms: int = 0
    nozzle: int = 0
    price: UnitPrice | None = None
    volume_ml: int = 0
    amount_minor: int = 0
    token: str = ""
    need: Need | None = None
    reason: str = ""
    text: str = ""


_Message = words.PumpEvent | TokenShown | _Commanded
_OPEN_STATES = {PointState.CALLING, PointState.DECIDING, PointState.REFUSED}
"""The nozzle is out and nothing is authorised yet."""
_SERVED_STATES = {PointState.AUTHORISED, PointState.FUELLING, PointState.COMPLETED, PointState.STOPPED}
"""Somebody is being served, or just was."""


class FuellingPoint:
    """One side of a dispenser. `tell` gives an order to its pump; `on_delivery` hears of each delivery on disk."""

    def __init__(
        self,
        site: Site,
        number: int,
        nozzles: tuple[Grade, ...],
        tell: Callable[[words.Order], None],
        on_delivery: Callable[[RowName], Awaitable[None]],
        *,
        counter_step_ml: int = TOTALISER_RESOLUTION_ML,
    ) -> None:
        """`counter_step_ml`: the coarser step of the pump's display and its totaliser."""
        self.number = number
        self.display = Display(since_ms=site.wall_ms)
        self._site = site
        self._nozzles = nozzles
        self._tell = tell
        self._on_delivery = on_delivery
        self._counter_step_ml = counter_step_ml
        self._inbox: asyncio.Queue[tuple[_Message, int]] = asyncio.Queue()
        self._busy = False
        self._pending: _Pending | None = None
        self._held: tuple[TokenRef, int] | None = None
        self._stopping = False
        self._stops = self._stops_before = 0
        self._unused: Timer | None = None

    # ---- what others may do

    def post(self, message: words.PumpEvent | TokenShown) -> None:
        """Something has happened at the pump or its reader."""
        self._inbox.put_nowait((message, self._stops))

    async def command(self, command: AuthorisePoint | AnswerNeed, till: str) -> CommandResult:
        """A till's command, in its turn."""
        if self._busy and not self._site.can_write:
            # What has happened at the pump waits for the disk: nobody shall wait behind it for an answer.
            return refuse(command.command_id, Reason.JOURNAL_FULL)
        result: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait((_Commanded(command, till, result), self._stops))
        return await result

    def stop(self) -> None:
        """At once, past everything that waits in the inbox."""
        self._stopping = True
        self._stops += 1
        self._tell(words.Stop())

    async def run(self) -> None:
        """Handle the inbox until cancelled."""
        try:
            while True:
                message, self._stops_before = await self._inbox.get()
                self._busy = True
                await self._handle(message)
                self._busy = False
        finally:
            self._watch_no_more()

    async def _handle(self, message: _Message) -> None:
        match message:
            case TokenShown():
                await self._token_shown(message.token)
            case _Commanded():
                await self._commanded(message)
            case _:
                await self._pump_event(message)

    def grade(self, nozzle: int) -> Grade | None:
        return self._nozzles[nozzle - 1] if 1 <= nozzle <= len(self._nozzles) else None

    def prices(self) -> words.SetPrices:
        return words.SetPrices(tuple(grade.price for grade in self._nozzles))

    # ---- the pump

    async def _pump_event(self, event: words.PumpEvent) -> None:
        match event:
            case words.Online():
                if self._stopping:
                    # It was stopped while nobody could tell it.
                    self._tell(words.Stop())
                self._tell(self.prices())
            case words.Offline():
                self._show(PointState.OFFLINE, text=CATALOGUE[Reason.PUMP_OFFLINE].attendant)
            case words.Totals():
                await self._totaliser(event.nozzle, event.totaliser_ml)
            case words.Idle():
                await self._hung_up()
            case words.Calling():
                await self._calling(event)
            case words.Authorised():
                self._allowed()
            case words.Fuelling():
                self._fuelling(event)
            case words.Completed():
                await self._completed(event)
            case words.Alarm():
                await self._site.write_surely(PumpAlarm(self.number, event.code, event.text))
                self._show(self.display.state, keep=True, text=f"The pump reports: {event.text}")
            case words.Refused():
                await self._refused(event)
            case words.LinkFault():
                log.info("point %d: %s: %s", self.number, event.kind, event.detail)

    async def _calling(self, event: words.Calling) -> None:
        await self._release("the pump called again without having delivered")
        if event.totaliser_ml is not None:
            await self._totaliser(event.nozzle, event.totaliser_ml)
        self._pending = None
        self._stopping = False
        grade = self.grade(event.nozzle)
        if grade is None:
            text = f"Nozzle {event.nozzle} is not in station.toml: add its grade to point {self.number}"
            self._show(PointState.ERROR, nozzle=event.nozzle, text=text)
            return
        self._show(PointState.CALLING, nozzle=event.nozzle, price=event.price)
        if not same_price(event.price, grade.price):
            self._tell(self.prices())
            text = f"The pump shows {event.price}, the station {grade.price}: hang up, the price is being sent"
            self._show(PointState.ERROR, nozzle=event.nozzle, price=event.price, text=text)
            return
        if self._held is not None:
            token, until_us = self._held
            self._held = None
            if self._site.clock.now().mono_us <= until_us:
                await self._token_shown(token)

    def _allowed(self) -> None:
        """The pump says that it may deliver."""
        authorisation = self._authorisation
        if authorisation is None:
            # Nobody here allowed it, or it was let go of since: no fuel without a record of who may have it.
            self._tell(words.Stop())
        elif self.display.state not in {PointState.AUTHORISED, PointState.FUELLING}:
            # Of before a restart or a broken line.
            _, allowed = authorisation
            token = allowed.token.shown if allowed.token else ""
            self._show(PointState.AUTHORISED, keep=True, nozzle=allowed.nozzle, price=allowed.price, token=token)
            self._watch_unused()

    def _fuelling(self, event: words.Fuelling) -> None:
        if event.nozzle:
            self.display.nozzle = event.nozzle
        self.display.volume_ml = event.volume_ml
        self.display.amount_minor = event.amount_minor
        if self.display.state is not PointState.FUELLING:
            authorisation = self._authorisation
            token = authorisation[1].token if authorisation else None
            price = authorisation[1].price if authorisation else self.display.price
            self._show(PointState.FUELLING, keep=True, token=token.shown if token else "", price=price)
        self._site.changed()

    async def _completed(self, event: words.Completed) -> None:
        if event.volume_ml == 0:
            await self._release("nothing was dispensed")
            self._tell(words.Clear(event.clear_token))
            return
        if self._booked_already(event):
            await self._release("nothing more was dispensed")
            self._tell(words.Clear(event.clear_token))
            return
        self.display.volume_ml, self.display.amount_minor = event.volume_ml, event.amount_minor
        self._show(PointState.STOPPED if self._stopping else PointState.COMPLETED, keep=True, nozzle=event.nozzle)
        delivery = self._delivery_of(event)
        missing = self._missing_before(delivery)
        if missing is None:
            (body,) = await self._site.write_surely(delivery)
        else:
            delivery = msgspec.structs.replace(delivery, totaliser_before_ml=missing.totaliser_after_ml)
            _, body = await self._site.write_surely(missing, delivery)
        # On disk: now the pump may forget it.
        self._tell(words.Clear(event.clear_token))
        await self._on_delivery(body.name)

    def _booked_already(self, event: words.Completed) -> bool:
        """A pump that still holds a delivery of before a restart or a broken line tells it again."""
        last = self._site.books.last_delivery.get(self.number)
        if last is None or not event.at_start:
            return False
        booked = last[1]
        same = (booked.nozzle, booked.volume_ml, booked.amount_minor) == (
            event.nozzle,
            event.volume_ml,
            event.amount_minor,
        )
        # A second delivery of the very same volume moves the totaliser on; only without one must the values do.
        totalisers = (event.totaliser_ml, booked.totaliser_after_ml)
        return same and (None in totalisers or totalisers[0] == totalisers[1])

    def _delivery_of(self, event: words.Completed) -> Delivery:
        grade = self.grade(event.nozzle) or self.grade(1)
        assert grade is not None  # a point has at least one nozzle: config.py checks it
        name, authorised = self._authorisation or (None, None)
        return Delivery(
            point=self.number,
            nozzle=event.nozzle,
            grade=grade.code,
            unit=grade.unit,
            price=event.price,
            volume_ml=event.volume_ml,
            amount_minor=event.amount_minor,
            totaliser_before_ml=self._site.books.totaliser_ml.get((self.number, event.nozzle)),
            totaliser_after_ml=event.totaliser_ml,
            authorised=name,
            token=authorised.token if authorised else None,
            account=authorised.account if authorised else "",
            funds=authorised.funds if authorised else Funds.NONE,
            at_start=event.at_start,
        )

    def _missing_before(self, delivery: Delivery) -> UnrecordedDelivery | None:
        """What ran between the last reading of the books and this delivery, while nobody listened."""
        before_ml, after_ml = delivery.totaliser_before_ml, delivery.totaliser_after_ml
        if before_ml is None or after_ml is None:
            return None
        gap_ml = after_ml - before_ml - delivery.volume_ml
        if gap_ml <= self._counter_step_ml:  # display and totaliser each cut off less than a step
            return None
        log.warning("point %d nozzle %d: %d ml left the pump unrecorded", self.number, delivery.nozzle, gap_ml)
        return UnrecordedDelivery(self.number, delivery.nozzle, gap_ml, before_ml, before_ml + gap_ml)

    async def _hung_up(self) -> None:
        self._pending = None
        self._stopping = False
        if self._authorisation is not None:
            # It was authorised and hung up before any fuel; whether the pump still holds the order or not, end it.
            self._tell(words.Stop())
            await self._release("hung up before any fuel")
        self._show(PointState.IDLE)

    async def _refused(self, event: words.Refused) -> None:
        if isinstance(event.order, words.Authorise):
            if event.reason is not words.Refusal.NOT_CONFIRMED:
                await self._release(f"the pump did not take the order ({event.reason})")
            # Not confirmed: the pump may have taken it all the same. What it says next will close the authorisation.
            offline = event.reason is words.Refusal.OFFLINE
            reason = Reason.PUMP_OFFLINE if offline else Reason.PUMP_REFUSED
            self._show(PointState.ERROR, keep=True, reason=reason)
        else:
            log.warning("point %d: %s was refused: %s", self.number, type(event.order).__name__, event.reason)

    async def _totaliser(self, nozzle: int, totaliser_ml: int) -> None:
        """Hold a reading against the books: what lies between them left while nobody listened."""
        known_ml = self._site.books.totaliser_ml.get((self.number, nozzle))
        if known_ml is None:
            await self._site.write_surely(TotaliserRead(self.number, nozzle, totaliser_ml))
        elif totaliser_ml - known_ml >= TOTALISER_RESOLUTION_ML:
            gap_ml = totaliser_ml - known_ml
            await self._site.write_surely(UnrecordedDelivery(self.number, nozzle, gap_ml, known_ml, totaliser_ml))
            log.warning("point %d nozzle %d: %d ml left the pump unrecorded", self.number, nozzle, gap_ml)
        elif totaliser_ml < known_ml:
            # Rolled over, or another meter: a new baseline, and no fuel is made up from it.
            await self._site.write_surely(TotaliserRead(self.number, nozzle, totaliser_ml))

    # ---- tokens and decisions

    async def _token_shown(self, token: TokenRef) -> None:
        if self.display.state in _SERVED_STATES:
            # This customer is served: held, the card would pay for whoever lifts the nozzle next.
            log.info("point %d: a card was shown during a delivery: not used", self.number)
            return
        if self.display.state not in _OPEN_STATES:
            self._hold(token)
            return
        await self._decide(self._request(token), None, "", "")

    def _hold(self, token: TokenRef) -> None:
        """Keep a card for the nozzle that will be lifted."""
        until_us = self._site.clock.now().mono_us + HELD_TOKEN_S * US_PER_S
        held = self._held = (token, until_us)

        def forget() -> None:
            if self._held is held:
                self._held = None
                if self.display.state is PointState.IDLE:
                    self._show(PointState.IDLE)

        self._site.clock.call_at(until_us, forget)
        if self.display.state is PointState.IDLE:
            self._show(PointState.IDLE, token=token.shown, text="Card read: lift the nozzle")

    def _request(self, token: TokenRef) -> Request:
        grade = self.grade(self.display.nozzle)
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
        for allowed in site.allowed_elsewhere(request.token.key, self.number):
            used_ml += allowed.limits.volume_ml or 0
            used_minor += allowed.limits.amount_minor or 0
        odometer_km = site.books.odometer_km.get(request.token.key, 0)
        decision = decide(request, Facts(found, used_ml, used_minor, odometer_km), now_ms)
        self._pending = None
        match decision:
            case Refusal():
                return await self._decline(request.token, decision.reason, decision.evidence)
            case Needs():
                self._pending = _Pending(request, decision.need, wanted)
                text = {Need.PLATE: "Which plate does the vehicle have?", Need.ODOMETER: "What does the odometer say?"}
                self._show(
                    PointState.DECIDING,
                    keep=True,
                    token=request.token.shown,
                    need=decision.need,
                    text=text[decision.need],
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
        self._show(PointState.REFUSED, keep=True, token=token.shown if token else "", reason=reason)
        await self._site.write_surely(Declined(self.number, self.display.nozzle, token, reason, evidence))
        return reason

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
        grade = self.grade(self.display.nozzle)
        if grade is None or grade.price.value <= 0:
            return Reason.PRICE_MISSING
        if len(self._site.books.unpaid_at(self.number)) >= MAX_UNPAID:
            return await self._decline(token, Reason.TWO_UNPAID, evidence)
        if wanted is not None:
            limits = narrow(limits, wanted.preset_volume_ml, wanted.preset_amount_minor)
        preset_ml, preset_minor = preset_of(limits, grade.price, self._site.currency)
        record = Authorised(
            point=self.number,
            nozzle=self.display.nozzle,
            grade=grade.code,
            unit=grade.unit,
            price=grade.price,
            token=token,
            account=account,
            funds=funds,
            limits=limits,
            preset_volume_ml=preset_ml,
            preset_amount_minor=preset_minor,
            totaliser_before_ml=self._site.books.totaliser_ml.get((self.number, self.display.nozzle)),
            evidence=evidence,
            till=till,
            command_id=command_id,
        )
        try:
            await self._site.write_authorised(record)
        except JournalUnwritable:
            self._show(PointState.ERROR, keep=True, reason=Reason.JOURNAL_FULL)
            return Reason.JOURNAL_FULL
        if self._stops != self._stops_before:
            # A stop came while this was on its way: it goes before everything that was asked for earlier.
            await self._release("stopped before the pump was told")
            self._show(PointState.STOPPED, keep=True)
            return Reason.PUMP_REFUSED
        preset = None if preset_ml is None and preset_minor is None else words.Preset(preset_ml, preset_minor)
        self._show(PointState.AUTHORISED, keep=True, token=token.shown if token else "")
        self._tell(words.Authorise((self.display.nozzle,), preset))
        self._watch_unused()
        return None

    def _watch_unused(self) -> None:
        def check() -> None:
            if self.display.state is PointState.AUTHORISED:
                log.info("point %d: authorised and not used: stopped", self.number)
                self.stop()
                self._watch_unused()  # the stop may get lost

        self._watch_no_more()
        due_us = self._site.clock.now().mono_us + UNUSED_AUTHORISATION_S * US_PER_S
        self._unused = self._site.clock.call_at(due_us, check)

    def _watch_no_more(self) -> None:
        if self._unused is not None:
            self._unused.cancel()

    async def _release(self, reason: str) -> None:
        authorisation = self._authorisation
        if authorisation is not None:
            await self._site.write_surely(Released(authorisation[0], reason))

    @property
    def _authorisation(self) -> tuple[RowName, Authorised] | None:
        return self._site.books.open.get(self.number)

    # ---- tills

    async def _commanded(self, message: _Commanded) -> None:
        command = message.command
        if isinstance(command, AuthorisePoint):
            reason = await self._authorise_by_till(command, message.till)
        else:
            reason = await self._answer(command, message.till)
        if message.result.done():
            return
        if reason is None:
            text = self.display.text if self.display.state is PointState.DECIDING else ""
            message.result.set_result(CommandResult(command.command_id, done=True, text=text))
        else:
            message.result.set_result(refuse(command.command_id, reason))

    async def _authorise_by_till(self, command: AuthorisePoint, till: str) -> Reason | None:
        if command.preset_volume_ml is not None and command.preset_amount_minor is not None:
            return Reason.PRESET_INVALID
        presets = (command.preset_volume_ml, command.preset_amount_minor)
        if any(preset is not None and preset <= 0 for preset in presets):
            return Reason.PRESET_INVALID
        if self.display.state is PointState.OFFLINE:
            return Reason.PUMP_OFFLINE
        if self.display.state in {PointState.AUTHORISED, PointState.FUELLING, PointState.COMPLETED}:
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

    # ---- the tile

    def _show(
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
        before = self.display
        if not keep:
            self.display = Display()
        display = self.display
        display.since_ms = before.since_ms if before.state is state else self._site.wall_ms
        display.state = state
        display.nozzle = display.nozzle if nozzle is None else nozzle
        display.price = display.price if price is None else price
        display.token = display.token if token is None else token
        display.need = need
        display.reason = reason or ""
        display.text = text or (CATALOGUE[reason].attendant if reason else "")
        if state in _OPEN_STATES or state is PointState.AUTHORISED:
            display.volume_ml = display.amount_minor = 0
        self._site.changed()


def refuse(command_id: str, reason: Reason) -> CommandResult:
    return CommandResult(command_id, done=False, reason=reason, text=CATALOGUE[reason].attendant)
