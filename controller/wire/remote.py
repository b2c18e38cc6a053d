"""`wire record --station`: the stream of a running station's line, over its API.

The only file of the wire tools that knows HTTP.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from controller.wire.decode import Ear
from controller.wire.protocols import UnknownProtocol, protocol_of
from controller.wire.record import Heading, Recorder
from controller.wire.stream import BadStream, StreamReader

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 5.0
"""The station sends a heartbeat each second."""
PATH = "/v1/lines/{line}/wire"


class StationSaysNo(Exception):
    """The station was not heard, does not know the token or has no such line. The text says what to do."""


async def record_station(
    base_url: str,
    token: str,
    line: str,
    recorder: Callable[[Heading], Recorder],
    say: Callable[[str], None],
    transport: "httpx.AsyncBaseTransport | None" = None,
) -> None:
    """Until cancelled. `recorder` makes the file once the station has answered; `say` tells people what was lost."""
    import httpx

    url = base_url.rstrip("/") + PATH.format(line=quote(line, safe=""))
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    try:
        async with (
            httpx.AsyncClient(timeout=timeout, trust_env=False, transport=transport) as http,
            http.stream("GET", url, headers={"Authorization": f"Bearer {token}"}) as response,
        ):
            _check(response.status_code, base_url, line)
            await _record(response, recorder, say)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise StationSaysNo(
            f"no answer from the station at {base_url} ({str(error) or type(error).__name__}): "
            "see that the station is running, and check the address"
        ) from error
    except (BadStream, UnknownProtocol) as error:
        raise StationSaysNo(f"the station at {base_url}: {error}") from error
    raise StationSaysNo(f"the station at {base_url} ended its stream: what came until then is recorded")


def _check(status: int, base_url: str, line: str) -> None:
    if status == 200:
        return
    why = {
        401: "does not know this token: give the token file of one of its tills",
        404: f"has no line {line!r}: the names are those of station.toml",
        429: "has too many listeners already: stop one of them",
    }.get(status, f"answered {status}: look into its log")
    raise StationSaysNo(f"the station at {base_url} {why}")


async def _record(
    response: "httpx.Response", recorder: Callable[[Heading], Recorder], say: Callable[[str], None]
) -> None:
    reader = StreamReader()
    file: Recorder | None = None
    ear: Ear | None = None
    async for chunk in response.aiter_bytes():
        passed = reader.feed(chunk)
        if file is None and reader.heading is not None:
            ear = Ear(protocol_of(reader.heading.protocol))
            file = recorder(reader.heading)
        for piece in passed:
            assert file is not None, "pieces come after the heading"
            assert ear is not None, "made with the file"
            if piece.lost:
                say(f"{piece.lost} pieces were lost: this end is too slow")
            # A turn or an answer is a whole: what is left of it never comes.
            data = _bytes(piece.hex)
            file.add([*ear.hear(data, piece.direction), *ear.silence()], piece.at_us)


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BadStream(f"hex that is none: {error}") from error
