"""Whatever is asked of the card in whatever order, it holds what a simple model of files and transactions holds."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from card_io.desfire.crypto import AesKey
from card_io.desfire.transaction_mac import transaction_mac
from sim.cards.broken import Tear, TornCard
from sim.cards.card import SimCard
from sim.cards.field import LeftField
from sim.cards.state import FREE, NEVER, BackupFile, CardState, MacFile, RecordFile, Rights, StandardFile, ValueFile
from tests.cards.bench import UID, seeded
from tests.cards.purse import (
    AID,
    BACKUP,
    CYCLIC,
    LINEAR,
    MAC,
    MAC_KEY,
    OPEN,
    RECORD,
    ROOM,
    SIZE,
    STANDARD,
    START,
    UPPER,
    VALUE,
    purse_state,
)

OK, LIMIT, NOTHING, DENIED = 0x00, 0xBE, 0x0C, 0x9D
MAC_RIGHTS = Rights(FREE, NEVER, NEVER, 0)


@dataclass
class Content:
    """What is on the card for good."""

    standard: bytes = bytes(SIZE)
    backup: bytes = bytes(SIZE)
    value: int = START
    limited: int = 0
    cyclic: list[bytes] = field(default_factory=list)
    linear: list[bytes] = field(default_factory=list)
    commits: int = 0
    mac: bytes = bytes(8)


@dataclass
class Waiting:
    """What a commit would make of it, and the Transaction MAC's input."""

    after: Content
    debited: int = 0
    limited_used: bool = False
    record: dict[int, bytearray | None] = field(default_factory=dict)
    heard: list[bytes] = field(default_factory=list)


class CardModel(RuleBasedStateMachine):
    """Native frames in plain, to files that are open to all: below the secure messaging, above everything else."""

    @initialize()
    def put_in(self) -> None:
        state = purse_state("plain", OPEN, mac=MAC_RIGHTS)
        self.disk: list[CardState] = [state.copy()]
        self.card = SimCard(state, seeded(1), lambda changed: self.disk.append(changed.copy()))
        self.model = Content()
        self.begin()
        self.send(b"\x5a" + AID, OK)

    def begin(self) -> None:
        self.waiting = Waiting(copy.deepcopy(self.model))

    def send(self, frame: bytes, status: int) -> bytes:
        """One command in as many frames as it takes; any error ends the transaction."""
        answer = self.card.transmit(frame[:60])
        for at in range(60, len(frame), 59):
            assert answer == b"\xaf"
            answer = self.card.transmit(b"\xaf" + frame[at : at + 59])
        data = answer[1:]
        while answer[0] == 0xAF:
            answer = self.card.transmit(b"\xaf")
            data += answer[1:]
        assert answer[0] == status, f"{frame.hex()} gave {answer.hex()}"
        if status != OK:
            self.begin()
        return data

    def hear(self, head: bytes, data: bytes = b"") -> None:
        self.waiting.heard += [part + bytes(-len(part) % 16) for part in (head, data)]

    def write(self, ins: int, number: int, offset: int, data: bytes, status: int = OK) -> None:
        head = bytes((ins, number)) + offset.to_bytes(3, "little") + len(data).to_bytes(3, "little")
        self.send(head + data, status)
        if status == OK:
            self.hear(head, data)

    @rule(offset=st.integers(0, SIZE - 1), data=st.binary(min_size=1, max_size=SIZE), backup=st.booleans())
    def write_data(self, offset: int, data: bytes, backup: bool) -> None:
        data = data[: SIZE - offset]
        self.write(0x8D, BACKUP if backup else STANDARD, offset, data)
        end = offset + len(data)
        if backup:
            old = self.waiting.after.backup
            self.waiting.after.backup = old[:offset] + data + old[end:]
        else:
            self.model.standard = self.model.standard[:offset] + data + self.model.standard[end:]
            self.waiting.after.standard = self.model.standard

    @rule(ins=st.sampled_from([0x0C, 0x1C, 0xDC]), amount=st.integers(0, UPPER // 2))
    def change_value(self, ins: int, amount: int) -> None:
        waiting = self.waiting
        value = waiting.after.value + (-amount if ins == 0xDC else amount)
        fits = 0 <= value <= UPPER
        if ins == 0x1C:
            fits = fits and amount <= self.model.limited and not waiting.limited_used
        frame = bytes((ins, VALUE)) + amount.to_bytes(4, "little")
        self.send(frame, OK if fits else LIMIT)
        if not fits:
            return
        self.hear(frame)
        waiting.after.value = value
        waiting.debited += amount if ins == 0xDC else 0
        waiting.limited_used |= ins == 0x1C

    @rule(number=st.sampled_from([CYCLIC, LINEAR]), offset=st.integers(0, RECORD - 1), data=st.binary(min_size=1))
    def write_record(self, number: int, offset: int, data: bytes) -> None:
        data = data[: RECORD - offset]
        if number == LINEAR and len(self.model.linear) == ROOM:
            self.write(0x8B, number, offset, data, LIMIT)
            return
        if number in self.waiting.record and self.waiting.record[number] is None:
            self.write(0x8B, number, offset, data, DENIED)
            return
        self.write(0x8B, number, offset, data)
        record = self.waiting.record.get(number) or bytearray(RECORD)
        record[offset : offset + len(data)] = data
        self.waiting.record[number] = record

    @rule(number=st.sampled_from([CYCLIC, LINEAR]))
    def clear_records(self, number: int) -> None:
        frame = bytes((0xEB, number))
        self.send(frame, OK)
        self.hear(frame)
        self.waiting.record[number] = None

    @rule(tear=st.sampled_from([None, "before", "after"]))
    def commit(self, tear: str | None) -> None:
        nothing = not self.waiting.heard
        if tear is not None:
            torn = TornCard(self.card, Tear(1, "before" if tear == "before" else "after"))
            try:
                torn.transmit(b"\xc7\x01")
            except LeftField:
                pass
            else:
                raise AssertionError("the card was not torn")
            if tear == "after" and not nothing:
                self.happened()
            self.power()
            return
        answer = self.send(b"\xc7\x01", NOTHING if nothing else OK)
        if not nothing:
            self.happened()
            assert answer == self.model.commits.to_bytes(4, "little") + self.model.mac

    def happened(self) -> None:
        waiting, after = self.waiting, self.waiting.after
        if waiting.debited or waiting.limited_used:
            after.limited = waiting.debited
        for number, record in waiting.record.items():
            records = after.cyclic if number == CYCLIC else after.linear
            records[:] = [] if record is None else [*records, bytes(record)][-ROOM:]
        after.commits += 1
        after.mac = transaction_mac(AesKey(MAC_KEY), UID, after.commits, waiting.heard)
        self.model = after
        self.begin()

    @rule()
    def abort(self) -> None:
        self.send(b"\xa7", OK if self.waiting.heard else NOTHING)
        self.begin()

    @rule()
    def power(self) -> None:
        """Off and on, from what is on the disk: nothing that counts was in memory only."""
        self.card = SimCard(self.disk[-1].copy(), seeded(2), lambda changed: self.disk.append(changed.copy()))
        self.begin()
        self.send(b"\x5a" + AID, OK)

    @rule()
    def select_again(self) -> None:
        self.send(b"\x5a" + AID, OK)
        self.begin()

    @rule()
    def read(self) -> None:
        """What was committed, whatever waits; and each reading is heard by the Transaction MAC."""
        for number, data in ((STANDARD, self.model.standard), (BACKUP, self.model.backup)):
            assert self.send(bytes((0xAD, number)) + bytes(6), OK) == data
            self.hear(bytes((0xAD, number, 0, 0, 0, SIZE, 0, 0)), data)
        value = self.model.value.to_bytes(4, "little")
        assert self.send(bytes((0x6C, VALUE)), OK) == value
        self.hear(bytes((0x6C, VALUE)) + value)
        for number, records in ((CYCLIC, self.model.cyclic), (LINEAR, self.model.linear)):
            if records:
                assert self.send(bytes((0xAB, number)) + bytes(6), OK) == b"".join(records)
                self.hear(bytes((0xAB, number, 0, 0, 0, len(records), 0, 0)), b"".join(records))

    @invariant()
    def the_disk_holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "model"):
            return
        assert self.disk[-1] == self.expected()

    def expected(self) -> CardState:
        model, state = self.model, purse_state("plain", OPEN, mac=MAC_RIGHTS)
        state.applications[0].files = {
            STANDARD: StandardFile("plain", OPEN, model.standard),
            BACKUP: BackupFile("plain", OPEN, model.backup),
            VALUE: ValueFile("plain", OPEN, 0, UPPER, model.value, model.limited, limited_credit_enabled=True),
            CYCLIC: RecordFile("plain", OPEN, True, RECORD, ROOM + 1, model.cyclic),
            LINEAR: RecordFile("plain", OPEN, False, RECORD, ROOM, model.linear),
            MAC: MacFile("mac", MAC_RIGHTS, MAC_KEY, counter=model.commits, value=model.mac),
        }
        return state


TestCardModel = CardModel.TestCase
TestCardModel.settings = settings(max_examples=60, stateful_step_count=40)
