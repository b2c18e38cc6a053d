"""What a commit did, read back from what its Transaction MAC is over.

`transaction_mac` says how that is made. Who has checked the MAC may trust what is read here: amounts, file 05 with the
debit's name, the record of the fill, and the reader's id. Knows no key and no MAC.
"""

from __future__ import annotations

from dataclasses import dataclass

from card_io.counters import COUNTERS_FILE, COUNTERS_LENGTH, Counters
from card_io.desfire.commands import (
    COMMIT_READER_ID,
    CREDIT,
    DEBIT,
    LIMITED_CREDIT,
    READER_ID_LENGTH,
    WRITE_DATA,
    WRITE_RECORD,
)
from card_io.desfire.crypto import BLOCK
from card_io.errors import NotOurCard
from card_io.fills import FILL_LENGTH, FILLS_FILE, CardFill
from card_io.layout import PURSE_FILE
from card_io.octets import Octets

_AMOUNT_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Committed:
    """One commit. Amounts in the purse's unit, 0 where the command did not come. `reader_id`: 16 bytes, or none.

    `previous`: who committed before, encrypted (`transaction_mac.previous_reader_id`).
    """

    debit: int = 0
    limited_credit: int = 0
    credit: int = 0
    counters: Counters | None = None
    fill: CardFill | None = None
    reader_id: bytes = b""
    previous: bytes = b""


def read_commands(commands: bytes) -> Committed:
    """From `CommitProof.commands`. Raises ValueError for what no session of this library commits."""
    amounts = {DEBIT: 0, LIMITED_CREDIT: 0, CREDIT: 0}
    counters: Counters | None = None
    fill: CardFill | None = None
    reader_id = previous = b""
    blocks = Octets(commands)
    seen: set[int] = set()
    while blocks.at < len(commands):
        head = blocks.take(BLOCK)
        ins, file = head[0], head[1]
        if (what := ins if ins in amounts else ins << 8 | file) in seen:
            raise ValueError("a command stands twice in one commit")
        seen.add(what)
        if ins in amounts and file == PURSE_FILE:
            amounts[ins] = int.from_bytes(head[2 : 2 + _AMOUNT_LENGTH], "little")
        elif ins == COMMIT_READER_ID:
            names = (head + blocks.take(2 * BLOCK))[1:]
            reader_id, previous = names[:READER_ID_LENGTH], names[READER_ID_LENGTH : 2 * READER_ID_LENGTH]
        elif (ins, file) == (WRITE_DATA, COUNTERS_FILE):
            counters = _decoded_counters(_written(head, blocks, COUNTERS_LENGTH))
        elif (ins, file) == (WRITE_RECORD, FILLS_FILE):
            fill = _decoded_fill(_written(head, blocks, FILL_LENGTH))
        else:
            raise ValueError(f"a command {ins:02X} to file {file:02X}")
    return Committed(amounts[DEBIT], amounts[LIMITED_CREDIT], amounts[CREDIT], counters, fill, reader_id, previous)


def _written(head: bytes, blocks: Octets, length: int) -> bytes:
    offset, count = int.from_bytes(head[2:5], "little"), int.from_bytes(head[5:8], "little")
    if offset or count != length:
        raise ValueError(f"{count} bytes at {offset} of file {head[1]:02X}, not the whole of {length}")
    return blocks.take(-(-length // BLOCK) * BLOCK)[:length]


def _decoded_counters(data: bytes) -> Counters:
    try:
        return Counters.decode(data)
    except NotOurCard as error:
        raise ValueError(error.what) from None


def _decoded_fill(data: bytes) -> CardFill:
    try:
        return CardFill.decode(data)
    except NotOurCard as error:
        raise ValueError(error.what) from None
