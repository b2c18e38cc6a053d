"""The request lane at headquarters: answers a station's question once, and says the same for ever after.

The outcome is stored under (station, command id) before it is told. Only the refusal of a void is not: it has changed
nothing, and the station says it again until it is taken. Knows no HTTP, and the time only as it is told.
"""

from typing import Protocol

import msgspec

from controller.domain.questions import Question, QuestionAnswer, VoidAsk
from controller.domain.reasons import CATALOGUE, Reason
from sync.hq.store import Store
from sync.wire import (
    Answer,
    BalanceAnswer,
    BalanceAsk,
    RefusedAnswer,
    Reply,
    Request,
    SealedRequest,
    pack_reply,
    unpack_reply,
)

_encoder = msgspec.msgpack.Encoder()


class Answering(Protocol):
    """Who answers what is asked beside balances: grants, points, codes, redemptions, voids.

    `answer` is called once for a command id. It must not raise for what a station may ask.
    """

    def answer(
        self, station: str, command_id: str, question: Question, now_ms: int
    ) -> QuestionAnswer | RefusedAnswer: ...


class Requests:
    """Headquarters' entrance for questions."""

    def __init__(self, store: Store, answering: Answering | None = None) -> None:
        self._store = store
        self._answering = answering

    def receive(self, data: bytes, now_ms: int) -> bytes:
        """The reply's bytes. Raises a WireError for a request that will never be taken, a StoreError otherwise."""
        sealed = SealedRequest(data)
        request = sealed.open(self._store.public_key(sealed.station))
        asked = _encoder.encode(request.ask)
        before = self._store.reply_of(request.station, request.command_id)
        if before is not None and before[0] != asked:
            text = CATALOGUE[Reason.COMMAND_REUSED].attendant
            return pack_reply(Reply(request.command_id, RefusedAnswer(Reason.COMMAND_REUSED, text)))
        # A database of before may have kept the refusal of a void, too.
        if before is not None and not _may_change(request, unpack_reply(before[1])):
            return before[1]
        told = Reply(request.command_id, self._answer(request, now_ms))
        reply = pack_reply(told)
        if not _may_change(request, told):
            self._store.keep_reply(request.station, request.command_id, asked, reply, now_ms)
        return reply

    def _answer(self, request: Request, now_ms: int) -> Answer:
        ask = request.ask
        if isinstance(ask, BalanceAsk):
            return BalanceAnswer(ask.account, self._store.balance_minor(ask.account), now_ms)
        if self._answering is None:
            reason = Reason.HEADQUARTERS_REFUSED
            return RefusedAnswer(reason, "this headquarters keeps no programmes and no prepaid accounts")
        return self._answering.answer(request.station, request.command_id, ask, now_ms)


def _may_change(request: Request, told: Reply) -> bool:
    """Whether the same question may get another answer later."""
    return isinstance(request.ask, VoidAsk) and isinstance(told.outcome, RefusedAnswer)
