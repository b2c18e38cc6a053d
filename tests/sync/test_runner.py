"""The runner over fakes: rows flow, status is told, questions come back, and nothing waits by the machine's clock."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from sync.hq.requests import Requests
from sync.runner import LinkDown, LinkRunner, LinkStatus, Refused
from sync.station import ASK_DEADLINE_US, Ending, Outcome
from sync.transport import HttpTransport
from sync.wire import BATCHES_PATH, MAX_ANSWER_BYTES, BalanceAnswer, BalanceAsk, WireError
from tests.sync.peers import KEY, WALL_MS, Chance, HandClock, Headquarters, Journal

IDLE_TURNS = 30


class InlineTransport:
    """Headquarters in the same process. `down` cuts the link; `silent` takes everything and never answers."""

    def __init__(self, hq: Headquarters) -> None:
        self.hq = hq
        self.requests = Requests(hq.store)
        self.down = False
        self.silent = False
        self.hold: asyncio.Event | None = None

    async def post(self, path: str, body: bytes) -> bytes:
        if self.down:
            raise LinkDown("the cable is cut")
        if self.silent:
            await asyncio.Event().wait()
        if self.hold is not None:
            await self.hold.wait()
        try:
            if path == BATCHES_PATH:
                return self.hq.ingest.receive(body, WALL_MS)
            return self.requests.receive(body, WALL_MS)
        except WireError as error:
            raise Refused(str(error)) from error


class World:
    def __init__(self) -> None:
        self.clock = HandClock()
        self.hq = Headquarters()
        self.transport = InlineTransport(self.hq)
        self.journal = Journal()
        self.journal.start(Chance(1))
        self.statuses: list[LinkStatus] = []
        self.late: list[Outcome] = []
        self.runner = LinkRunner(
            station=self.journal.station,
            key=KEY,
            outbox=self.journal,
            transport=self.transport,
            clock=self.clock,
            randomness=Chance(2),
            on_status=self.statuses.append,
            on_late=self.late.append,
        )

    async def idle(self) -> None:
        for _ in range(IDLE_TURNS):
            await asyncio.sleep(0)

    async def until(self, reached: Callable[[], bool]) -> None:
        for _ in range(1_000):
            await self.idle()
            if reached():
                return
            assert self.clock.advance(), "nothing is waited for any more"
        raise AssertionError("never came")


def _in_world(scenario: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        world = World()
        running = asyncio.ensure_future(world.runner.run())
        try:
            await scenario(world)
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        assert len(asyncio.all_tasks()) == 1, "a task was left behind"

    asyncio.run(run())


def test_rows_flow_and_the_cursor_is_kept() -> None:
    async def scenario(world: World) -> None:
        for _ in range(300):
            world.journal.sell()
        world.runner.notify()
        await world.until(lambda: world.journal.cursor == world.journal.head_seq)
        world.journal.sell()
        world.runner.notify()
        assert world.runner.status.waiting_rows == 2
        await world.until(lambda: world.journal.cursor == world.journal.head_seq)
        assert world.hq.hashes() == [row.hash for row in world.journal.rows]
        assert world.runner.status == LinkStatus(True, 0, 0, "")

    _in_world(scenario)


def test_a_cut_link_is_told_with_its_time_and_heals() -> None:
    async def scenario(world: World) -> None:
        await world.until(lambda: world.runner.status.connected)
        world.transport.down = True
        world.journal.sell()
        world.runner.notify()
        await world.until(lambda: not world.runner.status.connected)
        status = world.runner.status
        assert (status.waiting_rows, status.trouble) == (2, "the cable is cut")
        assert status.down_since_ms == world.clock.now().wall_ms
        for _ in range(10):
            await world.idle()
            world.clock.advance()
        assert world.runner.status == status
        world.transport.down = False
        await world.until(lambda: world.runner.status.connected and world.journal.cursor == 3)

    _in_world(scenario)


def test_a_transport_that_never_comes_back_counts_as_down() -> None:
    async def scenario(world: World) -> None:
        world.transport.silent = True
        await world.until(lambda: "never answered" in world.runner.status.trouble)
        world.transport.silent = False
        await world.until(lambda: world.runner.status.connected)

    _in_world(scenario)


def test_a_refusal_is_shown_in_headquarters_words() -> None:
    async def scenario(world: World) -> None:
        world.hq.store.enrol(world.journal.station, b"x" * 32, 0, replace=True)
        await world.until(lambda: "not signed by its key" in world.runner.status.trouble)

    _in_world(scenario)


def test_a_question_is_answered_once_for_all_who_ask_with_its_id() -> None:
    async def scenario(world: World) -> None:
        world.journal.sell(700, account="acme")
        world.runner.notify()
        await world.until(lambda: world.journal.cursor == 3)
        asks = [asyncio.ensure_future(world.runner.ask(BalanceAsk("acme"), "c1")) for _ in range(2)]
        await world.idle()
        first, second = (ask.result() for ask in asks)
        assert first == second
        assert first.ending is Ending.ANSWERED
        assert isinstance(first.answer, BalanceAnswer)
        assert first.answer.balance_minor == -700

    _in_world(scenario)


def test_a_question_without_a_link_ends_unknown_and_a_late_answer_is_told() -> None:
    async def scenario(world: World) -> None:
        await world.until(lambda: world.runner.status.connected)
        world.transport.hold = asyncio.Event()
        ask = asyncio.ensure_future(world.runner.ask(BalanceAsk("acme"), "c1"))
        await world.until(ask.done)
        assert ask.result().ending is Ending.UNKNOWN
        assert world.clock.mono_us == ASK_DEADLINE_US
        assert world.late == []
        world.transport.hold.set()
        await world.idle()
        (late,) = world.late
        assert (late.command_id, late.ending, late.late) == ("c1", Ending.ANSWERED, True)

    _in_world(scenario)


def test_a_question_that_is_open_when_the_link_stops_ends_unknown() -> None:
    asks: list[asyncio.Future[Outcome]] = []

    async def scenario(world: World) -> None:
        world.transport.silent = True
        asks.append(asyncio.ensure_future(world.runner.ask(BalanceAsk("acme"), "c1")))
        await world.idle()

    async def run() -> None:
        world = World()
        running = asyncio.ensure_future(world.runner.run())
        await scenario(world)
        running.cancel()
        assert (await asks[0]).ending is Ending.UNKNOWN

    asyncio.run(run())


def _answers(answer: httpx.Response | Exception) -> HttpTransport:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return HttpTransport("http://hq", transport=httpx.MockTransport(handle))


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (httpx.Response(401, text="not your key"), Refused, "not your key"),
        (httpx.Response(404), Refused, "HTTP status 404"),
        (httpx.Response(507, text="disk full"), LinkDown, "disk full"),
        (httpx.Response(200, content=bytes(MAX_ANSWER_BYTES + 1)), LinkDown, "without end"),
        (httpx.ConnectError("refused"), LinkDown, r"station\.toml"),
        (httpx.ConnectTimeout("slow"), LinkDown, "cannot be reached"),
        (httpx.ReadTimeout("slow"), LinkDown, "did not answer"),
        (httpx.RemoteProtocolError("cut"), LinkDown, "broke"),
    ],
)
def test_http_failures_are_sentences(answer: httpx.Response | Exception, error: type[Exception], text: str) -> None:
    async def run() -> None:
        async with _answers(answer) as transport:
            with pytest.raises(error, match=text):
                await transport.post("/x", b"")

    asyncio.run(run())


@pytest.mark.parametrize("url", ["", "hq", "ftp://hq", "http://", "http://[::1"])
def test_an_address_is_checked_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        HttpTransport(url)
