"""A member's phone proven at a pump: by the code that was sent to it, once, in time, and with three tries."""

from controller.domain.questions import CodeAnswer, CodeAsk, PhoneAnswer, PhoneAsk
from controller.domain.reasons import Reason
from controller.domain.tokens import TokenKind, fold_phone, token_key
from sync.hq.programmes.codes import CODE_MS
from sync.wire import RefusedAnswer
from tests.hq_programmes.bench import SECRET
from tests.hq_programmes.test_redemptions import NOW, Lane


class PhoneLane(Lane):
    """A driver with the member's phone."""

    def key(self) -> bytes:
        self.code()
        return token_key(SECRET, TokenKind.PHONE, fold_phone(self.phones.got[-1].phone))

    def sent(self, key: bytes) -> str:
        assert isinstance(self.ask(CodeAsk(TokenKind.PHONE, key), "send"), CodeAnswer)
        return self.phones.code

    def says(self, key: bytes, code: str, after_ms: int = 0, command_id: str = "check") -> bool | str:
        answer = self.ask(PhoneAsk(TokenKind.PHONE, key, code), command_id, NOW + after_ms)
        if isinstance(answer, RefusedAnswer):
            return answer.reason
        assert isinstance(answer, PhoneAnswer)
        return answer.right


def test_the_right_code_proves_it_once() -> None:
    lane = PhoneLane()
    key = lane.key()
    code = lane.sent(key)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert lane.says(key, wrong) is False
    assert lane.says(key, code) is True
    assert lane.says(key, code, command_id="again") == Reason.PHONE_NOT_PROVEN, "it is used up"


def test_a_code_that_was_used_is_right_for_the_question_that_used_it() -> None:
    """Headquarters ended, or its disk was full, before the answer was kept: the station says the question again."""
    lane = PhoneLane()
    key = lane.key()
    code = lane.sent(key)
    assert lane.says(key, code) is True
    assert lane.says(key, code) is True
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert lane.says(key, wrong) is False
    assert lane.says(key, code, command_id="again") == Reason.PHONE_NOT_PROVEN
    assert lane.says(key, code, CODE_MS) == Reason.PHONE_NOT_PROVEN
    assert lane.sent(key) != code
    assert lane.says(key, code) is False, "another was sent since"


def test_three_wrong_ones_or_five_minutes_end_it() -> None:
    lane = PhoneLane()
    key = lane.key()
    code = lane.sent(key)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert [lane.says(key, wrong) for _ in range(3)] == [False] * 3
    assert lane.says(key, code) == Reason.PHONE_NOT_PROVEN
    late = lane.sent(key)
    assert lane.says(key, late, CODE_MS) == Reason.PHONE_NOT_PROVEN


def test_a_phone_that_nobody_knows_is_refused() -> None:
    lane = PhoneLane()
    assert lane.says(bytes(8), "000000") == Reason.PHONE_NOT_PROVEN, "in the words for any other"
