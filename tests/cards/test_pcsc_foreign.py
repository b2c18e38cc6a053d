"""The simulated card as other programs find it: `forecourt sim card` in the real pcscd's virtual reader, with
opensc-tool and python-desfire (through pyscard) as its readers.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sim.cards.make import new_state
from sim.cards.state import StandardFile, ValueFile, load, save
from tests.cards.bench import DEADLINE_S, UID
from tests.cards.foreign import AID, DONE, MASTER, READER, SECRET
from tests.cards.pcscd import READER as VIRTUAL_READER
from tests.cards.pcscd import PrivatePcscd
from tests.cards.purse import OPEN, START, VALUE, purse_state

ROOT = Path(__file__).parents[2]


@contextmanager
def in_reader(path: Path, pcscd: PrivatePcscd, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`forecourt sim card FILE.card --vpcd PORT`, until the block ends, in the reader when it begins."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "forecourt", "sim", "card", str(path), "--vpcd", str(pcscd.port), *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        heard(process, f"is in the reader at 127.0.0.1:{pcscd.port}")
        pcscd.wait_for_card()
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def heard(process: subprocess.Popen[str], says: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().rstrip() == f"{UID.hex().upper()} {says}"


def foreign(pcscd: PrivatePcscd, *words: str) -> str:
    """What another program says, its errors with it."""
    done = subprocess.run(
        words,
        env=pcscd.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.stdout


def opensc(pcscd: PrivatePcscd, *words: str) -> str:
    """Without its search for what it knows: it would ask the card many questions of its own."""
    return foreign(pcscd, "opensc-tool", "--reader", VIRTUAL_READER, "--card-driver", "default", *words)


def exchange(pcscd: PrivatePcscd, *frames: str) -> list[str]:
    """The answers that opensc-tool prints, hexadecimal digits with the status at their end."""
    said = opensc(pcscd, *(word for frame in frames for word in ("-s", frame)))
    answers = re.findall(r"Received \(SW1=0x(..), SW2=0x(..)\)[.:]?\n((?:(?:[0-9A-F]{2} )+.*\n)*)", said)
    assert answers, said
    return ["".join(re.findall(r"\b[0-9A-F]{2}(?= )", data)) + first + second for first, second, data in answers]


def test_opensc_tool_finds_a_card(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    path = tmp_path / "purse.card"
    save(purse_state("plain", OPEN), path)
    with in_reader(path, pcscd) as process:
        assert opensc(pcscd, "-a").strip() == "3b:81:80:01:80:80"
        frames = {
            "FFCA000000": UID.hex().upper() + "9000",
            "906A000000": "F504029100",
            "905A000003F5040200": "9100",
            "906C0000010300": START.to_bytes(4, "little").hex().upper() + "9100",
            "90DC000005036400000000": "9100",
            "90C7000000": "9100",
        }
        assert exchange(pcscd, *frames) == list(frames.values())
        process.send_signal(signal.SIGTERM)
        heard(process, "is taken away")
        assert process.wait(DEADLINE_S) == 0
    assert value_of(path) == START - 100


def value_of(path: Path) -> int:
    file = load(path).applications[0].files[VALUE]
    assert isinstance(file, ValueFile)
    return file.value


def test_a_foreign_library_personalises_a_card_through_pcscd(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    path = tmp_path / "new.card"
    save(new_state(UID), path)
    with in_reader(path, pcscd):
        said = foreign(pcscd, sys.executable, "-m", "tests.cards.foreign", VIRTUAL_READER, UID.hex())
        assert said.rstrip().endswith(DONE), said
    state = load(path)
    (application,) = state.applications
    assert (application.aid.hex().upper(), state.master.raw) == (AID, MASTER)
    assert application.keys[1].raw == READER
    file = application.files[2]
    assert isinstance(file, StandardFile)
    assert file.data == bytes(SECRET)


def test_the_card_comes_back_with_pcscd_and_is_torn_as_planned(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    path = tmp_path / "purse.card"
    save(purse_state("plain", OPEN), path)
    with in_reader(path, pcscd, "--tear", "3:after") as process:
        pcscd.kill()
        heard(process, f"waits: no virtual reader listens at 127.0.0.1:{pcscd.port}; is pcscd running, with vpcd?")
        pcscd.start()
        heard(process, f"is in the reader at 127.0.0.1:{pcscd.port}")
        pcscd.wait_for_card()
        assert exchange(pcscd, "905A000003F5040200", "90DC000005036400000000", "90C7000000") == ["9100", "9100"]
        heard(process, "is torn out of the reader")
        assert process.wait(DEADLINE_S) == 0
    assert value_of(path) == START - 100, "the commit happened, its answer was lost"
