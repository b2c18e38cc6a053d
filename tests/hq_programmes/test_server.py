"""Headquarters as a process, with programmes switched on: a station's batch over HTTP is in the balances at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from forecourt import main
from sync.transport import HttpTransport
from sync.wire import BATCHES_PATH, Expects, unpack_acknowledgement
from tests.hq_programmes.bench import SECRET, StationJournal, ms, token
from tests.hq_programmes.test_commands import entered, run
from tests.hq_programmes.test_five import K1, enrolled
from tests.sync.peers import PUBLIC, STATION, Chance
from tests.sync.test_server import Process


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    runner, config = CliRunner(), tmp_path / "hq.toml"
    assert runner.invoke(main, ["hq", "init", str(tmp_path), "--simulated"]).exit_code == 0
    assert runner.invoke(main, ["hq", "enrol", "--config", str(config), STATION, PUBLIC.hex()]).exit_code == 0
    kept = 'programmes = ["opet-kart"]\nlist_key = "list.key"\n'
    config.write_text(kept + config.read_text(encoding="utf-8"), encoding="utf-8")
    key = tmp_path / "list.key"
    key.write_text(f"{SECRET.hex()}\n", encoding="ascii")
    key.chmod(0o600)
    process = Process(config)
    yield process
    if process.process.poll() is None:
        process.kill()


def test_a_stations_batch_is_in_the_balances_while_the_server_runs(server: Process, tmp_path: Path) -> None:
    config = tmp_path / "hq.toml"
    told = entered(config, "opet-kart", enrolled("2026-01-05T10:00:00+03:00"))
    assert told.exit_code == 0, told.output
    assert "2 events entered" in told.stderr
    station = StationJournal()
    station.at_ms = ms("2026-01-05T10:00:00+03:00")
    station.start(Chance(1))
    delivery = station.deliver_at("2026-01-05T12:00:00+03:00", 123_450, 20_000, "diesel", token(K1))
    station.settle_by(delivery, [])

    async def send() -> None:
        async with HttpTransport(server.url) as transport:
            answer = unpack_acknowledgement(await transport.post(BATCHES_PATH, station.batch(0)))
            assert answer.expects is Expects.NEXT

    asyncio.run(send())
    shown = run(config, "balances", "opet-kart", "M1", "--json")
    assert shown.exit_code == 0, shown.output
    amounts = {each["account"]: each["amount"] for each in json.loads(shown.stdout)["balances"]}
    assert amounts["available:M1:petrol"] == 617
    assert "member M9" not in run(config, "member", "opet-kart", "M1").stderr
    assert "knows no M9" in run(config, "balances", "opet-kart", "M9").stderr
    assert server.stop() == ""
    assert json.loads(run(config, "balances", "opet-kart", "M1", "--json").stdout) == json.loads(shown.stdout)
