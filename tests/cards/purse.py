"""A purse of a card for the simulator's own tests: every kind of file, and the steps to use it by either messaging."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from card_io.desfire.channel import Call, Channel
from card_io.desfire.crypto import AesKey
from card_io.desfire.ev1 import Ev1Channel, authenticate_ev1
from card_io.desfire.ev2 import Ev2Channel, authenticate_ev2_first
from card_io.session import Steps, StepSession
from card_io.transport import run_session_blocking
from sim.cards.card import SimCard
from sim.cards.field import FieldCard
from sim.cards.state import (
    FREE,
    NEVER,
    Application,
    BackupFile,
    CardState,
    KeyState,
    MacFile,
    Mode,
    RecordFile,
    Rights,
    StandardFile,
    ValueFile,
)
from tests.cards.bench import UID, seeded

T = TypeVar("T")

AID = bytes.fromhex("F50402")
KEYS = [bytes((0x10 + number,)) * 16 for number in range(4)]
MAC_KEY = bytes(range(0x70, 0x80))
STANDARD, BACKUP, VALUE, CYCLIC, LINEAR, MAC = 1, 2, 3, 4, 5, 15
SIZE, RECORD = 100, 16
ROOM = 3  # records that each of the record files holds
UPPER, START = 1_000, 500
WORKING = Rights(read=1, write=2, read_write=3, change=0)
OPEN = Rights(FREE, FREE, FREE, FREE)


def purse_state(mode: Mode = "full", rights: Rights = WORKING, *, mac: Rights | None = None) -> CardState:
    """One application with a file of each kind; a Transaction MAC file where `mac` says who may use it."""
    application = Application(AID, [KeyState(raw, 9) for raw in KEYS])
    application.files = {
        STANDARD: StandardFile(mode, rights, bytes(SIZE)),
        BACKUP: BackupFile(mode, rights, bytes(SIZE)),
        VALUE: ValueFile(mode, rights, 0, UPPER, START, limited_credit_enabled=True),
        CYCLIC: RecordFile(mode, rights, True, RECORD, ROOM + 1),
        LINEAR: RecordFile(mode, rights, False, RECORD, ROOM),
    }
    if mac is not None:
        application.files[MAC] = MacFile("mac", mac, MAC_KEY)
    return CardState(uid=UID, applications=[application])


def purse(
    mode: Mode = "full",
    rights: Rights = WORKING,
    *,
    mac: Rights | None = None,
    store: Callable[[CardState], None] | None = None,
) -> SimCard:
    return SimCard(purse_state(mode, rights, mac=mac), seeded(5), store)


READABLE_MAC = Rights(read=1, write=NEVER, read_write=NEVER, change=0)
NAMED_MAC = Rights(read=1, write=NEVER, read_write=3, change=0)


def run(sim: FieldCard, steps: Steps[T]) -> T:
    return run_session_blocking(StepSession(steps), lambda frame: answer_of(sim, frame))


def say(sim: FieldCard, frame: str) -> str:
    """A frame in hexadecimal digits, and the card's answer."""
    return answer_of(sim, bytes.fromhex(frame)).hex().upper()


def answer_of(sim: FieldCard, frame: bytes) -> bytes:
    answer = sim.transmit(frame)
    assert answer is not None, "the card is silent"
    return answer


def select(sim: FieldCard, aid: bytes = AID) -> None:
    assert say(sim, "5A" + aid.hex()) == "00"


def ev2(sim: FieldCard, number: int, raw: bytes | None = None) -> Ev2Channel:
    """A session in the selected application, with its key or another one."""
    key = AesKey(KEYS[number] if raw is None else raw)
    return run(sim, authenticate_ev2_first(key, number, seeded(6)(16)))


def ev1(sim: FieldCard, number: int, raw: bytes | None = None) -> Ev1Channel:
    key = AesKey(KEYS[number] if raw is None else raw)
    return run(sim, authenticate_ev1(key, number, seeded(6)(16)))


class Messaging(Protocol):
    """`ev1` or `ev2`."""

    def __call__(self, sim: FieldCard, number: int, raw: bytes | None = None) -> Channel: ...


def call(sim: FieldCard, channel: Channel, what: Call) -> bytes:
    return run(sim, channel.call(what))
