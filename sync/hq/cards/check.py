"""Whether what stations say they did to cards is what the cards signed: commits that are forged, doubled or missing.

A card counts its commits and signs each (see `card_io.desfire.transaction_mac`) under a key that no station has. A
station that makes up a debit cannot sign it; one that books a debit twice gives the same count twice; one that keeps
a commit to itself leaves a hole, once a later one of the card is known. What comes after the last known commit of a
card cannot be seen from here. Pure: no database, no vault's file, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from card_io.application import masked
from card_io.committed import Committed, read_commands
from card_io.counters import CardDebit
from card_io.desfire.crypto import CardKey, same
from card_io.desfire.transaction_mac import is_genuine, previous_reader_id
from controller.domain.card_proof import CardAct, CardProof, reader_name


class Trouble(StrEnum):
    """What is wrong with a commit."""

    FORGED = "forged"
    DIFFERS = "differs"
    DOUBLED = "doubled"
    MISSING = "missing"
    UNKNOWN_CARD = "unknown_card"


@dataclass(frozen=True, slots=True)
class KnownCard:
    """A card that this network issued."""

    number: str = field(repr=False)
    uid: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """`card` is masked, or the start of its hash where it is unknown. `tmc`: the card's count of commits.

    `where`: which records say so, each in words; none for what is missing.
    """

    trouble: Trouble
    card: str
    tmc: int
    where: tuple[str, ...]
    text: str


@dataclass(slots=True)
class _Card:
    known: KnownCard
    key: CardKey
    commits: dict[int, list[tuple[bytes, str]]] = field(default_factory=dict)
    before: dict[int, bytes] = field(default_factory=dict)
    """Who made the commit before this one, by the card's own word."""


class CardCheck:
    """Takes claims one by one and holds one line of memory for each.

    `find` gives the card of a claim's `card_key`, None where there is none; `mac_key` its Transaction MAC key.
    """

    def __init__(self, find: Callable[[bytes], KnownCard | None], mac_key: Callable[[bytes], CardKey]) -> None:
        self._find, self._mac_key = find, mac_key
        self._cards: dict[str, _Card] = {}
        self._found: list[Finding] = []
        self.taken = 0

    @property
    def cards(self) -> int:
        """How many cards were met."""
        return len(self._cards)

    def take(self, where: str, proof: CardProof) -> None:
        """A station's claim; `where` names its record."""
        self.taken += 1
        known = self._find(proof.card_key)
        if known is None:
            name = f"hash {proof.card_key.hex()}"
            text = "no card of this office: is the list key that of this station, and the card of this network?"
            self._found.append(Finding(Trouble.UNKNOWN_CARD, name, proof.tmc, (where,), text))
            return
        self._hold(where, known, proof)

    def take_own(self, where: str, known: KnownCard, proof: CardProof) -> None:
        """What a card signed at headquarters itself."""
        self.taken += 1
        self._hold(where, known, proof)

    def findings(
        self, seen: Mapping[str, int] | None = None, open_loads: Mapping[str, int] | None = None
    ) -> list[Finding]:
        """All there is to say, by card and count.

        `seen`: the highest count that cards were seen with here, by number. `open_loads`: loads whose outcome is not
        known, by number, each with the count that it would have.
        """
        found = list(self._found)
        for number, card in self._cards.items():
            found += _doubled(card)
            opened = (open_loads or {}).get(number)
            found += _missing(card, (seen or {}).get(number, 0), opened)
        return sorted(found, key=lambda finding: (finding.card, finding.tmc, finding.trouble))

    def _hold(self, where: str, known: KnownCard, proof: CardProof) -> None:
        card = self._cards.get(known.number)
        if card is None:
            card = self._cards[known.number] = _Card(known, self._mac_key(known.uid))
        if not is_genuine(card.key, known.uid, proof.tmc, proof.tmv, [proof.commands]):
            text = "the card never signed this: the record was made up or changed. Pay nothing on it, ask the station"
            self._found.append(Finding(Trouble.FORGED, masked(known.number), proof.tmc, (where,), text))
            return
        card.commits.setdefault(proof.tmc, []).append((proof.tmv, where))
        try:
            did = read_commands(proof.commands)
        except ValueError as error:
            difference: str | None = f"commands that are no sale's ({error})"
        else:
            difference = _difference(proof, did)
            if did.previous:
                card.before[proof.tmc] = previous_reader_id(card.key, known.uid, proof.tmc, did.previous)
        if difference is not None:
            text = f"the card signed something else: {difference}. Go by what it signed, and ask the station"
            self._found.append(Finding(Trouble.DIFFERS, masked(known.number), proof.tmc, (where,), text))


def _doubled(card: _Card) -> Iterator[Finding]:
    for tmc, commits in card.commits.items():
        if len(commits) == 1:
            continue
        where = tuple(place for _, place in commits)
        if all(same(tmv, commits[0][0]) for tmv, _ in commits):
            text = "one commit of the card, booked more than once: count it once"
        else:
            text = "two commits of one count: the card was restored or copied. Stop this card"
        yield Finding(Trouble.DOUBLED, masked(card.known.number), tmc, where, text)


def _missing(card: _Card, seen: int, open_load: int | None) -> Iterator[Finding]:
    """A finding for each hole, however long it is."""
    known = sorted(card.commits)
    before = 0
    for tmc in [*known, max(seen, known[-1] if known else 0) + 1]:
        if tmc > before + 1:
            first, last = before + 1, tmc - 1
            text = f"commits {first} to {last} are" if last > first else f"commit {first} is"
            text += " missing: not sent yet, its answer was lost, or it is hidden. Wait until all have synced, then ask"
            if reader := card.before.get(tmc):
                text += f"; commit {last} was made by {reader_name(reader)}"
            if open_load is not None and first <= open_load <= last:
                text += f"; commit {open_load} may be the load at this office whose outcome is not known"
            yield Finding(Trouble.MISSING, masked(card.known.number), first, (), text)
        before = max(before, tmc)


def _difference(proof: CardProof, did: Committed) -> str | None:
    if did.reader_id and did.reader_id != proof.reader_id:
        return "it names another reader"
    amounts = {
        CardAct.DEBIT: (proof.amount, 0, 0),
        CardAct.REFUND: (0, proof.amount, 0),
        CardAct.NOTE: (0, 0, 0),
        CardAct.LOAD: (0, 0, proof.amount),
    }[proof.act]
    if (did.debit, did.limited_credit, did.credit) != amounts:
        return f"a debit of {did.debit}, {did.limited_credit} given back, {did.credit} loaded"
    if proof.act in (CardAct.DEBIT, CardAct.REFUND):
        return _other_name(proof, did)
    return None


def _other_name(proof: CardProof, did: Committed) -> str | None:
    noted: CardDebit | None = None if did.counters is None else did.counters.debit
    if noted is None:
        return "it names no debit"
    state = "open" if proof.act is CardAct.DEBIT else "settled"
    intent = noted.intent
    if (intent.station, intent.epoch, intent.seq, noted.state) != (proof.station, proof.epoch, proof.seq, state):
        return f"the debit {intent.epoch.hex()}-{intent.seq} of station {intent.station}, {noted.state}"
    return None
