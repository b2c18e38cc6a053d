"""What a demonstration does with programs that do not do what they should: it says so, and leaves none behind."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim import backstage
from sim.backstage import LOGS, Backstage, BackstageError, Cast

CAST = Cast(seed=1, tempo="easy", served=0, questions=False, flow_ml_per_s=600)
SOON_S = 1.0
DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("what it says", file=sys.stderr, flush=True)
print("ready" if "ready" in sys.argv else "starting", flush=True)
time.sleep(600)
"""


class Troubled(Backstage):
    """Its programs are Python of the test's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, CAST)
        (folder / LOGS).mkdir(parents=True)

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-S", "-c", *words]

    def begins(self, *words: str) -> subprocess.Popen[str]:
        self._spawn("bench", *words)
        return self._processes["bench"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Troubled]:
    troubled = Troubled(tmp_path / "house")
    with troubled:
        yield troubled


def test_a_program_that_is_never_ready_is_said_and_ended(house: Troubled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backstage, "READY_WAIT_S", SOON_S)
    process = house.begins(DEAF)
    with pytest.raises(BackstageError, match=r"the bench was not ready within 1\.0 s"):
        house._await_ready("bench")
    assert process.poll() is not None


def test_a_program_that_ends_before_it_is_ready_is_said_with_its_last_words(house: Troubled) -> None:
    house.begins("import sys; sys.exit('no such port')")
    with pytest.raises(BackstageError, match="the bench ended with code 1:\nno such port"):
        house._await_ready("bench")


def test_a_command_that_hangs_is_said_with_the_others(house: Troubled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backstage, "READY_WAIT_S", SOON_S)
    with pytest.raises(BackstageError) as caught:
        house._run_together((DEAF,), ("import sys; sys.exit('no such card')",), ("pass",))
    assert "it did not end within 1.0 s" in str(caught.value)
    assert str(caught.value).endswith("no such card")


def test_a_program_that_does_not_listen_is_ended_by_force(house: Troubled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backstage, "END_WAIT_S", SOON_S)
    process = house.begins(DEAF, "ready")
    house._await_ready("bench")
    with pytest.raises(subprocess.TimeoutExpired):
        house._end_one("bench")
    house.end()
    assert process.poll() is not None
