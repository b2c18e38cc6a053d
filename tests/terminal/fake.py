"""A station in the test's own process: the client's Protocol, a few pumps, and ways to make it fail."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count

from msgspec.structs import replace

from controller.api.client import StationError, StationUnreachable
from controller.domain.desk import (
    AnswerNeed,
    AskBalance,
    AskPoints,
    AuthorisePoint,
    Command,
    CommandResult,
    ExpectShown,
    LeaseDelivery,
    LinkView,
    Need,
    PayDelivery,
    PointState,
    PointView,
    PresentAfter,
    ReleaseDelivery,
    SendCode,
    Snapshot,
    StopAll,
    StopPoint,
    Trouble,
    UnpaidView,
)
from controller.domain.reasons import CATALOGUE, Reason

AT_MS = 1_750_000_000_000


def unpaid(point: int, amount_minor: int = 45_050, name: str = "a") -> UnpaidView:
    return UnpaidView(f"d{point}{name}", point, "Diesel", "l", 10_280, amount_minor, "43.82", AT_MS, "")


def snapshot(points: tuple[PointView, ...], *, simulated: bool = True) -> Snapshot:
    return Snapshot(
        station="S1",
        station_name="Kuzey Petrol",
        simulated=simulated,
        currency="TRY",
        decimals=2,
        at_ms=AT_MS,
        version=1,
        points=points,
        link=LinkView(configured=True, connected=True, waiting_rows=0, down_since_ms=0),
        troubles=(),
        journal_head="",
        sales=0,
    )


def forecourt(number: int = 8) -> tuple[PointView, ...]:
    """Pumps in all states: 4 calls, 5 is unpaid, 6 twice, 7 fuels, 8 asks."""
    points = {n: PointView(n, PointState.IDLE, AT_MS, "Diesel", price="43.82") for n in range(1, number + 1)}
    points[4] = replace(points[4], state=PointState.CALLING)
    points[5] = replace(points[5], unpaid=(unpaid(5),))
    points[6] = replace(points[6], unpaid=(unpaid(6), unpaid(6, 100, "b")))
    points[7] = replace(points[7], state=PointState.FUELLING, volume_ml=28_160, amount_minor=123_450, token="34 AB 123")
    asked = {"need": Need.ODOMETER, "question": "point-8/1", "text": "The card asks the odometer"}
    points[8] = replace(points[8], state=PointState.DECIDING, **asked)
    return tuple(points.values())


class FakeStation:
    """All tills of one station speak to one of these, each through `till(name)`."""

    def __init__(self, points: tuple[PointView, ...] | None = None, *, simulated: bool = True) -> None:
        self.now = snapshot(points or forecourt(), simulated=simulated)
        self.commands: list[Command] = []
        self.answers: dict[str, CommandResult] = {}
        self.point_worth_minor = 1
        self.lost_answers = 0
        """So many answers get lost, after the command was done."""
        self.refuses: dict[type, Reason] = {}
        self.held = asyncio.Event()
        """No command is answered while this is clear."""
        self.held.set()
        self.up = True
        self._listeners: list[asyncio.Queue[Snapshot | None]] = []

    def till(self, name: str) -> "FakeTill":
        return FakeTill(self, name)

    def publish(self, now: Snapshot | None = None) -> None:
        self.now = replace(now or self.now, version=self.now.version + 1)
        for listener in self._listeners:
            listener.put_nowait(self.now)

    def change(self, number: int, change: Callable[[PointView], PointView]) -> None:
        points = tuple(change(p) if p.number == number else p for p in self.now.points)
        self.publish(replace(self.now, points=points))

    def point(self, number: int) -> PointView:
        return next(point for point in self.now.points if point.number == number)

    def trouble(self, where: str, text: str) -> None:
        self.publish(replace(self.now, troubles=(Trouble(where, text, AT_MS),)))

    def cut(self) -> None:
        """Go away: streams break, nothing answers."""
        self.up = False
        for listener in self._listeners:
            listener.put_nowait(None)

    def come_back(self) -> None:
        self.up = True

    def of(self, kind: type) -> list[Command]:
        return [command for command in self.commands if isinstance(command, kind)]

    def do(self, till: str, command: Command) -> CommandResult:
        self.commands.append(command)
        known = self.answers.get(command.command_id)
        if known is None:
            known = self.answers[command.command_id] = self._do(till, command)
        return known

    def _do(self, till: str, command: Command) -> CommandResult:
        if reason := self.refuses.get(type(command)):
            return self._refused(command, reason)
        match command:
            case AuthorisePoint(point=point, grade="") if self.point(point).choices:
                asked = {"need": Need.GRADE, "question": f"fuel/{point}", "text": "Which fuel?"}
                self.change(point, lambda p: replace(p, state=PointState.DECIDING, **asked))
                return self._done(command, "Which fuel?")
            case AuthorisePoint(point=point):
                self.change(point, lambda p: replace(p, state=PointState.AUTHORISED, token=command.plate))
                return self._done(command, f"Pump {point} may deliver")
            case AnswerNeed(point=point, question=question) if question != self.point(point).question:
                return self._refused(command, Reason.QUESTION_GONE)
            case AnswerNeed(point=point):
                self.change(point, lambda p: replace(p, state=PointState.AUTHORISED, need=None, text=""))
                return self._done(command, f"Pump {point} may deliver")
            case StopPoint(point=point):
                self.change(point, lambda p: replace(p, state=PointState.STOPPED))
                return self._done(command, f"Pump {point} stopped")
            case StopAll():
                for p in self.now.points:
                    self.change(p.number, lambda p: replace(p, state=PointState.STOPPED))
                return self._done(command, "All pumps stopped")
            case LeaseDelivery(delivery_id=delivery_id):
                holder = self._waiting(delivery_id)
                if holder is None:
                    return self._refused(command, Reason.ALREADY_SETTLED)
                if holder.leased_to not in {"", till}:
                    return self._refused(command, Reason.LEASED_ELSEWHERE)
                self._lease(holder, till)
                return self._done(command)
            case ReleaseDelivery(delivery_id=delivery_id):
                if holder := self._waiting(delivery_id):
                    self._lease(holder, "")
                return self._done(command)
            case PayDelivery(delivery_id=delivery_id):
                paid = self._waiting(delivery_id)
                if paid is None:
                    return self._refused(command, Reason.ALREADY_SETTLED)
                if paid.leased_to != till:
                    return self._refused(command, Reason.NOT_LEASED)
                self.change(
                    paid.point,
                    lambda p: replace(p, unpaid=tuple(u for u in p.unpaid if u.delivery_id != delivery_id)),
                )
                return CommandResult(
                    command.command_id,
                    True,
                    text=f"Pump {paid.point} is paid",
                    change_minor=command.given_minor + command.points - paid.amount_minor,
                    receipt=f"KUZEY PETROL\nPump {paid.point}\nTotal {paid.amount_minor}\nSIMULATION",
                )
            case AskBalance():
                return self._done(command, "Balance 1200.00 TRY")
            case AskPoints():
                answer = self._done(command, "petrol 617 points")
                return replace(answer, point_worth_minor=self.point_worth_minor)
            case ExpectShown():
                return self._done(command)
            case SendCode():
                return self._done(command, "A code was sent to +90 *** 33")
            case PresentAfter(delivery_id=delivery_id):
                receipt = "" if self._waiting(delivery_id) else "KUZEY PETROL\nCOPY\nPoints earned 220"
                return CommandResult(command.command_id, True, receipt=receipt)
            case _:
                raise AssertionError(f"no terminal sends {command}")

    def _waiting(self, delivery_id: str) -> UnpaidView | None:
        return next((u for p in self.now.points for u in p.unpaid if u.delivery_id == delivery_id), None)

    def _lease(self, held: UnpaidView, till: str) -> None:
        def leased(point: PointView) -> PointView:
            return replace(
                point,
                unpaid=tuple(
                    replace(u, leased_to=till) if u.delivery_id == held.delivery_id else u for u in point.unpaid
                ),
            )

        self.change(held.point, leased)

    @staticmethod
    def _done(command: Command, text: str = "") -> CommandResult:
        return CommandResult(command.command_id, True, text=text)

    @staticmethod
    def _refused(command: Command, reason: Reason) -> CommandResult:
        return CommandResult(command.command_id, False, reason.value, CATALOGUE[reason].attendant)


class FakeTill:
    """The `Station` Protocol for one till."""

    def __init__(self, station: FakeStation, name: str) -> None:
        self._station = station
        self._name = name
        self.closed = False

    async def whoami(self) -> str:
        self._must_be_up()
        return self._name

    async def command(self, command: Command) -> CommandResult:
        self._must_be_up()
        result = self._station.do(self._name, command)
        await self._station.held.wait()
        if self._station.lost_answers:
            self._station.lost_answers -= 1
            raise StationUnreachable("The answer was lost: check the cable")
        return result

    async def snapshots(self) -> AsyncIterator[Snapshot]:
        self._must_be_up()
        mine: asyncio.Queue[Snapshot | None] = asyncio.Queue()
        self._station._listeners.append(mine)
        try:
            yield self._station.now
            while (now := await mine.get()) is not None:
                yield now
            raise StationError("The stream broke: wait a moment")
        finally:
            self._station._listeners.remove(mine)

    async def close(self) -> None:
        self.closed = True

    def _must_be_up(self) -> None:
        if not self._station.up:
            raise StationUnreachable("No answer from the station: see that it is running")


class FakeClock:
    """A monotonic clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now_ms = 10_000_000

    def __call__(self) -> int:
        return self.now_ms


def ids(prefix: str) -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{prefix}-{next(numbers)}"
