"""The link's transport over HTTP: one address, one kept connection, and failures said in sentences.

Knows nothing of batches: it posts bytes and gives bytes back.
"""

from typing import Self

import httpx

from sync.runner import LinkDown, Refused
from sync.wire import MAX_ANSWER_BYTES

CONNECT_S = 10
ANSWER_S = 30
"""Above a mobile link's worst round trips; the runner's own patience is above both together."""
SENTENCE_MAX = 400
"""Letters of a refusal that are passed on to a screen."""


class HttpTransport:
    """Posts to headquarters at `url` ("https://hq.example.com"). Proxies of the environment are not used.

    ValueError if `url` is no http(s) address.
    """

    def __init__(self, url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"{url!r} is not an address of headquarters: {error}") from error
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ValueError(f"{url!r} is not an address of headquarters: expected https://host or http://host:port")
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=self._url,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            trust_env=False,
            transport=transport,
            headers={"content-type": "application/octet-stream"},
        )

    async def post(self, path: str, body: bytes) -> bytes:
        """The answer's body. LinkDown if it is worth trying again, Refused if headquarters will not."""
        try:
            async with self._client.stream("POST", path, content=body) as response:
                answer = bytearray()
                async for piece in response.aiter_bytes():
                    answer += piece
                    if len(answer) > MAX_ANSWER_BYTES:
                        raise LinkDown(f"{self._url} sent an answer without end: is that headquarters?")
        except httpx.ConnectTimeout as error:
            raise LinkDown(f"{self._url} cannot be reached: check the station's network") from error
        except httpx.ConnectError as error:
            raise LinkDown(
                f"no connection to {self._url} ({error}): check the network, and the address in station.toml"
            ) from error
        except httpx.TimeoutException as error:
            raise LinkDown(f"{self._url} did not answer within {ANSWER_S} s: it or the network is slow") from error
        except httpx.HTTPError as error:
            raise LinkDown(f"the connection to {self._url} broke ({error or type(error).__name__})") from error
        if response.status_code == httpx.codes.OK:
            return bytes(answer)
        text = bytes(answer).decode(errors="replace").strip()[:SENTENCE_MAX]
        sentence = text or f"{self._url} answered with HTTP status {response.status_code}"
        retry = response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS
        raise (LinkDown if retry else Refused)(sentence)

    async def close(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
