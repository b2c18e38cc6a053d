"""A card in a PC/SC reader, for work that is done card by card: issuing, loading, reading at an office's desk.

Sessions run here, with whatever keys they need; a child process (`card_io.pcsc_bridge`) carries their APDUs. Each
APDU has a deadline: a child that misses it is killed, since nothing else frees it, and the next card gets a new one.
Knows no session and no key.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from card_io import errors
from card_io.pcsc_bridge import AwaitCard, AwaitRemoval, Failed, Order, Reply, Transmit
from card_io.session import CardSession
from card_io.transport import run_session_blocking

ANSWER_MS = 5_000  # the slowest command, the creation of an application, takes some 100 ms
WAIT_MS = 60_000  # how long a person may look for the card
MARGIN_MS = 5_000  # what the child's start, and the service's, may take on top
_CHUNK = 65_536

_PACKAGE_ROOT = str(Path(__file__).resolve().parent.parent)
_BY_KIND = {kind.kind: kind for kind in errors.CardError.__subclasses__() if kind is not errors.CardStatusError}

_REPLIES = msgspec.json.Decoder(Reply)

T = TypeVar("T")


class PcscCard:
    """The reader whose name fits the regular expression `pattern`, and one card after another in it.

    `environment` replaces the child's (PCSCLITE_CSOCK_NAME chooses another pcscd). Raises re.error.
    """

    def __init__(
        self,
        pattern: str,
        *,
        wait_ms: int = WAIT_MS,
        answer_ms: int = ANSWER_MS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        re.compile(pattern)
        self._pattern, self._wait_ms, self._answer_ms = pattern, wait_ms, answer_ms
        self._environment = dict(os.environ if environment is None else environment)
        self._child: subprocess.Popen[bytes] | None = None

    def present(self, place: str = "") -> None:
        """Waits for a card and takes it. Raises NoCard, ReaderGone, ServiceDown, SharingViolation.

        `place` is of no use here: there is one place for a card.
        """
        self._ask(AwaitCard(self._pattern, self._wait_ms), self._wait_ms + MARGIN_MS)

    def run(self, session: CardSession[T]) -> T:
        """A whole session with the card that was taken. Raises what the session raises."""
        return run_session_blocking(session, self.transmit)

    def removed(self) -> None:
        """Waits until the card has left. Raises as `present`."""
        self._ask(AwaitRemoval(self._pattern, self._wait_ms), self._wait_ms + MARGIN_MS)

    def transmit(self, apdu: bytes) -> bytes:
        """One command. Raises a CardError; CardSilent when the deadline passes."""
        return self._ask(Transmit(apdu), self._answer_ms)

    def close(self) -> None:
        """Ends the child; the card is let go."""
        if self._child is not None:
            self._end()

    def _ask(self, order: Order, deadline_ms: int) -> bytes:
        child = self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(msgspec.json.encode(order) + b"\n")
            child.stdin.flush()
            line = _line(child.stdout, deadline_ms)
        except TimeoutError:
            self._end()
            if isinstance(order, Transmit):
                raise errors.CardSilent(f"the card did not answer within {deadline_ms} ms") from None
            raise errors.ReaderGone(f"the reader's process did not answer within {deadline_ms} ms") from None
        except (EOFError, OSError):
            self._end()
            raise errors.ReaderGone("the reader's process ended") from None
        reply: Reply = _REPLIES.decode(line)
        if isinstance(reply, Failed):
            raise _BY_KIND.get(reply.kind, errors.GarbledAnswer)(reply.what)
        return reply.data

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            # the child must find this very package, wherever the office was started
            path = os.pathsep.join(filter(None, (self._environment.get("PYTHONPATH", ""), _PACKAGE_ROOT)))
            self._child = subprocess.Popen(
                [sys.executable, "-m", "card_io.pcsc_bridge"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**self._environment, "PYTHONPATH": path},
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        assert child is not None
        child.kill()  # it holds nothing that is not let go by its end
        child.communicate()


def _line(stream: IO[bytes], deadline_ms: int) -> bytes:
    """One line, within the deadline. TimeoutError; EOFError when the stream ends."""
    until = time.monotonic() + deadline_ms / 1000
    line = b""
    while not line.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            raise TimeoutError
        part = os.read(stream.fileno(), _CHUNK)  # not through the buffer, of which select knows nothing
        if not part:
            raise EOFError
        line += part
    return line
