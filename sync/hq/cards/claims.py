"""What stations say that cards signed, found in their rows at headquarters, page by page. Knows no key and no card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from controller.domain.card_proof import CardProof
from controller.domain.records import Record, decode_body

PAGE_SEQS = 5_000
"""Rows that are looked through in one go: some tens of milliseconds, in which headquarters serves nobody else."""


class Claim(msgspec.Struct, frozen=True):
    """One commit of a card, and the row of the station that tells of it."""

    row: str
    proof: CardProof


class ClaimPage(msgspec.Struct, frozen=True):
    """`next_after`: where the next page begins; None at the end."""

    claims: tuple[Claim, ...]
    next_after: int | None


class Bodies(Protocol):
    """Headquarters' database, as far as it is needed."""

    def bodies(self, station: str, after_seq: int, seqs: int) -> tuple[list[bytes], bool]: ...


def page_of(store: Bodies, station: str, after: int) -> ClaimPage:
    """The claims in a station's rows after that number; from 0 on."""
    bodies, more = store.bodies(station, after, PAGE_SEQS)
    claims = []
    for data in bodies:
        body = decode_body(data)
        claims += [Claim(body.name.text, proof) for proof in proofs_in(body.record)]
    return ClaimPage(tuple(claims), after + PAGE_SEQS if more else None)


def proofs_in(record: Record) -> Iterator[CardProof]:
    """Whichever kind of record they stand in."""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, CardProof):
            yield value
