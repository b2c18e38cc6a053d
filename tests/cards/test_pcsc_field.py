"""One session with the card in a PC/SC reader, whatever PC/SC answers at each of its calls."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from card_io import errors
from card_io.identify import TapSession
from card_io.orders import DebitOrder, change_session
from card_io.pcsc_field import BUSY_TRIES, PcscField
from sim.cards.card import SimCard
from tests.cards.bench import UID, seeded
from tests.cards.office import INTENT, OFFICE, READER_ID, STATION_KEYS, length_of, loaded, tap
from tests.cards.test_purse import purse

READER = "a reader"
LOADED = loaded().state
GONE, RESET, BUSY, DOWN = 0x80100069, 0x80100068, 0x8010000B, 0x8010001D
Answer = tuple[int, list[int]]


class Scard(ModuleType):
    """pyscard's calls, over a simulated card. `wrong`: for a call's name, what its first results are (0: right)."""

    SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1 = 1, 2
    SCARD_PCI_T0, SCARD_PCI_T1 = 101, 102
    SCARD_SHARE_SHARED, SCARD_LEAVE_CARD = 2, 0

    def __init__(self, card: SimCard, **wrong: list[int]) -> None:
        super().__init__("scard")
        self._card, self._wrong = card, wrong
        self.instead: Callable[[int, Answer], Answer] = lambda _, answer: answer
        self.frames = 0
        self.taken = self.locked = 0

    def _result(self, call: str) -> int:
        results = self._wrong.get(call)
        return (results.pop(0) if results else 0) - (1 << 32)  # pyscard gives it signed

    def SCardConnect(self, context: int, name: str, share: int, protocols: int) -> tuple[int, int, int]:
        assert (context, name, share, protocols) == (7, READER, 2, 3)
        result = self._result("connect")
        self.taken += result & 0xFFFFFFFF == 0
        return result, 42, self.SCARD_PROTOCOL_T1

    def SCardBeginTransaction(self, card: int) -> int:
        result = self._result("begin")
        self.locked += result & 0xFFFFFFFF == 0
        return result

    def SCardTransmit(self, card: int, header: int, apdu: list[int]) -> Answer:
        assert (card, header) == (42, self.SCARD_PCI_T1)
        self.frames += 1
        answer = self._card.transmit(bytes(apdu))
        assert answer is not None
        return self.instead(self.frames, (self._result("transmit"), list(answer)))

    def SCardEndTransaction(self, card: int, how: int) -> int:
        assert how == self.SCARD_LEAVE_CARD
        self.locked -= 1
        return self._result("end")

    def SCardDisconnect(self, card: int, how: int) -> int:
        assert how == self.SCARD_LEAVE_CARD
        self.taken -= 1
        return self._result("disconnect")

    @property
    def let_go(self) -> bool:
        return (self.taken, self.locked) == (0, 0)


def fresh() -> SimCard:
    card = SimCard(LOADED.copy(), seeded())
    card.reset()
    return card


def field_of(scard: Scard) -> tuple[PcscField, list[float]]:
    waits: list[float] = []
    return PcscField(scard, sleep=waits.append), waits


def tapping() -> TapSession:
    return TapSession(OFFICE, STATION_KEYS, seeded(4))


def test_a_tap_finds_all_and_lets_the_card_go() -> None:
    scard = Scard(fresh())
    field, waits = field_of(scard)
    assert field.run(tapping(), 7, READER) == tap(fresh())
    assert scard.let_go
    assert waits == []


@pytest.mark.parametrize("frame", range(1, length_of(tapping(), fresh()) + 1))
@pytest.mark.parametrize(
    ("instead", "error"),
    [
        ((GONE, []), errors.CardRemoved),
        ((0, []), errors.CardRemoved),
        ((0, [0x91]), errors.GarbledAnswer),
        ((0, [0] * 259), errors.GarbledAnswer),
        ((DOWN, []), errors.ServiceDown),
        ((RESET, []), errors.CardReset),
    ],
    ids=["torn out", "no answer", "half a status", "too long", "pcscd gone", "reset"],
)
def test_whatever_happens_at_each_frame_has_a_name_and_the_card_is_let_go(
    frame: int, instead: Answer, error: type[errors.CardError]
) -> None:
    scard = Scard(fresh())
    scard.instead = lambda at, answer: instead if at == frame else answer
    session = tapping()
    with pytest.raises(error):
        field_of(scard)[0].run(session, 7, READER)
    assert scard.let_go
    assert scard.frames == frame, "nothing more is asked of such a card"
    with pytest.raises(RuntimeError, match="no result"):
        _ = session.result


@pytest.mark.parametrize("call", ["connect", "begin"])
@pytest.mark.parametrize("code", [BUSY, RESET], ids=["held", "reset"])
def test_another_program_that_is_at_the_card_for_a_moment_is_waited_for(call: str, code: int) -> None:
    scard = Scard(fresh(), **{call: [code] * 3})
    field, waits = field_of(scard)
    assert field.run(tapping(), 7, READER) == tap(fresh())
    assert len(waits) == 3
    assert scard.let_go


@pytest.mark.parametrize("call", ["connect", "begin"])
@pytest.mark.parametrize(("code", "error"), [(BUSY, errors.SharingViolation), (RESET, errors.CardReset)])
def test_another_program_that_keeps_the_card_is_named(call: str, code: int, error: type[errors.CardError]) -> None:
    scard = Scard(fresh(), **{call: [code] * 100})
    field, waits = field_of(scard)
    with pytest.raises(error):
        field.run(tapping(), 7, READER)
    assert len(waits) == BUSY_TRIES - 1
    assert 0.5 <= sum(waits) <= 2, "an agent of the system is done by then, and a customer still waits"
    assert field.stage == "lock", "whose deadline passes here says that another program holds the card"
    assert scard.let_go
    assert scard.frames == 0


@pytest.mark.parametrize("call", ["connect", "begin"])
@pytest.mark.parametrize("code", [GONE, DOWN])
def test_what_no_waiting_helps_is_said_at_once(call: str, code: int) -> None:
    scard = Scard(fresh(), **{call: [code]})
    field, waits = field_of(scard)
    with pytest.raises((errors.CardRemoved, errors.ServiceDown)):
        field.run(tapping(), 7, READER)
    assert waits == []
    assert scard.let_go


@pytest.mark.parametrize("call", ["end", "disconnect"])
def test_a_debit_that_was_heard_stands_whatever_becomes_of_the_lock(call: str) -> None:
    card = fresh()
    scard = Scard(card, **{call: [DOWN]})
    order = DebitOrder(uid=UID, intent=INTENT, reader_id=READER_ID)
    session = change_session(order, OFFICE, STATION_KEYS, seeded(4))
    assert field_of(scard)[0].run(session, 7, READER).outcome == "applied"
    assert purse(card) == 200_000 - INTENT.maximum
