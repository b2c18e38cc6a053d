"""EV2 secure messaging, the reader's side: authenticate, then call under MAC and encryption.

Sans-IO steps (see `card_io.session`). The conversation, by AN12343 and AN12196:

    71 | key number | 00          ->  E(K, RndB)                                   91AF
    AF | E(K, RndA | RndB')       ->  E(K, TI | RndA' | PDcap | PCDcap)             9100
    then each command:  Cmd | header | data | MAC(Cmd | counter | TI | header | data)
    and each answer:    data | MAC(status | counter + 1 | TI | data)
    77 | key number, AF           another key in the same session: TI and counter stay, the answer is E(K, RndA')

RndX' is X rotated left by one byte, counters are two bytes, low byte first, and count commands from 0. Encrypted
data is padded by 80 00.. and encrypted before the MAC is made. In plain mode nothing is added, and the command is
counted all the same. Any error status ends the session on the card, so it does here. Knows no application, file
layout or key store.
"""

from __future__ import annotations

from functools import partial

from card_io.apdu import DESFIRE_MORE, DESFIRE_OK, Command, Response
from card_io.desfire.channel import AUTHENTICATION_ERROR, Call, Mode, accepted, exchange_long
from card_io.desfire.crypto import (
    BLOCK,
    MAC_LENGTH,
    CardKey,
    SessionKeys,
    command_iv,
    pad,
    response_iv,
    rotate_left,
    same,
    session_keys,
    short_mac,
    unpad,
)
from card_io.errors import CardStatusError, ProofFailed
from card_io.meanwhile import Meanwhile, at_once
from card_io.session import Steps

AUTHENTICATE_EV2_FIRST = 0x71
AUTHENTICATE_EV2_NON_FIRST = 0x77
AUTHENTICATE_SECOND = 0xAF

COUNTER_MAX = 0xFFFF


class Ev2Channel:
    """An authenticated EV2 session: its keys, its transaction identifier and its count of commands."""

    knows_ev2 = True

    def __init__(self, keys: SessionKeys, transaction: bytes, counter: int = 0) -> None:
        if len(transaction) != 4:
            raise ValueError("a transaction identifier has 4 bytes")
        self._keys = keys
        self._transaction = transaction
        self._counter = counter
        self._open = True

    def call(self, call: Call) -> Steps[bytes]:
        """See Channel."""
        self._close()  # until the answer is proven
        data = call.data + call.check
        if call.mode is Mode.FULL and data:
            data = self._keys.enc.encrypt(pad(data), command_iv(self._keys.enc, self._transaction, self._counter))
        mac = b"" if call.mode is Mode.PLAIN else self.command_mac(call.ins, call.header + data)
        response = yield from exchange_long(call.ins, call.header + data + mac)
        answer = accepted(response, call.doing)
        self._counter += 1
        if call.ends_session:
            if answer:
                raise ProofFailed("the card answered more than it could in a session that it had ended")
            return b""
        if call.answer is not Mode.PLAIN:
            answer = self._proven(response)
        if call.answer is Mode.FULL and answer:
            answer = self._decrypted(answer)
        self._open = True
        return answer

    def command_mac(self, ins: int, body: bytes) -> bytes:
        """The 8 bytes that go behind a command at the present counter."""
        message = bytes((ins,)) + self._counter.to_bytes(2, "little") + self._transaction + body
        return short_mac(self._keys.mac, message)

    def authenticate_non_first(
        self, key: CardKey, key_number: int, rnd_a: bytes, meanwhile: Meanwhile = at_once
    ) -> Steps[None]:
        """Another key in this session; a transaction that is under way goes on. Errors as at the first."""
        self._close()
        keys, plain = yield from _handshake(AUTHENTICATE_EV2_NON_FIRST, b"", key, key_number, rnd_a, meanwhile)
        if not same(plain, rotate_left(rnd_a)):
            raise ProofFailed("the card's proof is wrong")
        self._keys = keys
        self._open = True

    def _close(self) -> None:
        if not self._open or self._counter >= COUNTER_MAX:
            raise RuntimeError("the secure channel has ended: authenticate again")
        self._open = False

    def _proven(self, response: Response) -> bytes:
        data, mac = response.data[:-MAC_LENGTH], response.data[-MAC_LENGTH:]
        if not same(mac, self.command_mac(response.status & 0xFF, data)):
            raise ProofFailed("the card's answer carries a wrong MAC")
        return data

    def _decrypted(self, data: bytes) -> bytes:
        if len(data) % BLOCK:
            raise ProofFailed(f"encrypted data of {len(data)} bytes came back")
        iv = response_iv(self._keys.enc, self._transaction, self._counter)
        try:
            return unpad(self._keys.enc.decrypt(data, iv))
        except ValueError:
            raise ProofFailed("the card's encrypted answer cannot be read") from None


def authenticate_ev2_first(
    key: CardKey, key_number: int, rnd_a: bytes, meanwhile: Meanwhile = at_once
) -> Steps[Ev2Channel]:
    """Proves the card and this side to each other under `key` (the card's own, diversified).

    `rnd_a` is 16 fresh random bytes. Raises ProofFailed when the card doesn't hold the key, CardStatusError when
    it refuses for another reason.
    """
    keys, plain = yield from _handshake(AUTHENTICATE_EV2_FIRST, b"\0", key, key_number, rnd_a, meanwhile)
    if not same(plain[4:20], rotate_left(rnd_a)):
        raise ProofFailed("the card's proof is wrong")
    return Ev2Channel(keys, plain[:4])


def _handshake(
    ins: int, capabilities: bytes, key: CardKey, key_number: int, rnd_a: bytes, meanwhile: Meanwhile
) -> Steps[tuple[SessionKeys, bytes]]:
    """Both halves of an authentication: the session's keys, and the card's proof, decrypted and not yet checked."""
    if len(rnd_a) != BLOCK:
        raise ValueError("RndA has 16 bytes")
    first_of_session = ins == AUTHENTICATE_EV2_FIRST
    doing = f"authentication with key {key_number}"
    first = yield Command.desfire(ins, bytes((key_number,)) + capabilities)
    if first.status != DESFIRE_MORE:
        raise CardStatusError(first.status, doing)
    if len(first.data) != BLOCK:
        raise ProofFailed(f"the card's challenge has {len(first.data)} bytes, not {BLOCK}")
    rnd_b = key.decrypt(first.data)
    token = key.encrypt(rnd_a + rotate_left(rnd_b))
    # made while the card proves itself, and nobody's before it has
    keys = meanwhile(partial(session_keys, key, rnd_a, rnd_b))
    second = yield Command.desfire(AUTHENTICATE_SECOND, token)
    made = keys()
    if second.status == AUTHENTICATION_ERROR:
        raise ProofFailed("the card does not hold the key that belongs to its UID")
    if second.status != DESFIRE_OK:
        raise CardStatusError(second.status, doing)
    length = 2 * BLOCK if first_of_session else BLOCK
    if len(second.data) != length:
        raise ProofFailed(f"the card's proof has {len(second.data)} bytes, not {length}")
    return made, key.decrypt(second.data)
