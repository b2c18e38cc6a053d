"""The link as the station knows it: joins a `LinkRunner` to the words of `controller.domain.headquarters`.

Knows no device and no till.
"""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.headquarters import Balance, LinkState, SetApart
from controller.domain.questions import Heard, Outcome, Question
from controller.domain.seams import Clock, Randomness
from sync.runner import LinkRunner, LinkStatus, Outbox, Transport
from sync.station import Ending
from sync.wire import BalanceAnswer, BalanceAsk, RefusedAnswer


class StationLink:
    """Headquarters, from a station. Implements `controller.domain.headquarters.Headquarters`."""

    def __init__(
        self,
        *,
        station: str,
        key: Ed25519PrivateKey,
        outbox: Outbox,
        transport: Transport,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._runner = LinkRunner(
            station=station,
            key=key,
            outbox=outbox,
            transport=transport,
            clock=clock,
            randomness=randomness,
            on_status=self._changed,
            on_set_apart=self._set_apart,
        )
        self._callbacks: list[Callable[[LinkState], None]] = []
        self._on_set_apart: list[Callable[[SetApart], None]] = []

    @property
    def state(self) -> LinkState:
        status = self._runner.status
        return LinkState(status.connected, status.waiting_rows, status.down_since_ms, status.trouble)

    def on_state(self, callback: Callable[[LinkState], None]) -> None:
        self._callbacks.append(callback)

    def on_set_apart(self, callback: Callable[[SetApart], None]) -> None:
        self._on_set_apart.append(callback)

    def rows_written(self) -> None:
        self._runner.notify()

    async def balance(self, account: str, command_id: str) -> Balance:
        """The account's balance; `Heard.UNKNOWN` when no answer came in time."""
        outcome = await self._runner.ask(BalanceAsk(account), command_id)
        match outcome.ending, outcome.answer:
            case Ending.ANSWERED, BalanceAnswer() as answer:
                return Balance(Heard.ANSWERED, amount_minor=answer.balance_minor)
            case _, RefusedAnswer() as refused:
                return Balance(Heard.REFUSED, text=refused.text)
            case Ending.UNKNOWN, _:
                return Balance(Heard.UNKNOWN, text=outcome.text)
            case _:
                return Balance(Heard.REFUSED, text=outcome.text)

    async def ask(self, question: Question, command_id: str) -> Outcome:
        """Its answer; `Heard.UNKNOWN` when none came in time: it may have been done or not."""
        outcome = await self._runner.ask(question, command_id)
        match outcome.ending, outcome.answer:
            case _, RefusedAnswer() as refused:
                return Outcome(Heard.REFUSED, reason=refused.reason, text=refused.text)
            case Ending.ANSWERED, answer:
                if answer is None or isinstance(answer, BalanceAnswer):
                    return Outcome(Heard.UNKNOWN, text="headquarters answered another question")
                return Outcome(Heard.ANSWERED, answer)
            case Ending.UNKNOWN, _:
                return Outcome(Heard.UNKNOWN, text=outcome.text)
            case _:
                return Outcome(Heard.REFUSED, text=outcome.text)

    async def run(self) -> None:
        await self._runner.run()

    def _changed(self, status: LinkStatus) -> None:
        state = LinkState(status.connected, status.waiting_rows, status.down_since_ms, status.trouble)
        for callback in self._callbacks:
            callback(state)

    def _set_apart(self, told: SetApart) -> None:
        for callback in self._on_set_apart:
            callback(told)
