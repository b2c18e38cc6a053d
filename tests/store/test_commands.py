"""`forecourt journal show | verify | export | erase`: what people get to see, and what goes for ever."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.domain.records import Record, Stopped
from controller.office.journal_commands import KINDS, journal
from controller.office.journal_text import COLUMNS
from controller.store.journal import Journal
from controller.store.sealing import ERASED
from tests.domain.rows import STAMP, delivery
from tests.store.kept import CAR, CARD, CARD_NUMBER, PLATE, ROWS, SECRET, WALL_MS, make
from tests.store.rows import open_journal
from tests.store.test_kept import DATA

TOML = """
[station]
id = "TR-0001"
name = "Test"
currency = "TRY"
time_zone = "Europe/Istanbul"

[[tills]]
id = "till-1"
token_file = "till.token"

[[grades]]
code = "diesel"
name = "Diesel"
price = "43.79"

[[lines]]
name = "a"
port = "pump"
protocol = "dart"

[[points]]
number = 1
line = "a"
address = 0x50
nozzles = ["diesel"]
"""
Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "station.toml").write_text(TOML)
    (tmp_path / "keys").mkdir(mode=0o700)
    key = tmp_path / "keys" / "list.key"
    key.write_text(SECRET.hex())
    key.chmod(0o600)
    (tmp_path / "data").mkdir()
    make(tmp_path / "data" / "journal.db")
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    def run(command: str, *words: str) -> Result:
        return CliRunner().invoke(journal, [command, "--config", str(folder / "station.toml"), *words])

    return run


def seqs(result: Result) -> list[int]:
    assert result.exit_code == 0, result.output
    return [int(json.loads(line)["row"].rpartition("-")[2]) for line in result.stdout.splitlines()]


def test_show_prints_every_row_with_both_clocks_and_what_the_clock_was_worth(run: Run) -> None:
    result = run("show")
    assert seqs(result) == list(range(1, len(ROWS) + 1))
    row = json.loads(result.stdout.splitlines()[4])
    assert (row["kind"], row["volume_ml"], row["authorised"]) == ("delivery", 10_000, b"kept-one".hex() + "-4")
    assert row["token"] == {"kind": "card", "key": CARD.key.hex(), "shown": CARD.shown, "assurance": "proven"}
    assert (row["at_ms"], row["boot"], row["mono_ms"]) == (WALL_MS + 5_000, b"boot-one".hex(), 5)
    assert row["clock"] == "synchronised"


def test_no_field_of_a_record_hides_what_every_row_has() -> None:
    own = {"row", "kind", "at_ms", "clock", "boot", "mono_ms", "at", "names", "all", "token_key", "token_kind"}
    assert not own & {name for kind in Record.__args__ for name in kind.__struct_fields__}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--kind", "delivery"], [5, 10, 18]),
        (["--kind", "delivery", "--kind", "settlement"], [5, 6, 10, 18]),
        (["--pump", "1"], [2, 3, 4, 5, 6, 14, 15, 18, 19]),
        (["--pump", "2"], [7, 8, 9, 10, 11, 17]),
        (["--card", CARD_NUMBER], [4, 5, 6]),
        (["--card", "7821 0000 0000 0012"], [4, 5, 6]),
        (["--plate", PLATE], [3, 7, 8, 18, 19]),
        (["--plate", "34abc123", "--pump", "2"], [7, 8]),
        (["--plate", PLATE, "--kind", "released"], [8]),
        (["--card", "7821000000000099"], []),
        (["--last", "3"], [17, 18, 19]),
        (["--from", "2026-09-21T17:13:35", "--to", "2026-09-21T17:13:38"], [15, 16, 17]),
        (["--from", "2026-09-22"], []),
        (["--to", "2026-09-22", "--kind", "alarm"], [17]),
        (["--from", "2026-09-21T14:13:35+00:00", "--kind", "alarm"], [17]),
    ],
)
def test_rows_are_chosen(run: Run, words: list[str], expected: list[int]) -> None:
    assert seqs(run("show", *words)) == expected
    assert seqs(run("export", *words)) == expected


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--card", "12"], "a card number has 8 to 19 digits"),
        (["--plate", "?"], "is not a plate"),
        (["--card", CARD_NUMBER, "--plate", PLATE], "ask for one of them"),
        (["--from", "yesterday"], "'yesterday' is no time: write 2026-03-01"),
    ],
)
def test_what_cannot_be_asked_is_said(run: Run, words: list[str], says: str) -> None:
    result = run("show", *words)
    assert result.exit_code == 1
    assert says in result.stderr
    assert not result.stdout


def test_every_kind_may_be_asked_for_and_no_other(run: Run) -> None:
    assert "settlement" in KINDS
    assert len(KINDS) == len(Record.__args__)
    assert run("show", "--kind", "sale").exit_code == 2


def test_a_table_has_a_line_for_each_row_and_every_field_in_its_last_column(run: Run, folder: Path) -> None:
    target = folder / "rows.csv"
    result = run("export", "--format", "csv", "--output", str(target))
    assert result.exit_code == 0
    assert result.stderr == f"{len(ROWS)} rows\n"
    table = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"), newline="")))
    assert len(table) == len(ROWS)
    assert tuple(table[0]) == COLUMNS
    row = table[4]
    assert (row["kind"], row["volume_ml"], row["token"], row["account"]) == ("delivery", "10000", CARD.shown, "KUZEY")
    assert row["at"] == "2026-09-21T17:13:25+03:00"
    assert row["names"] == table[3]["row"]
    assert table[5]["names"] == row["row"]
    assert json.loads(row["all"])["totaliser_after_ml"] == 110_000


def test_a_text_that_a_spreadsheet_would_run_is_only_a_text(run: Run, folder: Path) -> None:
    store = open_journal(folder / "data" / "journal.db", b"epoch--3")
    evil = delivery(token=CARD)
    store.append(
        [type(evil)(**{name: getattr(evil, name) for name in evil.__struct_fields__} | {"account": "=A1"})], STAMP
    )
    store.close()
    assert ",'=A1," in run("export", "--format", "csv", "--last", "1").stdout


def test_an_export_that_fails_leaves_the_file_of_before(run: Run, folder: Path) -> None:
    target = folder / "rows.jsonl"
    target.write_text("of before")
    store = Journal(folder / "data" / "journal.db")
    store._db.execute("UPDATE rows SET body = x'c1' WHERE seq = 9")
    store.close()
    result = run("export", "--output", str(target))
    assert result.exit_code == 1
    assert "row 9" in result.stderr
    assert target.read_text() == "of before"


def test_verify_counts_the_rows_and_finds_the_one_that_is_wrong(run: Run, folder: Path) -> None:
    assert f"{len(ROWS)} rows, each follows the one before it" in run("verify").stdout
    store = Journal(folder / "data" / "journal.db")
    store._db.execute("UPDATE rows SET hash = zeroblob(32) WHERE seq = 9")
    store.close()
    result = run("verify")
    assert result.exit_code == 1
    assert "row 9" in result.stderr


def test_a_running_stations_journal_is_shown_verified_and_exported(run: Run, folder: Path) -> None:
    running = open_journal(folder / "data" / "journal.db", b"epoch--3")
    running.append([Stopped("x")], STAMP)
    assert seqs(run("show", "--last", "2")) == [19, 20]
    assert seqs(run("export")) == list(range(1, 21))
    assert "20 rows" in run("verify").stdout
    running.append([Stopped("y")], STAMP)
    assert seqs(run("show", "--last", "1")) == [21]
    running.close()


@pytest.mark.parametrize(
    ("subject", "token", "rows"),
    [(CARD_NUMBER, CARD, 2), ("34-abc-123", CAR, 3), (f"key:{CARD.key.hex()}", CARD, 2)],
)
def test_erase_leaves_nothing_to_show_and_the_chain_whole(
    run: Run, folder: Path, subject: str, token: object, rows: int
) -> None:
    assert token in (CARD, CAR)
    shown = CARD.shown if token == CARD else CAR.shown
    checkpoint = folder / "data" / "journal.checkpoint"
    checkpoint.write_text(f"it shows {shown}")
    before = run("verify").stdout
    assert shown in run("show").stdout
    result = run("erase", "--subject", subject)
    assert result.exit_code == 0, result.output
    assert f"{rows} rows show nothing of it any more. The chain is whole" in result.stdout
    assert "before there were seals" not in result.stdout
    after = run("show").stdout
    assert shown not in after
    assert after.count(f'"{ERASED}"') == rows
    assert run("verify").stdout == before, "not a byte of the chain is another"
    assert not checkpoint.exists()
    again = run("erase", "--subject", subject)
    assert again.exit_code == 0
    assert f"{rows} rows" in again.stdout
    assert seqs(run("show", "--card", CARD_NUMBER)) == [4, 5, 6], "they are still found by who knows the number"


def test_what_was_written_before_there_were_seals_is_said_to_stay(run: Run, folder: Path) -> None:
    shutil.copy(DATA / "journal-1.db", folder / "data" / "journal.db")
    result = run("erase", "--subject", CARD_NUMBER)
    assert "0 rows show nothing" in result.stdout
    assert "2 rows of before there were seals show it masked" in result.stdout


def test_of_whom_nothing_is_written_nothing_is_erased(run: Run) -> None:
    result = run("erase", "--subject", "06 XYZ 77")
    assert result.exit_code == 0
    assert result.stdout.startswith("0 rows show nothing")


def test_a_running_station_is_stopped_before_somebody_is_erased(run: Run, folder: Path) -> None:
    running = open_journal(folder / "data" / "journal.db", b"epoch--3")
    result = run("erase", "--subject", CARD_NUMBER)
    assert result.exit_code == 1
    assert "Stop the other one first, erase, and start it again" in result.stderr
    assert CARD.shown in run("show").stdout
    running.close()


@pytest.mark.parametrize("subject", ["key:", "key:xyz", "key:00", "123", "?", ""])
def test_a_subject_that_is_none_is_said(run: Run, subject: str) -> None:
    result = run("erase", "--subject", subject)
    assert result.exit_code == 1
    assert result.stderr
    assert len(result.stderr) < 200


def test_a_station_without_a_journal_is_said(run: Run, folder: Path) -> None:
    (folder / "data" / "journal.db").unlink()
    for command in ("show", "verify", "export"):
        result = run(command)
        assert result.exit_code == 1
        assert "there is no journal yet" in result.stderr
