"""A two-wire pump's core when things go wrong: silence, restarts, old boards, pumps that forget, a bad line."""

from dataclasses import replace
from typing import Any

import pytest

from controller.domain.quantities import amount_for
from controller.pumps.two_wire.blocks import TRANSACTION_WORDS, GradeTotals, Level, Transaction, to_master_bytes
from controller.pumps.two_wire.frame import Command, Status, to_digits
from controller.pumps.two_wire.states import Phase
from controller.pumps.words import (
    Authorise,
    Authorised,
    Calling,
    Clear,
    Completed,
    Fuelling,
    Idle,
    LinkFault,
    Offline,
    Online,
    Preset,
    Refusal,
    Refused,
    Resume,
    Stop,
    Suspended,
    Totals,
)
from sim.pumps.two_wire import STATES, Signal
from tests.pumps.core_bench import authorise
from tests.pumps.two_wire.bench import PRICE, TRY, TwoWireBench, bench, deliver, sale


def test_a_pump_that_falls_silent_while_it_is_asked_for_its_delivery_is_offline_and_tells_it_again() -> None:
    b = bench()
    b.until(Idle)
    deliver(b)
    b.twin.head.hang_up(b.now_us)
    while b.core.phase is not Phase.FINISHING:
        b.step()
    b.run(3)  # the state once more, totals, and the transaction once
    b.to_core = lambda _: b""
    b.until(Offline, 10)
    b.to_core = bytes
    done = b.until(Completed)
    assert (done.volume_ml, done.at_start) == (5_000, True)


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        (Status.OFF, ["Online", "Totals", "Idle"]),
        (Status.CALL, ["Online", "Calling"]),
        (Status.AUTHORISED, ["Online", "Authorised"]),
        (Status.BUSY, ["Online"]),
        (Status.STOPPED, ["Online", "Suspended"]),
        (Status.FEOT, ["Online", "Completed"]),
    ],
)
def test_at_start_the_pump_is_told_as_it_is_found(state: Status, kinds: list[str]) -> None:
    b = bench()
    b.until(Idle)
    if state is Status.AUTHORISED:
        b.submit(Authorise((1,)))
        b.until(Authorised)
    elif state is Status.CALL:
        b.twin.head.lift(1, b.now_us)
    elif state is not Status.OFF:
        authorise(b, Authorise((1,)))
        b.twin.head.squeeze(100_000, b.now_us)
        b.run(30)
        if state is Status.STOPPED:
            b.submit(Stop())
            b.until(Suspended)
        elif state is Status.FEOT:
            b.twin.head.hang_up(b.now_us)
    b.restart_controller()
    b.now_us += 60_000_000
    b.run(60)
    assert b.kinds() == kinds
    assert any(isinstance(event, Fuelling) for event in b.told) == (state is Status.BUSY)
    if state is Status.FEOT:
        done = next(event for event in b.told if isinstance(event, Completed))
        assert done.at_start
        assert done.volume_ml == b.twin.head.volume_ml(b.now_us) // 10 * 10


def test_an_order_that_the_pump_ignores_is_not_confirmed_and_the_pump_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    b = bench()
    b.until(Idle)
    monkeypatch.delitem(STATES, (Status.OFF, Signal.AUTHORISE))
    b.submit(Authorise((1,)))
    assert b.until(Refused) == Refused(Authorise((1,)), Refusal.NOT_CONFIRMED)
    b.run(10)
    assert b.twin.log.count(Command.AUTHORISE) == 6
    assert Command.STOP in b.twin.log


def test_a_preset_that_the_pump_cannot_use_is_never_followed_by_the_order() -> None:
    b = bench()
    b.until(Idle)
    b.to_pump = lambda data: data[:-2] + b"\xe0\xf0" if len(data) > 1 else data
    b.submit(Authorise((1,), Preset(amount_minor=5_000)))
    assert b.until(Refused) == Refused(Authorise((1,), Preset(amount_minor=5_000)), Refusal.WRONG_STATE)
    assert Command.AUTHORISE not in b.twin.log
    assert b.core.link_faults["data_error"] >= 5


def test_hanging_up_at_the_moment_of_the_order_leaves_the_valve_shut() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    b.twin.head.hang_up(b.now_us)
    b.now_us += 1
    b.until(Refused)
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(1_000, b.now_us)
    b.run(50)
    assert not any(isinstance(event, Authorised | Fuelling) for event in b.told)
    assert b.twin.head.volume_ml(b.now_us) == 0


def test_stop_all_stops_whoever_fuels() -> None:
    b = bench()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.squeeze(90_000, b.now_us)
    b.run(30)
    assert b.twin.hears(b.core.stop_all_turn().data)
    b.twin.receive(b.core.stop_all_turn().data, b.now_us)
    b.until(Suspended)
    held = b.twin.head.volume_ml(b.now_us)
    b.submit(Resume())
    b.until(Fuelling)
    b.twin.broken(b.now_us)
    b.run(20)
    assert b.twin.head.volume_ml(b.now_us) > held, "this pump does not care for a break"


def test_a_delivery_that_was_read_is_told_although_the_pump_falls_silent_before_it_gives_its_totals() -> None:
    b = bench()
    b.until(Idle)
    deliver(b)
    b.twin.head.hang_up(b.now_us)
    b.restart_controller()
    b.until(Online)
    begin = len(b.sent)
    b.to_core = lambda data: b"" if b"\x51" in b.sent[begin:] else data
    b.until(Offline)
    (done,) = b.all(Completed)
    assert (done.volume_ml, done.amount_minor, done.totaliser_ml, done.at_start) == (5_000, 21_895, None, True)
    b.heal()
    b.until(Idle)
    assert b.twin.state is Status.OFF, "the question for the totals has ended it"
    assert b.all(Completed) == [done]


def test_a_pump_that_only_gives_no_totals_after_its_delivery_was_read_is_not_offline() -> None:
    b = bench()
    b.until(Idle)
    deliver(b)
    b.twin.head.hang_up(b.now_us)
    b.restart_controller()
    b.until(Online)
    b.to_core = lambda data: b"" if b.sent[-1] == b"\x51" else data
    done = b.until(Completed)
    assert (done.volume_ml, done.amount_minor, done.totaliser_ml, done.at_start) == (5_000, 21_895, None, True)
    assert not b.all(Offline)


def test_a_pump_that_keeps_a_cleared_delivery_is_read_again_and_lets_go() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.twin._was_read = False  # what the master took for the pump's answer was noise
    b.submit(Clear(done.clear_token))
    again = b.until(Completed)
    assert (again.volume_ml, again.amount_minor, again.totaliser_ml) == (5_000, 21_895, done.totaliser_ml)
    assert again.at_start, "it may be in the books"
    assert "no_leave" in {fault.kind for fault in b.all(LinkFault)}
    b.submit(Clear(again.clear_token))
    b.until(Idle)
    assert b.twin.state is Status.OFF


# --- old boards: from delivering to off, and no word of it --------------------------------------------------


def old(nozzles: int = 1, **more: Any) -> TwoWireBench:
    return bench(nozzles, old_board=True, **more)


def test_an_old_board_tells_its_sale_by_its_totals_and_its_last_transaction() -> None:
    b = old(2)
    b.until(Idle)
    done = sale(b, nozzle=2)
    assert done == Completed(1, 2, 5_000, 21_895, PRICE, 2_005_000, at_start=False, nozzle_told=True)
    b.submit(Clear(1))
    b.run(10)
    assert sale(b, 3_000, nozzle=1).volume_ml == 3_000


def test_where_the_transaction_is_an_older_one_the_totals_say_what_ran() -> None:
    b = old()
    b.until(Idle)
    deliver(b, 7_000)
    b.twin.head.hang_up(b.now_us)
    stale = b.twin._transaction
    b.now_us += 1
    b.twin.receive(b"", b.now_us)
    b.twin._transaction = stale
    done = b.until(Completed)
    assert (done.volume_ml, done.amount_minor, done.price) == (7_000, amount_for(7_000, PRICE, TRY), PRICE)


def test_an_old_board_without_fuel_is_no_sale() -> None:
    b = old()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.hang_up(b.now_us)
    assert b.until(Completed).volume_ml == 0


def test_an_old_board_that_fuelled_unheard_is_not_authorised_again() -> None:
    b = old()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    while Command.AUTHORISE not in b.twin.log:
        b.step()
    b.to_core = lambda _: b""
    b.step()
    b.twin.head.squeeze(3_000, b.now_us)
    b.now_us += 30_000_000
    b.twin.head.hang_up(b.now_us)
    b.now_us += 1
    b.to_core = bytes
    done = b.until(Completed)
    assert (done.volume_ml, b.twin.log.count(Command.AUTHORISE)) == (3_000, 1)


def test_an_old_board_that_ended_while_the_controller_was_away_is_found_by_its_totals() -> None:
    b = old()
    b.until(Idle)
    authorise(b, Authorise((1,)))
    b.twin.head.squeeze(8_000, b.now_us)
    b.restart_controller()
    b.now_us += 60_000_000
    b.twin.head.hang_up(b.now_us)
    b.now_us += 1
    b.until(Idle)
    assert b.told[1:] == [Totals(1, 1_008_000), Idle()]


def test_an_old_board_without_totals_is_believed_its_transaction() -> None:
    b = old(twin={"has_totals": False})
    b.until(Idle)
    done = sale(b)
    assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (5_000, 21_895, None)


def test_where_an_old_boards_totals_were_not_to_be_had_the_next_delivery_is_not_told_with_the_last() -> None:
    b = old()
    b.until(Idle)
    b.to_core = lambda data: b"" if b.sent[-1] == b"\x51" else data
    first = sale(b, 2_000)
    assert (first.volume_ml, first.totaliser_ml) == (2_000, None)
    b.submit(Clear(first.clear_token))
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    b.heal()
    b.twin.head.squeeze(3_000, b.now_us)
    b.run(200)
    b.twin.head.hang_up(b.now_us)
    second = b.until(Completed)
    assert (second.volume_ml, second.totaliser_ml) == (3_000, 1_005_000)


# --- a pump that lets go of a delivery before it was heard twice ------------------------------------------------


def left_early(b: TwoWireBench, monkeypatch: pytest.MonkeyPatch, heard: int, after: bytes = b"") -> Completed:
    """A sale whose transaction was heard so many times when the pump let go of it; from then on it says `after`."""
    b.until(Idle)
    deliver(b)
    b.twin.head.hang_up(b.now_us)
    while b.core.phase is not Phase.FINISHING:
        b.step()
    real, said = b.twin._command, 0

    def command(command: Command, now_us: int) -> bytes:
        nonlocal said
        if command is not Command.TRANSACTION:
            return real(command, now_us)
        if said >= heard:
            b.twin.state = Status.OFF
            return after
        said += 1
        return real(command, now_us)

    monkeypatch.setattr(b.twin, "_command", command)
    return b.until(Completed, 300)


ZEROS = to_master_bytes(Transaction(1, Level.FIRST, 0, 0, 0))


@pytest.mark.parametrize("after", [b"", ZEROS, ZEROS[:-1], b"\x01"])
@pytest.mark.parametrize("heard", [0, 1])
def test_a_pump_that_says_nothing_more_of_its_delivery_once_it_is_off_is_believed_its_totals(
    heard: int, after: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = bench()
    done = left_early(b, monkeypatch, heard, after)
    assert (done.nozzle, done.volume_ml, done.amount_minor) == (1, 5_000, 21_895)
    assert (done.totaliser_ml, done.price) == (1_005_000, PRICE)
    b.submit(Clear(done.clear_token))
    b.until(Idle)
    monkeypatch.undo()
    assert sale(b, 2_000).volume_ml == 2_000


def test_without_totals_what_was_heard_once_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    b = bench(twin={"has_totals": False})
    done = left_early(b, monkeypatch, 1)
    assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (5_000, 21_895, None)
    assert b.core.phase is Phase.HOLDING


def test_without_totals_and_without_a_word_the_lost_delivery_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    b = bench(twin={"has_totals": False})
    done = left_early(b, monkeypatch, 0)
    assert done.volume_ml == 0
    assert "lost_delivery" in [fault.kind for fault in b.all(LinkFault)]


def test_a_pump_that_let_go_while_the_line_was_bad_is_asked_for_its_last_delivery() -> None:
    """It heard the question, its answer was lost, and so was everything for a second; other pumps were spoken to."""
    b = bench()
    b.until(Idle)
    deliver(b)
    b.twin.head.hang_up(b.now_us)
    while Command.TRANSACTION not in b.twin.log:
        b.to_core = lambda data: data if len(data) != TRANSACTION_WORDS else b""
        b.step()
    states = [b.twin.state]
    b.to_core = lambda _: b""
    b.until(Offline)
    b.twin.receive(b"\x02", b.now_us)  # another pump's poll
    assert [*states, b.twin.state] == [Status.FEOT, Status.OFF]
    b.heal()
    done = b.until(Completed)
    assert (done.volume_ml, done.amount_minor, done.totaliser_ml, done.at_start) == (5_000, 21_895, 1_005_000, True)
    b.submit(Clear(done.clear_token))
    b.until(Idle)
    assert len(b.all(Completed)) == 1
    assert sale(b, 2_000).volume_ml == 2_000


@pytest.mark.parametrize("says", ["an older one", "nothing"])
def test_what_such_a_pump_says_counts_only_if_its_totals_say_the_same(says: str) -> None:
    b = bench()
    b.until(Idle)
    first = sale(b, 3_000)
    b.submit(Clear(first.clear_token))
    b.until(Idle)
    older = b.twin._transaction
    deliver(b)
    b.twin.head.hang_up(b.now_us)
    while b.core.phase is not Phase.FINISHING:
        b.step()
    b.to_core = lambda _: b""
    b.until(Offline)
    b.twin.state, b.twin._transaction = Status.OFF, older  # it has forgotten
    b.to_core = lambda data: b"" if says == "nothing" and b.sent[-1] == b"\x41" else data
    b.until(Idle)
    assert len(b.all(Completed)) == 1
    assert b.all(Totals)[-1].totaliser_ml == 1_008_000, "by which the gap is found"


@pytest.mark.parametrize("counted", [0, 1_000], ids=["from the beginning", "in the middle"])
def test_an_old_board_whose_counter_stands_still_is_believed_what_it_showed_while_it_ran(
    counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = old()
    b.until(Idle)
    real = b.twin._totals

    def totals(now_us: int) -> tuple[GradeTotals, ...]:
        return tuple(replace(item, volume=min(item.volume, (1_000_000 + counted) // 10)) for item in real(now_us))

    monkeypatch.setattr(b.twin, "_totals", totals)
    done = sale(b, 5_000)
    assert (done.volume_ml, done.amount_minor, done.totaliser_ml) == (5_000, 21_895, 1_000_000 + counted)


def test_one_word_of_money_that_nobody_fuelled_for_makes_no_sale_of_an_older_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    b = old()
    b.until(Idle)
    b.submit(Clear(sale(b, 5_000).clear_token))
    b.until(Idle)
    b.twin.head.hang_up(b.now_us)
    authorise(b, Authorise((1,)))
    b.to_core = lambda data: to_digits(99, 6) if len(data) == 6 else data
    b.run(10)
    b.heal()
    b.twin.head.hang_up(b.now_us)
    assert b.until(Completed).volume_ml == 0


def jumps(b: TwoWireBench, want_ml: int, by_ml: int, *, hung_up: bool = True) -> Completed:
    """A sale in which the counter jumps."""
    deliver(b, want_ml)
    b.twin.head.jump_totaliser(1, by_ml, b.now_us)
    b.twin.head.hang_up(b.now_us)
    done = b.until(Completed)
    b.submit(Clear(done.clear_token))
    b.until(Idle)
    return done


@pytest.mark.parametrize("by_ml", [700, -700, 9_000_000])
@pytest.mark.parametrize("before_ml", [0, 3_000], ids=["first", "second"])
def test_an_old_board_whose_counter_jumps_in_a_sale_is_believed_its_own_words(by_ml: int, before_ml: int) -> None:
    b = old()
    b.until(Idle)
    b.run(10)
    if before_ml:
        b.submit(Clear(sale(b, before_ml).clear_token))
        b.until(Idle)
    done = jumps(b, 5_000, by_ml)
    assert (done.volume_ml, done.amount_minor) == (5_000, 21_895)
    assert done.totaliser_ml == 1_005_000 + before_ml + by_ml
    assert not b.all(LinkFault)


@pytest.mark.parametrize("says", ["the sale before", "nothing"])
def test_an_old_board_that_does_not_tell_its_sale_is_believed_its_totals(says: str) -> None:
    b = old()
    b.until(Idle)
    b.submit(Clear(sale(b, 3_000).clear_token))
    b.until(Idle)
    before = b.twin._transaction if says == "the sale before" else Transaction(1, Level.FIRST, 0, 0, 0)
    deliver(b, 5_000)
    b.twin.head.hang_up(b.now_us)
    while b.core.phase is not Phase.CHECKING:
        b.step()
    b.twin._transaction = before
    assert b.until(Completed).volume_ml == 5_000


def test_an_old_board_is_asked_for_its_last_delivery_at_rest_and_not_for_ever() -> None:
    b = old()
    b.until(Idle)
    b.run(10)
    asked = b.twin.log.count(Command.TRANSACTION)
    assert asked == 2, "its check sum has four bits"
    b.run(50)
    assert b.twin.log.count(Command.TRANSACTION) == asked
    assert b.core.quiet_turn(b.now_us) is not None
    b.restart_controller()
    b.to_core = lambda data: b"" if b.sent[-1] == b"\x41" else data
    b.until(Idle)
    b.run(100)
    assert b.core.quiet_turn(b.now_us) is not None, "one that does not answer is left alone"


def test_an_old_board_with_a_bad_line_after_its_sale_is_asked_again() -> None:
    """Only blocks have a check sum: five and twenty of them are damaged, one after the other."""
    b = old()
    b.until(Idle)
    b.run(10)
    bad = 25

    def damaged(data: bytes) -> bytes:
        nonlocal bad
        if len(data) < TRANSACTION_WORDS or not bad:
            return data
        bad -= 1
        return data[:-2] + bytes((data[-2] ^ 1, data[-1]))

    b.to_core = damaged
    done = sale(b, 5_000)
    assert (done.volume_ml, done.amount_minor) == (5_000, 21_895)
    b.submit(Clear(done.clear_token))
    b.until(Idle)
    assert bad == 0
    again = sale(b, 2_000)
    assert (again.volume_ml, again.totaliser_ml) == (2_000, 1_007_000)
