"""The portal at a running headquarters: a process, its commands, a browser's requests."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import openpyxl
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from sync.hq.commands import hq; hq()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
CARD = "7001000011112222"


def event(kind: str, ref: str, at: str, **fields: object) -> dict[str, object]:
    return {"at": f"2026-01-{at}:00+03:00", "type": kind, "ref": ref, **fields}


def sale(ref: str, at: str, volume_ml: int, amount_minor: int, station: str) -> dict[str, object]:
    paid = [{"kind": "cash", "amount_minor": amount_minor}]
    fuel = {"product": "autogas", "volume_ml": volume_ml, "amount_minor": amount_minor}
    return event("sale", ref, at, card=CARD, tenders=paid, station=station, **fuel)


EVENTS = [
    event("contract.open", "c", "01T08:00", customer="C1", discount={"per_litre_minor": 75}),
    event("card.issue", "k", "01T08:01", holder="C1", card=CARD, product_set="lpg", plates=["34ABC123"]),
    sale("s1", "05T09:30", 40_000, 100_000, "IST-1"),
    sale("s2", "06T09:30", 10_000, 25_000, "IST-2"),
    event("sale.reverse", "r2", "06T10:30", sale="s2"),
]


def run(folder: Path, *words: object) -> str:
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    run(tmp_path, "init", tmp_path, "--simulated")
    config = tmp_path / "hq.toml"
    config.write_text('programmes = ["lpg-pass"]\n' + config.read_text())
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, EVENTS)))
    run(tmp_path, "programme", "enter", "lpg-pass", "events.jsonl")
    server = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        server.terminate()
        server.communicate(timeout=30)
    assert server.returncode == 0


def test_a_customer_is_registered_logs_in_and_gets_its_sales(url: str, tmp_path: Path) -> None:
    said = run(
        tmp_path,
        "portal",
        "add",
        "FLEET-1",
        "--phone",
        "+90 532 111 22 33",
        "--programme",
        "lpg-pass",
        "--customer",
        "C1",
    )
    assert said.splitlines()[1].split() == ["FLEET-1", "customer", "lpg-pass", "*********2233", "C1"]
    with httpx.Client(base_url=url, follow_redirects=True, headers={"accept-language": "tr"}) as browser:
        assert "Müşteri veya acente kodu" in browser.get("/portal").text
        browser.post("/portal/code", data={"code": "nobody"})
        browser.post("/portal/code", data={"code": "fleet-1"})
        (message,) = (tmp_path / "messages").glob("*.json")
        assert message.stat().st_mode & 0o077 == 0
        sent = json.loads(message.read_text())
        assert sent["phone"] == "+905321112233"
        page = browser.post("/portal/enter", data={"code": "fleet-1", "password": sent["text"].split()[0]}).text
        assert "SIMULATION" in page
        row = [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", page)][:9]
        assert row == [
            "C1",
            "34ABC123",
            "700100******2222",
            "IST-1",
            "2026-01-05 09:30",
            "otogaz",
            "40.00 l",
            "1000.00",
            "30.00",
        ]
        assert "IST-2" not in page
        data = browser.get("/portal/report.xlsx", params={"since": "2026-01-05", "until": "2026-01-05"}).content
        assert openpyxl.load_workbook(io.BytesIO(data)).active.max_row == 3
        run(tmp_path, "portal", "remove", "fleet-1")
        assert "Müşteri veya acente kodu" in browser.get("/portal/report").text
    assert run(tmp_path, "portal", "list").splitlines() == ["code  kind  programme  phone  customers"]
