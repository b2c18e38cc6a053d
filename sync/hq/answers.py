"""What headquarters answers on the request lane: grants and voids of prepaid accounts here, the rest by whoever can.

Implements `sync.hq.requests.Answering`. Knows no bytes and no HTTP.
"""

from controller.domain.grants import GRANT_COMMAND
from controller.domain.questions import GrantAnswer, GrantAsk, Question, QuestionAnswer, VoidAnswer, VoidAsk
from controller.domain.reasons import CATALOGUE, Reason
from sync.hq.prepaid import Prepaid
from sync.hq.requests import Answering
from sync.wire import RefusedAnswer


class Answers:
    """`others`: who answers what is not of prepaid accounts; without one it is refused."""

    def __init__(self, prepaid: Prepaid, others: Answering | None = None) -> None:
        self._prepaid = prepaid
        self.others = others

    def answer(self, station: str, command_id: str, question: Question, now_ms: int) -> QuestionAnswer | RefusedAnswer:
        """See Answering. A command id that is said again, after a crash, gets what was done the first time."""
        match question:
            case GrantAsk(account, most_minor):
                granted = self._prepaid.grant(station, command_id, account, most_minor, now_ms)
                if granted is None:
                    return RefusedAnswer(Reason.HEADQUARTERS_REFUSED, "this grant was given back before it was asked")
                return GrantAnswer(granted)
            case VoidAsk(voided) if voided.startswith(GRANT_COMMAND):
                return VoidAnswer(self._prepaid.void(station, voided, now_ms))
        if self.others is not None:
            return self.others.answer(station, command_id, question, now_ms)
        return RefusedAnswer(Reason.HEADQUARTERS_REFUSED, CATALOGUE[Reason.HEADQUARTERS_REFUSED].attendant)
