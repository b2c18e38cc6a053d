"""On a bad line each sale is told once, with the pump's own values, whatever the protocol and whatever is bad."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from controller.pumps.words import Authorise, Clear, Completed, Idle, LinkFault, Offline
from tests.pumps.core_bench import Bench, Line, set_line
from tests.pumps.every_protocol import EVERY, Row

SALES = 3
TURNS_MAX = 8_000


class Till:
    """A station's part: what is told as completed is cleared a while later."""

    def __init__(self, b: Bench[Any, Any], chance: random.Random) -> None:
        self.b = b
        self.chance = chance
        self.said: list[Completed] = []
        self.seen = 0
        self._clear_in: dict[int, int] = {}

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.b.step()
            for event in self.b.told[self.seen :]:
                if isinstance(event, Completed):
                    self.said.append(event)
                    self._clear_in[event.clear_token] = self.chance.randrange(60)
            self.seen = len(self.b.told)
            for token, turns_left in list(self._clear_in.items()):
                self._clear_in[token] = turns_left - 1
                if turns_left <= 0 and self.b.core.phase != "away":
                    self.b.submit(Clear(token))
                    del self._clear_in[token]

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(0, TURNS_MAX, 10):
            if done():
                return
            self.run(10)
        raise AssertionError(f"in vain: {self.b.core.phase} {self.b.told[-10:]}")

    def allow(self, order: Authorise) -> None:
        """Ask until the pump may deliver. An order that was not confirmed is refused, and the pump stopped."""
        b = self.b

        def allowed() -> bool:
            if b.core.phase in ("ready", "cleared") and not b.core.urgent:
                b.submit(order)
            return b.core.phase in ("allowed", "fuelling") and not b.core.urgent

        self.until(allowed)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("line", Line)
@pytest.mark.parametrize("name", EVERY)
def test_on_a_bad_line_each_sale_is_told_once_with_the_pumps_own_values(name: str, line: Line, seed: int) -> None:
    sales(EVERY[name], line, random.Random(f"{name} {line} {seed}"), percent=20)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("percent", [5, 30])
@pytest.mark.parametrize("name", EVERY)
def test_on_a_line_on_which_everything_happens_they_are_as_well(name: str, percent: int, seed: int) -> None:
    sales(EVERY[name], Line.EVERYTHING, random.Random(f"{name} {percent} {seed}"), percent)


def sales(row: Row, line: Line, chance: random.Random, percent: int) -> None:
    b = row.bench(1)
    b.until(Idle)
    head = b.twin.head
    till = Till(b, chance)
    for number in range(SALES):
        till.said.clear()
        b.told.clear()
        till.seen = 0
        nozzle = chance.randrange(len(head.nozzles)) + 1
        before_ml, want_ml = head.totaliser_ml(nozzle, b.now_us), 2_000 + 500 * number
        set_line(b, line, chance, percent)
        head.lift(nozzle, b.now_us)
        while head.totaliser_ml(nozzle, b.now_us) == before_ml:
            till.allow(row.order)
            head.squeeze(want_ml, b.now_us)
            till.run(20)
            till.until(lambda: not head.flowing)
        head.hang_up(b.now_us)
        till.run(100)
        b.heal()
        till.until(lambda: b.core.phase == "ready" and not b.core.busy)
        after_ml = head.totaliser_ml(nozzle, b.now_us)
        assert after_ml - before_ml == want_ml
        sold = [event for event in till.said if event.volume_ml]
        if (
            not sold
            and row.forgets
            and (b.all(Offline) or "lost_delivery" in {fault.kind for fault in b.all(LinkFault)})
        ):
            continue  # it says nothing of it later: what ran is found in its totals
        assert {(event.nozzle, event.volume_ml) for event in sold} == {(nozzle, want_ml)}
        assert {event.totaliser_ml for event in sold} <= {None, after_ml}
        assert not [event for event in sold[1:] if not event.at_start], "told again only after it was gone"
