"""What the terminal needs of a station: the shape of the API's client, so that a test can be the station.

Every method may raise `controller.api.client.ClientError`, whose text is fit for the attendant.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from controller.domain.desk import Command, CommandResult, Snapshot


class Station(Protocol):
    """One till's connection to its station."""

    async def whoami(self) -> str:
        """The name of this till."""
        ...

    async def command(self, command: Command) -> CommandResult:
        """Have a command done. Repeating it with the same id gives the first answer."""
        ...

    def snapshots(self) -> AsyncIterator[Snapshot]:
        """Snapshots as they come; a broken stream is an error, never an end."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...
