"""Torn, silent, slow, forged and copied cards: what a torn card keeps, and that each broken one fools nobody."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from card_io.desfire import commands
from card_io.desfire.channel import Mode
from card_io.reader import CardPresented, CardRefused, CardRemoved, ReaderEvent, ReaderUp
from card_io.tcp import TcpReader
from sim.cards.broken import BREAKS, GarbageCard, ReplayCard, RestoredCard, SlowCard, Tear, TornCard
from sim.cards.card import SimCard
from sim.cards.field import FieldCard, LeftField
from sim.cards.inline import InlineReader
from sim.cards.state import (
    FORMAT,
    FREE,
    NEVER,
    BackupFile,
    CardFileError,
    CardState,
    KeyState,
    MasterKey,
    Rights,
    ValueFile,
    load,
    save,
)
from sim.cards.tcp import TcpReaderDevice
from tests.cards.bench import KEYS, NUMBER, PROFILE, UID, card, identify, listening, seeded, sleep_ms
from tests.cards.purse import (
    BACKUP,
    CYCLIC,
    OPEN,
    RECORD,
    STANDARD,
    START,
    VALUE,
    call,
    ev2,
    purse,
    purse_state,
    run,
    select,
)

CHECKED_IN = b"station 7, pump 2"


def sale(sim: FieldCard) -> None:
    """Select, authenticate, debit, write where and when, write a record, commit, and then a standard file."""
    select(sim)
    channel = ev2(sim, 3)
    call(sim, channel, commands.debit(VALUE, 200, Mode.FULL))
    call(sim, channel, commands.write_data(BACKUP, CHECKED_IN * 5, Mode.FULL))
    call(sim, channel, commands.write_record(CYCLIC, b"R" * RECORD, Mode.FULL))
    run(sim, commands.commit(channel, transaction_mac=False))
    call(sim, channel, commands.write_data(STANDARD, CHECKED_IN, Mode.FULL))


def after_sale(*, standard: bool) -> CardState:
    sim = purse()
    sale(sim)
    if not standard:
        sim.state.applications[0].files[STANDARD] = purse_state().applications[0].files[STANDARD]
    return sim.state


FRAMES = 9  # select, two of the authentication, debit, two of the writing, record, commit, writing


@pytest.mark.parametrize("at", range(1, FRAMES + 1))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_card_torn_anywhere_in_a_sale_holds_all_of_the_commit_or_nothing(at: int, when: str, tmp_path: Path) -> None:
    path = tmp_path / "purse.card"
    save(purse_state(), path)
    sim = SimCard(load(path), seeded(5), lambda state: save(state, path))
    torn = TornCard(sim, Tear.parse(f"{at}:{when}"))
    with pytest.raises(LeftField):
        sale(torn)
    with pytest.raises(LeftField):
        torn.transmit(b"\x60")
    done = at if when == "after" else at - 1
    expected = purse_state() if done < FRAMES - 1 else after_sale(standard=done == FRAMES)
    assert load(path) == expected
    torn.reset()
    assert torn.transmit(b"\x60") is not None, "put back, it is a good card"
    fresh = SimCard(load(path), seeded(5))
    select(fresh)
    value = run(fresh, commands.get_value(ev2(fresh, 3), VALUE, Mode.FULL))
    assert value == (START if done < FRAMES - 1 else START - 200)


def test_a_sale_has_no_more_frames_than_were_torn() -> None:
    sale(TornCard(purse(), Tear(FRAMES + 1, "before")))


@pytest.mark.parametrize("plan", ["commit:before", "commit:after", "commit2:before", "commit2:after"])
def test_a_card_is_torn_at_the_end_of_a_transaction(plan: str) -> None:
    sim = purse()
    torn = TornCard(sim, Tear.parse(plan))
    if "2" in plan:
        sale(torn)
    with pytest.raises(LeftField):
        sale(torn)
    (value,) = (file.value for file in sim.state.applications[0].files.values() if isinstance(file, ValueFile))
    assert value == START - 200 * (("2" in plan) + ("after" in plan))
    torn.reset()
    assert torn.transmit(b"\x60") is not None, "put back, it is a good card"


@pytest.mark.parametrize("text", ["", "7", "7:later", "after:7", "0:after", "-1:before", "commit0:after", ":after"])
def test_a_plan_to_tear_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"7:after|from 1"):
        Tear.parse(text)


def test_a_card_that_only_reads_writes_nothing() -> None:
    kept: list[CardState] = []
    sim = purse(store=kept.append)
    select(sim)
    channel = ev2(sim, 1)
    run(sim, commands.get_value(channel, VALUE, Mode.FULL))
    run(sim, commands.read_data(channel, STANDARD, 10, Mode.FULL))
    assert kept == []


SELLER = """
import sys
from pathlib import Path
from sim.cards.card import SimCard
from sim.cards.state import load, save
from tests.cards.bench import seeded
path = Path(sys.argv[1])
card = SimCard(load(path), seeded(1), lambda state: save(state, path))
card.transmit(bytes.fromhex("5AF50402"))
for sold in range(1, 100_000):
    assert card.transmit(bytes.fromhex("DC0301000000")) == b"\\0"
    assert card.transmit(bytes.fromhex("8D02000000030000") + sold.to_bytes(3, "little")) == b"\\0"
    assert card.transmit(b"\\xc7") == b"\\0"
    print(sold, flush=True)
"""


def test_a_program_killed_at_any_moment_leaves_a_whole_card(tmp_path: Path) -> None:
    path = tmp_path / "purse.card"
    state = purse_state("plain", OPEN)
    state.applications[0].files[VALUE] = ValueFile("plain", OPEN, 0, 100_000, 100_000)
    save(state, path)
    for _ in range(3):
        before = sold(path)
        seller = subprocess.Popen([sys.executable, "-c", SELLER, str(path)], stdout=subprocess.PIPE, text=True)
        assert seller.stdout is not None
        said = [seller.stdout.readline() for _ in range(7)][-1]
        seller.send_signal(signal.SIGKILL)
        rest = seller.communicate()[0].split()
        last = int(rest[-1]) if rest else int(said)
        assert sold(path) - before in (last, last + 1), "all that it said it did, and at most one more"


def sold(path: Path) -> int:
    """What the value and the counter say, which are of one commit."""
    files = load(path).applications[0].files
    value, counter = files[VALUE], files[BACKUP]
    assert isinstance(value, ValueFile)
    assert isinstance(counter, BackupFile)
    assert (int.from_bytes(counter.data[:3], "little") == 0) == (value.value == 100_000)
    return 100_000 - value.value


def test_a_half_written_file_beside_the_card_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "driver.card"
    save(card().state, path)
    (tmp_path / "driver.card.part").write_bytes(b'{"format": 1, "uid"')
    again = load(path)
    assert identify(SimCard(again, seeded(9))).card_number == NUMBER
    save(again, path)
    assert path.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["driver.card"]


FIRST_CARD = b"""{
  "uid": "BKGyw9Tl9g==",
  "kind": "desfire",
  "aid": "9UI/",
  "keys": {"0": "AAECAwQFBgcICQoLDA0ODw==", "1": "AQEBAQEBAQEBAQEBAQEBAQ=="},
  "key_versions": {"0": 3, "1": 3},
  "files": {"1": {"mode": "mac", "read_key": 1, "data": "aGVsbG8="}}
}"""


def test_a_file_of_the_first_simulated_cards_still_loads(tmp_path: Path) -> None:
    path = tmp_path / "first.card"
    path.write_bytes(FIRST_CARD)
    state = load(path)
    assert (state.format, state.uid, state.master) == (FORMAT, UID, MasterKey())
    (application,) = state.applications
    assert application.keys == [KeyState(bytes(range(16)), 3), KeyState(b"\1" * 16, 3)]
    sim = SimCard(state, seeded())
    select(sim, application.aid)
    assert run(sim, commands.read_data(ev2(sim, 1, b"\1" * 16), 1, 5, Mode.MAC)) == b"hello"
    save(state, path)
    assert load(path) == state


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no card, or a broken one"),
        (b"{}", "no card, or a broken one"),
        (b'{"format": 2, "uid": "BKGyw9Tl9g=="}', "has format 2, this program knows 1"),
        (b'{"format": 1, "uid": "BKGyw9Tl"}', "no card, or a broken one"),
        (b'{"format": 1, "uid": "BKGyw9Tl9g==", "master": {"raw": "c2VjcmV0"}}', "no card, or a broken one"),
        (b'{"format": 1, "uid": "BKGyw9Tl9g==", "colour": "red"}', "no card, or a broken one"),
    ],
)
def test_a_broken_file_is_refused_without_its_content(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.card"
    path.write_bytes(content)
    with pytest.raises(CardFileError, match=says) as refusal:
        load(path)
    assert str(path) in str(refusal.value)
    assert "c2VjcmV0" not in str(refusal.value)


def test_an_old_state_put_back_is_an_old_card(tmp_path: Path) -> None:
    path, copy = tmp_path / "purse.card", tmp_path / "copy.card"
    save(purse_state(), path)
    copy.write_bytes(path.read_bytes())
    sale(SimCard(load(path), seeded(5), lambda state: save(state, path)))
    assert load(path) == after_sale(standard=True)
    copy.replace(path)
    assert load(path) == purse_state()


# --- broken cards in a reader


def presented(sim: FieldCard, *, times: int = 1) -> ReaderEvent:
    """What a reader says of the card, at the last of several times."""

    async def look() -> ReaderEvent:
        reader = InlineReader(PROFILE, KEYS, seeded(7))
        events = reader.events()
        assert await anext(events) == ReaderUp()
        for _ in range(times):
            reader.insert(sim)
            event = await anext(events)
        return event

    return asyncio.run(look())


def refusal(sim: FieldCard, *, times: int = 1) -> str:
    event = presented(sim, times=times)
    assert isinstance(event, CardRefused), event
    return event.error_kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("silent", "card_silent"),
        ("wrong-key", "proof_failed"),
        ("cloned", "proof_failed"),
    ],
)
def test_a_broken_card_is_refused_by_its_name(name: str, kind: str) -> None:
    state = card().state
    before = msgspec.json.encode(state)

    def store(changed: CardState) -> None:
        raise AssertionError("a broken card wrote to the good card's file")

    assert refusal(BREAKS[name](state, seeded(3), store)) == kind
    assert msgspec.json.encode(state) == before


def test_garbage_is_never_taken_for_a_card() -> None:
    for seed in range(50):
        event = presented(GarbageCard(card(), seeded(seed)))
        taken = isinstance(event, CardPresented) and event.facts.assurance == "proven"
        assert not taken, seed


def test_a_replayed_session_proves_nothing() -> None:
    assert isinstance(presented(ReplayCard(card())), CardPresented), "the session that it listens to"
    assert refusal(ReplayCard(card()), times=2) == "proof_failed"


def test_a_slow_card_is_a_good_card_that_takes_its_time() -> None:
    slow = SlowCard(card(), 250)
    assert slow.latency_ms == 250
    assert isinstance(presented(slow), CardPresented)


def test_a_restored_purse_never_empties_and_its_counter_tells() -> None:
    restored = RestoredCard(purse_state("plain", OPEN, mac=Rights(FREE, NEVER, NEVER, 0)), seeded(1))
    for _ in range(2):
        restored.reset()
        for frame in ("5AF50402", "DC03F4010000"):
            assert restored.transmit(bytes.fromhex(frame)) == b"\0"
        assert restored.transmit(b"\xc7\x01")[1:5] == b"\1\0\0\0", "the same counter twice: headquarters sees it"


def test_a_torn_card_was_taken_away_too_early() -> None:
    assert refusal(TornCard(card(), Tear(6, "before"))) == "card_removed"
    assert isinstance(presented(TornCard(card(), Tear(6, "after")), times=2), CardPresented)


def test_a_torn_and_a_slow_card_over_tcp() -> None:
    async def run() -> None:
        device = TcpReaderDevice()
        await device.start()
        client = TcpReader(
            "127.0.0.1", device.port, profile=PROFILE, keys=KEYS, random_bytes=seeded(3), sleep=sleep_ms, answer_ms=2000
        )
        try:
            async with listening(client) as events:
                assert await events.next() == ReaderUp()
                device.insert(TornCard(card(), Tear(5, "after")))
                torn = await events.next()
                assert isinstance(torn, CardRefused)
                assert torn.error_kind == "card_removed"
                assert await events.next() == CardRemoved()
                device.insert(SlowCard(card(), 5))
                assert isinstance(await events.next(), CardPresented)
                device.insert(SlowCard(card(), 60_000))
                assert await events.next() == CardRemoved()
        finally:
            await device.stop()

    asyncio.run(run())
