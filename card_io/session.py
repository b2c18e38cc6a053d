"""What a card session is: commands out, answers in, one result. No reader, no clock, no randomness of its own.

A session is written as a generator (`Steps`): it yields a command, is sent the answer, and returns its result, so
that a conversation reads from top to bottom and small conversations are joined by `yield from`. `StepSession` turns
the generator inside out for whoever owns the wire: `next()` is the command to send now, `feed()` takes its answer.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Generic, Protocol, TypeAlias, TypeVar

from card_io.apdu import DESFIRE_MORE, MORE_INS, Command, Response
from card_io.errors import CardError, GarbledAnswer

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Steps: TypeAlias = Generator[Command, Response, T]

# 8 frames of 59 bytes hold the largest answer of the card application (11 records of 32 and a MAC); a card that
# says "more" for ever must not hold a pump.
ANSWER_FRAMES_MAX = 8

_MORE = Command.desfire(MORE_INS)


class CardSession(Protocol[T_co]):
    """`next()` and `feed()` in turn, until `next()` is None; then `result`. `feed()` raises CardError.

    Where the answer to a command cannot be had, `fail()` says so instead of `feed()`.
    """

    def next(self) -> Command | None: ...

    def feed(self, response: Response) -> None: ...

    def fail(self, error: CardError) -> None: ...

    @property
    def result(self) -> T_co: ...


class StepSession(Generic[T]):
    """A session from its steps. After an error it is over: `next()` is None and there is no result."""

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self._results: list[T] = []
        self._command: Command | None = None
        self._advance(None)

    def next(self) -> Command | None:
        """The command to send now; the same one until it is answered; None when the session is over."""
        return self._command

    def feed(self, response: Response) -> None:
        """Takes the answer to the command of `next()`. Raises a CardError when the answer ends the session."""
        if self._command is None:
            raise RuntimeError("the session is over, no answer is awaited")
        self._advance(response)

    def fail(self, error: CardError) -> None:
        """The answer can't be had: the card or the reader is gone. Raises the error again, or has a result.

        A session that changes a card has a result: what it knows of a commit whose answer was lost.
        """
        if self._command is None:
            raise RuntimeError("the session is over, no answer is awaited")
        self._command = None
        try:
            self._steps.throw(error)
        except StopIteration as end:
            self._results.append(end.value)
        else:
            raise RuntimeError("a session went on after its card was gone")

    @property
    def result(self) -> T:
        """What the session found. Raises RuntimeError before its end or after an error."""
        if not self._results:
            raise RuntimeError("the session has no result")
        return self._results[0]

    def _advance(self, response: Response | None) -> None:
        self._command = None
        try:
            self._command = next(self._steps) if response is None else self._steps.send(response)
        except StopIteration as end:
            self._results.append(end.value)


def exchange(command: Command) -> Steps[Response]:
    """Sends one command and follows "more to come"; the answer has all the data and the last status.

    Raises GarbledAnswer for a chain of more than ANSWER_FRAMES_MAX frames.
    """
    response = yield command
    if response.status != DESFIRE_MORE:
        return response
    parts = [response.data]
    while response.status == DESFIRE_MORE:
        if len(parts) == ANSWER_FRAMES_MAX:
            raise GarbledAnswer(f"the card's answer did not end after {ANSWER_FRAMES_MAX} frames")
        response = yield _MORE
        parts.append(response.data)
    try:
        return Response(response.status, b"".join(parts))
    except ValueError as error:
        raise GarbledAnswer(f"the card's answer is too long ({error})") from None
