"""The Transaction MAC: what a card signs of a commit under a key that no station has, and how headquarters checks it.

    SV        = 5A or A5 | 00 01 00 80 | TMC + 1 | UID       TMC before the commit, four bytes, low byte first
    MAC key   = CMAC(K, SV with 5A), encryption key = CMAC(K, SV with A5)
    TMV       = odd bytes of CMAC(MAC key, TMI)
    TMI       = for each command of the transaction, in its order, each part filled up with zeros to 16 bytes:
                write, record:     Cmd | file | offset | length, then the data
                credit, debit:     Cmd | file | value
                reader id:         Cmd | reader id | the previous reader id, encrypted as the card answered it

The session keys are checked against printed ones. **The final value is not verified on silicon**: no public example
of it exists; it follows the public descriptions. Reads of value, record and backup files are said to count as well,
so sessions here begin a transaction with a fresh authentication and only write in it. Knows no key store.
"""

from __future__ import annotations

from collections.abc import Iterable

from card_io.desfire.channel import Call
from card_io.desfire.commands import COMMIT_READER_ID, CREDIT, DEBIT, LIMITED_CREDIT
from card_io.desfire.crypto import BLOCK, AesKey, CardKey, SessionKeys, same, short_mac

_LABEL = bytes.fromhex("00010080")
_VALUE_COMMANDS = frozenset({CREDIT, DEBIT, LIMITED_CREDIT})


def transaction_keys(key: CardKey, uid: bytes, counter: int) -> SessionKeys:
    """The keys of the commit that makes the card's counter `counter` + 1."""
    tail = _LABEL + (counter + 1).to_bytes(4, "little") + uid
    return SessionKeys(enc=AesKey(key.cmac(b"\xa5" + tail)), mac=AesKey(key.cmac(b"\x5a" + tail)))


def transaction_input(call: Call) -> bytes:
    """A writing call's part of the TMI, whole blocks of 16 bytes."""
    if call.ins in _VALUE_COMMANDS:
        return _filled(bytes((call.ins,)) + call.header + call.data)
    return _filled(bytes((call.ins,)) + call.header) + _filled(call.data)


def reader_id_input(reader_id: bytes, previous: bytes) -> bytes:
    """CommitReaderID's part of the TMI; `previous` as the card answered it."""
    return _filled(bytes((COMMIT_READER_ID,)) + reader_id + previous)


def transaction_mac(key: CardKey, uid: bytes, tmc: int, commands: Iterable[bytes]) -> bytes:
    """The 8 bytes that the card must have answered with counter `tmc`. `commands`: the TMI, part by part.

    `key` is the card's own Transaction MAC key, `tmc` the counter that came with the value (1 for the first commit).
    Not verified on silicon.
    """
    return short_mac(transaction_keys(key, uid, tmc - 1).mac, b"".join(commands))


def is_genuine(key: CardKey, uid: bytes, tmc: int, tmv: bytes, commands: Iterable[bytes]) -> bool:
    """Whether this card did commit this."""
    return tmc > 0 and same(tmv, transaction_mac(key, uid, tmc, commands))


def previous_reader_id(key: CardKey, uid: bytes, tmc: int, encrypted: bytes) -> bytes:
    """The reader that committed before, from CommitReaderID's answer in the commit that made `tmc`."""
    return transaction_keys(key, uid, tmc - 1).enc.decrypt(encrypted)


def _filled(part: bytes) -> bytes:
    return part + bytes(-len(part) % BLOCK)
