"""The card in a PC/SC reader: one session with it, from connecting to letting go.

The card is locked for as long as a session runs, so that no other program speaks in between. It is left powered
(SCARD_LEAVE_CARD): the default would reset it under other programs. Any call may block for ever; `stage` says to
whoever waits outside which one it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, TypeVar

from card_io.errors import CardError, CardRemoved, CardReset, SharingViolation
from card_io.pcsc_results import check
from card_io.session import StepSession
from card_io.transport import run_session_blocking

T = TypeVar("T")

Stage = Literal["connect", "lock", "transmit"]


BUSY_TRIES, BUSY_MS = 20, 50
"""Programs of the system look at every card that comes, and hold or reset it for some hundred milliseconds."""


class PcscField:
    """One reader's field; for one thread. `scard` is pyscard's module of that name, `sleep` waits seconds."""

    def __init__(self, scard: ModuleType, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._scard: Any = scard  # pyscard has no types
        self._sleep = sleep
        self.stage: Stage = "connect"

    def run(self, session: StepSession[T], context: int, name: str) -> T:
        """Carries a session out with the card in the reader of this name. Raises CardError.

        SharingViolation and CardReset of a card that another program keeps. Once the session has begun it is not
        begun again: what a reset then means is for its owner to say.
        """
        scard = self._scard
        card, header = self._locked(context, name)
        try:
            self.stage = "transmit"
            try:
                return run_session_blocking(session, _transmitter(scard.SCardTransmit, card, header))
            finally:
                scard.SCardEndTransaction(card, scard.SCARD_LEAVE_CARD)
        finally:
            scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)

    def _locked(self, context: int, name: str) -> tuple[int, int]:
        """The card's handle, and the header of its protocol."""
        self.stage = "connect"
        for _ in range(BUSY_TRIES - 1):
            try:
                return self._lock(context, name)
            except (SharingViolation, CardReset):
                self.stage = "lock"
                self._sleep(BUSY_MS / 1000)
        return self._lock(context, name)

    def _lock(self, context: int, name: str) -> tuple[int, int]:
        scard = self._scard
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        result, card, protocol = scard.SCardConnect(context, name, scard.SCARD_SHARE_SHARED, protocols)
        check(result)
        self.stage = "lock"
        try:
            check(scard.SCardBeginTransaction(card))
        except CardError:
            scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
            raise
        return card, scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1


def _transmitter(transmit: Any, card: int, header: int) -> Callable[[bytes], bytes]:
    """One command to this card, and its answer."""

    def send(apdu: bytes) -> bytes:
        result, answer = transmit(card, header, list(apdu))
        if result:
            check(result)
        if not answer:
            raise CardRemoved("the card was taken away too early")
        return bytes(answer)

    return send
