"""What has a wrong check is never acted upon: every answer of a sale is damaged at every bit, and nothing comes of it.

The decoders refuse it, or say exactly what they said without the damage; and a core that hears it, in whatever state it
was when the answer came, tells of a fault and of nothing that a pump might have said.
"""

import copy
import random
from typing import Any

import pytest

from controller.pumps.azt2 import frame as azt2
from controller.pumps.dart import frame as dart
from controller.pumps.two_wire import blocks
from controller.pumps.words import (
    Clear,
    Identify,
    Identity,
    Idle,
    LinkFault,
    Offline,
    ReadTotals,
    Refused,
    SetPrices,
    Totals,
)
from tests.pumps.core_bench import Bench, sell
from tests.pumps.every_protocol import EVERY, Row

NOT_SAID = (LinkFault, Offline, Refused)
"""What a core may tell when it has heard nothing good."""


def whole_day(row: Row) -> list[tuple[Any, bytes, int]]:
    """A core as it was when an answer came, the answer, and when: each pair of a phase and an answer once."""
    b: Bench[Any, Any] = row.bench(1)
    heard: dict[tuple[str, bytes], tuple[Any, bytes, int]] = {}

    def keep(answer: bytes) -> bytes:
        if answer and (b.core.phase, answer) not in heard:
            heard[b.core.phase, answer] = (copy.deepcopy(b.core), answer, b.now_us)
        return answer

    b.to_core = keep
    b.until(Idle)
    b.submit(SetPrices(tuple(b.twin.head.price(n + 1) for n in range(len(b.twin.head.nozzles)))))
    b.submit(Identify())
    b.until(Identity)
    b.submit(ReadTotals(1))
    b.until(Totals)
    done = sell(b, 1_230, row.order)
    b.submit(Clear(done.clear_token))
    b.until(Idle)
    return list(heard.values())


@pytest.mark.parametrize("name", EVERY)
def test_a_core_does_nothing_upon_a_damaged_answer_in_any_state(name: str) -> None:
    row = EVERY[name]
    chance = random.Random(name)
    tried = 0
    for core, answer, now_us in whole_day(row):
        for at in range(len(answer)):
            spoilt = answer[:at] + bytes((answer[at] ^ 1 << chance.randrange(8),)) + answer[at + 1 :]
            if not row.damaged(spoilt, 1):
                continue  # nothing protects it: two alike are wanted of those, or only the display shows them
            other = copy.deepcopy(core)
            before = sum(other.link_faults.values())
            other.events()
            other.received(spoilt, now_us)
            said = [event for event in other.events() if not isinstance(event, NOT_SAID)]
            assert not said, f"{answer.hex(' ')} damaged to {spoilt.hex(' ')} at {core.phase}: {said}"
            assert other.phase == core.phase
            assert sum(other.link_faults.values()) > before
            tried += 1
    assert tried > 200


def says(name: str, answer: bytes) -> object:
    """All that an answer says to who looks at its bytes only. ValueError: nothing."""
    match name:
        case "dart":
            return [dart.decode(piece) for piece in dart.split(answer)]
        case "azt2":
            return [azt2.decode_reply(piece) for piece in azt2.split(answer)]
        case _:
            return blocks.transaction_of(answer) if answer[1:2] == b"\xf1" else blocks.totals_of(answer)


def checked(name: str, answer: bytes) -> bool:
    """It carries a check. The version of a two-wire pump is shown to people as it comes, so it is left out."""
    match name:
        case "dart":
            return bool(answer[1] & 0xF0 == dart.Control.DATA)
        case "azt2":
            return bool(answer[1] == azt2.REPLY_START)
        case _:
            return answer[0] == 0xFF and answer[1] != 0xFE


@pytest.mark.parametrize("name", EVERY)
def test_no_wrong_byte_makes_a_checked_answer_say_something_else(name: str) -> None:
    answers = {answer for _, answer, _ in whole_day(EVERY[name]) if checked(name, answer)}
    assert len(answers) > 1
    for length in {len(answer) for answer in answers}:
        answer = max(answer for answer in answers if len(answer) == length)
        said = says(name, answer)
        for at in range(length):
            for byte in range(256):
                try:
                    other = says(name, answer[:at] + bytes((byte,)) + answer[at + 1 :])
                except ValueError:
                    continue
                assert other == said, f"{answer.hex(' ')}: byte {at} as {byte:02x}"
