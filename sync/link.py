"""The link as the station knows it: joins a `LinkRunner` to the words of `controller.domain.headquarters`.

Knows no device and no till.
"""

import asyncio
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.headquarters import Balance, LinkState, SetApart, UsedCode
from controller.domain.questions import Heard, Outcome, Question
from controller.domain.seams import Clock, Randomness
from sync.list_fetch import ListFetch, ListStore
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
        lists: ListStore | None = None,
    ) -> None:
        """`lists`: where headquarters' lists come to; without it they are carried by hand."""
        self._runner = LinkRunner(
            station=station,
            key=key,
            outbox=outbox,
            transport=transport,
            clock=clock,
            randomness=randomness,
            on_status=self._changed,
            on_set_apart=self._set_apart,
            on_used_codes=self._used_codes,
        )
        self._callbacks: list[Callable[[LinkState], None]] = []
        self._on_set_apart: list[Callable[[SetApart], None]] = []
        self._on_used_codes: list[Callable[[tuple[UsedCode, ...]], None]] = []
        self._connected = False
        self._fetch: ListFetch | None = None
        if lists is not None:
            self._fetch = ListFetch(
                station=station,
                key=key,
                store=lists,
                transport=transport,
                clock=clock,
                on_trouble=lambda: self._changed(self._runner.status),
            )

    @property
    def state(self) -> LinkState:
        return self._state_of(self._runner.status)

    def on_state(self, callback: Callable[[LinkState], None]) -> None:
        self._callbacks.append(callback)

    def on_set_apart(self, callback: Callable[[SetApart], None]) -> None:
        self._on_set_apart.append(callback)

    def on_used_codes(self, callback: Callable[[tuple[UsedCode, ...]], None]) -> None:
        self._on_used_codes.append(callback)

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
        if self._fetch is None:
            await self._runner.run()
            return
        tasks = {asyncio.ensure_future(self._runner.run()), asyncio.ensure_future(self._fetch.run())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _state_of(self, status: LinkStatus) -> LinkState:
        list_trouble = "" if self._fetch is None else self._fetch.trouble
        return LinkState(status.connected, status.waiting_rows, status.down_since_ms, status.trouble, list_trouble)

    def _changed(self, status: LinkStatus) -> None:
        if status.connected and not self._connected and self._fetch is not None:
            self._fetch.connected()
        self._connected = status.connected
        state = self._state_of(status)
        for callback in self._callbacks:
            callback(state)

    def _used_codes(self, told: tuple[UsedCode, ...]) -> None:
        for callback in self._on_used_codes:
            callback(told)

    def _set_apart(self, told: SetApart) -> None:
        for callback in self._on_set_apart:
            callback(told)
