"""The commands as the finance department types them, with and without a running server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from controller.store.whitelist_columns import COLUMNS as KNOWN
from forecourt import main
from sync.hq.programmes.asks import BalancesAnswer, BalancesAsk
from sync.hq.programmes.following import Following
from sync.hq.programmes.pages import answer as answer_page
from sync.hq.programmes.statements import DeskError
from tests.hq_programmes.bench import NOW_MS, Office, token
from tests.hq_programmes.test_five import K1, enrolled, event
from tests.sync.peers import STATION


def run(config: Path, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["hq", "programme", words[0], "--config", str(config), *words[1:]], input=typed)


def entered(config: Path, programme: str, events: list[dict[str, Any]]) -> Result:
    path = config.with_name("events.jsonl")
    path.write_text("\n".join(map(json.dumps, events)) + "\n", encoding="utf-8")
    return run(config, "enter", programme, str(path))


def fleet() -> list[dict[str, Any]]:
    start = "2026-01-05T10:00:00+03:00"
    return [
        event(start, "contract.open", "1", customer="C1", discount={"per_litre_minor": 75}),
        event(start, "card.issue", "2", holder="C1", card=K1, product_set="lpg", plates=["34 ABC 12"]),
        event(
            "2026-01-10T10:00:00+03:00",
            "sale",
            "3",
            card=K1,
            product="autogas",
            volume_ml=40_000,
            amount_minor=80_000,
            tenders=[{"kind": "cash", "amount_minor": 80_000}],
            station="TR-1",
        ),
    ]


def test_enter_state_and_list(config: Path, tmp_path: Path) -> None:
    first = entered(config, "lpg-pass", fleet())
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout.splitlines()[-1])["rebate_minor"] == 3_000
    assert "3 events entered, 0 were known" in first.stderr
    assert "0 events entered, 3 were known" in entered(config, "lpg-pass", fleet()).stderr
    shown = run(config, "statement", "lpg-pass", "--customer", "C1", "--period", "2026-01")
    assert "34ABC12  900100******0101  TR-1" in shown.stdout
    told = json.loads(run(config, "statement", "lpg-pass", "--customer", "C1", "--period", "2026-01", "--json").stdout)
    assert (told["discount_minor"], told["vat"][0]["discount_vat_minor"]) == (3_000, 500)
    assert "rebate:C1:2026-01" in run(config, "balances", "lpg-pass", "C1").stdout
    assert "666.67" in run(config, "vat", "lpg-pass", "--period", "2026-01").stdout
    assert run(config, "post", "lpg-pass").stdout == "0 events posted\n"
    out = tmp_path / "list.csv"
    assert "2 rows" in run(config, "list", "lpg-pass", "--out", str(out)).stdout
    assert set(out.read_text().splitlines()[0].split(",")) <= set(KNOWN)


def test_what_is_wrong_is_a_sentence(config: Path) -> None:
    bad = entered(config, "lpg-pass", [{**fleet()[0], "customer": 7}])
    assert bad.exit_code == 1
    assert bad.stderr.startswith(f"{config.with_name('events.jsonl')}, line 1, field customer: expected")
    assert "opet-kart is not kept here" in run(config, "balances", "opet-kart").stderr
    text = config.read_text().replace('"petrolimex-id"]', '"none.toml"]')
    config.write_text(text)
    wrong = run(config, "balances", "lpg-pass")
    assert wrong.exit_code == 1
    assert "hq.toml, programmes:" in wrong.stderr


def test_a_month_of_gas(config: Path) -> None:
    start = "2026-01-01T10:00:00+02:00"
    tiers = [{"from_ml": 1_000, "discount_per_m3_minor": 50}]
    events = [
        event(start, "contract.open", "1", contract="A", prepaid=True),
        event(start, "order.publish", "2", order="12", valid_from="2026-01-01", tiers=tiers),
        event("2026-02-01T10:00:00+02:00", "period.close", "3", period="2026-01", contract="A"),
    ]
    assert entered(config, "cng-interissuer", events).exit_code == 0
    act = run(config, "act", "cng-interissuer", "--contract", "A", "--period", "2026-01")
    assert act.stdout == "No act for A, 2026-01: below_first_tier\n"


def test_a_pin_is_set_and_not_shown(config: Path) -> None:
    entered(config, "petrolimex-id", enrolled("2026-01-05T10:00:00+07:00", kind="organisation"))
    done = run(config, "pin", "petrolimex-id", "M1", typed="1234\n1234\n")
    assert done.exit_code == 0, done.output
    assert "1234" not in done.output
    assert "knows no V9" in run(config, "pin", "--voucher", "petrolimex-id", "V9", typed="1234\n1234\n").stderr


def test_the_servers_page_answers_as_the_command_does() -> None:
    office = Office("opet-kart")
    office.enter(enrolled("2026-01-05T10:00:00+03:00"))
    data = answer_page(office.desk, msgspec.json.encode(BalancesAsk("opet-kart", "M1")), NOW_MS)
    assert msgspec.json.decode(data, type=BalancesAnswer).balances == ()
    with pytest.raises(DeskError, match="not a question"):
        answer_page(office.desk, b'{"do":"fly"}', NOW_MS)


def test_a_running_server_posts_what_stations_send() -> None:
    """Step by step, each asked for by the step before, and none after its end."""
    office = Office("opet-kart")
    office.enter(enrolled("2026-01-05T10:00:00+03:00"))
    asked: list[Any] = []
    following = Following(office.desk, [STATION], asked.append, lambda: NOW_MS)
    following.start()
    office.sell("2026-01-05T10:05:00+03:00", 123_450, shown=token(K1))
    office.sync()
    following.heard(STATION)
    while asked:
        asked.pop(0)()
    assert office.kept()["points:petrol", "available:M1:petrol"] == 617
    following.end()
    following.heard(STATION)
    assert asked == []
