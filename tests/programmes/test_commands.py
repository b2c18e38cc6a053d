"""forecourt programme: list, show, check, lab."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.office.programme_commands import programme
from controller.programme_files import SHIPPED, programme_text, shipped_text, version_of

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


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("petrolimex-id", "points = 50", "#", "earn[0].points: 0: expected a number above zero for kind steps"),
        ("petrolimex-id", "every_minor", "# every_minor", "earn[0].every_minor: 0: expected a number above zero"),
        ("petrolimex-id", "[[purse]]", "[[draw]]", "draw[0].name: there is no such key"),
        ("lpg-pass", 'product_sets = ["lpg"]', 'product_sets = ["lgp"]', "claim[0].product_sets: 'lgp': expected"),
        ("lpg-pass", 'product_sets = ["lpg"]', 'product_sets = ["lgp"]', "product set: automatic, lpg"),
        (
            "lpg-pass",
            'from = 2010-01-01                     # illustrative\nname = "lpg"',
            'from = 2020-01-01\nname = "lpg"',
            "product_set: expected one with default = true on 2010-01-01: it is for cards that name none",
        ),
    ],
)
def test_a_wrong_file_names_the_key_that_is_wrong(name: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    file, text = tmp_path / "mine.toml", run("show", name).stdout
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    refused = run("check", str(file))
    assert refused.exit_code == 2
    assert says in refused.stderr


def test_an_earning_to_a_purse_where_there_is_none(tmp_path: Path) -> None:
    file, text = tmp_path / "mine.toml", run("show", "petrolimex-id").stdout
    start, end = text.index("[[purse]]"), text.index("[[earn]]")
    file.write_text(text[:start] + text[end:], encoding="utf-8")
    assert "earn[0].purse: 'fuel': expected the name of a purse, and there is none" in run("check", str(file)).stderr


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As some editors save it."""
    file = tmp_path / "mine.toml"
    file.write_text(run("show", "lpg-pass").stdout, encoding="utf-8-sig")
    assert run("check", str(file)).exit_code == 0
    read = programme_text("mine.toml", tmp_path)
    assert read.version == version_of(shipped_text("lpg-pass"))


@pytest.mark.parametrize("words", [["lab", "opet-kart", "-", "--summary"], ["show", "opet-kart"]])
def test_what_cannot_be_written_is_said(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a full disk."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
        with pytest.raises(SystemExit) as stopped:
            programme.main(words, standalone_mode=False)
        monkeypatch.undo()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("the answers cannot be written (No space left on device)")


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
    events = run("lab", "opet-kart", "/proc/self/mem")  # it can be opened, and its first byte not be read
    assert (events.exit_code, events.stdout) == (2, "")
    assert "/proc/self/mem cannot be read" in events.stderr


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
