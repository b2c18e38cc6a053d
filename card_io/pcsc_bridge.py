"""The process between a card office and one PC/SC reader: `python -m card_io.pcsc_bridge`, started by `pcsc_card`.

It carries APDUs and knows no session and no key: those stay with who started it. Everything that may hang is here,
where it can be killed: a silent card blocks SCardTransmit for ever. The card is held for this program alone while it
is worked on, so that no other one speaks in between.

Orders come as JSON lines on stdin, one reply goes out on stdout for each; the end of stdin is the order to end. A
thread of its own waits for that: who started this may be killed while a card hangs it, and nobody else would end it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from types import ModuleType
from typing import Any, NoReturn, TypeAlias

import msgspec

from card_io import errors
from card_io.pcsc_results import NO_READERS, TIMEOUT, check, only_one

TICK_MS = 500


class AwaitCard(msgspec.Struct, frozen=True, tag="await_card"):
    """Take the card in the reader whose name fits `pattern`, or the first that comes within `wait_ms`."""

    pattern: str
    wait_ms: int


class Transmit(msgspec.Struct, frozen=True, tag="transmit"):
    """One command to the card that was taken; the reply's data is its answer."""

    apdu: bytes

    def __repr__(self) -> str:
        return f"Transmit({len(self.apdu)} bytes)"


class AwaitRemoval(msgspec.Struct, frozen=True, tag="await_removal"):
    """Let the card go, and reply when it has left the reader."""

    pattern: str
    wait_ms: int


Order: TypeAlias = AwaitCard | Transmit | AwaitRemoval


class Done(msgspec.Struct, frozen=True, tag="done"):
    """It is done."""

    data: bytes = b""

    def __repr__(self) -> str:
        return f"Done({len(self.data)} bytes)"


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A CardError, by its kind and what happened."""

    kind: str
    what: str


Reply: TypeAlias = Done | Failed


def main() -> NoReturn:
    """Runs until stdin ends, or its owner does."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(lines,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):  # Ctrl+C is meant for the owner, who says so
        _serve(lines)
    os._exit(0)  # not sys.exit: that would write to the broken pipe once more


def _hear(lines: queue.SimpleQueue[bytes]) -> None:
    """Until stdin ends, and the process with it."""
    try:
        for line in sys.stdin.buffer:
            lines.put(line)
    finally:
        os._exit(0)  # not sys.exit: a card may hold the main thread for ever


def _serve(lines: queue.SimpleQueue[bytes]) -> NoReturn:
    bridge: _Bridge | None = None
    while True:
        order = msgspec.json.decode(lines.get(), type=Order)
        try:
            if bridge is None:
                bridge = _Bridge(_scard())
            reply: Reply = Done(bridge.obey(order))
        except errors.CardError as error:
            reply = Failed(error.kind, error.what)
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


def _scard() -> ModuleType:
    try:
        from smartcard import scard
    except ImportError:
        raise errors.ReaderExtraMissing("pyscard is not installed") from None
    module: ModuleType = scard
    return module


class _Bridge:
    def __init__(self, scard: ModuleType) -> None:
        self._scard: Any = scard  # pyscard has no types
        self._context: int | None = None
        self._card: tuple[int, int] | None = None  # handle and protocol
        self._moves: int | None = None  # pcsc-lite's count of insertions and removals when the card was taken

    def obey(self, order: Order) -> bytes:
        match order:
            case AwaitCard(pattern, wait_ms):
                self._let_go()
                self._take(pattern, wait_ms)
                return b""
            case Transmit(apdu):
                return self._transmit(apdu)
            case AwaitRemoval(pattern, wait_ms):
                self._let_go()
                self._wait(pattern, wait_ms, present=False)
                return b""

    def _take(self, pattern: str, wait_ms: int) -> None:
        scard = self._scard
        context, name = self._wait(pattern, wait_ms, present=True)
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        result, handle, protocol = scard.SCardConnect(context, name, scard.SCARD_SHARE_EXCLUSIVE, protocols)
        check(result)
        self._card = handle, protocol

    def _let_go(self) -> None:
        if self._card is not None:
            self._scard.SCardDisconnect(self._card[0], self._scard.SCARD_LEAVE_CARD)
            self._card = None

    def _wait(self, pattern: str, wait_ms: int, *, present: bool) -> tuple[int, str]:
        """Until a card is there, or the one that was taken is not. Raises NoCard, ReaderGone, ServiceDown."""
        scard = self._scard
        until = time.monotonic() + wait_ms / 1000
        context, name = self._reader(pattern)
        known = scard.SCARD_STATE_UNAWARE
        while True:
            result, states = scard.SCardGetStatusChange(context, TICK_MS, [(name, known)])
            if result & 0xFFFFFFFF != TIMEOUT:
                check(result)
                state = states[0][1]
                if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_IGNORE):
                    raise errors.ReaderGone(f"the reader {name!r} is gone")
                there = bool(state & scard.SCARD_STATE_PRESENT)
                if there and present:
                    self._moves = state >> 16
                    return context, name
                if not present and (not there or (self._moves is not None and state >> 16 != self._moves)):
                    self._moves = None
                    return context, name
                known = state & ~scard.SCARD_STATE_CHANGED
            if time.monotonic() >= until:
                raise errors.NoCard("no card was put on the reader" if present else "the card is still on the reader")

    def _reader(self, pattern: str) -> tuple[int, str]:
        """A context that works now, and the reader's name."""
        scard = self._scard
        if self._context is not None:
            scard.SCardReleaseContext(self._context)
            self._context = None
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        check(result)
        self._context = context
        result, names = scard.SCardListReaders(context, [])
        if result & 0xFFFFFFFF != NO_READERS:
            check(result)
        return context, only_one(pattern, list(map(str, names)))

    def _transmit(self, apdu: bytes) -> bytes:
        if self._card is None:
            raise errors.CardRemoved("no card is held")
        handle, protocol = self._card
        scard = self._scard
        header = scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1
        result, answer = scard.SCardTransmit(handle, header, list(apdu))
        check(result)
        if not answer:
            raise errors.CardRemoved("the card was taken away too early")
        return bytes(answer)


if __name__ == "__main__":
    main()
