"""The till's link to its station: listens, sends, comes back after a break. It only posts messages.

Knows the client's Protocol and its errors. Changes nothing that is shown: handlers do that.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from textual.message import Message

from controller.api.client import ClientError, StationUnreachable
from controller.domain.desk import Command, StopAll, StopPoint
from terminal.messages import CommandAnswered, CommandUnanswered, LinkLost, SnapshotArrived, TillKnown
from terminal.station import Station

BACK_OFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Waits between attempts; the last one is repeated. Short: the station restarts in a second."""

URGENT = StopPoint | StopAll
"""Commands that wait for no other."""


class StationLink:
    """Runs as workers of the application: `follow` for snapshots, `deliver` for commands in their order."""

    def __init__(
        self,
        open_station: Callable[[], Station],
        post: Callable[[Message], object],
        monotonic_ms: Callable[[], int],
    ) -> None:
        self._open = open_station
        self._post = post
        self._monotonic_ms = monotonic_ms
        self._station: Station | None = None
        self._waiting: asyncio.Queue[Command] = asyncio.Queue()

    async def follow(self) -> None:
        """Post snapshots for as long as the terminal runs."""
        failures = 0
        while True:
            try:
                # Loading the HTTP client takes a while: the screen must not wait for it.
                if self._station is None:
                    self._station = await asyncio.to_thread(self._open)
                station = self._station
                self._post(TillKnown(await station.whoami()))
                async for snapshot in station.snapshots():
                    failures = 0
                    self._post(SnapshotArrived(snapshot, self._monotonic_ms()))
                raise StationUnreachable("The station ended its stream: this till connects again by itself")
            except ClientError as error:
                self._post(LinkLost(str(error)))
            await asyncio.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
            failures += 1

    async def deliver(self) -> None:
        """Send what `send` was given, one after the other: a release must not overtake the next lease."""
        while True:
            await self.send_now(await self._waiting.get())

    def send(self, command: Command) -> None:
        """Have a command sent in its turn. A stop takes no turn: give it to `send_now`."""
        self._waiting.put_nowait(command)

    async def send_now(self, command: Command) -> None:
        """Send a command and post what came of it."""
        try:
            self._post(CommandAnswered(command, await self._opened().command(command)))
        except ClientError as error:
            self._post(CommandUnanswered(command, str(error)))

    async def close(self) -> None:
        """Let go of the station."""
        if self._station is not None:
            with suppress(ClientError):
                await self._station.close()

    def _opened(self) -> Station:
        if self._station is None:
            raise StationUnreachable("There has been no link to the station yet: see that it is running")
        return self._station
