"""`forecourt whitelist ...`: what is typed at a station and at headquarters, from nothing to a repaired list."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.domain.tokens import Assurance, card_token
from controller.install import install, template
from controller.keys import list_key
from controller.pincheck import verify
from controller.store.whitelist import Whitelist
from forecourt import main

CARDS = """card,plate,phone,account,status,products,only_plate,day_volume,vehicle_month_fills
9001000000000101,,,KUZEY,active,diesel,34 ABC 101,300,12
9001000000000102,,,KUZEY,stopped,diesel,,,
,16 BCD 401,,BURSA-SU,,,,,
,,+90 532 000 00 01,BURSA-SU,,,,,
"""
CARD = "9001000000000101"


class Town:
    """A station's folder and headquarters', with the same list key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.station = folder / "station"
        number = iter(range(1, 99))
        install(
            self.station, template(simulated=True), lambda size: bytes([next(number)]) * size, tills=(), card_key=None
        )
        self.run("keygen", str(folder / "hq"))
        # The list key stays the one of before: by the same key the same cards are in the same buckets.
        (folder / "hq" / "headquarters.pub").replace(self.station / "keys" / "headquarters.pub")
        (folder / "cards.csv").write_text(CARDS)

    def run(self, *words: str, input: str | None = None) -> Result:
        done = CliRunner().invoke(main, ["whitelist", *words], input=input)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    def here(self, command: str, *words: str) -> Result:
        """At the station."""
        return self.run(command, "--config", str(self.station / "station.toml"), *words)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def build(self, version: int, source: str = "cards.csv") -> str:
        target = self.path(f"{version}.list")
        done = self.run(
            "build",
            *("--key", self.path("hq/headquarters.key"), "--list-key", str(self.station / "keys" / "list.key")),
            *("--currency", "TRY", "--time-zone", "Europe/Istanbul", "--version", str(version)),
            *(target, self.path(source)),
        )
        assert done.exit_code == 0, done.output
        assert re.fullmatch(rf"{re.escape(target)}: \d entries, version {version}, \d+ bytes\n", done.output)
        return target


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_an_import_counts_its_versions_itself(town: Town) -> None:
    assert town.here("import", town.path("cards.csv")).output == "4 entries, version 1\n"
    assert town.here("import", town.path("cards.csv")).output == "4 entries, version 2\n"
    assert town.here("import", "--version", "9", town.path("cards.csv")).output == "4 entries, version 9\n"
    assert town.here("verify").output == "4 entries, version 9: every digest is right; imported here, not signed\n"


def test_a_bad_import_names_every_line_and_changes_nothing(town: Town) -> None:
    town.here("import", town.path("cards.csv"))
    bad = town.folder / "bad.csv"
    bad.write_text("card,account,status\n1,A,\n9001000000000101,A,gone\n9001000000000103,A,\n")
    done = town.here("import", str(bad))
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        f"{bad}, line 2: a card number has 8 to 19 digits and nothing else",
        f"{bad}, line 3: status: 'gone': expected active or stopped",
        "Nothing was changed: the old list stands",
    ]
    assert town.here("show", CARD).exit_code == 0


def test_show_says_what_the_list_has_and_nothing_that_is_private(town: Town) -> None:
    town.here("import", town.path("cards.csv"))
    done = town.here("show", "9001 0000 0000 0101")
    assert done.output.splitlines() == [
        "card 900100******0101, version 1",
        "  account                KUZEY",
        "  status                 active",
        "  products               diesel",
        "  only_plate             set (only its hash is known)",
        "  day_volume             300",
        "  vehicle_month_fills    12",
    ]
    assert "plate 16****01, version 1\n  account                BURSA-SU\n" in town.here("show", "16bcd401").output
    assert "BURSA-SU" in town.here("show", "0090 532 000 00 01").output
    missing = town.here("show", "34 XYZ 1")
    assert (missing.exit_code, missing.stderr) == (1, "no such plate on the list\n")


def test_stats_count_what_is_there(town: Town) -> None:
    (town.folder / "more.jsonl").write_text('{"product": "diesel", "name": "Motorin"}\n')
    town.here("import", town.path("cards.csv"), town.path("more.jsonl"))
    lines = town.here("stats").output.splitlines()
    assert lines[:2] == ["version 1, imported here", "5 entries of 2 accounts, 0 with a PIN"]
    assert {" ".join(line.split()) for line in lines[2:-1]} == {
        "card, active 1",
        "card, stopped 1",
        "plate, active 1",
        "phone, active 1",
        "product 1",
    }


def test_from_headquarters_to_the_station_by_list_delta_and_repair(town: Town) -> None:
    one = town.build(1)
    (town.folder / "new.csv").write_text(CARDS.replace("stopped", "active"))
    two = town.build(2, "new.csv")
    key = ("--key", town.path("hq/headquarters.key"))
    delta = town.run("delta", *key, one, two, town.path("12.delta"))
    assert re.fullmatch(r".*: from version 1 to 2, 1 of 4096 buckets, \d+ bytes\n", delta.output)

    assert town.here("apply", one).output == "list: 4 buckets, now 4 entries, version 1\n"
    listed = Whitelist(town.station / "data" / "whitelist.db")
    token = card_token(list_key(town.station / "keys"), "9001000000000102", Assurance.PROVEN)
    before = listed.look_up(token.key)
    assert town.here("apply", town.path("12.delta")).output == "delta: 1 buckets, now 4 entries, version 2\n"
    after = listed.look_up(token.key)
    assert before.row is not None
    assert after.row is not None
    assert (before.version, before.row.status, after.version, after.row.status) == (1, "stopped", 2, "active")
    listed.close()
    assert town.here("apply", town.path("12.delta")).output == "version 2 is in place already\n"
    assert town.here("verify").output == "4 entries, version 2: every digest is right; signed by headquarters\n"
    older = town.here("apply", one)
    assert older.exit_code == 1
    assert older.stderr.splitlines() == [
        f"{one} is not taken: it is version 1, older than version 2 in place",
        "Nothing was changed: the old list stands",
    ]

    town.here("import", town.path("cards.csv"))
    written = town.here("digests", "--output", town.path("mine.digests"))
    assert written.output.startswith(
        f"{town.path('mine.digests')} written; at headquarters: forecourt whitelist repair"
    )
    assert town.here("digests").output == (town.folder / "mine.digests").read_text()
    repair = town.run("repair", *key, two, town.path("mine.digests"), town.path("2.repair"))
    assert "1 of 4096 buckets differ" in repair.output
    assert town.here("apply", town.path("2.repair")).output == "repair: 1 buckets, now 4 entries, version 2\n"
    assert town.here("verify").output.endswith("signed by headquarters\n")


def test_without_headquarters_key_nothing_is_taken(town: Town) -> None:
    source = town.build(1)
    public = town.station / "keys" / "headquarters.pub"
    public.rename(town.folder / "away")
    assert f"{public} is not there: copy it from headquarters" in town.here("apply", source).stderr
    public.write_text("nonsense")
    assert f"{public} holds no key: expected 64 hex digits" in town.here("apply", source).stderr
    (town.folder / "away").replace(public)
    assert town.here("apply", source).exit_code == 0
    public.unlink()
    assert "signed, but by whom is not known here" in town.here("verify").output


def test_a_list_of_another_key_is_noticed(town: Town) -> None:
    town.here("import", town.path("cards.csv"))
    (town.station / "keys" / "list.key").write_text("ab" * 32)
    done = town.here("verify")
    assert done.exit_code == 1
    assert "made for another list key" in done.stderr


def test_a_station_without_a_list_is_told_what_to_do(town: Town) -> None:
    for command in ("verify", "stats", "digests"):
        done = town.here(command)
        assert done.exit_code == 1, command
    assert "import one (forecourt whitelist import)" in town.here("show", CARD).stderr


def test_keys_are_never_written_over(town: Town) -> None:
    before = (town.folder / "hq" / "headquarters.key").read_text()
    done = town.run("keygen", town.path("hq"))
    assert done.exit_code == 1
    assert "is there already, and was not touched" in done.stderr
    assert (town.folder / "hq" / "headquarters.key").read_text() == before
    assert (town.folder / "hq" / "headquarters.key").stat().st_mode & 0o077 == 0


def test_headquarters_files_that_cannot_be_used_are_named(town: Town) -> None:
    source = town.build(1)
    (town.folder / "bad.digests").write_text("nonsense")
    key = ("--key", town.path("hq/headquarters.key"))
    done = town.run("repair", *key, source, town.path("bad.digests"), town.path("out"))
    assert "make the file with forecourt whitelist digests" in done.stderr
    done = town.run("delta", "--key", town.path("nowhere.key"), source, source, town.path("out"))
    assert (done.exit_code, "cannot be read" in done.stderr) == (1, True)
    done = town.run(
        "build", *key, "--list-key", str(town.station / "keys" / "list.key"), "--currency", "TRY",
        "--time-zone", "Mars/Base", "--version", "1", town.path("out"), town.path("cards.csv"),
    )  # fmt: skip
    assert "'Mars/Base' is no time zone" in done.stderr
    assert not (town.folder / "out").exists()


def test_a_pin_becomes_a_verifier_and_is_not_repeated(town: Town) -> None:
    done = town.run("pin", "--stdin", input="4711\n123456\n")
    first, second = done.output.splitlines()
    assert verify(first, "4711")
    assert verify(second, "123456")
    wrong = town.run("pin", "--stdin", input="47x1\n")
    assert wrong.exit_code == 1
    assert wrong.stderr == "line 1: a PIN has 4 to 12 digits and nothing else\n"
    typed = town.run("pin", input="4711\n4711\n")
    assert "4711" not in typed.output
    csv = town.folder / "pins.csv"
    csv.write_text(f"card,account,pin_verifier\n{CARD},A,{first}\n")
    assert town.here("import", str(csv)).exit_code == 0
    assert "pin_verifier           set" in town.here("show", CARD).output
