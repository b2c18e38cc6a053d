"""An AZT pump's core when things go wrong: silence, restarts at either end, deaf pumps, a bad line, any bytes."""

import pytest

from controller.pumps.azt2.frame import Answer, Reply, encode_reply
from controller.pumps.azt2.link import ATTEMPTS_MAX
from controller.pumps.azt2.messages import Command, State
from controller.pumps.words import (
    Authorise,
    Authorised,
    Calling,
    Clear,
    Completed,
    Fuelling,
    Identify,
    Idle,
    LinkFault,
    Offline,
    Order,
    Preset,
    ReadTotals,
    Refusal,
    Refused,
    SetPrices,
    Stop,
)
from sim.pumps.azt2 import STATES, Signal
from tests.pumps.azt2.bench import PRICE, acts, bench, deliver, sale
from tests.pumps.core_bench import authorise

ORDERS: list[Order] = [Authorise((1,)), Stop(), SetPrices((PRICE,)), Clear(1), ReadTotals(1), Identify()]


def test_orders_under_way_end_when_the_pump_is_lost() -> None:
    for order in (Authorise((1,)), Stop(), SetPrices((PRICE,)), ReadTotals(1), Identify()):
        b = bench()
        b.until(Idle)
        b.to_pump = lambda _: b""
        b.submit(order)
        b.until(Offline)
        refused = [event.order for event in b.told if isinstance(event, Refused)]
        assert refused == [order]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (b"\x7f\x02\x30\x4f\x03\x03\x72", "bad_sum"),
        (b"\x7f\x02\x30\x4e\x03\x03\x73", "bad_complement"),
        (b"\x7f\x02\x30\x4f", "unfinished"),
        (b"\x7f\x06", "bad_reply"),
        (b"\x7f\x02\x21\x5e\x31\x4e\x03\x03\x53", "bad_reply"),  # an echo of ourselves
        (b"\x7f\x06\x30\x4f\x03\x03\x73", "ambiguous"),
        (b"\x7f\x02\x30\x4f\x03\x03\x73\x7f\x02\x31\x4e\x03\x03\x72", "ambiguous"),
    ],
)
def test_a_damaged_reply_is_named_and_asked_for_again_three_times_in_all(bad: bytes, kind: str) -> None:
    b = bench()
    b.until(Idle)
    b.submit(ReadTotals(1))
    answers = iter([bad] * (ATTEMPTS_MAX - 1))
    asked = len([request for request in b.twin.log if request.command == Command.TOTALS])
    b.to_core = lambda data: next(answers, data)
    b.run(ATTEMPTS_MAX)
    assert b.core.link_faults[kind] == ATTEMPTS_MAX - 1
    assert len([request for request in b.twin.log if request.command == Command.TOTALS]) == asked + ATTEMPTS_MAX
    assert b.kinds()[-1] == "Totals"


@pytest.mark.parametrize("answer", [Answer.NAK, Answer.CAN])
def test_a_refused_request_is_not_sent_again(answer: Answer) -> None:
    b = bench()
    b.until(Idle)
    sent = []

    def refuse(data: bytes) -> bytes:
        sent.append(data)
        return b""

    b.to_pump = lambda data: refuse(data) if data[4] == Command.DOSE else data
    b.submit(Authorise((1,)))
    turn = b.core.next_turn(b.now_us)
    refuse(turn.data)
    b.core.received(encode_reply(Reply(answer)), b.now_us)
    b.run(10)
    assert len(sent) == 1
    reason = Refusal.UNSUPPORTED if answer is Answer.NAK else Refusal.WRONG_STATE
    assert Refused(Authorise((1,)), reason) in b.told


@pytest.mark.parametrize("cut", [Command.DOSE, Command.AUTHORISE, Command.CONFIRM, Command.STOP, Command.FULL])
@pytest.mark.parametrize("heard", [True, False])
def test_a_lost_answer_or_a_lost_request_changes_nothing_in_the_end(cut: Command, *, heard: bool) -> None:
    b = bench()
    b.until(Idle)
    lost: list[bytes] = []

    def asked(data: bytes) -> bytes:
        spoil = data[4] == cut and len(lost) < 2
        if spoil:
            lost.append(data)
            b.to_core = lambda _: b""
        else:
            b.to_core = bytes
        return data if heard or not spoil else b""

    b.to_pump = asked
    authorise(b, Authorise((1,), Preset(volume_ml=8_000)))
    b.twin.head.squeeze(50_000, b.now_us)
    b.run(20)
    b.submit(Stop())
    done = b.until(Completed)
    b.submit(Clear(done.clear_token))
    b.until(Calling)
    assert lost
    assert b.kinds().count("Authorised") == b.kinds().count("Completed") == 1
    assert done.volume_ml == b.twin.head.volume_ml(b.now_us) // 10 * 10
    assert not any(isinstance(event, Refused) for event in b.told)


def test_an_order_that_the_pump_ignores_is_not_confirmed_and_the_pump_is_stopped() -> None:
    b = bench()
    b.until(Idle)
    b.to_pump = lambda data: b"" if data[4] == Command.AUTHORISE else data
    b.submit(Authorise((1,)))
    assert b.until(Refused) == Refused(Authorise((1,)), Refusal.NOT_CONFIRMED)
    assert b.core.urgent


def test_an_order_that_was_acknowledged_is_never_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    b = bench()
    b.until(Idle)
    monkeypatch.setitem(STATES, (State.HUNG, Signal.AUTHORISE), State.HUNG)
    b.submit(Authorise((1,)))
    assert b.until(Refused) == Refused(Authorise((1,)), Refusal.NOT_CONFIRMED)
    b.run(50)
    assert acts(b).count(Command.AUTHORISE) == 1


def test_a_pump_that_forgets_while_it_fuels_ends_with_its_last_word() -> None:
    b = bench()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.squeeze(50_000, b.now_us)
    b.run(30)
    said = [event for event in b.told if isinstance(event, Fuelling)][-1]
    b.twin.power_cycle(b.now_us, forgets=True)
    done = b.until(Completed)
    assert said.volume_ml <= done.volume_ml <= b.twin.head.volume_ml(b.now_us)
    assert done.totaliser_ml == b.twin.head.totaliser_ml(1, b.now_us) // 10 * 10
    b.submit(Clear(done.clear_token))
    b.until(Calling)
    assert Command.CONFIRM not in acts(b)


@pytest.mark.parametrize("state", State)
def test_a_late_reply_of_another_pump_makes_no_delivery(state: State) -> None:
    b = bench()
    b.until(Idle)
    b.submit(Clear(sale(b).clear_token))
    b.until(Idle)
    told = len(b.told)
    stray = encode_reply(Reply(Answer.DATA, b"40" if state is State.FINISHED else b"%d" % state))
    answers = iter([stray])
    b.to_core = lambda data: next(answers, data)
    b.run(30)
    for event in b.told[told:]:
        assert not isinstance(event, Fuelling)
        assert not (isinstance(event, Completed) and event.volume_ml), "the last delivery was told again"


@pytest.mark.parametrize("state", State)
def test_at_start_the_pump_is_told_as_it_is(state: State) -> None:
    b = bench()
    b.until(Idle)
    head = b.twin.head
    if state is State.DOSED:
        b.twin.set_dose_at_pump(1_000, b.now_us)
    if state not in (State.HUNG, State.DOSED):
        head.lift(1, b.now_us)
        b.until(Calling)
    if state in (State.AUTHORISED, State.FUELLING, State.FINISHED):
        b.submit(Authorise((1,)))
        b.until(Authorised)
    if state in (State.FUELLING, State.FINISHED):
        head.squeeze(20_000, b.now_us)
        b.run(20)
    b.restart_controller()
    if state is State.FINISHED:
        head.hang_up(b.now_us)
        b.now_us += 60_000_000
    b.twin.log.clear()
    b.run(30)
    kinds = {
        State.HUNG: ["Online", "Totals", "Idle"],
        State.LIFTED: ["Online", "Calling"],
        State.DOSED: ["Online", "Calling"],
        State.AUTHORISED: ["Online", "Authorised"],
        State.FUELLING: ["Online"],
        State.FINISHED: ["Online", "Completed"],
    }
    assert b.twin.state is state
    assert b.kinds() == kinds[state]
    assert acts(b) == []
    assert any(isinstance(event, Fuelling) for event in b.told) == (state is State.FUELLING)
    if state is State.FINISHED:
        done = b.told[-1]
        assert isinstance(done, Completed)
        assert done.at_start
        assert done.volume_ml == head.volume_ml(b.now_us) // 10 * 10
    if state is State.FUELLING:
        head.hang_up(b.now_us)
        assert not b.until(Completed).at_start


def test_a_crash_before_the_clear_leaves_the_delivery_in_the_pump() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    for _ in range(3):
        b.restart_controller()
        b.run(200)
        again = [event for event in b.told if isinstance(event, Completed)]
        assert len(again) == 1
        assert again[0].at_start
        assert (again[0].volume_ml, again[0].amount_minor) == (done.volume_ml, done.amount_minor)
        assert again[0].totaliser_ml == done.totaliser_ml
    assert Command.CONFIRM not in acts(b)
    b.submit(Clear(again[0].clear_token))
    b.until(Idle)


def test_a_crash_between_the_clear_and_its_confirmation_tells_the_delivery_again() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.submit(Clear(done.clear_token))
    b.restart_controller()
    assert b.until(Completed).at_start


def test_a_pump_that_will_not_let_go_is_told_so_again_and_again() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.to_pump = lambda data: b"" if data[4] == Command.CONFIRM else data
    b.submit(Clear(done.clear_token))
    b.run(200)
    assert any(isinstance(event, LinkFault) and event.kind == "not_cleared" for event in b.told)
    b.to_pump = bytes
    b.until(Idle)
    assert acts(b).count(Command.CONFIRM) == 1


def test_a_pump_without_values_is_no_sale_until_it_gives_them() -> None:
    b = bench()
    b.until(Idle)
    deliver(b)
    b.to_core = lambda data: encode_reply(Reply(Answer.CAN)) if len(data) > 30 else data
    b.twin.head.hang_up(b.now_us)
    b.run(100)
    assert "Completed" not in b.kinds()
    assert any(isinstance(event, LinkFault) and event.kind == "no_values" for event in b.told)
    b.to_core = bytes
    assert b.until(Completed).volume_ml == 5_000
