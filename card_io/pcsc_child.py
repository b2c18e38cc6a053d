"""The process that holds one PC/SC reader: `python -m card_io.pcsc_child`, started by `card_io.pcsc`.

Everything that may hang is here, where it can be killed: a whole card session runs in this process, on one worker
thread with a deadline, because a silent card blocks SCardTransmit for ever and takes its thread along. pyscard's own
monitors die without a word when pcscd restarts, so this has its own SCardGetStatusChange loop, which makes its
context anew. Cards are left powered (SCARD_LEAVE_CARD): the default would reset them under other programs.

It must not know what a card is for; `card_io.pcsc_link` says what comes in and goes out.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NoReturn

import msgspec

from card_io import errors
from card_io.identify import CardFacts, IdentifySession
from card_io.keys import KeyRing
from card_io.pcsc_link import EXIT_HUNG, EXIT_NO_PYSCARD, TICK_MS, Alive, Line, Start
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderDown, ReaderUp
from card_io.transport import run_session_blocking

RETRY_MS = 250  # how soon pcscd and the reader are looked for again; both are cheap to ask

_TIMEOUT = 0x8010000A
_NO_READERS = 0x8010002E

# What PC/SC's results mean, as seen with pcsc-lite 1.9: pcscd gone is 80100013 and then 8010001D; a card torn out
# in mid-command is 80100016 or success without an answer; a swap under an open handle is 80100069.
_RESULTS: dict[int, tuple[type[errors.CardError], str]] = {
    0x8010001D: (errors.ServiceDown, "the PC/SC service does not run"),
    0x8010001E: (errors.ServiceDown, "the PC/SC service stopped"),
    0x80100013: (errors.ServiceDown, "the PC/SC service broke off"),
    0x80100003: (errors.ServiceDown, "the PC/SC service was restarted"),
    0x80100009: (errors.ReaderGone, "the reader is gone"),
    0x80100017: (errors.ReaderGone, "the reader does not answer"),
    0x8010002E: (errors.ReaderGone, "no card reader is connected"),
    0x8010000B: (errors.SharingViolation, "another program holds the card"),
    0x80100068: (errors.CardReset, "another program reset the card"),
    0x8010000A: (errors.CardSilent, "the card did not answer in time"),
    0x80100066: (errors.CardSilent, "the card does not answer"),
    0x8010000C: (errors.CardRemoved, "the card was taken away too early"),
    0x80100016: (errors.CardRemoved, "the card was taken away too early"),
    0x80100067: (errors.CardRemoved, "the card lost its power"),
    0x80100069: (errors.CardRemoved, "the card was taken away too early"),
}


def main() -> NoReturn:
    """Runs until stdin ends. A hung card ends it with EXIT_HUNG, no pyscard with EXIT_NO_PYSCARD."""
    start = msgspec.json.decode(sys.stdin.buffer.readline(), type=Start)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        from smartcard import scard
    except ImportError:
        _say(ReaderDown(str(errors.ReaderExtraMissing("pyscard is not installed"))))
        sys.exit(EXIT_NO_PYSCARD)
    _Watcher(scard, start).run()


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # not sys.exit: a thread may hang in pcscd


def _say(line: Line) -> None:
    try:
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(0)


class _Watcher:
    """One reader, watched for ever."""

    def __init__(self, scard: ModuleType, start: Start) -> None:
        self._scard: Any = scard  # pyscard has no types
        self._start = start
        self._keys = KeyRing.from_handover(start.masters)
        self._pattern = re.compile(start.pattern)
        self._ignore_present = start.ignore_present
        self._worker = ThreadPoolExecutor(1)
        self._stage = ""  # what the worker is at, for the error when it hangs
        self._down: str | None = None

    def run(self) -> NoReturn:
        while True:
            try:
                with self._context() as context:
                    name = self._reader_name(context)
                    self._down = None
                    _say(ReaderUp())
                    self._watch(context, name)
            except errors.CardError as error:
                if str(error) != self._down:
                    self._down = str(error)
                    _say(ReaderDown(self._down))
            _say(Alive())
            time.sleep(RETRY_MS / 1000)

    @contextmanager
    def _context(self) -> Iterator[int]:
        result, context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_USER)
        _check(result)
        try:
            yield context
        finally:
            self._scard.SCardReleaseContext(context)

    def _reader_name(self, context: int) -> str:
        result, names = self._scard.SCardListReaders(context, [])
        if result & 0xFFFFFFFF != _NO_READERS:
            _check(result)
        found = [name for name in names if self._pattern.search(name)]
        if len(found) == 1:
            return str(found[0])
        # The order of readers changes from start to start, so there is no "first" one
        there = ", ".join(sorted(names)) or "none"
        how_many = "no reader fits" if not found else f"{len(found)} readers fit"
        raise errors.ReaderGone(f"{how_many} the name {self._start.pattern!r}; there are: {there}")

    def _watch(self, context: int, name: str) -> None:
        """Waits for cards to come and go. Raises ServiceDown or ReaderGone."""
        scard = self._scard
        known = scard.SCARD_STATE_UNAWARE
        card_in = False
        moves: int | None = None
        while True:
            result, states = scard.SCardGetStatusChange(context, TICK_MS, [(name, known)])
            if result & 0xFFFFFFFF == _TIMEOUT:
                _say(Alive())
                continue
            _check(result)
            state = states[0][1]
            if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_IGNORE):
                raise errors.ReaderGone(f"the reader {name!r} is gone")
            present = bool(state & scard.SCARD_STATE_PRESENT)
            # pcsc-lite counts insertions and removals in the upper half: so a swap between two looks is seen
            moved = moves is not None and state >> 16 != moves
            if card_in and (moved or not present):
                _say(CardRemoved())
                card_in = False
            if present and not card_in:
                if self._ignore_present:
                    silent = errors.CardSilent("the card hung the reader and is left alone")
                    _say(CardRefused(silent.kind, str(silent)))
                else:
                    self._read_card(context, name)
                card_in = True
            self._ignore_present = False  # it is for the card that was there at the start, and for no other
            moves = state >> 16
            known = state & ~scard.SCARD_STATE_CHANGED

    def _read_card(self, context: int, name: str) -> None:
        future = self._worker.submit(self._identify_twice, context, name)
        try:
            facts = future.result(self._start.session_ms / 1000)
        except TimeoutError:
            error: errors.CardError = errors.CardSilent(f"the card did not answer within {self._start.session_ms} ms")
            if self._stage == "lock":
                error = errors.SharingViolation("another program holds the card")
            _say(CardRefused(error.kind, str(error)))
            os._exit(EXIT_HUNG)  # the worker can't be freed; a new process can be had
        except (errors.ServiceDown, errors.ReaderGone):
            raise
        except errors.CardError as refusal:
            _say(CardRefused(refusal.kind, str(refusal)))
        else:
            _say(CardPresented(facts))

    def _identify_twice(self, context: int, name: str) -> CardFacts:
        try:
            return self._identify(context, name)
        except errors.CardReset:
            return self._identify(context, name)  # somebody else's start-up, most likely: once more, from the start

    def _identify(self, context: int, name: str) -> CardFacts:
        scard = self._scard
        self._stage = "connect"
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        result, card, protocol = scard.SCardConnect(context, name, scard.SCARD_SHARE_SHARED, protocols)
        _check(result)
        try:
            self._stage = "lock"
            _check(scard.SCardBeginTransaction(card))
            self._stage = "transmit"
            try:
                session = IdentifySession(self._start.profile, self._keys, os.urandom)
                return run_session_blocking(session, lambda apdu: self._transmit(card, protocol, apdu))
            finally:
                scard.SCardEndTransaction(card, scard.SCARD_LEAVE_CARD)
        finally:
            scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)

    def _transmit(self, card: int, protocol: int, apdu: bytes) -> bytes:
        scard = self._scard
        header = scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1
        result, answer = scard.SCardTransmit(card, header, list(apdu))
        _check(result)
        if not answer:
            raise errors.CardRemoved("the card was taken away too early")
        return bytes(answer)


def _check(result: int) -> None:
    code = result & 0xFFFFFFFF  # pyscard gives it signed
    if code == 0:
        return
    error, what = _RESULTS.get(code, (errors.GarbledAnswer, "the reader failed"))
    raise error(f"{what} (PC/SC {code:08X})")


if __name__ == "__main__":
    main()
