"""A conversation with a card, recorded and played back: for the bug report from a station, and for tests.

A transcript is JSON lines: a head, then each command and its answer, or the error that came in its place.

    {"forecourt_card_transcript": 1}
    {"command": "905a000003f5423f00", "answer": "9100"}
    {"command": "9060000000", "error": "card_removed", "text": "the card was taken away too early"}

There are no keys in it: authentication shows random numbers, and what is encrypted stays encrypted. **It is personal
data all the same**: the UID is in it, and what travels under MAC only, such as the card's number in file 01. `masked`
blanks answers that are readable (and with them the possibility to replay). A replay needs the same keys and the same
random numbers as the recording: it fits sessions with injected randomness. Text in, text out; the file is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from card_io import errors
from card_io.desfire.commands import SELECT_APPLICATION
from card_io.transport import CardTransport

TRANSCRIPT_FORMAT = 1
HEAD = b'{"forecourt_card_transcript":1}'
_STATUS_DIGITS = 4  # of hex, at an answer's end: never blanked

Record = Callable[[bytes], None]
"""Takes a transcript's lines, one by one, without their line ends."""

_BY_KIND: dict[str, type[errors.CardError]] = {
    error.kind: error
    for error in (
        errors.ReaderGone,
        errors.ServiceDown,
        errors.CardRemoved,
        errors.CardReset,
        errors.CardSilent,
        errors.SharingViolation,
        errors.GarbledAnswer,
    )
}


class Exchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One command, and its answer or error. Bytes as hex."""

    command: str
    answer: str | None = None
    error: str | None = None
    text: str | None = None

    def __repr__(self) -> str:
        return f"Exchange({self.command[2:4]})"


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    forecourt_card_transcript: int


class RecordingTransport:
    """A CardTransport that passes everything through to `inner`, and each exchange to `record` as one line."""

    def __init__(self, inner: CardTransport, record: Record) -> None:
        self._inner = inner
        self._record = record
        record(HEAD)

    async def transmit(self, apdu: bytes) -> bytes:
        try:
            answer = await self._inner.transmit(apdu)
        except errors.CardError as error:
            self._record(_failed(apdu, error))
            raise
        self._record(_answered(apdu, answer))
        return answer


def recording(transmit: Callable[[bytes], bytes], record: Record) -> Callable[[bytes], bytes]:
    """As RecordingTransport, for a session that runs inline or in a process of its own."""
    record(HEAD)

    def recorded(apdu: bytes) -> bytes:
        try:
            answer = transmit(apdu)
        except errors.CardError as error:
            record(_failed(apdu, error))
            raise
        record(_answered(apdu, answer))
        return answer

    return recorded


def _answered(apdu: bytes, answer: bytes) -> bytes:
    return msgspec.json.encode(Exchange(apdu.hex(), answer.hex()))


def _failed(apdu: bytes, error: errors.CardError) -> bytes:
    return msgspec.json.encode(Exchange(apdu.hex(), None, error.kind, error.what))


class Replay:
    """Plays a transcript back: a CardTransport, and `transmit_now` for a session that runs inline.

    Raises TranscriptDiffers for a command that was not recorded at this place, and for what is no transcript.
    """

    def __init__(self, lines: Iterable[bytes | str]) -> None:
        self._left = list(reversed(parse(lines)))
        self._at = 0

    def transmit_now(self, apdu: bytes) -> bytes:
        self._at += 1
        if not self._left:
            raise errors.TranscriptDiffers(f"the transcript ends before command {self._at}")
        exchange = self._left.pop()
        if exchange.command != apdu.hex():
            raise errors.TranscriptDiffers(
                f"command {self._at} is {_name(apdu.hex())}, the transcript has {_name(exchange.command)}"
                f"{' with other data' if _name(apdu.hex()) == _name(exchange.command) else ''}"
            )
        if exchange.error is not None:
            raise _BY_KIND.get(exchange.error, errors.GarbledAnswer)(exchange.text or "as recorded")
        return bytes.fromhex(exchange.answer or "")

    async def transmit(self, apdu: bytes) -> bytes:
        return self.transmit_now(apdu)

    @property
    def left(self) -> int:
        """How many recorded commands did not come yet."""
        return len(self._left)


def parse(lines: Iterable[bytes | str]) -> list[Exchange]:
    """A transcript's exchanges. Raises TranscriptDiffers."""
    exchanges = []
    for index, line in enumerate(line for line in lines if line.strip()):
        try:
            if index == 0:
                head = msgspec.json.decode(line, type=_Head)
                if head.forecourt_card_transcript != TRANSCRIPT_FORMAT:
                    raise errors.TranscriptDiffers(
                        f"the transcript has format {head.forecourt_card_transcript}, not {TRANSCRIPT_FORMAT}"
                    )
                continue
            exchange = msgspec.json.decode(line, type=Exchange)
            bytes.fromhex(exchange.command + (exchange.answer or ""))
        except (msgspec.MsgspecError, ValueError) as error:
            raise errors.TranscriptDiffers(f"line {index + 1} is none of a transcript ({error})") from None
        exchanges.append(exchange)
    return exchanges


def masked(lines: Iterable[bytes | str]) -> list[bytes]:
    """The transcript for other people's eyes: data of commands and answers blanked, codes and lengths kept.

    Only what selects an application stays, which is no person's.
    """
    masked_lines = [HEAD]
    for exchange in parse(lines):
        command, answer = exchange.command, exchange.answer
        if command[2:4] != f"{SELECT_APPLICATION:02x}":
            head = command[:10]
            command = head + "x" * (len(command) - len(head))
        if answer is not None:
            data = len(answer) - _STATUS_DIGITS
            answer = "x" * data + answer[data:]
        masked_lines.append(msgspec.json.encode(Exchange(command, answer, exchange.error, exchange.text)))
    return masked_lines


def _name(apdu: str) -> str:
    return f"{apdu[:4].upper()}"
