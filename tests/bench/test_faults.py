"""Each fault shows where it should, on the wire or in the pump, and is gone after its count."""

from enum import Enum
from typing import Any

import pytest

from controller.domain.seams import US_PER_MS, US_PER_S
from controller.pumps.azt2.frame import Answer, Reply, Request, encode_reply, encode_request
from controller.pumps.azt2.messages import Command
from controller.pumps.azt2.messages import State as AztState
from controller.pumps.core import LineSettings, Turn
from controller.pumps.dart import transactions as dart
from controller.pumps.dart.errors import BadCrc, FrameError
from controller.pumps.dart.frame import Control, Frame, crc16, decode, encode, is_whole
from controller.pumps.digits import PumpDigits
from controller.pumps.two_wire.frame import Status
from sim.chance import Chance
from sim.faults import KINDS, FaultError, FaultName, Faults, FaultyTwin
from sim.loop import VirtualClock, VirtualLoop, run
from sim.pumps.head import HeadNozzle, PumpHead
from sim.pumps.port import SimLinePort
from sim.pumps.protocols import Make, protocol
from tests.bench.dart_pump import ACK, ADDRESS, ASK_STATUS, EOT, POLL, PRICE, TRY, dart_of, news_in, order, pump, start

NOW = 5 * US_PER_S


def with_news() -> FaultyTwin:
    """A pump whose next answer is a block with its status."""
    faulty = pump()
    assert faulty.receive(ASK_STATUS, NOW) == ACK
    return faulty


def test_every_fault_has_a_kind_with_words() -> None:
    assert set(KINDS) == set(FaultName)
    assert all(kind.text and kind.counts for kind in KINDS.values())


def test_without_a_fault_the_twin_answers_as_it_is() -> None:
    faulty = pump()
    assert faulty.receive(POLL, NOW) == EOT
    assert faulty.quiet_answer == EOT
    assert not faulty.has_news(NOW)
    assert faulty.reply_latency_us == faulty.twin.reply_latency_us


def test_no_response_is_silence_for_so_many_turns_and_nothing_is_obeyed() -> None:
    faulty = pump()
    faulty.faults.inject("no_response", NOW, count=2)
    assert faulty.has_news(NOW), "no turn may be skipped now"
    assert [faulty.receive(data, NOW) for data in (ASK_STATUS, POLL)] == [b"", b""]
    assert faulty.receive(POLL, NOW) == EOT, "it never heard the question"
    assert faulty.faults.active() == ()


def test_without_a_count_a_fault_stays_until_it_is_cleared() -> None:
    faulty = pump()
    faulty.faults.inject("no_response", NOW)
    assert {faulty.receive(POLL, NOW + turn) for turn in range(100)} == {b""}
    faulty.faults.clear(NOW)
    assert faulty.receive(POLL, NOW + 200) == EOT


def test_garbage_is_noise_and_the_same_noise_from_the_same_seed() -> None:
    noises = set()
    for _ in range(2):
        faulty = pump()
        faulty.faults.inject("garbage", NOW, count=1, bytes=12)
        noises.add(faulty.receive(POLL, NOW))
        assert faulty.receive(POLL, NOW) == EOT
    assert [len(noise) for noise in noises] == [12]


def test_bad_crc_waits_for_an_answer_that_has_one() -> None:
    faulty = with_news()
    right = with_news().receive(POLL, NOW)
    faulty.faults.inject("bad_crc", NOW, count=1)
    wrong = faulty.receive(POLL, NOW)
    with pytest.raises(BadCrc):
        decode(wrong)
    assert faulty.receive(POLL, NOW) == right, "not acknowledged, so it comes again, whole"
    assert faulty.faults.active() == ()


def test_bad_crc_is_never_a_good_one_nor_a_frame_cut_short() -> None:
    mark = pump()._marks.spoil_sum
    for value in range(3_000):
        frame = order(1, *[dart.Order.RETURN_STATUS] * (value % 5 + 1))
        head = bytes((ADDRESS, 0x31, 0x65, 2)) + value.to_bytes(2, "big")
        for wire in (frame, _framed(head)):
            spoilt = mark(wire)
            assert spoilt is not None
            assert is_whole(spoilt)
            with pytest.raises(FrameError):
                decode(spoilt)


def _framed(payload: bytes) -> bytes:
    payload += crc16(payload).to_bytes(2, "little")
    return payload.replace(b"\xfa", b"\x10\xfa") + b"\x03\xfa"


def test_drop_byte_leaves_one_out() -> None:
    faulty = with_news()
    right = with_news().receive(POLL, NOW)
    faulty.faults.inject("drop_byte", NOW, count=1)
    short = faulty.receive(POLL, NOW)
    assert len(short) == len(right) - 1
    assert short in {right[:at] + right[at + 1 :] for at in range(len(right))}
    assert faulty.receive(POLL, NOW) == right


def test_duplicate_says_it_twice() -> None:
    faulty = pump()
    faulty.faults.inject("duplicate", NOW, count=1)
    assert [faulty.receive(POLL, NOW) for _ in range(2)] == [EOT * 2, EOT]


def test_delay_is_in_the_latency_of_that_answer_only() -> None:
    faulty = pump()
    faulty.faults.inject("delay", NOW, count=1, ms=300)
    assert faulty.receive(POLL, NOW) == EOT
    assert faulty.reply_latency_us == faulty.twin.reply_latency_us + 300 * US_PER_MS
    faulty.receive(POLL, NOW)
    assert faulty.reply_latency_us == faulty.twin.reply_latency_us


def test_lost_ack_is_obeyed_and_done_only_once() -> None:
    faulty = pump()
    faulty.faults.inject("lost_ack", NOW, count=1)
    assert faulty.receive(POLL, NOW) == EOT, "this acknowledges nothing"
    assert faulty.receive(ASK_STATUS, NOW) == b""
    assert faulty.receive(ASK_STATUS, NOW) == ACK, "the same number again is acknowledged"
    assert dart_of(faulty).log == [dart.Command(dart.Order.RETURN_STATUS)]


def test_a_stuck_totaliser_misses_one_delivery() -> None:
    faulty = pump()
    for stands_ml in (1_000, 6_000):
        if stands_ml == 1_000:
            faulty.faults.inject("stuck_totaliser", NOW, count=1)
        start(faulty, NOW, volume_ml=5_000)
        later = NOW + 60 * US_PER_S
        assert faulty.head.volume_ml(later) == 5_000
        faulty.head.hang_up(later)
        assert faulty.head.totaliser_ml(1, later) == stands_ml
        faulty.head.reset(later)
    assert faulty.faults.active() == ()


def test_a_totaliser_jumps_once_and_rolls_over() -> None:
    faulty = pump(totaliser_modulo_ml=10_000)
    faulty.faults.inject("totaliser_jump", NOW, ml=9_500)
    assert faulty.head.totaliser_ml(1, NOW) == 500
    faulty.faults.inject("totaliser_jump", NOW, ml=-100, nozzle=2)
    assert faulty.head.totaliser_ml(2, NOW) == 9_900
    faulty.receive(POLL, NOW)
    assert (faulty.head.totaliser_ml(1, NOW), faulty.faults.active()) == (500, ())


def test_a_power_cut_in_a_delivery_stops_it_and_the_pump_comes_back() -> None:
    faulty = pump()
    start(faulty, NOW, volume_ml=20_000)
    faulty.faults.inject("power_cut", NOW, after_ml=3_000, off_ms=1_500)
    assert faulty.receive(POLL, NOW + US_PER_S) != b"", "600 ml have flowed"
    cut_us = NOW + 6 * US_PER_S
    assert faulty.receive(POLL, cut_us) == b""
    stood_ml = faulty.head.volume_ml(cut_us)
    assert stood_ml >= 3_000
    assert not faulty.head.flowing
    assert faulty.has_news(cut_us)
    assert faulty.receive(POLL, cut_us + US_PER_S) == b""
    back = news_in(faulty.receive(POLL, cut_us + 2 * US_PER_S))
    assert dart.Alarmed(0x01) in back, "CPU reset"
    assert faulty.head.volume_ml(cut_us + 2 * US_PER_S) == stood_ml
    assert faulty.faults.active() == ()


@pytest.mark.parametrize(("ml", "shown_ml"), [(250, 5_250), (-40, 4_960)])
def test_an_overrun_closes_the_valve_too_late_or_too_early_once(ml: int, shown_ml: int) -> None:
    faulty = pump()
    start(faulty, NOW, volume_ml=5_000)
    faulty.faults.inject("overrun", NOW + US_PER_S, count=1, ml=ml)
    later = NOW + 60 * US_PER_S
    assert faulty.head.volume_ml(later) == shown_ml
    assert not faulty.head.flowing
    assert (faulty.head.overrun_ml, faulty.faults.active()) == (0, ())


def test_a_pump_that_stops_too_early_says_that_its_preset_is_reached() -> None:
    faulty = pump(overrun_ml=-30)
    twin = dart_of(faulty)
    twin.state = dart.State.AUTHORIZED
    start(faulty, NOW, volume_ml=5_000)
    later = NOW + 60 * US_PER_S
    faulty.receive(POLL, later)
    assert (twin.state, faulty.head.volume_ml(later)) == (dart.State.MAX, 4_970)


def test_an_alarm_is_reported_so_many_times() -> None:
    faulty = pump()
    faulty.faults.inject("alarm", NOW, code=9, count=2)
    assert news_in(faulty.receive(POLL, NOW)) == [dart.Alarmed(9), dart.Alarmed(9)]
    assert faulty.faults.active() == ()


def single(name: str, **options: Any) -> FaultyTwin:
    """A pump of another protocol with one nozzle, at its first address."""
    make = Make(address=1, digits=PumpDigits(currency=TRY), options=options)
    twin = protocol(name).make(PumpHead([HeadNozzle("diesel", PRICE)], TRY), make)
    return protocol(name).faulty(twin, Faults(Chance(1, "faults/1")))


def runs(faulty: FaultyTwin, state: Enum) -> int:
    """It delivers by somebody's key; when three litres are on the display."""
    faulty.receive(b"", NOW)
    start(faulty, NOW)
    faulty.receive(b"", NOW + 1)
    faulty.twin.state = state  # type: ignore[attr-defined]  # each protocol's own
    return NOW + 5 * US_PER_S


def test_a_two_wire_pump_has_no_word_for_an_alarm_so_it_stops_or_shows_a_data_error() -> None:
    faulty = single("two-wire")
    faulty.faults.inject("alarm", NOW, count=2)
    assert [faulty.receive(b"\x01", NOW + turn) for turn in range(3)] == [b"\x01", b"\x01", b"\x61"]
    assert faulty.faults.active() == ()
    now_us = runs(faulty, Status.BUSY)
    faulty.faults.inject("alarm", now_us)
    assert faulty.receive(b"\x01", now_us) == b"\xc1", "stopped"
    assert not faulty.head.flowing


def test_an_azt_pump_tells_an_alarm_as_the_reason_for_which_its_delivery_ended() -> None:
    faulty = single("azt2")
    poll = encode_request(Request(1, Command.STATUS))
    faulty.faults.inject("alarm", NOW, code=7)
    assert faulty.receive(poll, NOW) == encode_reply(Reply(Answer.DATA, b"0"))
    assert [fault.left for fault in faulty.faults.active()] == [1], "it waits for a delivery"
    now_us = runs(faulty, AztState.FUELLING)
    assert faulty.receive(poll, now_us) == encode_reply(Reply(Answer.DATA, b"47"))
    assert not faulty.head.flowing
    assert faulty.faults.active() == ()


@pytest.mark.parametrize(
    ("name", "options", "running", "kept", "forgotten"),
    [
        ("two-wire", {}, Status.BUSY, Status.FEOT, Status.CALL),
        ("two-wire", {}, Status.STOPPED, Status.FEOT, Status.CALL),
        ("two-wire", {"old_board": True}, Status.BUSY, Status.CALL, Status.CALL),
        ("azt2", {}, AztState.FUELLING, AztState.FINISHED, AztState.LIFTED),
    ],
)
@pytest.mark.parametrize("forgets", [0, 1])
def test_what_a_pump_knows_after_a_power_cut(
    name: str, options: dict[str, Any], running: Enum, kept: Enum, forgotten: Enum, forgets: int
) -> None:
    faulty = single(name, **options)
    now_us = runs(faulty, running)
    ran_ml = faulty.head.volume_ml(now_us)
    faulty.faults.inject("power_cut", now_us, off_ms=1_000, forgets=forgets)
    faulty.receive(b"", now_us + 2 * US_PER_S)
    assert faulty.twin.state is (forgotten if forgets else kept)  # type: ignore[attr-defined]
    assert faulty.head.totaliser_ml(1, now_us + 2 * US_PER_S) == ran_ml == 3_000, "counters are kept"
    assert not faulty.head.flowing


@pytest.mark.parametrize(
    ("name", "count", "values", "says"),
    [
        ("explosion", None, {}, "expected one of no_response, garbage"),
        ("delay", 0, {}, "count=0: expected 1 to"),
        ("delay", None, {"ml": 3}, "'ml' is no value of this fault: expected ms"),
        ("no_response", None, {"ms": 3}, "expected count only"),
        ("delay", None, {"ms": -1}, "ms=-1: expected 0 to 60000"),
        ("totaliser_jump", None, {"nozzle": 3}, "nozzle=3: this pump has 2"),
        ("power_cut", None, {"forgets": 2}, "forgets=2: expected 0 to 1"),
    ],
)
def test_what_cannot_be_ordered_is_refused_with_a_sentence(
    name: str, count: int | None, values: dict[str, int], says: str
) -> None:
    faulty = pump()
    with pytest.raises(FaultError, match=says):
        faulty.faults.inject(name, NOW, count=count, **values)
    assert faulty.faults.active() == ()


def test_a_pump_of_a_protocol_without_alarms_has_none() -> None:
    inner = pump()
    outer = FaultyTwin(inner, Faults(Chance(1, "x")))  # a FaultyTwin is a Twin, and has no alarm()
    with pytest.raises(FaultError, match="report no alarms"):
        outer.faults.inject("alarm", NOW)


def test_in_virtual_time_a_line_that_rests_is_woken_by_a_fault_and_a_late_answer_is_lost() -> None:
    turn = Turn(POLL, 35_000, 120_000, 15_000, is_whole)

    async def main(loop: VirtualLoop) -> tuple[int, list[bytes], int]:
        clock = VirtualClock(loop, 0)
        faulty = pump()
        port = SimLinePort([faulty], LineSettings(), clock)
        clock.call_at(NOW, lambda: faulty.faults.inject("delay", NOW, count=2, ms=10_000))
        skipped = await port.rest([turn])
        woken_us = loop.now_us
        assert await port.rest([turn]) == 0, "it does not rest while each turn counts"
        answers = [await port.transact(turn) for _ in range(3)]
        return woken_us, answers, skipped

    woken_us, answers, skipped = run(main)
    assert NOW <= woken_us < NOW + US_PER_S
    assert skipped > 50
    assert answers == [b"", b"", EOT]


def test_faults_are_the_same_on_a_line_that_skips_and_on_one_that_does_not() -> None:
    turn = Turn(POLL, 35_000, 120_000, 15_000, is_whole)
    end_us = 100 * US_PER_S

    def told(*, skip: bool) -> tuple[list[tuple[int, bytes]], SimLinePort]:
        async def main(loop: VirtualLoop) -> tuple[list[tuple[int, bytes]], SimLinePort]:
            clock = VirtualClock(loop, 0)
            faulty = pump()
            port = SimLinePort([faulty], LineSettings(), clock, skip=skip)
            for second, name in enumerate(FaultName, 1):
                at_us = second * 7 * US_PER_S
                clock.call_at(at_us, lambda n=name, at=at_us: faulty.faults.inject(n, at, count=1))  # type: ignore[misc]
                clock.call_at(at_us + US_PER_S, lambda at=at_us: faulty.faults.clear(at + US_PER_S))  # type: ignore[misc]
            clock.call_at(end_us, port.wake)
            said = []
            while loop.now_us < end_us:
                if await port.rest([turn]):
                    continue
                answer = await port.transact(turn)
                if answer != EOT:
                    said.append((loop.now_us, answer))
                if (number := _block_number(answer)) is not None:
                    await port.transact(Turn(_ack(number), 5_000, 0, 0, is_whole))
            return said, port

        return run(main)

    without, _ = told(skip=False)
    with_skips, port = told(skip=True)
    assert with_skips == without
    assert len(without) > 5
    assert port.turns_skipped > port.turns_made


def _block_number(answer: bytes) -> int | None:
    """The TX# of a whole block."""
    try:
        frame = decode(answer)
    except FrameError:
        return None
    return frame.tx if frame.control is Control.DATA else None


def _ack(number: int) -> bytes:
    return encode(Frame(ADDRESS, Control.ACK, number))
