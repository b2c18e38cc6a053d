"""EV2 secure messaging, the card's side (AN12343, AN12196): MACs over counter and transaction, a fresh IV each time."""

from __future__ import annotations

from card_io.desfire.crypto import (
    BLOCK,
    MAC_LENGTH,
    SessionKeys,
    command_iv,
    pad,
    response_iv,
    same,
    short_mac,
    unpad,
)
from sim.cards.state import Mode
from sim.cards.status import AUTHENTICATION, INTEGRITY, LENGTH, OK, Refused

COUNTER_MAX = 0xFFFF


class Ev2Session:
    """One EV2 session. `counter` counts commands; `transaction` is the 4-byte TI that the card drew."""

    def __init__(self, key_number: int, keys: SessionKeys, transaction: bytes, counter: int = 0) -> None:
        self.key_number = key_number
        self.transaction = transaction
        self.counter = counter
        self._keys = keys

    def length(self, header: int, body: int | None, mode: Mode) -> int:
        if mode == "plain":
            return header + (body or 0)
        if mode == "full" and body:
            return header + _padded(body) + MAC_LENGTH
        return header + (body or 0) + MAC_LENGTH

    def opened(self, ins: int, data: bytes, header: int, body: int | None, mode: Mode, *, tail: int = 0) -> bytes:
        wanted = None if body is None else body + tail
        if len(data) != self.length(header, wanted, mode):
            raise Refused(LENGTH)
        if mode == "plain":
            return data
        message, mac = data[:-MAC_LENGTH], data[-MAC_LENGTH:]
        if not same(mac, self._mac(ins, message)):
            raise Refused(INTEGRITY)
        if mode == "mac" or not wanted:
            return message
        iv = command_iv(self._keys.enc, self.transaction, self.counter)
        try:
            plain = unpad(self._keys.enc.decrypt(message[header:], iv))
        except ValueError:
            raise Refused(INTEGRITY) from None
        if len(plain) != wanted:
            raise Refused(LENGTH)
        return message[:header] + plain

    def sealed(self, data: bytes, mode: Mode, *, unknown_length: bool = False) -> bytes:
        if self.counter == COUNTER_MAX:
            raise Refused(AUTHENTICATION)
        self.counter += 1
        if mode == "plain":
            return data
        if mode == "full" and data:
            iv = response_iv(self._keys.enc, self.transaction, self.counter)
            data = self._keys.enc.encrypt(pad(data), iv)
        return data + self._mac(OK, data)

    def _mac(self, code: int, message: bytes) -> bytes:
        counter = self.counter.to_bytes(2, "little")
        return short_mac(self._keys.mac, bytes((code,)) + counter + self.transaction + message)


def _padded(length: int) -> int:
    return (length // BLOCK + 1) * BLOCK
