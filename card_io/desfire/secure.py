"""EV2 secure messaging, the reader's side: authenticate, then read under MAC and under encryption.

Sans-IO steps (see `card_io.session`). The conversation, by AN12343 and AN12196:

    71 | key number | 00          ->  E(K, RndB)                                   91AF
    AF | E(K, RndA | RndB')       ->  E(K, TI | RndA' | PDcap | PCDcap)             9100
    then each command:  Cmd | header | MAC(Cmd | counter | TI | header)
    and each answer:    data | MAC(status | counter + 1 | TI | data)

RndX' is X rotated left by one byte, counters are two bytes, low byte first, and count commands from 0. Any error
status ends the session on the card, so it does here. Knows no application, file layout or key store.
"""

from __future__ import annotations

from card_io.apdu import DESFIRE_MORE, DESFIRE_OK, Command, Response
from card_io.desfire.crypto import (
    BLOCK,
    MAC_LENGTH,
    CardKey,
    SessionKeys,
    response_iv,
    rotate_left,
    same,
    session_keys,
    short_mac,
    unpad,
)
from card_io.errors import CardStatusError, ProofFailed
from card_io.session import Steps, exchange

AUTHENTICATE_EV2_FIRST = 0x71
AUTHENTICATE_SECOND = 0xAF
READ_DATA = 0xAD
GET_CARD_UID = 0x51

UID_LENGTH = 7
COUNTER_MAX = 0xFFFF

_AUTHENTICATION_ERROR = 0x91AE
_INTEGRITY_ERROR = 0x911E


class SecureChannel:
    """An authenticated EV2 session: its keys, its transaction identifier and its count of commands."""

    def __init__(self, keys: SessionKeys, transaction: bytes, counter: int = 0) -> None:
        if len(transaction) != 4:
            raise ValueError("a transaction identifier has 4 bytes")
        self._keys = keys
        self._transaction = transaction
        self._counter = counter
        self._open = True

    def read_data(self, file_number: int, offset: int, length: int) -> Steps[bytes]:
        """Reads `length` bytes (1 or more) of a standard or backup file in MAC mode.

        Raises ProofFailed for a wrong MAC or length, CardStatusError when the card refuses.
        """
        if length < 1:
            raise ValueError("a read names how many bytes it wants")
        header = bytes((file_number,)) + offset.to_bytes(3, "little") + length.to_bytes(3, "little")
        data = yield from self._maced(READ_DATA, header, f"to read file {file_number:02X}")
        if len(data) != length:
            raise ProofFailed(f"the card gave {len(data)} bytes of file {file_number:02X}, not {length}")
        return data

    def card_uid(self) -> Steps[bytes]:
        """The card's 7-byte UID, encrypted by the card under this session: no reader in between can change it."""
        data = yield from self._maced(GET_CARD_UID, b"", "to give its UID")
        # _maced has moved the counter on: it is the answer's already
        uid = self._decrypted(data)
        if len(uid) != UID_LENGTH:
            raise ProofFailed(f"the card's encrypted UID has {len(uid)} bytes, not {UID_LENGTH}")
        return uid

    def command_mac(self, ins: int, header: bytes) -> bytes:
        """The 8 bytes that go behind a command at the present counter."""
        return self._mac(ins, header)

    def _maced(self, ins: int, header: bytes, doing: str) -> Steps[bytes]:
        if not self._open or self._counter >= COUNTER_MAX:
            raise RuntimeError("the secure channel has ended: authenticate again")
        self._open = False  # until the answer is proven
        response = yield from exchange(Command.desfire(ins, header + self._mac(ins, header)))
        self._counter += 1
        data = self._proven(response, doing)
        self._open = True
        return data

    def _proven(self, response: Response, doing: str) -> bytes:
        if response.status == _INTEGRITY_ERROR:
            raise ProofFailed("the card could not follow the session's MAC")
        if response.status != DESFIRE_OK:
            raise CardStatusError(response.status, doing)
        data, mac = response.data[:-MAC_LENGTH], response.data[-MAC_LENGTH:]
        if not same(mac, self._mac(response.status & 0xFF, data)):
            raise ProofFailed("the card's answer carries a wrong MAC")
        return data

    def _decrypted(self, data: bytes) -> bytes:
        if not data or len(data) % BLOCK:
            raise ProofFailed(f"encrypted data of {len(data)} bytes came back")
        iv = response_iv(self._keys.enc, self._transaction, self._counter)
        try:
            return unpad(self._keys.enc.decrypt(data, iv))
        except ValueError:
            raise ProofFailed("the card's encrypted answer cannot be read") from None

    def _mac(self, code: int, body: bytes) -> bytes:
        message = bytes((code,)) + self._counter.to_bytes(2, "little") + self._transaction + body
        return short_mac(self._keys.mac, message)


def authenticate_ev2_first(key: CardKey, key_number: int, rnd_a: bytes) -> Steps[SecureChannel]:
    """Proves the card and this side to each other under `key` (the card's own, diversified).

    `rnd_a` is 16 fresh random bytes. Raises ProofFailed when the card doesn't hold the key, CardStatusError when
    it refuses for another reason.
    """
    if len(rnd_a) != BLOCK:
        raise ValueError("RndA has 16 bytes")
    doing = f"authentication with key {key_number}"
    first = yield Command.desfire(AUTHENTICATE_EV2_FIRST, bytes((key_number, 0)))
    if first.status != DESFIRE_MORE:
        raise CardStatusError(first.status, doing)
    if len(first.data) != BLOCK:
        raise ProofFailed(f"the card's challenge has {len(first.data)} bytes, not {BLOCK}")
    rnd_b = key.decrypt(first.data)
    second = yield Command.desfire(AUTHENTICATE_SECOND, key.encrypt(rnd_a + rotate_left(rnd_b)))
    if second.status == _AUTHENTICATION_ERROR:
        raise ProofFailed("the card does not hold the key that belongs to its UID")
    if second.status != DESFIRE_OK:
        raise CardStatusError(second.status, doing)
    if len(second.data) != 2 * BLOCK:
        raise ProofFailed(f"the card's proof has {len(second.data)} bytes, not {2 * BLOCK}")
    plain = key.decrypt(second.data)
    if not same(plain[4:20], rotate_left(rnd_a)):
        raise ProofFailed("the card's proof is wrong")
    return SecureChannel(session_keys(key, rnd_a, rnd_b), plain[:4])
