"""Cards that are not as they should be: each stands in the field in place of a good one, under a name.

Who makes one gives it what it wraps; `BREAKS` makes them from a card's state, for the command line. A card of these
never writes to the good card's file, except the slow one, which is only slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from card_io.apdu import DESFIRE_CLA
from sim.cards.card import SimCard
from sim.cards.field import FieldCard, LeftField, SilentCard
from sim.cards.state import KEY_LENGTH, CardState, KeyState

Random: TypeAlias = Callable[[int], bytes]
Store: TypeAlias = Callable[[CardState], None]

SLOW_MS = 3_000  # beyond what a station waits for an answer
GARBAGE_MAX = 70  # bytes: a little more than the longest frame of a card
NO_ANSWER = b"\x6f\x00"
COMMIT = 0xC7  # CommitTransaction, which is one frame


@dataclass(frozen=True, slots=True)
class Tear:
    """The card loses power at its `at`th frame, counted from 1: before it does it, or after, with the answer lost.

    `commits`: only frames that commit a transaction are counted.
    """

    at: int
    when: Literal["before", "after"]
    commits: bool = False

    def __post_init__(self) -> None:
        if self.at < 1:
            raise ValueError("frames are counted from 1")

    @classmethod
    def parse(cls, text: str) -> Tear:
        """From `7:after`, `commit:before`, `commit2:after`. Raises ValueError."""
        found = re.fullmatch(r"(commit)?(\d+|(?<=commit)):(before|after)", text, re.ASCII)
        if found is None:
            raise ValueError(
                f"{text!r}: expected the number of a frame and before or after, such as 7:after; or a commit, such as "
                "commit:before, commit2:after"
            )
        commits, at, when = found.groups()
        return cls(int(at or 1), "before" if when == "before" else "after", commits is not None)

    def counts(self, frame: bytes) -> bool:
        """Whether this frame, wrapped or native, is one of those that are counted."""
        return not self.commits or frame[:2] == bytes((DESFIRE_CLA, COMMIT)) or frame[:1] == bytes((COMMIT,))


class _Around:
    """A card around a card, which passes everything on."""

    def __init__(self, card: FieldCard) -> None:
        self._card = card

    @property
    def atr(self) -> bytes:
        return self._card.atr

    @property
    def latency_ms(self) -> int:
        return self._card.latency_ms

    def reset(self) -> None:
        self._card.reset()

    def transmit(self, frame: bytes) -> bytes | None:
        return self._card.transmit(frame)


class TornCard(_Around):
    """Torn out of the field once, by plan; put back (`reset`), it is a good card with whatever it had kept."""

    def __init__(self, card: FieldCard, tear: Tear) -> None:
        super().__init__(card)
        self._tear = tear
        self._frames = 0
        self._gone = False

    def reset(self) -> None:
        self._gone = False
        super().reset()

    def transmit(self, frame: bytes) -> bytes | None:
        """Raises LeftField at the planned frame, and from then until it is put back."""
        if self._gone:
            raise LeftField
        self._frames += self._tear.counts(frame)
        if self._frames != self._tear.at or not self._tear.counts(frame):
            return super().transmit(frame)
        self._gone = True
        if self._tear.when == "after":
            super().transmit(frame)
        raise LeftField


class SlowCard(_Around):
    """A good card whose answers take `latency_ms`."""

    def __init__(self, card: FieldCard, latency_ms: int = SLOW_MS) -> None:
        super().__init__(card)
        self._latency_ms = latency_ms

    @property
    def latency_ms(self) -> int:
        return self._latency_ms


class GarbageCard(_Around):
    """Answers anything with 1 to 70 random bytes."""

    def __init__(self, card: FieldCard, random: Random) -> None:
        super().__init__(card)
        self._random = random

    def transmit(self, frame: bytes) -> bytes:
        return self._random(1 + self._random(1)[0] % GARBAGE_MAX)


class ReplayCard(_Around):
    """Holds no key: it has heard one session of a good card, and answers each later one with what it heard."""

    def __init__(self, card: FieldCard) -> None:
        super().__init__(card)
        self._heard: list[bytes | None] = []
        self._listening = True
        self._at = 0

    def reset(self) -> None:
        """The first session is over as soon as anything was said in it."""
        self._listening = not self._heard
        self._at = 0
        super().reset()

    def transmit(self, frame: bytes) -> bytes | None:
        if self._listening:
            self._heard.append(super().transmit(frame))
            return self._heard[-1]
        self._at += 1
        return self._heard[self._at - 1] if self._at <= len(self._heard) else NO_ANSWER


class RestoredCard:
    """Each time that it is put in the field it is again as it was at first: a purse that never empties."""

    latency_ms = 0

    def __init__(self, state: CardState, random: Random) -> None:
        self._first = state.copy()
        self._random = random
        self._card = SimCard(self._first.copy(), random)

    @property
    def atr(self) -> bytes:
        return self._card.atr

    def reset(self) -> None:
        self._card = SimCard(self._first.copy(), self._random)

    def transmit(self, frame: bytes) -> bytes:
        return self._card.transmit(frame)


def wrong_key_card(state: CardState, random: Random) -> SimCard:
    """All data of the card, and other keys."""
    forged = state.copy()
    for application in forged.applications:
        application.keys = [KeyState(random(KEY_LENGTH), key.version) for key in application.keys]
    return SimCard(forged, random)


def cloned_card(state: CardState, random: Random) -> SimCard:
    """All data of the card, its keys too, on a card that has a UID of its own."""
    clone = state.copy()
    clone.uid = state.uid[:1] + random(len(state.uid) - 1)
    return SimCard(clone, random)


BREAKS: dict[str, Callable[[CardState, Random, Store], FieldCard]] = {
    "silent": lambda state, random, store: SilentCard(),
    "slow": lambda state, random, store: SlowCard(SimCard(state, random, store)),
    "garbage": lambda state, random, store: GarbageCard(SimCard(state.copy(), random), random),
    "wrong-key": lambda state, random, store: wrong_key_card(state, random),
    "cloned": lambda state, random, store: cloned_card(state, random),
    "replayed": lambda state, random, store: ReplayCard(SimCard(state.copy(), random)),
    "restored": lambda state, random, store: RestoredCard(state, random),
}
"""By name, for `forecourt sim card --break`. A torn card is made by its plan."""
