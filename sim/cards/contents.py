"""What is in the files: read and write data, values and records.

Standard files change at once; backup, value and record files change at the commit, and read as before until then.
"""

from __future__ import annotations

from sim.cards.chip import Chip
from sim.cards.state import FREE, BackupFile, MacFile, Mode, RecordFile, StandardFile, ValueFile
from sim.cards.status import BOUNDARY, DENIED, LENGTH, PARAMETER, Incomplete, Refused
from sim.cards.transaction import PendingRecords, PendingValue

CREDIT, LIMITED_CREDIT, DEBIT = 0x0C, 0x1C, 0xDC
WINDOW = 7  # file number, offset (3), length (3), low byte first


def read_data(chip: Chip, ins: int, data: bytes) -> bytes:
    """AD or BD | number | offset (3) | length (3), 0 for all that follows the offset."""
    file = chip.file(_first(data))
    if not isinstance(file, StandardFile | BackupFile | MacFile):
        raise Refused(DENIED)
    content = file.counter.to_bytes(4, "little") + file.value if isinstance(file, MacFile) else file.data
    rights = file.rights.keys("read") if isinstance(file, MacFile) else file.rights.keys("read", "read_write")
    mode = chip.mode_by(file, *rights)
    head = chip.messaging.opened(ins, data, WINDOW, None, mode)
    offset, length = _window(head)
    end = offset + length if length else len(content)
    if not offset < end <= len(content):
        raise Refused(BOUNDARY)
    content = content[offset:end]
    if not isinstance(file, MacFile):
        counted = head[:4] + len(content).to_bytes(3, "little")
        chip.transaction.note(chip.selected(), bytes((ins,)) + counted, content)
    return chip.messaging.sealed(content, mode, unknown_length=length == 0)


def write_data(chip: Chip, ins: int, data: bytes) -> bytes:
    """8D or 3D | number | offset (3) | length (3) | data, in as many frames as it takes."""
    file = chip.file(_first(data))
    if not isinstance(file, StandardFile | BackupFile):
        raise Refused(DENIED)
    mode = chip.mode_by(file, *file.rights.keys("write", "read_write"))
    offset, length = _written(data, len(file.data))
    if len(data) < chip.messaging.length(WINDOW, length, mode):
        raise Incomplete
    plain = chip.messaging.opened(ins, data, WINDOW, length, mode)
    chip.transaction.note(chip.selected(), bytes((ins,)) + plain[:WINDOW], plain[WINDOW:])
    if isinstance(file, StandardFile):
        file.data = file.data[:offset] + plain[WINDOW:] + file.data[offset + length :]
        chip.keep()
    else:
        pending = chip.transaction.backups.setdefault(plain[0], bytearray(file.data))
        pending[offset : offset + length] = plain[WINDOW:]
    return chip.messaging.sealed(b"", mode)


def get_value(chip: Chip, ins: int, data: bytes) -> bytes:
    file = _value_file(chip, data)
    keys = file.rights.keys("read", "write", "read_write")
    mode = chip.mode_by(file, *keys, *((FREE,) if file.free_reading else ()))
    head = chip.messaging.opened(ins, data, 1, None, mode)
    value = file.value.to_bytes(4, "little", signed=True)
    chip.transaction.note(chip.selected(), bytes((ins,)) + head + value)
    return chip.messaging.sealed(value, mode)


def change_value(chip: Chip, ins: int, data: bytes) -> bytes:
    """0C, 1C or DC | number | amount (4). Every right may debit, even the one to read."""
    file = _value_file(chip, data)
    rights = file.rights
    keys = {
        CREDIT: rights.keys("read_write"),
        LIMITED_CREDIT: rights.keys("write", "read_write"),
        DEBIT: rights.keys("read", "write", "read_write"),
    }[ins]
    mode = chip.mode_by(file, *keys)
    plain = chip.messaging.opened(ins, data, 1, 4, mode)
    amount = int.from_bytes(plain[1:], "little", signed=True)
    if amount < 0:
        raise Refused(PARAMETER)
    pending = chip.transaction.values.get(plain[0]) or PendingValue(file.value)
    if ins == DEBIT:
        pending.value -= amount
        pending.debited += amount
    else:
        pending.value += amount
    if ins == LIMITED_CREDIT:
        if not file.limited_credit_enabled:
            raise Refused(DENIED)
        if pending.limited_credit_used or amount > file.limited_credit:
            raise Refused(BOUNDARY)
        pending.limited_credit_used = True
    if not file.lower <= pending.value <= file.upper:
        raise Refused(BOUNDARY)
    chip.transaction.note(chip.selected(), bytes((ins,)) + plain)
    chip.transaction.values[plain[0]] = pending
    return chip.messaging.sealed(b"", mode)


def read_records(chip: Chip, ins: int, data: bytes) -> bytes:
    """AB or BB | number | first (3), counted back from the newest, 0 | how many (3), 0 for all: the oldest first."""
    file = _record_file(chip, data)
    mode = chip.mode_by(file, *file.rights.keys("read", "read_write"))
    head = chip.messaging.opened(ins, data, WINDOW, None, mode)
    first, count = _window(head)
    end = len(file.records) - first
    begin = end - count if count else 0
    if not 0 <= begin < end:
        raise Refused(BOUNDARY)
    content = b"".join(file.records[begin:end])
    counted = head[:4] + (end - begin).to_bytes(3, "little")
    chip.transaction.note(chip.selected(), bytes((ins,)) + counted, content)
    return chip.messaging.sealed(content, mode, unknown_length=count == 0)


def write_record(chip: Chip, ins: int, data: bytes) -> bytes:
    """8B or 3B | number | offset (3) | length (3) | data. One record a transaction: writing again mends the same."""
    file = _record_file(chip, data)
    mode = chip.mode_by(file, *file.rights.keys("write", "read_write"))
    offset, length = _written(data, file.size)
    if not file.cyclic and len(file.records) == file.room:
        raise Refused(BOUNDARY)
    if len(data) < chip.messaging.length(WINDOW, length, mode):
        raise Incomplete
    plain = chip.messaging.opened(ins, data, WINDOW, length, mode)
    pending = chip.transaction.records.setdefault(plain[0], PendingRecords())
    if pending.cleared:
        raise Refused(DENIED)
    chip.transaction.note(chip.selected(), bytes((ins,)) + plain[:WINDOW], plain[WINDOW:])
    pending.record = pending.record or bytearray(file.size)
    pending.record[offset : offset + length] = plain[WINDOW:]
    return chip.messaging.sealed(b"", mode)


def clear_record_file(chip: Chip, ins: int, data: bytes) -> bytes:
    file = _record_file(chip, data)
    keys = file.rights.keys("read_write")
    chip.mode_by(file, *keys)
    mode: Mode = "mac" if chip.has_key(*keys) else "plain"  # it has no data for the file's mode
    head = chip.messaging.opened(ins, data, 1, None, mode)
    chip.transaction.note(chip.selected(), bytes((ins,)) + head)
    chip.transaction.records[head[0]] = PendingRecords(cleared=True)
    return chip.messaging.sealed(b"", mode)


def _value_file(chip: Chip, data: bytes) -> ValueFile:
    file = chip.file(_first(data))
    if not isinstance(file, ValueFile):
        raise Refused(DENIED)
    return file


def _record_file(chip: Chip, data: bytes) -> RecordFile:
    file = chip.file(_first(data))
    if not isinstance(file, RecordFile):
        raise Refused(DENIED)
    return file


def _first(data: bytes) -> int:
    if not data:
        raise Refused(LENGTH)
    return data[0]


def _window(head: bytes) -> tuple[int, int]:
    return int.from_bytes(head[1:4], "little"), int.from_bytes(head[4:7], "little")


def _written(data: bytes, size: int) -> tuple[int, int]:
    """Offset and length of what is written, within `size` bytes."""
    if len(data) < WINDOW:
        raise Refused(LENGTH)
    offset, length = _window(data)
    if length == 0:
        raise Refused(LENGTH)
    if offset + length > size:
        raise Refused(BOUNDARY)
    return offset, length
