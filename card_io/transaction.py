"""Changing a card: everything in one commit, and an answer to "was it committed?" whatever happens.

A change is read first, under the read key, and written under another key in a transaction of its own that begins
with a fresh authentication, so that the Transaction MAC covers the writes and nothing else. The card takes all of it
with the commit, or nothing. **A commit whose answer is lost is of unknown outcome**, and that is a result and no
error: whoever asked has its intent in a journal and resolves it at the next sight of the card.

Knows no purse and no meaning of any file but file 05.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Literal

from card_io.apdu import Command, Response
from card_io.application import DEBIT_KEY_NUMBER, CardHeader, Part
from card_io.conversation import Conversation
from card_io.counters import COUNTERS_FILE, Counters
from card_io.desfire.channel import Call
from card_io.desfire.commands import DEBIT, READER_ID_LENGTH, TransactionMac, commit, commit_reader_id, write_data
from card_io.desfire.transaction_mac import reader_id_input, transaction_input
from card_io.errors import CardError, CardStatusError, NotOurCard, PurseTooSmall
from card_io.layout import COUNTERS_MODE
from card_io.session import Steps

BOUNDARY_ERROR = 0x91BE

Outcome = Literal["applied", "not_applied", "unknown"]


@dataclass(frozen=True, slots=True)
class CommitProof:
    """What headquarters checks a commit with: the card's counter and MAC, and what they are over.

    `commands` is the Transaction MAC's input: in it are the amounts and file 05's or 04's new content, and no card
    number. See `desfire.transaction_mac`.
    """

    counter: int
    value: bytes
    commands: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Changed:
    """How a change went. `error_kind` and `text` say why it was not applied or is unknown (`CardError.kind`).

    `uid` is empty where the card did not even prove itself. `proof` is None where the card keeps no Transaction MAC.
    `counters` are file 05 as it was before, `written` as it is now, where the change was applied and wrote it.
    """

    outcome: Outcome
    uid: bytes = b""
    error_kind: str | None = None
    text: str | None = None
    proof: CommitProof | None = None
    counters: Counters | None = None
    written: Counters | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written: `calls` under key `number`, and file 05's new content under the debit key."""

    calls: tuple[Call, ...] = ()
    number: int = DEBIT_KEY_NUMBER
    counters: Counters | None = None


@dataclass(slots=True)
class _Progress:
    """How far it came, outside the steps: an error must not take it along."""

    uid: bytes = b""
    counters: Counters | None = None
    written: Counters | None = None
    commit_sent: bool = False


Plan = Callable[[CardHeader, Counters], Change]
"""What to write on this card. Raises CardError to write nothing."""


def change_card(card: Conversation, uid: bytes, reader_id: bytes, plan: Plan) -> Steps[Changed]:
    """Proves that this is the card with this UID, and changes it as planned. Never raises a CardError.

    `reader_id`: 16 bytes that name this station in the card's Transaction MAC.
    """
    if len(reader_id) != READER_ID_LENGTH:
        raise ValueError(f"a reader id has {READER_ID_LENGTH} bytes, not {len(reader_id)}")
    progress = _Progress()
    try:
        proof = yield from _change(card, uid, reader_id, plan, progress)
    except CardError as error:
        outcome: Outcome = "unknown" if progress.commit_sent else "not_applied"
        return Changed(outcome, progress.uid, error.kind, str(error), None, progress.counters)
    return Changed("applied", progress.uid, proof=proof, counters=progress.counters, written=progress.written)


def _change(
    card: Conversation, uid: bytes, reader_id: bytes, plan: Plan, progress: _Progress
) -> Steps[CommitProof | None]:
    header = yield from card.prove(uid)
    progress.uid = card.uid
    if Part.COUNTERS not in header.parts:
        raise NotOurCard("the card has no place for counters")
    progress.counters = yield from card.counters()
    change = plan(header, progress.counters)
    yield from card.authenticate(change.number)
    done: list[bytes] = []
    for call in change.calls:
        yield from _written(card, call)
        done.append(transaction_input(call))
    maced = Part.TRANSACTION_MAC in header.parts and card.channel.knows_ev2
    if change.number != DEBIT_KEY_NUMBER and (maced or change.counters is not None):
        yield from card.switch(DEBIT_KEY_NUMBER)
    if change.counters is not None:
        call = write_data(COUNTERS_FILE, change.counters.encode(), COUNTERS_MODE)
        yield from card.channel.call(call)
        progress.written = change.counters
        done.append(transaction_input(call))
    if maced:
        previous = yield from commit_reader_id(card.channel, reader_id)
        done.append(reader_id_input(reader_id, previous))
    mac = yield from _committed(commit(card.channel, transaction_mac=maced), progress)
    return None if mac is None else CommitProof(mac.counter, mac.value, b"".join(done))


def _written(card: Conversation, call: Call) -> Steps[None]:
    try:
        yield from card.channel.call(call)
    except CardStatusError as error:
        if call.ins == DEBIT and error.status == BOUNDARY_ERROR:
            raise PurseTooSmall("there is less in the card's purse than was to be taken") from None
        raise


def _committed(
    steps: Generator[Command, Response, TransactionMac | None], progress: _Progress
) -> Steps[TransactionMac | None]:
    # from here on it may be committed, whatever else is heard: even a refusal is not proven to be the card's
    progress.commit_sent = True
    return (yield from steps)
