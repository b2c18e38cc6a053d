"""A DART pump's core against its simulated twin: a sale is told once and whole, whatever the line does."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.domain.quantities import CURRENCIES, UnitPrice, amount_for
from controller.pumps.dart import frame as dart
from controller.pumps.dart.frame import State
from controller.pumps.dart.pump import NO_PRICES, PHASES, DartPump, DartSettings, Move, Phase
from controller.pumps.words import (
    Alarm,
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
    PumpEvent,
    Refusal,
    Refused,
    SetPrices,
    Stop,
    Totals,
)
from sim.pumps.dart import STATES, DartTwin, Signal
from sim.pumps.head import HeadNozzle, PumpHead

TRY = CURRENCIES["TRY"]
PRICE = UnitPrice(4379, 2)
RESET = dart.Command(dart.Order.RESET)
AUTHORIZE = dart.Command(dart.Order.AUTHORIZE)
Mangle = Callable[[bytes], bytes]


@dataclass
class Bench:
    """One core and one twin; `to_pump` and `to_core` may lose or spoil what passes."""

    twin: DartTwin
    core: DartPump
    now_us: int = 1_000_000
    to_pump: Mangle = bytes
    to_core: Mangle = bytes
    told: list[PumpEvent] = field(default_factory=list)
    turns: int = 0

    def step(self) -> None:
        turn = self.core.next_turn(self.now_us)
        heard = self.to_pump(turn.data)
        answer = self.twin.receive(heard, self.now_us) if heard else b""
        self.now_us += turn.gap_us + 25_000 + 1_146 * (len(turn.data) + len(answer))
        self.core.received(self.to_core(answer) if turn.window_us else b"", self.now_us)
        self.turns += 1
        self.told += self.core.events()

    def until(self, wanted: type[PumpEvent], turns_max: int = 2_000) -> PumpEvent:
        """Run until an event of this kind comes that was not there before."""
        begin = len(self.told)
        for _ in range(turns_max):
            self.step()
            for event in self.told[begin:]:
                if isinstance(event, wanted):
                    return event
        raise AssertionError(f"no {wanted.__name__} in {turns_max} turns: {self.kinds()} {self.core.phase}")

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.step()

    def submit(self, order: Authorise | Stop | SetPrices | Clear) -> None:
        self.core.submit(order, self.now_us)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.told if not isinstance(event, LinkFault | Fuelling)]

    def restart_controller(self) -> None:
        self.core = DartPump(self.core.settings)
        self.told = []


def bench(nozzles: int = 1, *, overrun_ml: int = 0, **twin_options: bool | int) -> Bench:
    head = PumpHead(
        [HeadNozzle(f"grade {n}", PRICE, 1_000_000 * n) for n in range(1, nozzles + 1)], TRY, overrun_ml=overrun_ml
    )
    settings = DartSettings(0x50, TRY, nozzles=nozzles)
    return Bench(DartTwin(head, settings, **twin_options), DartPump(settings))  # type: ignore[arg-type]


def completed(b: Bench) -> Completed:
    event = b.until(Completed)
    assert isinstance(event, Completed)
    return event


def sale(b: Bench, want_ml: int = 5_000, preset: Preset | None = None, nozzle: int = 1) -> Completed:
    """Call, authorise, fuel, hang up."""
    b.twin.head.lift(nozzle, b.now_us)
    b.until(Calling)
    b.submit(Authorise((nozzle,), preset))
    b.until(Authorised)
    b.twin.head.squeeze(want_ml, b.now_us)
    while b.twin.head.next_change_us(b.now_us) is not None or not b.twin.head.volume_ml(b.now_us):
        b.step()
    b.twin.head.hang_up(b.now_us)
    return completed(b)


def test_a_sale_from_call_to_clear() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.submit(Clear(done.clear_token))
    b.run(2)
    assert b.kinds() == ["Online", "Totals", "Idle", "Calling", "Authorised", "Completed", "Idle"]
    assert b.told[1] == Totals(1, 1_000_000)
    assert done == Completed(1, 1, 5_000, 21_895, PRICE, 1_005_000, at_start=False)
    running = [event.volume_ml for event in b.told if isinstance(event, Fuelling)]
    assert running == sorted(running)
    assert len(running) > 10


def test_the_call_gives_price_and_totaliser_of_the_nozzle_that_was_lifted() -> None:
    b = bench(3)
    b.until(Idle)
    b.twin.head.lift(2, b.now_us)
    assert b.until(Calling) == Calling(2, PRICE, 2_000_000)
    b.twin.head.hang_up(b.now_us)
    b.until(Idle)
    b.twin.head.lift(3, b.now_us)
    assert b.until(Calling) == Calling(3, PRICE, 3_000_000)


@pytest.mark.parametrize(
    ("preset", "volume_ml", "amount_minor"),
    [(Preset(volume_ml=10_000), 10_000, 43_790), (Preset(amount_minor=10_000), 2_280, 10_000)],
)
def test_the_pump_stops_at_its_preset(preset: Preset, volume_ml: int, amount_minor: int) -> None:
    b = bench()
    b.until(Idle)
    done = sale(b, 50_000, preset)
    assert (done.volume_ml, done.amount_minor) == (volume_ml, amount_minor)


def test_at_the_preset_with_the_nozzle_out_the_delivery_is_not_over_yet() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,), Preset(volume_ml=1_000)))
    b.until(Authorised)
    b.twin.head.squeeze(5_000, b.now_us)
    b.run(300)
    assert b.twin.state is State.MAX
    assert "Completed" not in b.kinds()
    b.twin.head.hang_up(b.now_us)
    assert completed(b).volume_ml == 1_000


def test_an_overrun_is_told_as_the_pump_says_it() -> None:
    b = bench(overrun_ml=30)
    b.until(Idle)
    done = sale(b, 50_000, Preset(volume_ml=2_000))
    assert (done.volume_ml, done.amount_minor) == (2_030, amount_for(2_030, PRICE, TRY))


def test_an_order_before_the_nozzle_is_lifted_lets_the_customer_begin_at_once() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Authorise((1,), Preset(amount_minor=5_000)))
    b.until(Authorised)
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(60_000, b.now_us)
    b.run(300)
    b.twin.head.hang_up(b.now_us)
    assert completed(b).amount_minor == 5_000


def test_the_order_of_orders_is_reset_then_nozzles_and_preset_then_authorize() -> None:
    b = bench(2)
    b.until(Idle)
    b.twin.head.lift(2, b.now_us)
    b.until(Calling)
    b.twin.log.clear()
    b.submit(Authorise((2,), Preset(volume_ml=7_000)))
    b.until(Authorised)
    assert [
        i for i in b.twin.log if not isinstance(i, dart.AskTotal) and i != dart.Command(dart.Order.RETURN_STATUS)
    ] == [
        RESET,
        dart.AllowNozzles((2,)),
        dart.PresetVolume(700),
        AUTHORIZE,
    ]


def test_a_pump_that_does_not_send_its_values_is_asked_for_them() -> None:
    b = bench(sends_filling=False)
    b.until(Idle)
    assert sale(b).volume_ml == 5_000
    assert any(isinstance(event, Fuelling) and event.volume_ml for event in b.told)


def test_a_pump_without_totalisers_is_no_obstacle() -> None:
    b = bench(has_totals=False)
    b.until(Idle)
    done = sale(b)
    assert (done.volume_ml, done.totaliser_ml) == (5_000, None)


def test_a_pump_is_never_reset_before_its_delivery_is_cleared() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.twin.log.clear()
    b.submit(Authorise((1,)))
    b.submit(Clear(done.clear_token + 1))
    b.twin.head.lift(1, b.now_us)
    b.run(500)
    assert Refused(Authorise((1,)), Refusal.WRONG_STATE) in b.told
    assert Refused(Clear(done.clear_token + 1), Refusal.WRONG_STATE) in b.told
    assert RESET not in b.twin.log
    b.submit(Clear(done.clear_token))
    b.until(Calling)


def test_after_the_clear_the_display_stands_for_a_while() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.twin.log.clear()
    b.submit(Clear(done.clear_token))
    cleared_us = b.now_us
    assert b.core.quiet_turn(b.now_us) is None
    while RESET not in b.twin.log:
        b.step()
    assert b.now_us - cleared_us >= 10_000_000
    b.run(5)
    assert b.core.quiet_turn(b.now_us) is not None


def test_a_lifted_nozzle_ends_the_display_at_once() -> None:
    b = bench()
    b.until(Idle)
    done = sale(b)
    b.submit(Clear(done.clear_token))
    b.run(3)
    lifted_us = b.now_us
    b.twin.head.lift(1, lifted_us)
    b.until(Calling)
    assert b.twin.state is State.RESET
    assert b.now_us - lifted_us < 2_000_000


def test_hanging_up_without_a_drop_is_no_sale_and_wants_its_clear() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    b.twin.head.hang_up(b.now_us)
    done = completed(b)
    assert (done.volume_ml, done.amount_minor) == (0, 0)


def test_a_stop_ends_the_delivery_with_the_nozzle_still_out() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    b.twin.head.squeeze(50_000, b.now_us)
    b.run(40)
    b.submit(Stop())
    urgent = [b.core.urgent]
    done = completed(b)
    assert 0 < done.volume_ml < 50_000
    urgent.append(b.core.urgent)
    assert urgent == [True, False]
    assert not any(isinstance(event, Refused) for event in b.told)
    b.submit(Clear(done.clear_token))
    b.until(Calling)


def test_a_stop_at_rest_is_sent_all_the_same_and_done() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Stop())
    b.run(40)
    assert dart.Command(dart.Order.STOP) in b.twin.log
    assert not b.core.busy
    assert not any(isinstance(event, Refused) for event in b.told)


def test_a_stop_calls_off_an_order_that_is_under_way() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Authorise((1,)))
    b.submit(Stop())
    b.run(60)
    assert Refused(Authorise((1,)), Refusal.WRONG_STATE) in b.told
    assert b.twin.state is State.RESET
    assert AUTHORIZE not in b.twin.log


def test_new_prices_wait_until_the_pump_is_idle() -> None:
    b = bench(2)
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    prices = SetPrices((UnitPrice(45, 0), UnitPrice(47_100, 3)))
    b.submit(prices)
    b.run(30)
    assert b.twin.head.price(1) == PRICE
    b.twin.head.hang_up(b.now_us)
    b.until(Idle)
    b.run(30)
    assert [b.twin.head.price(n) for n in (1, 2)] == [UnitPrice(4500, 2), UnitPrice(4710, 2)]
    assert not any(isinstance(event, Refused) for event in b.told)
    assert b.core.quiet_turn(b.now_us) is not None


@pytest.mark.parametrize("prices", [(), (PRICE, PRICE), (UnitPrice(43_795, 3),), (UnitPrice(10_000, 0),)])
def test_prices_that_the_pump_cannot_show_are_refused(prices: tuple[UnitPrice, ...]) -> None:
    b = bench()
    b.until(Idle)
    b.submit(SetPrices(prices))
    b.step()
    assert Refused(SetPrices(prices), Refusal.UNSUPPORTED) in b.told


def test_a_pump_without_prices_says_so_and_works_once_it_has_them() -> None:
    b = bench(programmed=False)
    alarm = b.until(Alarm)
    assert isinstance(alarm, Alarm)
    assert alarm.code == NO_PRICES
    b.submit(Authorise((1,)))
    b.submit(SetPrices((PRICE,)))
    done = completed(b)
    assert Refused(Authorise((1,)), Refusal.WRONG_STATE) in b.told
    assert done.volume_ml == 0
    b.submit(Clear(done.clear_token))
    b.run(200)
    assert sale(b).volume_ml == 5_000


def test_a_silent_pump_is_offline_and_orders_to_it_are_refused() -> None:
    b = bench()
    b.until(Idle)
    b.to_core = lambda _: b""
    b.until(Offline)
    for order in (Authorise((1,)), Stop(), SetPrices((PRICE,)), Clear(1)):
        b.submit(order)
        assert b.core.events() == [Refused(order, Refusal.OFFLINE)]
    b.to_core = bytes
    b.until(Online)
    b.run(20)
    assert b.kinds().count("Offline") == 1
    assert isinstance(b.told[-1], Idle)


def test_a_delivery_that_ended_while_the_controller_was_away_is_found_at_start() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    b.twin.head.squeeze(8_000, b.now_us)
    b.restart_controller()
    b.now_us += 60_000_000
    b.twin.head.hang_up(b.now_us)
    b.twin.log.clear()
    b.now_us += 60_000_000
    done = completed(b)
    assert done.at_start
    assert (done.volume_ml, done.totaliser_ml) == (8_000, 1_008_000)
    b.run(300)
    assert RESET not in b.twin.log
    assert b.kinds() == ["Online", "Completed"]


def test_a_delivery_that_still_runs_at_start_goes_on_to_its_end() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    b.twin.head.squeeze(20_000, b.now_us)
    b.run(20)
    b.restart_controller()
    b.until(Fuelling)
    b.twin.head.hang_up(b.now_us)
    done = completed(b)
    assert not done.at_start
    assert done.volume_ml == b.twin.head.volume_ml(b.now_us) // 10 * 10
    assert b.kinds() == ["Online", "Completed"]


def test_an_authorised_pump_at_start_is_told_as_authorised() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Authorise((1,)))
    b.until(Authorised)
    b.restart_controller()
    b.until(Authorised)
    assert b.kinds() == ["Online", "Authorised"]


def test_an_order_that_the_pump_ignores_is_not_confirmed_and_the_pump_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    b = bench()
    b.until(Idle)
    monkeypatch.delitem(STATES, (State.RESET, Signal.AUTHORIZE))
    b.submit(Authorise((1,)))
    assert b.until(Refused) == Refused(Authorise((1,)), Refusal.NOT_CONFIRMED)
    b.run(60)
    assert dart.Command(dart.Order.STOP) in b.twin.log


def test_a_pump_that_restarts_after_it_fuelled_never_gets_the_order_again() -> None:
    b = bench()
    b.until(Idle)
    b.submit(Authorise((1,)))
    while AUTHORIZE not in b.twin.log:
        b.step()
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(3_000, b.now_us)
    b.now_us += 30_000_000
    b.twin.head.hang_up(b.now_us)
    b.now_us += 1_000_000
    b.twin.receive(b"", b.now_us)
    b.twin.state = State.RESET  # it forgot
    b.twin.power_cycle()
    b.run(500)
    assert b.twin.log.count(AUTHORIZE) == 1


@pytest.mark.parametrize("code", [0x01, 0x09, 0x0F, 0x77])
def test_an_alarm_is_told_in_words(code: int) -> None:
    b = bench()
    b.until(Idle)
    b.twin.alarm(code)
    alarm = b.until(Alarm)
    assert isinstance(alarm, Alarm)
    assert alarm.code == code
    assert alarm.text


def lossy(chance: random.Random, percent: int) -> Mangle:
    """Lose, cut, spoil or double what passes."""

    def mangle(data: bytes) -> bytes:
        if not data or chance.randrange(100) >= percent:
            return data
        match chance.randrange(4):
            case 0:
                return b""
            case 1:
                return data[: chance.randrange(len(data))]
            case 2:
                spoilt = bytearray(data)
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
                # What parity would have caught: a short frame has no other check.
                return bytes(spoilt) if len(data) > 3 else b""
            case _:
                return data + data

    return mangle


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("percent", [5, 20])
def test_on_a_bad_line_each_sale_is_told_once_with_the_pumps_own_values(seed: int, percent: int) -> None:
    b = bench(2, wrap_to=seed % 2)
    chance = random.Random(seed)
    b.to_pump, b.to_core = lossy(chance, percent), lossy(chance, percent)
    b.until(Online)
    for number in range(3):
        b.to_pump, b.to_core = lossy(chance, percent), lossy(chance, percent)
        nozzle = chance.randrange(2) + 1
        before = b.twin.head.totaliser_ml(nozzle, b.now_us)
        b.twin.head.lift(nozzle, b.now_us)
        for _ in range(50):
            b.submit(Authorise((1, 2)))
            b.run(80)
            if b.core.phase in (Phase.ALLOWED, Phase.FUELLING):
                break
            if b.core.phase is Phase.HOLDING:  # it was stopped when its order was not confirmed
                done = next(event for event in reversed(b.told) if isinstance(event, Completed))
                b.submit(Clear(done.clear_token))
                b.run(10)
        b.twin.head.squeeze(2_000 + 500 * number, b.now_us)
        b.run(150)
        told = len(b.told)
        b.twin.head.hang_up(b.now_us)
        b.run(400)
        sold = b.twin.head.totaliser_ml(nozzle, b.now_us) - before
        said = {
            (event.nozzle, event.volume_ml, event.totaliser_ml)
            for event in b.told[told:]
            if isinstance(event, Completed)
        }
        assert sold == 2_000 + 500 * number
        assert {(n, volume) for n, volume, _ in said} == {(nozzle, sold)}
        b.to_pump = b.to_core = bytes
        for _ in range(30):
            if b.core.phase is Phase.HOLDING:
                break
            b.run(10)
        done = next(event for event in reversed(b.told) if isinstance(event, Completed))
        b.submit(Clear(done.clear_token))
        b.run(300)
        assert b.core.phase is Phase.READY


def test_hanging_up_at_the_moment_of_the_order_leaves_the_valve_shut() -> None:
    b = bench()
    b.until(Idle)
    b.twin.head.lift(1, b.now_us)
    b.until(Calling)
    b.submit(Authorise((1,)))
    while b.core.phase is not Phase.AUTHORISING:
        b.step()
    while b.core.owes_turn:
        b.step()
    b.twin.head.hang_up(b.now_us)
    b.step()
    b.twin.head.lift(1, b.now_us)
    b.twin.head.squeeze(1_000, b.now_us)
    assert completed(b).volume_ml == 0
    b.run(50)
    assert b.twin.head.volume_ml(b.now_us) == 0


# --- the tables, walked whole -------------------------------------------------------------------------------


def test_the_table_has_a_move_for_every_status_in_every_phase() -> None:
    assert set(PHASES) == set(Phase) - {Phase.AWAY}
    assert all(set(row) == set(State) for row in PHASES.values())


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("out", [True, False])
def test_every_move_of_the_table_ends_where_it_says(phase: Phase, state: State, *, out: bool) -> None:
    b = bench()
    b.until(Idle)
    b.run(3)
    core = b.core
    core.phase = phase
    if phase is Phase.ASKING:
        core._fresh_status = core._fresh_nozzle = True
    if phase in (Phase.RESETTING, Phase.AUTHORISING):
        core._order = Authorise((1,))
    core._state = state
    core._out = out
    core._status_came(b.now_us)
    move = PHASES[phase][state]
    if move is Move.MAXED:
        move = Move.FUEL if out else Move.FINISH
    ends = {
        Move.REST: Phase.READY,
        Move.ALLOW: Phase.ALLOWED,
        Move.FUEL: Phase.FUELLING,
        Move.FINISH: Phase.FINISHING,
        Move.GO: Phase.RESETTING,  # only a RESET that was asked for counts
        Move.STAY: phase,
    }
    assert core.phase is ends[move]


@pytest.mark.parametrize("state", State)
def test_a_pump_that_holds_a_delivery_is_never_moved_on_but_by_clear(state: State) -> None:
    assert PHASES[Phase.HOLDING][state] is Move.STAY


def test_every_transition_of_the_twin_is_of_known_states() -> None:
    assert {state for state, _ in STATES} <= set(State)
    assert STATES[State.FILLING, Signal.STOP] is State.COMPLETED
    assert (State.COMPLETED, Signal.AUTHORIZE) not in STATES


def test_a_dong_pump_counts_in_thousands() -> None:
    settings = DartSettings(0x50, CURRENCIES["VND"], volume_decimals=3, amount_decimals=-3, price_decimals=-3)
    assert settings.amount_minor(115) == 115_000
    assert settings.price(23) == UnitPrice(23, -3)
    assert settings.price_digits(UnitPrice(23_000, 0)) == 23
    assert settings.price_digits(UnitPrice(23_500, 0)) is None
    assert settings.preset(Preset(amount_minor=115_900)) == dart.PresetAmount(115)
    assert settings.preset(Preset(amount_minor=900)) is None


@pytest.mark.parametrize(
    "wrong",
    [{"address": 0x4F}, {"nozzles": 0}, {"volume_decimals": 4}, {"amount_decimals": 3}],
)
def test_settings_that_cannot_be_are_refused_with_a_sentence(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\w+"):
        DartSettings(**{"address": 0x50, "currency": TRY, **wrong})  # type: ignore[arg-type]
