"""A phone number proven at a fuelling point: headquarters sends a code, the driver tells it, headquarters says yes.

Nobody here knows the code, so without headquarters no phone is proven. Knows no pump, no wire and not who may fuel.
"""

from dataclasses import replace
from typing import Protocol

from controller.deciding.answers import Pending, QuestionIds
from controller.deciding.asking import Asking
from controller.domain.desk import AnswerNeed, Need
from controller.domain.questions import CodeAnswer, CodeAsk, Heard, Outcome, PhoneAnswer, PhoneAsk
from controller.domain.reasons import Reason
from controller.domain.tokens import Assurance, TokenRef

SENDING = "A code is being sent to the phone"
CHECKING = "Headquarters checks the code"


class Asked(Protocol):
    """The decisions of one point."""

    @property
    def question(self) -> Pending | None:
        """What is asked now."""
        ...

    @property
    def ids(self) -> QuestionIds: ...

    def show_question(self, pending: Pending, text: str) -> None: ...

    async def not_proven(self, token: TokenRef, reason: Reason) -> Reason:
        """Decline it, without any decision."""
        ...

    async def go_on(self, pending: Pending) -> None:
        """Decide on its request now."""
        ...


class PhoneProof:
    """For one point."""

    def __init__(self, asking: Asking, point: Asked) -> None:
        self._asking = asking
        self._point = point

    async def send_code(self, pending: Pending) -> Reason | None:
        """Have a code sent to the phone of this request's token."""
        assert pending.request is not None
        token = pending.request.token
        if not self._asking.reachable:
            return await self._point.not_proven(token, Reason.NEEDS_HEADQUARTERS)
        self._point.show_question(pending, SENDING)

        async def told(outcome: Outcome) -> None:
            if self._point.question is not pending:
                return
            if isinstance(outcome.answer, CodeAnswer):
                text = f"A code was sent to {outcome.answer.sent_to}: type what the driver tells"
                self._point.show_question(pending, text)
            else:
                await self._point.not_proven(token, _why(outcome))

        self._asking.question(CodeAsk(token.kind, token.key), told)
        return None

    async def typed(self, pending: Pending, command: AnswerNeed, till: str) -> Reason | None:
        """The driver's code: headquarters says whether it is right."""
        assert pending.request is not None
        request, token = pending.request, pending.request.token
        code = command.value.strip()
        if not code:
            return Reason.PHONE_NOT_PROVEN
        asking, command_id = self._point.ids.next(), command.command_id
        checking = replace(pending, id=asking, need=Need.HEADQUARTERS, till=till, command_id=command_id)
        self._point.show_question(checking, CHECKING)

        async def told(outcome: Outcome) -> None:
            if self._point.question is not checking:
                return
            match outcome.answer:
                case PhoneAnswer(right=True):
                    proven = TokenRef(token.kind, token.key, token.shown, Assurance.PROVEN)
                    await self._point.go_on(replace(checking, request=replace(request, token=proven)))
                case PhoneAnswer():
                    self._point.show_question(
                        replace(pending, id=self._point.ids.next(), again=True),
                        "The code is wrong: let the driver tell it again",
                    )
                case _:
                    await self._point.not_proven(token, _why(outcome))

        self._asking.question(PhoneAsk(token.kind, token.key, code), told)
        return None


def _why(outcome: Outcome) -> Reason:
    return Reason.PHONE_NOT_PROVEN if outcome.heard is Heard.REFUSED else Reason.NEEDS_HEADQUARTERS
