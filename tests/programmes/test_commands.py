"""forecourt programme: list, show, check, lab."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.office.programme_commands import programme
from controller.programme_files import SHIPPED

AT = "2026-01-05T10:00:00+03:00"
ENROL = {"at": AT, "type": "member.enrol", "ref": "e1", "member": "M1", "kind": "person", "consents": []}
CARD = {"at": AT, "type": "card.issue", "ref": "e2", "holder": "M1", "card": "K1"}
SALE = {
    "at": AT,
    "type": "sale",
    "ref": "e3",
    "card": "K1",
    "product": "diesel",
    "volume_ml": 28_000,
    "amount_minor": 123_450,
    "tenders": [{"kind": "cash", "amount_minor": 123_450}],
    "station": "S1",
}
LINES = "".join(json.dumps(event) + "\n" for event in (ENROL, CARD, SALE))


def run(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(programme, list(words), input=given)


def test_list_names_the_five() -> None:
    shown = run("list").stdout
    assert [line.split()[0] for line in shown.splitlines()] == list(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_show_prints_is_a_good_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(run("show", name).stdout, encoding="utf-8")
    checked = run("check", str(file))
    assert checked.exit_code == 0, checked.stderr
    assert name in checked.stdout
    assert run("show", str(file)).stdout == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("basis_points = 50", 'basis_points = "50"', "earn[0].basis_points: expected int, got str"),
        ("basis_points = 50", "basis_points = 0", "earn[0].basis_points: 0: expected 1 to 10000"),
        ("basis_points = 50", "basispoints = 50", "earn[0].basispoints: there is no such key"),
        ('currency = "TRY"', 'currency = "XXX"', "programme.currency: 'XXX': expected one of"),
        ('zone = "Europe/Istanbul"', 'zone = "Istanbul"', "programme.zone: 'Istanbul': expected a name"),
        ('purse = "petrol"', 'purse = "diesel"', "earn[0].purse: 'diesel': expected the name of a purse"),
        ('products = ["autogas"]', 'products = ["diesel"]', "purse: diesel is in"),
        ("[programme]", "[program]", "program: there is no such key"),
        ("from = 2015-06-10", "from = 2015-06-10\nuntil = 2015-06-10", "stage[0].until"),
        ("[programme]", "[programme", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_file_key_and_what_was_expected(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(run("show", "opet-kart").stdout.replace(old, new), encoding="utf-8")
    for words in (["check", str(file)], ["lab", str(file), "-"], ["show", str(file)]):
        refused = run(*words, given="")
        assert refused.exit_code == 2
        assert refused.stdout == ""
        assert refused.stderr.startswith(f"{file}: ")
        assert says in refused.stderr


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    missing = run("lab", str(tmp_path / "none.toml"), "-", given="")
    assert missing.exit_code == 2
    assert "No such file" in missing.stderr
    assert "opet-kart" in missing.stderr
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    assert "not UTF-8" in run("check", str(tmp_path / "bad.toml")).stderr
    events = run("lab", "opet-kart", str(tmp_path / "none.jsonl"))
    assert (events.exit_code, events.stdout) == (2, "")
    assert "none.jsonl cannot be read" in events.stderr


def test_the_laboratory_answers_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(LINES, encoding="utf-8")
    answered = run("lab", "opet-kart", str(file))
    assert (answered.exit_code, answered.stderr) == (0, "")
    answers = [json.loads(line) for line in answered.stdout.splitlines()]
    assert [answer["ref"] for answer in answers] == ["e1", "e2", "e3"]
    assert answers[2]["balances"]["points:M1:petrol"] == 617
    assert run("lab", "opet-kart", "-", given=LINES).stdout == answered.stdout


def test_the_run_stops_at_the_first_error_with_exit_code_2() -> None:
    """Answers until there are printed, the line and its field are named on standard error."""
    answered = run("lab", "opet-kart", "-", "--summary", given=LINES + '{"at": 5}\n' + LINES)
    assert answered.exit_code == 2
    assert len(answered.stdout.splitlines()) == 3
    assert answered.stderr.startswith("standard input, line 4, field ")


def test_declined_events_are_no_error() -> None:
    declined = json.dumps({"at": AT, "type": "dispute", "ref": "e1", "sale": "x"}) + "\n"
    answered = run("lab", "opet-kart", "-", given=declined)
    assert (answered.exit_code, json.loads(answered.stdout)["result"]) == (0, "declined")


def test_the_summary_shows_that_each_commodity_sums_to_zero() -> None:
    shown = run("lab", "opet-kart", "-", "--summary", given=LINES).stdout.splitlines()[3:]
    assert shown[0] == "points:petrol"
    rows = dict(line.rsplit(maxsplit=1) for line in shown if line.startswith("  "))
    assert rows == {
        "  available:M1:petrol": "617",
        "  company:earned": "-617",
        "  sum of the accounts": "0",
    }


def test_no_events_no_answers() -> None:
    answered = run("lab", "opet-kart", "-", given="")
    assert (answered.exit_code, answered.stdout) == (0, "")
