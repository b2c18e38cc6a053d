"""What secure messaging is to those who use it: a call goes in, its checked and decrypted answer comes out.

A `Call` is one DESFire command with the parts that secure messaging treats differently; `desfire.commands` and
`desfire.administration` make them. A `Channel` carries it: without protection before authentication, as EV2 secure
messaging (`desfire.ev2`), or as EV1's (`desfire.ev1`) on cards that know no other. Knows no file layout and no keys.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Protocol

import msgspec

from card_io.apdu import DESFIRE_DATA_MAX, DESFIRE_MORE, DESFIRE_OK, MORE_INS, Command, Response
from card_io.errors import CardStatusError, GarbledAnswer, ProofFailed
from card_io.session import Steps, exchange

INTEGRITY_ERROR = 0x911E
AUTHENTICATION_ERROR = 0x91AE


class Mode(IntEnum):
    """How a file's data travels, as the card stores it: open, with a MAC, or encrypted and with a MAC."""

    PLAIN = 0
    MAC = 1
    FULL = 3


class Call(msgspec.Struct, frozen=True):
    """One command. `header` travels readable, `data` as `mode` says.

    `ins`: the command's code; `ev1_ins` is the older code where EV1 knows the command by another one only.
    `doing`: what is asked, for errors ("to read file 01"). `answer`: how the answer travels. `answer_length`: bytes
    of the answer, where they are known before: EV1 cannot find the end of encrypted data without it. `check`: bytes
    that go behind the data and, in EV1, behind the data's own CRC (ChangeKey's second CRC).
    `ends_session`: the card forgets the session with this command, so its answer carries no MAC.
    """

    ins: int
    doing: str
    header: bytes = b""
    data: bytes = b""
    mode: Mode = Mode.MAC
    answer: Mode = Mode.MAC
    answer_length: int | None = None
    ev1_ins: int | None = None
    ends_session: bool = False
    check: bytes = b""

    def __repr__(self) -> str:
        return f"Call({self.doing!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("doing", self.doing)]


class Channel(Protocol):
    """Carries calls. After any error it is over, as the card's session is: authenticate again."""

    @property
    def knows_ev2(self) -> bool:
        """Whether the commands that came with EV2 may be used: Transaction MAC, commit with an answer."""

    def call(self, call: Call) -> Steps[bytes]:
        """The answer's data. Raises CardStatusError, ProofFailed, GarbledAnswer; RuntimeError when it is over."""


class OpenChannel:
    """Before authentication: nothing is protected, nothing is proven."""

    knows_ev2 = True

    def call(self, call: Call) -> Steps[bytes]:
        """See Channel."""
        response = yield from exchange_long(call.ins, call.header + call.data)
        return accepted(response, call.doing)


def exchange_long(ins: int, payload: bytes) -> Steps[Response]:
    """A command of any length, in frames of 59 bytes, and its whole answer.

    A card that answers early has refused: the rest is not sent.
    """
    if len(payload) <= DESFIRE_DATA_MAX:
        return exchange(Command.desfire(ins, payload))
    return _exchange_frames(ins, payload)


def _exchange_frames(ins: int, payload: bytes) -> Steps[Response]:
    frames = [payload[at : at + DESFIRE_DATA_MAX] for at in range(0, len(payload), DESFIRE_DATA_MAX)]
    for index, frame in enumerate(frames[:-1]):
        response = yield Command.desfire(ins if index == 0 else MORE_INS, frame)
        if response.status == DESFIRE_OK:
            raise GarbledAnswer("the card answered a command before it had heard all of it")
        if response.status != DESFIRE_MORE:
            return response
    return (yield from exchange(Command.desfire(MORE_INS, frames[-1])))


def accepted(response: Response, doing: str) -> bytes:
    """The data of an answer that is no refusal."""
    if response.status == INTEGRITY_ERROR:
        raise ProofFailed("the card could not follow the session's MAC")
    if response.status != DESFIRE_OK:
        raise CardStatusError(response.status, doing)
    return response.data
