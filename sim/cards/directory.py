"""The card itself and its applications: list, create, delete, select, format, and who the card is.

Each command takes the chip, its code and its data as they travel, and gives its answer as it travels.
"""

from __future__ import annotations

from sim.cards.chip import FREE_CREATION, FREE_LISTING, MASTER_KEY, Chip
from sim.cards.state import (
    Application,
    BackupFile,
    CardState,
    File,
    KeyState,
    RecordFile,
    StandardFile,
)
from sim.cards.status import (
    AUTHENTICATION,
    DENIED,
    DUPLICATE,
    LENGTH,
    NO_APPLICATION,
    OUT_OF_MEMORY,
    PARAMETER,
    TOO_MANY,
    Refused,
)

CARD_LEVEL = bytes(3)
APPLICATIONS_MAX = 28  # as many as EV1 had; later generations are bounded by memory only
MEMORY_BYTES = 4864  # what a fresh card of 4 KiB says is free
MEMORY_UNIT = 32
KEY_TYPE, KEY_TYPE_AES, KEY_COUNT = 0xC0, 0x80, 0x0F  # of the second byte of key settings
KEYS_MAX = 14

HARDWARE = bytes.fromhex("04010112001805")  # EV2, 4K, as GetVersion tells it
SOFTWARE = bytes.fromhex("04010102011805")
PRODUCTION = bytes.fromhex("BA4415F5200119")  # batch, week and year, after the UID


def get_version(chip: Chip, ins: int, data: bytes) -> bytes:
    chip.messaging.opened(ins, data, 0, None, "mac")
    return chip.messaging.sealed(HARDWARE + SOFTWARE + chip.state.uid + PRODUCTION, "mac")


def get_card_uid(chip: Chip, ins: int, data: bytes) -> bytes:
    if chip.session is None:
        raise Refused(AUTHENTICATION)
    chip.messaging.opened(ins, data, 0, None, "mac")
    return chip.messaging.sealed(chip.state.uid, "full")


def select_application(chip: Chip, ins: int, data: bytes) -> bytes:
    if len(data) != 3:
        raise Refused(LENGTH)
    application = chip.state.application(data)
    if application is None and data != CARD_LEVEL:
        raise Refused(NO_APPLICATION)
    chip.select(application)
    return b""


def get_application_ids(chip: Chip, ins: int, data: bytes) -> bytes:
    chip.at_card_level()
    chip.needs_master(unless=FREE_LISTING)
    chip.messaging.opened(ins, data, 0, None, "mac")
    return chip.messaging.sealed(b"".join(application.aid for application in chip.state.applications), "mac")


def create_application(chip: Chip, ins: int, data: bytes) -> bytes:
    """CA | AID | key settings | number and kind of keys: AES only, without ISO names."""
    chip.at_card_level()
    chip.needs_master(unless=FREE_CREATION)
    plain = chip.messaging.opened(ins, data, 5, None, "mac")
    aid, settings, keys = plain[:3], plain[3], plain[4]
    count = keys & KEY_COUNT
    if aid == CARD_LEVEL or keys & ~KEY_COUNT != KEY_TYPE_AES or not 1 <= count <= KEYS_MAX:
        raise Refused(PARAMETER)
    if chip.state.application(aid) is not None:
        raise Refused(DUPLICATE)
    if len(chip.state.applications) == APPLICATIONS_MAX:
        raise Refused(TOO_MANY)
    application = Application(aid, [KeyState() for _ in range(count)], settings)
    if _application_bytes(application) > free_bytes(chip.state):
        raise Refused(OUT_OF_MEMORY)
    chip.state.applications.append(application)
    chip.keep()
    return chip.messaging.sealed(b"", "mac")


def delete_application(chip: Chip, ins: int, data: bytes) -> bytes:
    """DA | AID: with the card's master key; with the application's own where the card lets all create."""
    plain = chip.messaging.opened(ins, data, 3, None, "mac")
    application = chip.state.application(plain)
    if application is None:
        raise Refused(NO_APPLICATION)
    if chip.session is None:
        raise Refused(AUTHENTICATION)
    own = chip.application is application and bool(chip.state.key_settings & FREE_CREATION)
    if chip.session.key_number != MASTER_KEY or not (chip.application is None or own):
        raise Refused(DENIED)
    chip.state.applications.remove(application)
    chip.keep()
    answer = chip.messaging.sealed(b"", "mac")
    if own:
        chip.select(None)
    return answer


def format_card(chip: Chip, ins: int, data: bytes) -> bytes:
    """FC: all applications are gone; master key and settings stay."""
    chip.at_card_level()
    chip.needs_master()
    chip.messaging.opened(ins, data, 0, None, "mac")
    chip.state.applications.clear()
    chip.keep()
    answer = chip.messaging.sealed(b"", "mac")
    chip.forget()
    return answer


def free_memory(chip: Chip, ins: int, data: bytes) -> bytes:
    chip.messaging.opened(ins, data, 0, None, "mac")
    return chip.messaging.sealed(free_bytes(chip.state).to_bytes(3, "little"), "mac")


def free_bytes(state: CardState) -> int:
    return MEMORY_BYTES - sum(map(_application_bytes, state.applications))


def _application_bytes(application: Application) -> int:
    keys = MEMORY_UNIT * (1 + len(application.keys))
    return keys + sum(map(file_bytes, application.files.values()))


def file_bytes(file: File) -> int:
    """The memory that a file takes, in whole units; a backup file takes its data twice."""
    content = MEMORY_UNIT
    if isinstance(file, StandardFile):
        content = len(file.data)
    elif isinstance(file, BackupFile):
        content = 2 * len(file.data)
    elif isinstance(file, RecordFile):
        content = file.size * file.capacity
    return -(-content // MEMORY_UNIT) * MEMORY_UNIT + MEMORY_UNIT
