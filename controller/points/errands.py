"""What a till asks of a pump and the pump itself answers: hold, go on, totals, what it is.

An errand ends with the pump's word, or with a refusal, and never without an end. Knows no delivery, no decision and no
journal.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from controller.deciding.decisions import refuse
from controller.domain.desk import (
    CommandResult,
    IdentifyPump,
    NozzleTotal,
    PumpCommand,
    ReadPumpTotals,
    ResumePoint,
    SuspendPoint,
)
from controller.domain.products import Grade
from controller.domain.reasons import Reason
from controller.domain.seams import US_PER_S, Clock
from controller.pumps import words

ANSWER_S = 15
"""A core tries an order some times and then says so; this is for one that says nothing at all."""

REASONS = {
    words.Refusal.UNSUPPORTED: Reason.PUMP_UNSUPPORTED,
    words.Refusal.WRONG_STATE: Reason.PUMP_WRONG_STATE,
    words.Refusal.OFFLINE: Reason.PUMP_OFFLINE,
    words.Refusal.NOT_CONFIRMED: Reason.PUMP_NOT_CONFIRMED,
}


@dataclass(slots=True, eq=False)
class _Errand:
    command: PumpCommand
    orders: tuple[words.Order, ...]
    answer: "asyncio.Future[CommandResult]"
    totals_ml: dict[int, int] = field(default_factory=dict)


class Errands:
    """The errands of one pump that have no end yet."""

    def __init__(
        self,
        clock: Clock,
        nozzles: int,
        grade_of: Callable[[int], Grade | None],
        tell: Callable[[words.Order], None],
    ) -> None:
        self._clock = clock
        self._nozzles = range(1, nozzles + 1)
        self._grade_of = grade_of
        self._tell = tell
        self._open: list[_Errand] = []

    async def carry_out(self, command: PumpCommand) -> CommandResult:
        """Tell the pump, and wait for what it says."""
        errand = _Errand(command, self._orders(command), asyncio.get_running_loop().create_future())
        self._open.append(errand)
        for order in errand.orders:
            self._tell(order)
        due_us = self._clock.now().mono_us + ANSWER_S * US_PER_S
        late = self._clock.call_at(due_us, lambda: self._refuse(errand, Reason.PUMP_NOT_CONFIRMED))
        try:
            return await errand.answer
        finally:
            late.cancel()
            self._open.remove(errand)

    def heard(self, event: words.PumpEvent) -> None:
        """The pump has said something: perhaps an errand's end."""
        match event:
            case words.Suspended():
                self._done(SuspendPoint)
            case words.Fuelling() | words.Authorised():
                self._done(ResumePoint)
            case words.Identity(text):
                self._done(IdentifyPump, text)
            case words.Totals(nozzle, totaliser_ml, asked=True):
                self._total(nozzle, totaliser_ml)
            case words.Completed() | words.Idle():
                for errand in self._of(SuspendPoint, ResumePoint):
                    self._refuse(errand, Reason.PUMP_WRONG_STATE)
            case words.Offline():
                for errand in self._open:
                    self._refuse(errand, Reason.PUMP_OFFLINE)
            case words.Refused(order, reason):
                for errand in self._open:
                    if order in errand.orders:
                        self._refuse(errand, REASONS[reason])

    # ---- inside

    def _orders(self, command: PumpCommand) -> tuple[words.Order, ...]:
        match command:
            case SuspendPoint():
                return (words.Suspend(),)
            case ResumePoint():
                return (words.Resume(),)
            case IdentifyPump():
                return (words.Identify(),)
            case ReadPumpTotals():
                return tuple(words.ReadTotals(nozzle) for nozzle in self._nozzles)

    def _of(self, *kinds: type[PumpCommand]) -> Iterable[_Errand]:
        return [errand for errand in self._open if isinstance(errand.command, kinds)]

    def _done(self, kind: type[PumpCommand], text: str = "") -> None:
        for errand in self._of(kind):
            _end(errand, CommandResult(errand.command.command_id, done=True, text=text))

    def _total(self, nozzle: int, totaliser_ml: int) -> None:
        for errand in self._of(ReadPumpTotals):
            errand.totals_ml[nozzle] = totaliser_ml
            if errand.totals_ml.keys() >= set(self._nozzles):
                totals = tuple(self._read(number, errand.totals_ml[number]) for number in self._nozzles)
                _end(errand, CommandResult(errand.command.command_id, done=True, totals=totals))

    def _read(self, nozzle: int, totaliser_ml: int) -> NozzleTotal:
        grade = self._grade_of(nozzle)
        return NozzleTotal(nozzle, grade.name if grade else "", grade.unit if grade else "l", totaliser_ml)

    def _refuse(self, errand: _Errand, reason: Reason) -> None:
        _end(errand, refuse(errand.command.command_id, reason))


def _end(errand: _Errand, result: CommandResult) -> None:
    if not errand.answer.done():
        errand.answer.set_result(result)
