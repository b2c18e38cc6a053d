"""The end of a transaction: commit or abort, and the reader that names itself for the Transaction MAC."""

from __future__ import annotations

from sim.cards.chip import Chip
from sim.cards.state import NEVER
from sim.cards.status import DENIED, LENGTH, NO_CHANGES, PARAMETER, Refused
from sim.cards.transaction import Transaction, reader_key

MAC_WANTED = 0x01  # option of CommitTransaction: tell the counter and the Transaction MAC
READER_ID_LENGTH = 16


def commit_transaction(chip: Chip, ins: int, data: bytes) -> bytes:
    """C7, or C7 | option: everything that waits happens, or nothing does. With the option: counter (4) and MAC (8)."""
    application = chip.selected()
    options = len(data) - chip.messaging.length(0, None, "mac")
    if options not in (0, 1):
        raise Refused(LENGTH)
    plain = chip.messaging.opened(ins, data, options, None, "mac")
    option = plain[0] if plain else 0
    mac_file = application.mac_file
    if option & ~MAC_WANTED or (option and mac_file is None):
        raise Refused(PARAMETER)
    if chip.transaction.empty:
        raise Refused(NO_CHANGES)
    if mac_file is not None and mac_file.rights.read_write != NEVER and chip.transaction.reader_id is None:
        raise Refused(DENIED)
    renewed = chip.transaction.apply(application, chip.state.uid)
    chip.keep()
    chip.transaction = Transaction()
    told = renewed.counter.to_bytes(4, "little") + renewed.value if option and renewed else b""
    return chip.messaging.sealed(told, "mac")


def abort_transaction(chip: Chip, ins: int, data: bytes) -> bytes:
    chip.selected()
    chip.messaging.opened(ins, data, 0, None, "mac")
    if chip.transaction.empty:
        raise Refused(NO_CHANGES)
    chip.transaction = Transaction()
    return chip.messaging.sealed(b"", "mac")


def commit_reader_id(chip: Chip, ins: int, data: bytes) -> bytes:
    """C8 | reader's id (16): once a transaction. In a session, the latest reader's id is the answer, enciphered."""
    application = chip.selected()
    mac_file = application.mac_file
    if mac_file is None or chip.transaction.reader_id is not None:
        raise Refused(DENIED)
    right = mac_file.rights.read_write
    chip.mode_by(mac_file, right)
    named = chip.has_key(right)
    reader_id = chip.messaging.opened(ins, data, 0, READER_ID_LENGTH, "mac" if named else "plain")
    latest = reader_key(mac_file, chip.state.uid).encrypt(mac_file.reader_id) if chip.session else b""
    chip.transaction.note(application, bytes((ins,)) + reader_id + latest)
    chip.transaction.reader_id = reader_id
    return chip.messaging.sealed(latest, "mac" if named else "plain")
