"""Whatever is asked of the card in whatever order, it holds what a simple model of files and transactions holds.

Walks by chance, from seeds: hypothesis' own machines hardly ever commit a record here.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field

from card_io.desfire.crypto import AesKey
from card_io.desfire.transaction_mac import transaction_mac
from sim.cards.broken import Tear, TornCard
from sim.cards.card import SimCard
from sim.cards.field import LeftField
from sim.cards.state import FREE, NEVER, BackupFile, CardState, MacFile, RecordFile, Rights, StandardFile, ValueFile
from sim.chance import Chance
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
STEPS = 150


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


class CardModel:
    """Native frames in plain, to files that are open to all: below the secure messaging, above everything else."""

    def __init__(self, seed: int) -> None:
        self.chance = Chance(seed, "card")
        self.reached: Counter[str] = Counter()
        state = purse_state("plain", OPEN, mac=MAC_RIGHTS)
        self.disk: list[CardState] = [state.copy()]
        self.card = SimCard(state, seeded(1), lambda changed: self.disk.append(changed.copy()))
        self.model = Content()
        self.begin()
        self.send(b"\x5a" + AID, OK)

    def step(self) -> None:
        does = (
            *(self.write_data, self.change_value, self.change_value, self.write_record, self.write_record),
            *(self.clear_records, self.read, self.commit, self.commit, self.commit),
            *((self.abort, self.power, self.select_again) if self.chance.one_in(4) else ()),
        )
        does[self.chance.below(len(does))]()
        assert self.disk[-1] == self.expected(), "the disk holds what the model holds"

    def one_of(self, *among: int) -> int:
        return among[self.chance.below(len(among))]

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

    def write_data(self) -> None:
        offset, backup = self.chance.below(SIZE), self.chance.one_in(2)
        data = self.chance.random_bytes(self.chance.between(1, SIZE - offset))
        self.write(0x8D, BACKUP if backup else STANDARD, offset, data)
        end = offset + len(data)
        if backup:
            old = self.waiting.after.backup
            self.waiting.after.backup = old[:offset] + data + old[end:]
        else:
            self.model.standard = self.model.standard[:offset] + data + self.model.standard[end:]
            self.waiting.after.standard = self.model.standard

    def change_value(self) -> None:
        ins, amount, waiting = self.one_of(0x0C, 0x1C, 0xDC), self.chance.below(UPPER // 2 + 1), self.waiting
        if ins == 0x1C and self.model.limited and self.chance.one_in(2):
            amount = self.chance.below(self.model.limited + 1)
        value = waiting.after.value + (-amount if ins == 0xDC else amount)
        fits = 0 <= value <= UPPER
        if ins == 0x1C:
            fits = fits and amount <= self.model.limited and not waiting.limited_used
        frame = bytes((ins, VALUE)) + amount.to_bytes(4, "little")
        self.send(frame, OK if fits else LIMIT)
        self.reached[f"{ins:02x} {'' if fits else 'not '}taken"] += 1
        if not fits:
            return
        self.hear(frame)
        waiting.after.value = value
        waiting.debited += amount if ins == 0xDC else 0
        waiting.limited_used |= ins == 0x1C

    def write_record(self) -> None:
        number, offset = self.one_of(CYCLIC, LINEAR), self.chance.below(RECORD)
        data = self.chance.random_bytes(self.chance.between(1, RECORD - offset))
        if number == LINEAR and len(self.model.linear) == ROOM:
            self.write(0x8B, number, offset, data, LIMIT)
            self.reached["no room for a record"] += 1
            return
        if number in self.waiting.record and self.waiting.record[number] is None:
            self.write(0x8B, number, offset, data, DENIED)
            self.reached["a record after clearing"] += 1
            return
        self.write(0x8B, number, offset, data)
        record = self.waiting.record.get(number) or bytearray(RECORD)
        record[offset : offset + len(data)] = data
        self.waiting.record[number] = record

    def clear_records(self) -> None:
        number = self.one_of(CYCLIC, LINEAR)
        frame = bytes((0xEB, number))
        self.send(frame, OK)
        self.hear(frame)
        self.waiting.record[number] = None

    def commit(self) -> None:
        nothing = not self.waiting.heard
        if self.chance.one_in(4):
            after = self.chance.one_in(2)
            torn = TornCard(self.card, Tear(1, "after" if after else "before"))
            try:
                torn.transmit(b"\xc7\x01")
            except LeftField:
                pass
            else:
                raise AssertionError("the card was not torn")
            self.reached["torn"] += 1
            if after and not nothing:
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
            self.reached["limited credit committed"] += waiting.limited_used
            self.reached["debit committed"] += bool(waiting.debited)
        for number, record in waiting.record.items():
            kind = "cyclic" if number == CYCLIC else "linear"
            self.reached[f"{kind} {'cleared' if record is None else 'record written'}"] += 1
            records = after.cyclic if number == CYCLIC else after.linear
            records[:] = [] if record is None else [*records, bytes(record)][-ROOM:]
        self.reached["the oldest record fell out"] += len(self.model.cyclic) == ROOM and CYCLIC in waiting.record
        after.commits += 1
        after.mac = transaction_mac(AesKey(MAC_KEY), UID, after.commits, waiting.heard)
        self.model = after
        self.begin()

    def abort(self) -> None:
        self.send(b"\xa7", OK if self.waiting.heard else NOTHING)
        self.begin()

    def power(self) -> None:
        """Off and on, from what is on the disk: nothing that counts was in memory only."""
        self.card = SimCard(self.disk[-1].copy(), seeded(2), lambda changed: self.disk.append(changed.copy()))
        self.begin()
        self.send(b"\x5a" + AID, OK)

    def select_again(self) -> None:
        self.send(b"\x5a" + AID, OK)
        self.begin()

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


def test_the_card_holds_what_the_model_holds() -> None:
    reached: Counter[str] = Counter()
    for seed in range(12):
        model = CardModel(seed)
        try:
            for _ in range(STEPS):
                model.step()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, after {dict(model.reached)}") from error
        reached += model.reached
    for what in (
        *("0c taken", "0c not taken", "1c taken", "1c not taken", "dc taken", "dc not taken", "torn"),
        *("debit committed", "limited credit committed", "no room for a record", "a record after clearing"),
        *("cyclic record written", "cyclic cleared", "linear record written", "linear cleared"),
        "the oldest record fell out",
    ):
        assert reached[what] >= 10, f"{what} was hardly tried: {dict(reached)}"
