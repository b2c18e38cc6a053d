"""A draw that anybody can repeat: random numbers by HMAC-SHA256 from a seed, winners by Fisher-Yates.

Before it, the SHA-256 of the seed is published; after it, the seed.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from itertools import islice

from controller.domain.programmes.answering import accept, decline
from controller.domain.programmes.answers import Answer, Winner
from controller.domain.programmes.books import Books
from controller.domain.programmes.events import HoldDraw, Prize
from controller.domain.programmes.reasons import Reason

RANGE = 1 << 64
COUNTER_BYTES = 8


def hold_draw(books: Books, event: HoldDraw) -> Answer:
    """Among the members that are verified and not cancelled."""
    if books.rules.draw is None:
        return decline(books, event, Reason.NOT_OFFERED)
    members = [
        holder.id for holder in books.holders if holder.kind == "person" and holder.verified and not holder.cancelled
    ]
    seed = bytes.fromhex(event.seed)
    winners = tuple(Winner(rank, member) for rank, member in winners_of(seed, members, event.prizes))
    return accept(books, event, winners=winners, seed_sha256=hashlib.sha256(seed).hexdigest())


def winners_of(seed: bytes, members: Iterable[str], prizes: Iterable[Prize]) -> list[tuple[int | str, str]]:
    """(rank, member), rank by rank, one prize a member; fewer where there are fewer members than prizes."""
    front = iter(shuffled(seed, members))
    return [(prize.rank, member) for prize in prizes for member in islice(front, prize.count)]


def shuffled(seed: bytes, members: Iterable[str]) -> list[str]:
    """The members in the order that the seed gives them."""
    entries = sorted(members, key=lambda member: member.encode())
    numbers = random_numbers(seed)
    for i in range(len(entries) - 1, 0, -1):
        choices = i + 1
        # Above the largest multiple the smaller remainders would come up more often.
        most = RANGE // choices * choices
        number = next(number for number in numbers if number < most)
        chosen = number % choices
        entries[i], entries[chosen] = entries[chosen], entries[i]
    return entries


def random_numbers(seed: bytes) -> Iterator[int]:
    """Whole numbers below 2^64, without end."""
    counter = 0
    while True:
        digest = hmac.digest(seed, counter.to_bytes(COUNTER_BYTES, "big"), hashlib.sha256)
        yield int.from_bytes(digest[:COUNTER_BYTES], "big")
        counter += 1
