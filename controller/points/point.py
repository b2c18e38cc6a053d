"""One fuelling point: from the lifted nozzle to a delivery that is on disk.

Everything that happens here comes through one inbox and is handled one after the other, so that a decision, a
pump event and a till's command never cross. Whoever may fuel is decided in `decisions.py`; here is what the pump says,
and the order of its end: the delivery is on disk, then the pump is cleared. Knows no protocol, reader, screen or
printer, and not who may fuel and why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controller.deciding.answers import Pending
from controller.deciding.decisions import Decisions, refuse
from controller.deciding.display import Display
from controller.deciding.doubts import Doubts
from controller.deciding.lifted import choices_of
from controller.domain.desk import (
    AnswerNeed,
    AuthorisePoint,
    CommandResult,
    GradeChoice,
    PointState,
    PumpCommand,
    ResumePoint,
)
from controller.domain.funds import Funds
from controller.domain.meters import Meter
from controller.domain.products import Grade
from controller.domain.quantities import same_price
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.records import Authorised, Delivery, PumpAlarm, RowName
from controller.domain.tokens import TokenRef
from controller.points.errands import Errands
from controller.points.found import as_delivered
from controller.points.meters import Meters
from controller.points.pump_prices import PumpPrices
from controller.pumps import words
from controller.site import Site

HELD = "held: resume or stop"
"""On the tile of a suspended pump."""

log = logging.getLogger("forecourt.point")


@dataclass(frozen=True, slots=True)
class TokenShown:
    """A card was proven at this point's reader."""

    token: TokenRef


@dataclass(frozen=True, slots=True)
class CardRejected:
    """A card at this point's reader was refused before anything could be decided; `token` if its number is known."""

    reason: Reason
    token: TokenRef | None = None


@dataclass(frozen=True, slots=True)
class _InTurn:
    do: Callable[[], Awaitable[None]]


_Message = words.PumpEvent | TokenShown | CardRejected | _InTurn


class FuellingPoint:
    """One side of a dispenser. `tell` gives an order to its pump; `on_delivery` hears of each delivery on disk."""

    def __init__(
        self,
        site: Site,
        number: int,
        nozzles: tuple[str, ...],
        tell: Callable[[words.Order], None],
        on_delivery: Callable[[RowName], Awaitable[None]],
        *,
        meter: Meter,
    ) -> None:
        """`nozzles`: the grades of its logical nozzles, by code."""
        self.number = number
        self._site = site
        self._tell = tell
        self._on_delivery = on_delivery
        self.prices = PumpPrices(site, number, nozzles, tell)
        self.meters = Meters(site, number, meter)
        self._doubts = Doubts(site, number)
        self._errands = Errands(site.clock, len(nozzles), self.grade, tell)
        self._decisions = Decisions(site, number, lambda: self.prices.grades, tell, self._in_turn)
        self._inbox: asyncio.Queue[tuple[_Message, int]] = asyncio.Queue()
        self._nozzles = len(nozzles)
        self._unread: set[int] = set()
        """Nozzles whose totalisers were not read since the pump came."""
        self._busy = False
        self._stops = self._stops_before = 0
        """How many stops there were until now, and until what is being handled was posted."""

    # ---- what others may do

    @property
    def display(self) -> Display:
        """What its tile shows."""
        return self._decisions.display

    @property
    def choices(self) -> tuple[GradeChoice, ...]:
        """A nozzle is out and nobody knows which: one of these must be named."""
        return self._decisions.lifted.asked

    def post(self, message: words.PumpEvent | TokenShown | CardRejected) -> None:
        """Something has happened at the pump or its reader."""
        self._inbox.put_nowait((message, self._stops))

    @property
    def question(self) -> Pending | None:
        """What is asked of people here now; another object for each time that it is asked."""
        return self._decisions.question

    def unanswered(self, question: Pending, reason: Reason) -> None:
        """Nobody will answer this any more; nothing happens if somebody has."""

        async def nobody() -> None:
            if self._decisions.question is question:
                await self._decisions.card_refused(reason, question.request.token if question.request else None)

        self._in_turn(nobody)

    async def command(self, said: AuthorisePoint | AnswerNeed, till: str) -> CommandResult:
        """A till's command, in its turn."""
        if self._busy and not self._site.can_write:
            # What has happened at the pump waits for the disk: nobody shall wait behind it for an answer.
            return refuse(said.command_id, Reason.JOURNAL_FULL)
        result: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()

        async def carry_out() -> None:
            answer = await self._decisions.carry_out(said, till)
            if not result.done():
                result.set_result(answer)

        self._in_turn(carry_out)
        return await result

    def see_plate(self, token: TokenRef) -> None:
        """A device has read a plate here."""
        self._in_turn(lambda: self._decisions.plate_seen(token))

    async def errand(self, command: PumpCommand) -> CommandResult:
        """What the pump itself answers; it goes to the pump at once."""
        if isinstance(command, ResumePoint) and (self._decisions.stopping or self._decisions.stopped):
            return refuse(command.command_id, Reason.PUMP_STOPPED)
        return await self._errands.carry_out(command)

    def stop(self) -> None:
        """At once, past everything that waits in the inbox."""
        self._stops += 1
        self._decisions.stop()

    async def run(self) -> None:
        """Handle the inbox until cancelled."""
        try:
            while True:
                message, self._stops_before = await self._inbox.get()
                self._busy = True
                await self._handle(message)
                self._busy = False
        finally:
            self._decisions.unused.end()
            self.prices.no_more()

    def grade(self, nozzle: int) -> Grade | None:
        """What a logical nozzle gives, at the price of now."""
        return self.prices.grade(nozzle)

    def price_changed(self, grade: str) -> None:
        """A grade costs something else from now on."""
        self.prices.changed(grade, self.display.state)

    # ---- inside

    async def _handle(self, message: _Message) -> None:
        match message:
            case TokenShown():
                await self._decisions.token_shown(message.token)
            case CardRejected():
                await self._decisions.card_refused(message.reason, message.token)
            case _InTurn(do):
                await do()
            case _:
                await self._pump_event(message)

    async def _pump_event(self, event: words.PumpEvent) -> None:
        self._errands.heard(event)
        match event:
            case words.Online():
                if self._decisions.stopping:
                    # It was stopped while nobody could tell it.
                    self._tell(words.Stop())
                self._unread = set(range(1, self._nozzles + 1))
                self.prices.send()
            case words.Offline():
                self._decisions.not_heard()
                self.display.show(PointState.OFFLINE, text=CATALOGUE[Reason.PUMP_OFFLINE].attendant)
            case words.Totals():
                await self._read(event.nozzle, event.totaliser_ml)
            case words.Idle():
                await self._hung_up()
            case words.Calling():
                await self._calling(event)
            case words.Authorised():
                self._allowed()
            case words.Fuelling():
                self._fuelling(event)
            case words.Suspended():
                self._suspended()
            case words.Completed():
                await self._completed(event)
            case words.Alarm():
                await self._site.write_surely(PumpAlarm(self.number, event.code, event.text))
                self.display.say(f"The pump reports: {event.text}")
            case words.Refused():
                await self._refused(event)
            case words.LinkFault():
                log.info("point %d: %s: %s", self.number, event.kind, event.detail)

    def _in_turn(self, do: Callable[[], Awaitable[None]]) -> None:
        self._inbox.put_nowait((_InTurn(do), self._stops))

    def _not_stopped(self) -> None:
        """The pump took no stop in all the core's tries: it is told again, and somebody must know."""
        running = self.display.state in {PointState.AUTHORISED, PointState.FUELLING}
        if running and (self._decisions.stopping or self._decisions.stopped):
            text = f"Pump {self.number} does not stop: use its emergency switch. It is told again and again"
            self._site.trouble(self._stop_where, text)
            self._tell(words.Stop())

    @property
    def _stop_where(self) -> str:
        return f"stop of pump {self.number}"

    async def _calling(self, event: words.Calling) -> None:
        self._site.trouble(self._stop_where, None)
        decisions = self._decisions
        await decisions.release("the pump called again without having delivered")
        if event.totaliser_ml is not None:
            await self._read(event.nozzle, event.totaliser_ml)
        decisions.stands()
        if self._stops != self._stops_before:
            # The stop came after the nozzle was lifted, though the tile did not show that yet.
            decisions.bar()
        if decisions.stopped:
            decisions.show_stopped(event.nozzle, event.price if event.nozzle else None)
            return
        if not event.nozzle:
            await self._calling_unnamed(event)
            return
        grade = self.grade(event.nozzle)
        if grade is None:
            text = f"Nozzle {event.nozzle} is not in station.toml: add its grade to point {self.number}"
            self.display.show(PointState.ERROR, nozzle=event.nozzle, reason=Reason.PRICE_MISSING, text=text)
            return
        if not same_price(event.price, grade.price):
            self.prices.send()
            text = f"The pump shows {event.price}, the station {grade.price}: hang up, the price is being sent"
            self.display.show(PointState.ERROR, nozzle=event.nozzle, price=event.price, text=text)
            return
        self.prices.shown()
        self.display.show(PointState.CALLING, nozzle=event.nozzle, price=event.price)
        await decisions.called()

    async def _calling_unnamed(self, event: words.Calling) -> None:
        """A nozzle was lifted, and the pump does not say which: somebody will."""
        choices = choices_of(self.prices.grades, event.prices)
        if all(choice.priced for choice in choices):
            self.prices.shown()
        else:
            self.prices.send()
        self.display.show(PointState.CALLING, nozzle=0)
        await self._decisions.called(choices)

    def _allowed(self) -> None:
        """The pump says that it may deliver."""
        authorisation = self._decisions.authorisation
        if authorisation is None or self._decisions.stopped:
            # Nobody here allowed it, or it was let go of or stopped since: no fuel without a record of who may have it.
            self._tell(words.Stop())
        elif self.display.state not in {PointState.AUTHORISED, PointState.FUELLING}:
            # Of before a restart or a broken line.
            _, allowed = authorisation
            token = allowed.token.shown if allowed.token else ""
            self.display.show(PointState.AUTHORISED, keep=True, nozzle=allowed.nozzle, price=allowed.price, token=token)
            self._decisions.unused.begin()

    def _fuelling(self, event: words.Fuelling) -> None:
        if event.nozzle:
            self.display.nozzle = event.nozzle
        self.display.volume_ml = event.volume_ml
        self.display.amount_minor = event.amount_minor
        if self.display.state is not PointState.FUELLING:
            authorisation = self._decisions.authorisation
            token = authorisation[1].token if authorisation else None
            price = authorisation[1].price if authorisation else self.display.price
            self.display.show(PointState.FUELLING, keep=True, token=token.shown if token else "", price=price)
        self._site.changed()

    def _suspended(self) -> None:
        self._site.trouble(self._stop_where, None)
        if self._decisions.stopped:
            self._decisions.show_stopped()
        else:
            self.display.show(PointState.STOPPED, keep=True, text=HELD)

    async def _completed(self, event: words.Completed) -> None:
        delivered = self._as_delivered(event) if event.volume_ml else None
        if delivered is None:
            self._site.trouble(self._stop_where, None)
            why = "nothing more was dispensed" if event.volume_ml else "nothing was dispensed"
            # First in doubt, then read: what the totaliser tells is charged to whoever it was let go for.
            await self._decisions.release(why, sure=bool(event.volume_ml) or not self._may_have_run(event))
            if event.totaliser_ml is not None:
                await self._read(event.nozzle, event.totaliser_ml)
            self._tell(words.Clear(event.clear_token))
            return
        event = delivered
        self._site.trouble(self._stop_where, None)
        allowed = self._decisions.authorisation
        self._unread.discard(event.nozzle)
        self.display.volume_ml, self.display.amount_minor = event.volume_ml, event.amount_minor
        state = PointState.STOPPED if self._decisions.stopping else PointState.COMPLETED
        self.display.show(state, keep=True, nozzle=event.nozzle)
        delivery = self._delivery_of(event)
        bodies = await self._site.write_surely(*self.meters.rows(delivery))
        # On disk: now the pump may forget it.
        self._tell(words.Clear(event.clear_token))
        self.meters.booked(delivery.nozzle)
        if delivery.totaliser_after_ml is not None:
            await self._doubts.settle(delivery.nozzle, [body.record for body in bodies])
        self._hold_against(delivery, allowed[1] if allowed else None)
        (name,) = (body.name for body in bodies if isinstance(body.record, Delivery))
        await self._on_delivery(name)

    def _may_have_run(self, event: words.Completed) -> bool:
        """The pump says that it gave nothing: whether its display or its totaliser said otherwise."""
        stood_ml = self.meters.stands_ml(event.nozzle) if event.nozzle else None
        moved = event.totaliser_ml is not None and stood_ml is not None and event.totaliser_ml != stood_ml
        return moved or self.display.volume_ml > 0 or self.display.amount_minor > 0

    def _hold_against(self, delivery: Delivery, allowed: Authorised | None) -> None:
        """Say whether the pump gave and charged what was agreed."""
        agreed = delivery.price_agreed
        text = None
        if agreed is not None:
            text = (
                f"The last delivery was charged at {delivery.price} a unit, and {agreed} was agreed: settle the "
                "difference with the customer; the price is sent to the pump again; if this comes back, call service"
            )
            self.prices.send()
        self._site.trouble(f"price at pump {self.number}", text)
        text = None
        if allowed is not None and allowed.grade != delivery.grade:
            text = (
                f"The last delivery was {self._grade_name(delivery.grade)} at {delivery.price} a unit, and "
                f"{self._grade_name(allowed.grade)} at {allowed.price} was authorised. It is booked as the pump says: "
                "tell the customer, and see that it is paid right; if this comes back, call service"
            )
            self.prices.send()
        self._site.trouble(f"grade at pump {self.number}", text)

    def _grade_name(self, code: str) -> str:
        return next((grade.name for grade in self.prices.grades if grade.code == code), code)

    def _as_delivered(self, event: words.Completed) -> words.Completed | None:
        """With the nozzle that really gave it; None if it is booked already."""
        last = self._site.books.last_delivery.get(self.number)
        authorisation = self._decisions.authorisation
        return as_delivered(
            event,
            last=last[1] if last else None,
            authorised=authorisation[1] if authorisation else None,
            known_ml=self.meters.stands_ml,
            how=self.meters.how,
        )

    def _delivery_of(self, event: words.Completed) -> Delivery:
        grade = self.grade(event.nozzle) or self.grade(1)
        assert grade is not None  # a point has at least one nozzle: config.py checks it
        name, authorised = self._decisions.authorisation or (None, None)
        agreed = authorised.price if authorised is not None and authorised.grade == grade.code else None
        return Delivery(
            point=self.number,
            nozzle=event.nozzle,
            grade=grade.code,
            unit=grade.unit,
            price=event.price,
            volume_ml=event.volume_ml,
            amount_minor=event.amount_minor,
            totaliser_before_ml=self._site.books.totaliser_ml(self.number, event.nozzle),
            totaliser_after_ml=event.totaliser_ml,
            authorised=name,
            token=authorised.token if authorised else None,
            account=authorised.account if authorised else "",
            funds=authorised.funds if authorised else Funds.NONE,
            at_start=event.at_start,
            price_agreed=None if agreed is None or same_price(agreed, event.price) else agreed,
            held_by=authorised.held_by if authorised else "",
        )

    async def _hung_up(self) -> None:
        nozzle = self.display.nozzle
        running = self.display.state in {PointState.FUELLING, PointState.STOPPED}
        flowed = nozzle > 0 and running and self.display.volume_ml > 0 and self._decisions.authorisation is not None
        if self._decisions.authorisation is not None:
            # It was authorised and hung up before any fuel; whether the pump still holds the order or not, end it.
            self._tell(words.Stop())
            why = "the pump forgot the delivery" if flowed else "hung up before any fuel"
            await self._decisions.release(why, sure=not flowed)
        self._decisions.hung_up()
        self._site.trouble(self._stop_where, None)
        self.prices.idle()
        # What nobody listened to is in the totalisers alone: before the pump came, or in a delivery that it forgot.
        for unread in sorted(self._unread | self._doubts.nozzles | ({nozzle} if flowed else set())):
            self._tell(words.ReadTotals(unread))
        self._unread.clear()

    async def _read(self, nozzle: int, totaliser_ml: int) -> None:
        if not nozzle:
            return  # it is not known whose counter this is
        self._unread.discard(nozzle)
        await self._doubts.settle(nozzle, await self.meters.read(nozzle, totaliser_ml))

    async def _refused(self, event: words.Refused) -> None:
        if isinstance(event.order, words.Authorise):
            if event.reason is not words.Refusal.NOT_CONFIRMED:
                sure = event.reason is not words.Refusal.OFFLINE
                await self._decisions.release(f"the pump did not take the order ({event.reason})", sure=sure)
            # Not confirmed: the pump may have taken it all the same. What it says next will close the authorisation.
            offline = event.reason is words.Refusal.OFFLINE
            self._decisions.refused(PointState.ERROR, Reason.PUMP_OFFLINE if offline else Reason.PUMP_REFUSED)
        elif isinstance(event.order, words.SetPrices):
            self.prices.refused(event.reason)
        elif isinstance(event.order, words.Stop) and event.reason is words.Refusal.NOT_CONFIRMED:
            self._not_stopped()
        else:
            log.warning("point %d: %s was refused: %s", self.number, type(event.order).__name__, event.reason)
