"""The calls that make, change and unmake an application: headquarters' card office uses them, a station never.

Only here are a key's bytes needed as such: ChangeKey carries them, encrypted by the session. Sources: NXP AN12196
and AN12343 (ChangeKey, ChangeFileSettings), the public short data sheets, open-source card tools.
"""

from __future__ import annotations

from card_io.desfire.channel import Call, Channel, Mode
from card_io.desfire.crypto import BLOCK, AesKey
from card_io.desfire.ev1 import crc32
from card_io.desfire.files import CyclicFile, DataFile, FileSettings, TransactionMacFile, ValueFile
from card_io.session import Steps

CREATE_APPLICATION = 0xCA
DELETE_APPLICATION = 0xDA
CREATE_STANDARD_FILE = 0xCD
CREATE_BACKUP_FILE = 0xCB
CREATE_VALUE_FILE = 0xCC
CREATE_CYCLIC_FILE = 0xC0
CREATE_TRANSACTION_MAC_FILE = 0xCE
CHANGE_KEY = 0xC4
CHANGE_KEY_SETTINGS = 0x54
GET_KEY_SETTINGS = 0x45
CHANGE_FILE_SETTINGS = 0x5F
FORMAT_PICC = 0xFC

AES_KEYS = 0x80  # in the number of keys: all of them are AES; in a key's number: the card's own key becomes AES
KEYS_MAX = 14
_KEY_OPTION_AES = 0x02

# Application key settings: key 0 changes all keys, may change itself and the settings; lists are readable by all,
# files are made and deleted with key 0 only.
KEY_SETTINGS = 0x0B


class PlainKey(AesKey):
    """A key in memory whose bytes go onto a card. Never shown."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._raw = raw

    def xor(self, other: PlainKey) -> bytes:
        return bytes(a ^ b for a, b in zip(self._raw, other._raw, strict=True))

    def exposed(self) -> bytes:
        """The key's bytes, for ChangeKey and for a Transaction MAC file, encrypted by the session."""
        return self._raw


FACTORY_KEY = PlainKey(bytes(BLOCK))


def create_application(aid: bytes, keys: int, settings: int = KEY_SETTINGS) -> Call:
    """An application with `keys` AES keys, all zero."""
    if not 1 <= keys <= KEYS_MAX:
        raise ValueError(f"an application has 1 to {KEYS_MAX} keys, not {keys}")
    return Call(CREATE_APPLICATION, "to create the application", aid + bytes((settings, keys | AES_KEYS)))


def delete_application(aid: bytes) -> Call:
    return Call(DELETE_APPLICATION, "to delete the application", aid)


def create_file(number: int, settings: FileSettings, mac_key: PlainKey | None = None) -> Call:
    """Makes one file. `mac_key` is for a Transaction MAC file and for no other.

    Of further sets of rights it only says that there will be some: `change_file_settings` puts them in place.
    """
    if (mac_key is not None) != isinstance(settings, TransactionMacFile):
        raise ValueError("a Transaction MAC file, and no other, is made with a key")
    doing = f"to create file {number:02X}"
    head = bytes((number, settings.mode | settings.rights.option)) + bytes(settings.rights)
    match settings:
        case DataFile():
            ins = CREATE_BACKUP_FILE if settings.backup else CREATE_STANDARD_FILE
            return Call(ins, doing, head + settings.tail())
        case ValueFile():
            return Call(CREATE_VALUE_FILE, doing, head + settings.tail())
        case CyclicFile():
            return Call(CREATE_CYCLIC_FILE, doing, head + settings.tail())
        case TransactionMacFile():
            assert mac_key is not None
            data = mac_key.exposed() + bytes((settings.key_version,))
            return Call(CREATE_TRANSACTION_MAC_FILE, doing, head + bytes((_KEY_OPTION_AES,)), data, Mode.FULL)


def change_other_key(number: int, new: PlainKey, version: int, old: PlainKey) -> Call:
    """Another key than the one of this session."""
    doing = f"to change key {number}"
    block = new.xor(old) + bytes((version,))
    return Call(CHANGE_KEY, doing, bytes((number,)), block, Mode.FULL, check=crc32(new.exposed()))


def change_own_key(number: int, new: PlainKey, version: int) -> Call:
    """The key of this session, which ends with it."""
    doing = f"to change key {number & ~AES_KEYS}"
    block = new.exposed() + bytes((version,))
    return Call(CHANGE_KEY, doing, bytes((number,)), block, Mode.FULL, ends_session=True)


def change_key_settings(settings: int) -> Call:
    return Call(CHANGE_KEY_SETTINGS, "to change its key settings", data=bytes((settings,)), mode=Mode.FULL)


def get_key_settings(channel: Channel) -> Steps[bytes]:
    """Two bytes: settings, and the number of keys with their kind."""
    return (yield from channel.call(Call(GET_KEY_SETTINGS, "to say its key settings")))


def change_file_settings(number: int, settings: FileSettings) -> Call:
    """Mode and rights, the further sets included; kind and size are for ever."""
    rights = settings.rights
    data = bytes((settings.mode | rights.option,)) + bytes(rights) + rights.sets()
    doing = f"to change the settings of file {number:02X}"
    return Call(CHANGE_FILE_SETTINGS, doing, bytes((number,)), data, Mode.FULL)


def format_card() -> Call:
    """Deletes all applications. Of the whole card, so never used but on request."""
    return Call(FORMAT_PICC, "to be formatted")
