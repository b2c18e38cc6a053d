"""A simulated DESFire EV2 card: frames in, frames out. No reader, no clock; randomness comes in.

It answers as real EV3 cards were seen to: a keyed operation without a session is AE, with a session but without the
right 9D, and any error ends the session. Wrapped frames (`90 INS 00 00 Lc data 00`) and native ones (`INS data`) are
taken alike; longer commands and answers go on in frames that begin with AF. `FF CA 00 00 00` belongs to the reader,
not to the card; a virtual reader has no mind of its own, so the card answers for it.

This file knows frames and command codes; what a command does stands in the files beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from card_io.apdu import DESFIRE_CLA, DESFIRE_DATA_MAX, MORE_INS, Command
from sim.cards import authentication, commit, contents, directory, files, keyring
from sim.cards.chip import Chip
from sim.cards.state import CardState
from sim.cards.status import ABORTED, ILLEGAL_COMMAND, LENGTH, MORE, OK, PARAMETER, Incomplete, Refused

GET_VERSION = 0x60
READER_CLA, ISO_CLA, ISO_SELECT = 0xFF, 0x00, 0xA4
CARD_NAME = bytes.fromhex("D2760000850100")  # the ISO 7816-4 name of the card level of every DESFire card

_DESFIRE_ATR = bytes.fromhex("3B8180018080")  # as every reader makes it up for a DESFire card
_STORAGE_ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")  # PC/SC part 3: a MIFARE Classic 1K

_Operation: TypeAlias = Callable[[Chip, int, bytes], bytes]

AUTHENTICATIONS: dict[int, Callable[[Chip, bytes], bytes]] = {
    0x1A: authentication.authenticate_iso,
    0xAA: authentication.authenticate_aes,
    0x71: authentication.authenticate_ev2_first,
    0x77: authentication.authenticate_ev2_non_first,
}

OPERATIONS: dict[int, _Operation] = {
    # the card and its applications
    0x51: directory.get_card_uid,
    0x5A: directory.select_application,
    0x60: directory.get_version,
    0x6A: directory.get_application_ids,
    0x6E: directory.free_memory,
    0xCA: directory.create_application,
    0xDA: directory.delete_application,
    0xFC: directory.format_card,
    # keys
    0x45: keyring.get_key_settings,
    0x54: keyring.change_key_settings,
    0x5C: keyring.set_configuration,
    0x64: keyring.get_key_version,
    0xC4: keyring.change_key,
    # files
    0x5F: files.change_file_settings,
    0x6F: files.get_file_ids,
    0xC0: files.create_file,
    0xC1: files.create_file,
    0xCB: files.create_file,
    0xCC: files.create_file,
    0xCD: files.create_file,
    0xCE: files.create_file,
    0xDF: files.delete_file,
    0xF5: files.get_file_settings,
    # their contents: the codes of EV2 and, where they differ, those of EV1
    0x0C: contents.change_value,
    0x1C: contents.change_value,
    0x6C: contents.get_value,
    0xDC: contents.change_value,
    0x8B: contents.write_record,
    0x3B: contents.write_record,
    0x8D: contents.write_data,
    0x3D: contents.write_data,
    0xAB: contents.read_records,
    0xBB: contents.read_records,
    0xAD: contents.read_data,
    0xBD: contents.read_data,
    0xEB: contents.clear_record_file,
    # transactions
    0xA7: commit.abort_transaction,
    0xC7: commit.commit_transaction,
    0xC8: commit.commit_reader_id,
}


class SimCard:
    """One card in the field. `random(n)` gives n random bytes: challenges and transaction identifiers.

    `store` is called with the state each time that it has changed for good, before the card answers.
    """

    latency_ms = 0

    def __init__(
        self, state: CardState, random: Callable[[int], bytes], store: Callable[[CardState], None] | None = None
    ) -> None:
        self._chip = Chip(state, random, store)
        self._begun: tuple[int, bytes] | None = None  # a command whose data goes on
        self._rest: list[bytes] = []  # frames of an answer that AF has to fetch

    @property
    def state(self) -> CardState:
        """What the card keeps."""
        return self._chip.state

    @property
    def atr(self) -> bytes:
        """What a PC/SC reader shows for such a card."""
        return _DESFIRE_ATR if self.state.kind == "desfire" else _STORAGE_ATR

    def reset(self) -> None:
        """Power off and on: nothing selected, nobody authenticated, nothing waits for a commit."""
        self._chip.power_off()
        self._begun, self._rest = None, []

    def transmit(self, frame: bytes) -> bytes:
        """One frame to the card, its answer back. A card answers everything; only `store` may raise."""
        if frame[:1] == bytes((READER_CLA,)):
            return self._as_reader(frame)
        if self.state.kind == "uid_only":
            return b"\x6e\x00"
        if len(frame) == 0 or frame[0] == ISO_CLA:
            return self._iso(frame)
        if frame[0] != DESFIRE_CLA:
            status, data = self._native(frame[0], frame[1:])
            return bytes((status,)) + data
        status, data = self._wrapped(frame)
        return data + bytes((0x91, status))

    def _as_reader(self, frame: bytes) -> bytes:
        if frame[1:4] != b"\xca\x00\x00":
            return b"\x6a\x81"
        return self.state.uid + b"\x90\x00"

    def _iso(self, frame: bytes) -> bytes:
        if frame[1:2] != bytes((ISO_SELECT,)):
            return b"\x6d\x00"
        if frame[2:5] != bytes((0x04, 0x00, len(CARD_NAME))) or frame[5:12] != CARD_NAME:
            return b"\x6a\x82"
        self.reset()
        return b"\x90\x00"

    def _wrapped(self, frame: bytes) -> tuple[int, bytes]:
        try:
            command = Command.parse(frame)
        except ValueError:
            return self._failed(LENGTH)
        if command.p1 or command.p2:
            return self._failed(PARAMETER)
        return self._native(command.ins, command.data)

    def _native(self, ins: int, data: bytes) -> tuple[int, bytes]:
        try:
            if len(data) > DESFIRE_DATA_MAX:
                raise Refused(LENGTH)
            if ins == MORE_INS:
                return self._continue(data)
            if self._rest or self._begun or self._chip.handshake:
                raise Refused(ABORTED)
            if ins in AUTHENTICATIONS:
                return MORE, AUTHENTICATIONS[ins](self._chip, data)
            return self._operate(ins, data)
        except Refused as refusal:
            return self._failed(refusal.status)

    def _continue(self, data: bytes) -> tuple[int, bytes]:
        if self._chip.handshake:
            handshake, self._chip.handshake = self._chip.handshake, None
            return OK, handshake.finish(self._chip, data)
        if self._begun:
            (ins, before), self._begun = self._begun, None
            return self._operate(ins, before + data)
        if not self._rest:
            raise Refused(ILLEGAL_COMMAND)
        if data:
            raise Refused(LENGTH)
        answer = self._rest.pop(0)
        return (MORE if self._rest else OK), answer

    def _operate(self, ins: int, data: bytes) -> tuple[int, bytes]:
        operation = OPERATIONS.get(ins)
        if operation is None:
            raise Refused(ILLEGAL_COMMAND)
        try:
            answer = operation(self._chip, ins, data)
        except Incomplete:
            self._begun = (ins, data)
            return MORE, b""
        frames = _version_frames(answer) if ins == GET_VERSION else _frames(answer)
        self._rest = frames[1:]
        return (MORE if self._rest else OK), frames[0]

    def _failed(self, status: int) -> tuple[int, bytes]:
        """Any error ends the session, the transaction, and whatever was to go on."""
        self._chip.forget()
        self._begun, self._rest = None, []
        return status, b""


def _frames(answer: bytes) -> list[bytes]:
    return [answer[at : at + DESFIRE_DATA_MAX] for at in range(0, len(answer), DESFIRE_DATA_MAX)] or [b""]


def _version_frames(answer: bytes) -> list[bytes]:
    """GetVersion's three parts are three frames, whatever their length."""
    return [answer[:7], answer[7:14], answer[14:]]
