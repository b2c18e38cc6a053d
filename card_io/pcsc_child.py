"""The process that holds one PC/SC reader: `python -m card_io.pcsc_child`, started by `card_io.pcsc`.

Everything that may hang is here, where it can be killed: a whole card session runs in this process, on one worker
thread with a deadline, because a silent card blocks SCardTransmit for ever and takes its thread along. pyscard's own
monitors die without a word when pcscd restarts, so this has its own SCardGetStatusChange loop, which makes its
context anew.

Orders of the station are carried out between two looks at the reader, so that no two sessions cross; who brings one in
wakes the look. A hung session of an order is asked what it knows before the process ends: whether the commit was sent.

It must not know what a card is for; `card_io.pcsc_link` says what comes in and goes out.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, NoReturn, TypeVar

import msgspec

from card_io import errors
from card_io.beside import Beside
from card_io.facts import CardFacts
from card_io.identify import TapSession
from card_io.keys import KeyRing
from card_io.orders import ChangeOrder, ResolveOrder, change_session, not_begun, resolve_session, unheard, unread
from card_io.pcsc_field import PcscField
from card_io.pcsc_link import EXIT_HUNG, EXIT_NO_PYSCARD, TICK_MS, Alive, Answer, Ask, Line, Start
from card_io.pcsc_results import CANCELLED, NO_READERS, TIMEOUT, check, only_one
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderDown, ReaderUp
from card_io.session import StepSession
from card_io.transaction import Changed

T = TypeVar("T")

RETRY_MS = 250  # how soon pcscd and the reader are looked for again; both are cheap to ask
WAKE_MS = 5  # how often a look at the reader is called off until the order that came is taken


def main() -> NoReturn:
    """Runs until stdin ends. A hung card ends it with EXIT_HUNG, no pyscard with EXIT_NO_PYSCARD."""
    first = sys.stdin.buffer.readline()
    if not first:
        os._exit(0)  # its owner ended before it could say what is to be done
    start = msgspec.json.decode(first, type=Start)
    try:
        from smartcard import scard
    except ImportError:
        _say(ReaderDown(str(errors.ReaderExtraMissing("pyscard is not installed"))))
        sys.exit(EXIT_NO_PYSCARD)
    watcher = _Watcher(scard, start)
    for work in (_hear, _Watcher.wake):
        threading.Thread(target=work, args=(watcher,), daemon=True).start()
    watcher.run()


def _hear(watcher: _Watcher) -> None:
    """Takes orders until stdin ends, and the process with it: whatever a card holds, this thread waits for nothing."""
    decoder = msgspec.json.Decoder(Ask)
    try:
        for line in sys.stdin.buffer:
            watcher.ask(decoder.decode(line))
    finally:
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
        self._ignore_present = start.ignore_present
        self._worker = ThreadPoolExecutor(1)
        self._beside = Beside()
        self._field = PcscField(scard)
        self._down: str | None = None
        self._asks: queue.SimpleQueue[Ask] = queue.SimpleQueue()
        self._asked = threading.Event()
        self._watching: int | None = None  # the context of the look that can be called off

    def ask(self, ask: Ask) -> None:
        """From another thread: an order for the card."""
        self._asks.put(ask)
        self._asked.set()

    def wake(self) -> NoReturn:
        """On a thread of its own: calls off looks at the reader until the orders that came are taken."""
        while True:
            self._asked.wait()
            self._asked.clear()
            while not self._asks.empty():
                if (context := self._watching) is not None:
                    self._scard.SCardCancel(context)  # one that comes before the look does nothing: so again
                time.sleep(WAKE_MS / 1000)

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
                self._refuse_asks(error)
            _say(Alive())
            time.sleep(RETRY_MS / 1000)

    @contextmanager
    def _context(self) -> Iterator[int]:
        result, context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_USER)
        check(result)
        try:
            yield context
        finally:
            self._scard.SCardReleaseContext(context)

    def _reader_name(self, context: int) -> str:
        result, names = self._scard.SCardListReaders(context, [])
        if result & 0xFFFFFFFF != NO_READERS:
            check(result)
        return only_one(self._start.pattern, list(map(str, names)))

    def _watch(self, context: int, name: str) -> None:
        """Waits for cards to come and go. Raises ServiceDown or ReaderGone."""
        scard = self._scard
        known = scard.SCARD_STATE_UNAWARE
        card_in = False
        moves: int | None = None
        while True:
            self._carry_out_asks(context, name)
            self._watching = context
            result, states = scard.SCardGetStatusChange(context, TICK_MS, [(name, known)])
            self._watching = None
            if result & 0xFFFFFFFF in (TIMEOUT, CANCELLED):
                _say(Alive())
                continue
            check(result)
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
            _say(Alive())  # a program that comes to the card and goes, again and again, ends each look before its time

    def _read_card(self, context: int, name: str) -> None:
        future = self._worker.submit(self._tap_twice, context, name)
        try:
            facts = future.result(self._start.session_ms / 1000)
        except TimeoutError:
            error = self._why_hung()
            _say(CardRefused(error.kind, str(error)))
            os._exit(EXIT_HUNG)  # the worker can't be freed; a new process can be had
        except (errors.ServiceDown, errors.ReaderGone):
            raise
        except errors.CardError as refusal:
            _say(CardRefused(refusal.kind, str(refusal)))
        else:
            _say(CardPresented(facts))

    def _why_hung(self) -> errors.CardError:
        if self._field.stage == "lock":
            return errors.SharingViolation("another program holds the card")
        return errors.CardSilent(f"the card did not answer within {self._start.session_ms} ms")

    def _carry_out_asks(self, context: int, name: str) -> None:
        while not self._asks.empty():
            ask = self._asks.get()
            if isinstance(ask.order, ResolveOrder):
                self._resolve(ask.number, ask.order, context, name)
            else:
                self._change(ask.number, ask.order, context, name)

    def _change(self, number: int, order: ChangeOrder, context: int, name: str) -> None:
        session = change_session(order, self._start.profile, self._keys, os.urandom)
        try:
            changed = self._in_time(session, context, name)
        except TimeoutError:
            error = self._why_hung()
            said = _last_word(session, error) if self._field.stage == "transmit" else not_begun(error)
            _say(Answer(number, changed=said))
            os._exit(EXIT_HUNG)
        except errors.CardError as error:
            changed = not_begun(error)  # once begun, the session itself knows what became of it
        _say(Answer(number, changed=changed))

    def _resolve(self, number: int, order: ResolveOrder, context: int, name: str) -> None:
        session = resolve_session(order, self._start.profile, self._keys, os.urandom)
        try:
            resolved = self._in_time(session, context, name)
        except TimeoutError:
            _say(Answer(number, unresolved=unread(self._why_hung())))
            os._exit(EXIT_HUNG)
        except errors.CardError as error:
            _say(Answer(number, unresolved=unread(error)))
        else:
            _say(Answer(number, resolved=resolved))

    def _in_time(self, session: StepSession[T], context: int, name: str) -> T:
        """Carries a session out on the worker. Raises TimeoutError when a card holds that for ever."""
        return self._worker.submit(self._field.run, session, context, name).result(self._start.session_ms / 1000)

    def _refuse_asks(self, error: errors.CardError) -> None:
        while not self._asks.empty():
            ask = self._asks.get()
            if isinstance(ask.order, ResolveOrder):
                _say(Answer(ask.number, unresolved=unread(error)))
            else:
                _say(Answer(ask.number, changed=not_begun(error)))

    def _tap_twice(self, context: int, name: str) -> CardFacts:
        try:
            return self._tap(context, name)
        except errors.CardReset:
            return self._tap(context, name)  # somebody else's start-up, most likely: once more, from the start

    def _tap(self, context: int, name: str) -> CardFacts:
        session = TapSession(self._start.profile, self._keys, os.urandom, meanwhile=self._beside)
        return self._field.run(session, context, name)


def _last_word(session: StepSession[Changed], error: errors.CardError) -> Changed:
    """What a session knows of itself whose worker hangs and will never go on with it."""
    with suppress(ValueError, RuntimeError):  # it has ended, or the worker came back in this very moment
        session.fail(error)
    try:
        return session.result
    except RuntimeError:
        return unheard(error)


if __name__ == "__main__":
    main()
