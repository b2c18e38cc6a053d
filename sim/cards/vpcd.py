"""A simulated card in a virtual PC/SC reader: the vpcd driver of vsmartcard, inside the real pcscd.

The driver listens, the card connects; being connected is being in the field. Each message is a 16-bit big-endian
length and a payload; a payload of one byte 0, 1, 2 or 4 is power off, power on, reset, "give the ATR", of which only
the last is answered, as every APDU is. (No APDU has one byte; native DESFire frames may, but none of these.)
"""

from __future__ import annotations

import asyncio
import socket

from sim.cards.field import FieldCard

POWER_OFF, POWER_ON, RESET, GIVE_ATR = 0, 1, 2, 4


async def serve_vpcd(card: FieldCard, host: str, port: int, *, inserted: asyncio.Event | None = None) -> None:
    """Holds the card in the reader at host:port until cancelled (the card is removed) or pcscd goes.

    `inserted` is set when the driver has taken the connection. Raises ConnectionError when nobody listens, and
    LeftField when the card is torn out.
    """
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(line, (host, port))
        if inserted is not None:
            inserted.set()
        while (payload := await _receive(loop, line)) is not None:
            answer = _answer(card, payload)
            if answer is not None:
                if card.latency_ms:
                    await asyncio.sleep(card.latency_ms / 1000)
                await loop.sock_sendall(line, len(answer).to_bytes(2, "big") + answer)


def _answer(card: FieldCard, payload: bytes) -> bytes | None:
    if len(payload) != 1 or payload[0] not in (POWER_OFF, POWER_ON, RESET, GIVE_ATR):
        return card.transmit(payload)
    if payload[0] == GIVE_ATR:
        return card.atr
    card.reset()
    return None


async def _receive(loop: asyncio.AbstractEventLoop, line: socket.socket) -> bytes | None:
    head = await _exactly(loop, line, 2)
    return None if head is None else await _exactly(loop, line, int.from_bytes(head, "big"))


async def _exactly(loop: asyncio.AbstractEventLoop, line: socket.socket, length: int) -> bytes | None:
    data = b""
    while len(data) < length:
        # vpcd writes length and payload apart, so a delayed acknowledgement costs 44 ms an APDU; the kernel
        # forgets the option after use, so it is set before each recv.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        try:
            part = await loop.sock_recv(line, length - len(data))
        except ConnectionError:
            return None
        if not part:
            return None
        data += part
    return data
