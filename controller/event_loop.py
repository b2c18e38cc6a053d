"""The station's event loop: one that looks names up beside everything else.

A name server that is not there keeps who asks it waiting for half a minute. On asyncio's own few threads such questions
would stand in the way of checking PINs, and the station would wait for them when it is told to end.
Knows no address and nothing of the station.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any


class StationLoop(asyncio.SelectorEventLoop):
    """Each name is looked up on a thread of its own, which nobody waits for at the end."""

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """As `socket.getaddrinfo`, and its errors."""
        answer: asyncio.Future[list[Any]] = self.create_future()

        def tell(end: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
                self.call_soon_threadsafe(lambda: None if answer.done() else end())

        def look_up() -> None:
            try:
                found = socket.getaddrinfo(host, port, family, type, proto, flags)
            except (OSError, ValueError) as error:  # ValueError: no name server could know such a name
                failed = error
                tell(lambda: answer.set_exception(failed))
            else:
                tell(lambda: answer.set_result(found))

        threading.Thread(target=look_up, name=f"look up {host!r}", daemon=True).start()
        return await answer
