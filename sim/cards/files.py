"""The files of an application: create, delete, list, and who may use them.

A file that was created with bit 7 of its option has room for further sets of rights, which ChangeFileSettings brings
(see `card_io.desfire.files` for what is public of that). A file that was made without is refused them: nothing public
says that it could get them later. In an EV1 session this card takes none.
"""

from __future__ import annotations

import msgspec

from sim.cards.chip import FREE_CREATION, FREE_LISTING, Chip
from sim.cards.directory import file_bytes, free_bytes
from sim.cards.state import (
    FREE,
    KEY_LENGTH,
    NEVER,
    BackupFile,
    File,
    MacFile,
    Mode,
    RecordFile,
    Rights,
    StandardFile,
    ValueFile,
)
from sim.cards.status import DUPLICATE, LENGTH, OUT_OF_MEMORY, PARAMETER, Refused

CREATE_STANDARD, CREATE_BACKUP, CREATE_VALUE = 0xCD, 0xCB, 0xCC
CREATE_LINEAR, CREATE_CYCLIC, CREATE_MAC = 0xC1, 0xC0, 0xCE
HEADERS = {
    CREATE_STANDARD: 7,
    CREATE_BACKUP: 7,
    CREATE_VALUE: 17,
    CREATE_LINEAR: 10,
    CREATE_CYCLIC: 10,
    CREATE_MAC: 5,
}
"""What a command to create a file has in plain, without the ISO names that this card does not know."""
FILES_MAX = 32
MAC_KEY_AES = 0x02
LIMITED_CREDIT, FREE_READING = 0x01, 0x02  # of a value file's last byte

MORE_RIGHTS = 0x80  # of the file option
MORE_SETS_MAX = 7
_OWN_SETTINGS = 3  # option and rights: what a change has at least
_SETTINGS = (_OWN_SETTINGS, *(_OWN_SETTINGS + 1 + 2 * sets for sets in range(MORE_SETS_MAX + 1)))
_MODES: dict[int, Mode] = {0x00: "plain", 0x01: "mac", 0x02: "plain", 0x03: "full"}
_MODE_BYTES: dict[Mode, int] = {"plain": 0x00, "mac": 0x01, "full": 0x03}


def create_file(chip: Chip, ins: int, data: bytes) -> bytes:
    """CD, CB, CC, C1, C0, CE | number | mode | rights (2) | what the kind needs. The key of CE is enciphered."""
    application = chip.selected()
    if ins == CREATE_MAC:
        chip.needs_master()  # its key has to be enciphered: without a session there is no way
        plain = chip.messaging.opened(ins, data, HEADERS[ins], KEY_LENGTH + 1, "full")
    else:
        chip.needs_master(unless=FREE_CREATION)
        plain = chip.messaging.opened(ins, data, HEADERS[ins], None, "mac")
    number, mode, rights = plain[0], _mode(plain[1] & ~MORE_RIGHTS), _rights(chip, plain[2:4])
    if plain[1] & MORE_RIGHTS:
        if ins == CREATE_MAC:
            raise Refused(PARAMETER)
        rights = msgspec.structs.replace(rights, more=())
    if number >= FILES_MAX:
        raise Refused(PARAMETER)
    if number in application.files or (ins == CREATE_MAC and application.mac_file is not None):
        raise Refused(DUPLICATE)
    file = _made(ins, mode, rights, plain[4:], free_bytes(chip.state))
    if file_bytes(file) > free_bytes(chip.state):
        raise Refused(OUT_OF_MEMORY)
    application.files[number] = file
    chip.keep()
    return chip.messaging.sealed(b"", "mac")


def _made(ins: int, mode: Mode, rights: Rights, rest: bytes, free: int) -> File:
    if ins in (CREATE_STANDARD, CREATE_BACKUP):
        size = _some(rest)
        if size > free:
            raise Refused(OUT_OF_MEMORY)
        kind = StandardFile if ins == CREATE_STANDARD else BackupFile
        return kind(mode, rights, bytes(size))
    if ins == CREATE_VALUE:
        lower, upper, value = (int.from_bytes(rest[at : at + 4], "little", signed=True) for at in (0, 4, 8))
        options = rest[12]
        if not lower <= value <= upper or options & ~(LIMITED_CREDIT | FREE_READING):
            raise Refused(PARAMETER)
        return ValueFile(
            mode,
            rights,
            lower,
            upper,
            value,
            limited_credit_enabled=bool(options & LIMITED_CREDIT),
            free_reading=bool(options & FREE_READING),
        )
    if ins == CREATE_MAC:
        if rest[0] != MAC_KEY_AES:
            raise Refused(PARAMETER)
        return MacFile(mode, rights, rest[1 : 1 + KEY_LENGTH], rest[1 + KEY_LENGTH])
    cyclic = ins == CREATE_CYCLIC
    size, capacity = _some(rest[:3]), _some(rest[3:])
    if cyclic and capacity < 2:
        raise Refused(PARAMETER)
    return RecordFile(mode, rights, cyclic, size, capacity)


def delete_file(chip: Chip, ins: int, data: bytes) -> bytes:
    application = chip.selected()
    chip.needs_master(unless=FREE_CREATION)
    number = chip.messaging.opened(ins, data, 1, None, "mac")[0]
    chip.file(number)
    del application.files[number]
    chip.transaction.drop_file(number)
    chip.keep()
    return chip.messaging.sealed(b"", "mac")


def get_file_ids(chip: Chip, ins: int, data: bytes) -> bytes:
    application = chip.selected()
    chip.needs_master(unless=FREE_LISTING)
    chip.messaging.opened(ins, data, 0, None, "mac")
    return chip.messaging.sealed(bytes(application.files), "mac")


def get_file_settings(chip: Chip, ins: int, data: bytes) -> bytes:
    chip.selected()
    chip.needs_master(unless=FREE_LISTING)
    file = chip.file(chip.messaging.opened(ins, data, 1, None, "mac")[0])
    return chip.messaging.sealed(_settings(file), "mac")


def change_file_settings(chip: Chip, ins: int, data: bytes) -> bytes:
    """5F | number | option | rights (2), and perhaps number | rights (2) each of further sets.

    Enciphered, or in plain where the right to change is free.
    """
    if not data:
        raise Refused(PARAMETER)
    file = chip.file(data[0])
    chip.mode_by(file, file.rights.change)
    mode: Mode = "full" if chip.has_key(file.rights.change) else "plain"
    plain = _change_of(chip, ins, data, mode)
    option, more = plain[1], plain[1 + _OWN_SETTINGS :]
    rights = _rights(chip, plain[2:4])
    if bool(option & MORE_RIGHTS) != bool(more) or (more and file.rights.more is None):
        raise Refused(PARAMETER)
    sets = tuple(_more_rights(chip, more[at : at + 2]) for at in range(1, len(more), 2))
    if more and more[0] != len(sets):
        raise Refused(PARAMETER)
    file.mode = _mode(option & ~MORE_RIGHTS)
    file.rights = msgspec.structs.replace(rights, more=None if file.rights.more is None else sets)
    chip.keep()
    return chip.messaging.sealed(b"", "mac" if mode == "full" else "plain")


def _change_of(chip: Chip, ins: int, data: bytes, mode: Mode) -> bytes:
    """The plain data: how long they are is not known before they are."""
    for length in _SETTINGS:
        if chip.messaging.length(1, length, mode) != len(data):
            continue
        try:
            return chip.messaging.opened(ins, data, 1, length, mode)
        except Refused as refused:
            if refused.status != LENGTH:
                raise
    raise Refused(LENGTH)


def _settings(file: File) -> bytes:
    more = file.rights.more
    if more is None:
        return _own_settings(file, 0)
    return _own_settings(file, MORE_RIGHTS) + bytes((len(more),)) + b"".join(rights.to_wire() for rights in more)


def _own_settings(file: File, option: int) -> bytes:
    def three(number: int) -> bytes:
        return number.to_bytes(3, "little")

    head = bytes((_MODE_BYTES[file.mode] | option,)) + file.rights.to_wire()
    match file:
        case StandardFile():
            return b"\x00" + head + three(len(file.data))
        case BackupFile():
            return b"\x01" + head + three(len(file.data))
        case ValueFile():
            numbers = (file.lower, file.upper, file.limited_credit)
            options = LIMITED_CREDIT * file.limited_credit_enabled | FREE_READING * file.free_reading
            values = b"".join(number.to_bytes(4, "little", signed=True) for number in numbers)
            return b"\x02" + head + values + bytes((options,))
        case RecordFile():
            kind = b"\x04" if file.cyclic else b"\x03"
            return kind + head + three(file.size) + three(file.capacity) + three(len(file.records))
        case MacFile():
            return b"\x05" + head + bytes((MAC_KEY_AES, file.key_version))


def _mode(byte: int) -> Mode:
    if byte not in _MODES:
        raise Refused(PARAMETER)
    return _MODES[byte]


def _rights(chip: Chip, data: bytes) -> Rights:
    rights = Rights.from_wire(data)
    for right in (rights.read, rights.write, rights.read_write, rights.change):
        if chip.key_count() <= right < FREE:
            raise Refused(PARAMETER)
    return rights


def _more_rights(chip: Chip, data: bytes) -> Rights:
    rights = _rights(chip, data)
    if rights.change != NEVER:
        raise Refused(PARAMETER)
    return rights


def _some(data: bytes) -> int:
    """A size or count of three bytes that is not zero."""
    number = int.from_bytes(data[:3], "little")
    if number == 0:
        raise Refused(PARAMETER)
    return number
