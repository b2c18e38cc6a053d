"""An independent client, python-desfire, and what it does with a card as delivered: EV1 messaging from end to end.

Run as a program, it does the same through pyscard with the card in the reader whose name is its argument.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from desfire import DESFire, DESFireKey
from desfire.devices.base import Device
from desfire.enums import DESFireCommunicationMode, DESFireFileType, DESFireKeySettings, DESFireKeyType
from desfire.schemas import FilePermissions, FileSettings, KeySettings

AID = "F50402"
MASTER = bytes(range(0x30, 0x40))
READER = bytes(range(0x50, 0x60))
SECRET = list(b"read me if you hold key 1, please")
DONE = "personalised"


class InProcess(Device):  # type: ignore[misc]  # python-desfire has no types
    """The client's way to a reader, cut short: native frames straight to a card."""

    def __init__(self, transmit: Callable[[bytes], bytes]) -> None:
        self._transmit = transmit

    def transceive(self, bytes: list[int]) -> list[int]:  # the client's name for it, which hides the type's
        return list(self._transmit(b"".join(byte.to_bytes() for byte in bytes)))


def key(kind: DESFireKeyType, raw: bytes) -> DESFireKey:
    return DESFireKey(KeySettings(key_type=kind), raw)


def aes(raw: bytes) -> DESFireKey:
    return key(DESFireKeyType.DF_KEY_AES, raw)


def personalise(device: Device, uid: bytes) -> None:
    """From a card as delivered to an application with a secret in it, each step checked as the client checks it."""
    card = DESFire(device)
    assert bytes(card.get_card_version().uid) == uid
    assert card.get_key_setting().key_type is DESFireKeyType.DF_KEY_2K3DES
    card.authenticate(0, key(DESFireKeyType.DF_KEY_2K3DES, bytes(8)))
    assert bytes(card.get_real_uid()) == uid
    card.change_key(0, key(DESFireKeyType.DF_KEY_2K3DES, bytes(8)), aes(MASTER), 7)

    card.authenticate(0, aes(MASTER))
    assert card.get_key_version(0) == 7
    everything = KeySettings(settings=[DESFireKeySettings.KS_FACTORY_DEFAULT], key_type=DESFireKeyType.DF_KEY_AES)
    card.create_application(AID, everything, 3)
    assert card.get_application_ids() == [list(bytes.fromhex(AID))]

    card.select_application(AID)
    card.authenticate(0, aes(bytes(16)))
    assert card.get_key_setting().max_keys == 3
    card.change_key(1, aes(bytes(16)), aes(READER), 5)
    assert card.get_key_version(1) == 5
    rights = FilePermissions(read_key=1, write_key=0, read_write_key=0, change_key=0)
    sealed = DESFireCommunicationMode.ENCRYPTED
    settings = FileSettings(sealed, DESFireFileType.MDFT_STANDARD_DATA_FILE, rights, len(SECRET))
    card.create_standard_file(2, settings)
    assert card.get_file_ids() == [2]
    card.write_file_data(2, 0, sealed, SECRET)
    card.change_key(0, aes(bytes(16)), aes(MASTER), 7)

    card.authenticate(1, aes(READER))
    there = card.get_file_settings(2)
    assert (there.file_size, there.encryption) == (len(SECRET), sealed)
    assert card.read_file_data(2, there) == SECRET


def main(reader: str, uid: str) -> None:
    from desfire import PCSCDevice
    from smartcard.System import readers

    (found,) = (one for one in readers() if one.name == reader)
    connection = found.createConnection()
    connection.connect()
    personalise(PCSCDevice(connection.component), bytes.fromhex(uid))
    connection.disconnect()
    sys.stdout.write(DONE + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
