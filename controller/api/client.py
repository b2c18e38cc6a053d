"""The station's API as a till sees it: who am I, what is going on, do this.

The only file on the till's side that knows HTTP. It knows no screen and keeps no state of the station.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar

import msgspec

from controller.domain.desk import Command, CommandResult, Snapshot

if TYPE_CHECKING:  # httpx takes a fifth of a second to load: a till shows its frame before it needs it
    import httpx

CONNECT_TIMEOUT_S = 2.0
"""A station stands in the same building: one that takes longer is not there."""
READ_TIMEOUT_S = 5.0
"""The station sends a heartbeat each second, so five seconds of silence mean a broken stream."""
COMMAND_TRIES = 3
"""How often a command is sent when its answer is lost. The station does it once: the id stays the same."""
EVENT_BYTES_MAX = 4_000_000
"""One event is a snapshot of some kilobytes. More than this is not our station."""


_Answer = TypeVar("_Answer", bound=msgspec.Struct)


class ClientError(Exception):
    """The station was not heard or said no. The text says what to do."""


class StationUnreachable(ClientError):
    """Nothing answers, or the answer broke off. Whether a command was done is not known."""


class NotAllowed(ClientError):
    """The station does not know this till's token."""


class StationError(ClientError):
    """The station answered, and the answer is of no use."""


class _Whoami(msgspec.Struct, frozen=True):
    till: str


class StationClient:
    """One till's connection to its station at `base_url`, such as http://127.0.0.1:7733."""

    def __init__(self, base_url: str, token: str) -> None:
        import httpx

        self._base_url = base_url.rstrip("/")
        try:
            self._http = httpx.AsyncClient(
                base_url=self._base_url,
                headers={"Authorization": f"Bearer {token}"},
                timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
                trust_env=False,
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise StationError(
                f"{base_url!r} or its token cannot be used ({error}): "
                "an address looks like http://127.0.0.1:7733, a token is plain letters and digits"
            ) from error

    async def whoami(self) -> str:
        """The name by which the station knows this till."""
        import httpx

        try:
            response = await self._http.get("/v1/whoami")
        except (httpx.TransportError, httpx.UnsupportedProtocol) as error:
            raise self._unreachable(error) from error
        return _decode(self._checked(response), _Whoami).till

    async def command(self, command: Command) -> CommandResult:
        """Have a command done, and its result. May be called again with the same command after an error."""
        import httpx

        body = msgspec.json.encode(command)
        for tries_left in reversed(range(COMMAND_TRIES)):
            try:
                response = await self._http.post(
                    "/v1/commands", content=body, headers={"Content-Type": "application/json"}
                )
            except httpx.TransportError as error:
                if not tries_left:
                    raise self._unreachable(error) from error
            else:
                return _decode(self._checked(response), CommandResult)
        raise AssertionError("the last try returns or raises")

    async def snapshots(self) -> AsyncIterator[Snapshot]:
        """Snapshots as the station sends them. Never ends by itself: a broken stream is StationUnreachable."""
        import httpx

        try:
            async with self._http.stream("GET", "/v1/events", headers={"Accept": "text/event-stream"}) as response:
                if response.status_code != httpx.codes.OK:
                    await response.aread()
                self._checked(response)
                events = EventLines()
                async for chunk in response.aiter_bytes():
                    for data in events.feed(chunk):
                        yield _decode(data, Snapshot)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        raise StationUnreachable(
            f"The station at {self._base_url} ended its stream: "
            "it is being restarted, and this till connects again by itself"
        )

    async def close(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    def _unreachable(self, error: Exception) -> StationUnreachable:
        why = str(error) or type(error).__name__
        return StationUnreachable(
            f"No answer from the station at {self._base_url} ({why}): "
            "see that the station is running, and check the cable and the address"
        )

    def _checked(self, response: "httpx.Response") -> bytes:
        if response.status_code == 401:
            raise NotAllowed(
                f"The station at {self._base_url} does not know this till: "
                "give it the token of a till that is written in station.toml"
            )
        if response.is_success:
            return response.content if response.is_stream_consumed else b""
        raise StationError(
            f"The station at {self._base_url} answered with an error "
            f"({response.status_code} {response.reason_phrase}): "
            "look into its log; till and station should be of the same release"
        )


class EventLines:
    """The framing of text/event-stream: bytes in, the data of whole events out. Comments are let go."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes, cut anywhere; give the data of each event that has now ended."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) + sum(map(len, self._data)) > EVENT_BYTES_MAX:
            raise StationError("The station sent an event without an end: is this the address of a station?")
        events = []
        for raw in lines:
            line = raw.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line.removeprefix(b"data:").removeprefix(b" "))
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data.clear()
        return events


def _decode(data: bytes, kind: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise StationError(
            f"The station's answer cannot be read ({error}): till and station should be of the same release"
        ) from error
