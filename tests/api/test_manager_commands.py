"""`forecourt station allot`, `unreserve` and their kind: words into commands of the desk, a refusal into a sentence."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.commands import station
from controller.domain.desk import (
    Allot,
    Command,
    CommandResult,
    ReleasePurse,
    ResetOdometer,
    SeePlate,
    Snapshot,
    UnlockPin,
    Unreserve,
)
from controller.domain.reasons import CATALOGUE, Reason
from controller.office import pump_commands
from tests.terminal.fake import forecourt, snapshot

CARD = "9001000000000101"


class FakeClient:
    """A station that does what it is told, or refuses all."""

    said: list[Command] = []  # noqa: RUF012  # each test begins with its own
    refuses: Reason | None = None

    def __init__(self, *_: str) -> None:
        pass

    async def snapshots(self) -> AsyncGenerator[Snapshot, None]:
        yield snapshot(forecourt())

    async def command(self, command: Command) -> CommandResult:
        self.said.append(command)
        reason = self.refuses
        if reason is None:
            return CommandResult(command.command_id, done=True)
        return CommandResult(command.command_id, done=False, reason=reason, text=CATALOGUE[reason].attendant)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    monkeypatch.setattr(pump_commands, "StationClient", FakeClient)
    monkeypatch.setattr(FakeClient, "said", [])
    monkeypatch.setattr(FakeClient, "refuses", None)
    return FakeClient


def told(tmp_path: Path, *words: str) -> Result:
    token = tmp_path / "till-1.token"
    token.write_text("a" * 48, encoding="ascii")
    token.chmod(0o600)
    return CliRunner().invoke(station, [*words, "--token-file", str(token)])


def test_money_is_set_apart_in_the_stations_currency(tmp_path: Path, client: type[FakeClient]) -> None:
    result = told(tmp_path, "allot", "50000.5", "--account", "KUZEY", "--id", "2026-11")
    assert result.exit_code == 0, result.output
    assert "50000.5 set apart for KUZEY, as 2026-11" in result.output
    (command,) = client.said
    assert isinstance(command, Allot)
    assert (command.allotment_id, command.amount_minor, command.account) == ("2026-11", 5_000_050, "KUZEY")
    assert told(tmp_path, "allot", "0.001", "--account", "KUZEY", "--id", "x").exit_code == 1


def test_a_pin_is_unlocked_and_a_card_number_is_not_repeated(tmp_path: Path, client: type[FakeClient]) -> None:
    result = told(tmp_path, "unlock-pin", "--card", CARD)
    assert (result.exit_code, CARD in result.output) == (0, False)
    (command,) = client.said
    assert isinstance(command, UnlockPin)
    assert (command.card, command.plate) == (CARD, "")


def test_a_refusal_is_its_sentence(tmp_path: Path, client: type[FakeClient], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "refuses", Reason.ALLOTMENT_INVALID)
    result = told(tmp_path, "allot", "5", "--id", "x")
    assert result.exit_code == 1
    assert CATALOGUE[Reason.ALLOTMENT_INVALID].attendant in result.output


def test_a_release_closes_the_case_of_a_purse_or_says_why_not(
    tmp_path: Path, client: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = told(tmp_path, "release-purse", "5e6e9172b1ec6f52-23/195588/abc")
    assert (result.exit_code, result.output) == (0, "the purse's case is closed\n")
    (command,) = client.said
    assert isinstance(command, ReleasePurse)
    assert command.release == "5e6e9172b1ec6f52-23/195588/abc"
    monkeypatch.setattr(FakeClient, "refuses", Reason.RELEASE_FORGED)
    result = told(tmp_path, "release-purse", "x")
    assert result.exit_code == 1
    assert CATALOGUE[Reason.RELEASE_FORGED].attendant in result.output


def test_an_allotment_may_have_a_last_day(tmp_path: Path, client: type[FakeClient]) -> None:
    told(tmp_path, "allot", "5", "--account", "KUZEY", "--id", "x", "--valid-until", "2026-12-31")
    (command,) = client.said
    assert isinstance(command, Allot)
    assert command.valid_until == "2026-12-31"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("3", "--spent", "88.24"), (3, "", 8_824)),
        (("5e6e9172b1ec6f52-23", "--spent", "0"), (0, "5e6e9172b1ec6f52-23", 0)),
        (("12", "--whole"), (12, "", None)),
    ],
)
def test_what_became_of_a_reservation_is_said(
    tmp_path: Path, client: type[FakeClient], words: tuple[str, ...], said: tuple[int, str, int | None]
) -> None:
    result = told(tmp_path, "unreserve", *words, "--reason", "measured")
    assert result.exit_code == 0, result.output
    (command,) = client.said
    assert isinstance(command, Unreserve)
    assert (command.point, command.row, command.spent_minor) == said
    assert command.reason == "measured"


@pytest.mark.parametrize(
    "words", [("3", "--reason", "x"), ("3", "--spent", "1", "--whole", "--reason", "x"), ("3", "--whole")]
)
def test_half_a_word_about_a_reservation_is_none(
    tmp_path: Path, client: type[FakeClient], words: tuple[str, ...]
) -> None:
    assert told(tmp_path, "unreserve", *words).exit_code == 2
    assert not client.said


def test_an_odometer_is_forgotten(tmp_path: Path, client: type[FakeClient]) -> None:
    assert told(tmp_path, "reset-odometer", "--plate", "34 ABC 123").exit_code == 0
    (command,) = client.said
    assert isinstance(command, ResetOdometer)
    assert (command.card, command.plate) == ("", "34 ABC 123")


def test_a_device_says_which_plate_it_has_read(tmp_path: Path, client: type[FakeClient]) -> None:
    token = tmp_path / "camera-1.token"
    token.write_text("b" * 48, encoding="ascii")
    token.chmod(0o600)
    words = ["see-plate", "4", "16 BCD 401", "--token-file", str(token)]
    result = CliRunner().invoke(pump_commands.pump, words)
    assert (result.exit_code, result.stdout) == (0, "pump 4: the plate was told\n"), result.output
    (command,) = client.said
    assert isinstance(command, SeePlate)
    assert (command.point, command.plate) == (4, "16 BCD 401")
    client.refuses = Reason.DEVICE_ONLY
    result = CliRunner().invoke(pump_commands.pump, words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert CATALOGUE[Reason.DEVICE_ONLY].attendant in result.stderr
