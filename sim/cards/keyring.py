"""Keys of the card and of its applications: settings, versions, and how one key becomes another."""

from __future__ import annotations

from sim.cards.chip import FREE_LISTING, MASTER_CHANGEABLE, MASTER_KEY, SETTINGS_CHANGEABLE, Chip
from sim.cards.directory import KEY_TYPE, KEY_TYPE_AES
from sim.cards.ev1 import CRC_LENGTH, crc32
from sim.cards.state import KEY_LENGTH, KeyState, MasterKey
from sim.cards.status import AUTHENTICATION, DENIED, INTEGRITY, LENGTH, PARAMETER, Refused

ANY_OWN_KEY, NO_KEY = 0x0E, 0x0F  # of the upper half of an application's settings: who changes its keys


def get_key_settings(chip: Chip, ins: int, data: bytes) -> bytes:
    chip.needs_master(unless=FREE_LISTING)
    chip.messaging.opened(ins, data, 0, None, "mac")
    aes = chip.application is not None or chip.state.master.kind == "aes"
    kinds = (KEY_TYPE_AES if aes else 0) | chip.key_count()
    return chip.messaging.sealed(bytes((chip.key_settings, kinds)), "mac")


def change_key_settings(chip: Chip, ins: int, data: bytes) -> bytes:
    chip.needs_master()
    settings = chip.messaging.opened(ins, data, 0, 1, "full")[0]
    if not chip.key_settings & SETTINGS_CHANGEABLE:
        raise Refused(DENIED)
    if chip.application is None:
        chip.state.key_settings = settings & 0x0F
    else:
        chip.application.key_settings = settings
    chip.keep()
    return chip.messaging.sealed(b"", "mac")


def get_key_version(chip: Chip, ins: int, data: bytes) -> bytes:
    number = chip.messaging.opened(ins, data, 1, None, "mac")[0]
    chip.check_key_number(number)
    key: KeyState = chip.state.master if chip.application is None else chip.application.keys[number]
    return chip.messaging.sealed(bytes((key.version,)), "mac")


def change_key(chip: Chip, ins: int, data: bytes) -> bytes:
    """C4 | key number | cryptogram. The key of this session is answered without MAC, and the session is over.

    The cryptogram holds the new key and its version; another key than the session's comes XORed with the old one
    and with the CRC32 of the new one, which proves that the reader knew the old one.
    """
    session = chip.session
    if session is None:
        raise Refused(AUTHENTICATION)
    if not data:
        raise Refused(LENGTH)
    number, aes = _target(chip, data[0])
    own = number == session.key_number
    _check_right_to_change(chip, number, session.key_number)
    body = KEY_LENGTH + (1 if aes else 0)
    plain = session.opened(ins, data, 1, body, "full", tail=0 if own else CRC_LENGTH)[1:]
    raw, version = plain[:KEY_LENGTH], plain[KEY_LENGTH] if aes else 0
    if not own:
        assert chip.application is not None  # the card itself has one key only
        old = chip.application.keys[number].raw
        raw = bytes(a ^ b for a, b in zip(raw, old, strict=True))
        if plain[body:] != crc32(raw):
            raise Refused(INTEGRITY)
    if chip.application is None:
        chip.state.master = MasterKey(raw, version, "aes" if aes else "3des")
    else:
        chip.application.keys[number] = KeyState(raw, version)
    chip.keep()
    if own:
        chip.session = None
        return b""
    return session.sealed(b"", "mac")


def set_configuration(chip: Chip, ins: int, data: bytes) -> bytes:
    """5C: this card has nothing to configure; it refuses as a card does that lacks the option."""
    chip.at_card_level()
    chip.needs_master()
    raise Refused(PARAMETER)


def _target(chip: Chip, byte: int) -> tuple[int, bool]:
    """The key number, and whether the new key is AES: only the card's own key may become another kind."""
    number, kind = byte & ~KEY_TYPE, byte & KEY_TYPE
    if chip.application is not None:
        number, kind = byte, KEY_TYPE_AES
    if kind not in (KEY_TYPE_AES, 0):
        raise Refused(PARAMETER)
    chip.check_key_number(number)
    return number, kind == KEY_TYPE_AES


def _check_right_to_change(chip: Chip, number: int, by: int) -> None:
    """`by` is the key of the session."""
    changer = chip.key_settings >> 4
    if number == MASTER_KEY:
        allowed = by == MASTER_KEY and bool(chip.key_settings & MASTER_CHANGEABLE)
    elif changer == NO_KEY:
        allowed = False
    elif changer == ANY_OWN_KEY:
        allowed = by == number
    elif number == changer:
        allowed = by == MASTER_KEY
    else:
        allowed = by == changer
    if not allowed:
        raise Refused(DENIED)
