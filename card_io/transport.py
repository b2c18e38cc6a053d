"""The seam between a session and a wire: something that carries one APDU to the card and its answer back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from card_io.apdu import Response
from card_io.errors import CardError
from card_io.session import CardSession

T = TypeVar("T")


class CardTransport(Protocol):
    """One card in one reader. `transmit` raises a CardError when the answer can't be had; never blocks for ever."""

    async def transmit(self, apdu: bytes) -> bytes: ...


async def run_session(session: CardSession[T], transport: CardTransport) -> T:
    """Runs a session to its end. Raises what the session or the transport raise, all of it CardError."""
    while (command := session.next()) is not None:
        try:
            response = Response.parse(await transport.transmit(bytes(command)))
        except CardError as error:
            session.fail(error)
        else:
            session.feed(response)
    return session.result


def run_session_blocking(session: CardSession[T], transmit: Callable[[bytes], bytes]) -> T:
    """As `run_session`, for a thread of its own or a simulation that is all inline."""
    while (command := session.next()) is not None:
        try:
            response = Response.parse(transmit(bytes(command)))
        except CardError as error:
            session.fail(error)
        else:
            session.feed(response)
    return session.result
