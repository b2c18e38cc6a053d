"""Headquarters as it is run: a process, its commands, its HTTP, and kill -9 in mid-stream."""

import asyncio
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click.testing
import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controller.domain.records import GENESIS
from sim.held_ports import HeldPorts
from sync.hq.commands import hq as commands
from sync.hq.config import ConfigError, load_config
from sync.hq.serve import build_app
from sync.hq.store import Store, Totals
from sync.runner import LinkDown, Refused
from sync.transport import HttpTransport
from sync.wire import (
    BATCHES_PATH,
    MAX_MESSAGE_BYTES,
    REQUESTS_PATH,
    BalanceAnswer,
    BalanceAsk,
    Batch,
    Expects,
    Request,
    pack_batch,
    pack_request,
    unpack_acknowledgement,
    unpack_reply,
)
from tests.sync.peers import KEY, PUBLIC, STATION, Chance, Headquarters, Journal

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from sync.hq.commands import hq; hq()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


def _run(*arguments: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(commands, [str(a) for a in arguments])


class Process:
    """`hq serve` as a process of its own."""

    def __init__(self, config: Path, port: int = 0) -> None:
        self._config = config
        self._port = port
        self.start()

    def start(self) -> None:
        arguments = ["serve", "--config", str(self._config), "--port", str(self._port)]
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        found = re.search(r"http://\S+", self.line)
        assert found, self.line + self.stop()
        self.url = found.group()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> str:
        """End it in order; what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=60)[1]

    @property
    def read_token(self) -> str:
        return load_config(self._config).tokens.read

    def totals(self, station: str = STATION) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.read_token}"}
        return httpx.get(f"{self.url}/v1/stations/{station}/totals", headers=headers, trust_env=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    result = _run("init", tmp_path / "hq", "--simulated")
    assert result.exit_code == 0, result.output
    path = tmp_path / "hq" / "hq.toml"
    assert _run("enrol", "--config", path, STATION, PUBLIC.hex()).exit_code == 0
    return path


@pytest.fixture
def server(config: Path) -> Iterator[Process]:
    process = Process(config)
    yield process
    if process.process.poll() is None:
        process.kill()


def _journal(sales: int) -> Journal:
    journal = Journal()
    journal.start(Chance(1))
    for _ in range(sales):
        journal.sell()
    return journal


def test_a_station_sends_and_asks_and_a_reader_sees_its_totals(server: Process) -> None:
    assert server.line.startswith("SIMULATION ")
    journal = _journal(20)
    journal.sell(900, account="acme")

    async def talk() -> None:
        async with HttpTransport(server.url) as transport:
            answer = unpack_acknowledgement(await transport.post(BATCHES_PATH, journal.batch(0)))
            assert answer.expects is Expects.NEXT
            request = pack_request(Request("c1", STATION, BalanceAsk("acme")), KEY)
            replies = [await transport.post(REQUESTS_PATH, request) for _ in range(2)]
            assert replies[0] == replies[1]
            outcome = unpack_reply(replies[0]).outcome
            assert isinstance(outcome, BalanceAnswer)
            assert outcome.balance_minor == -900
            with pytest.raises(Refused, match="st-2 is not enrolled"):
                await transport.post(BATCHES_PATH, pack_batch(Batch("st-2", 0, GENESIS, ()), KEY))

    asyncio.run(talk())
    assert httpx.get(f"{server.url}/health", trust_env=False).json() == {"ok": True, "simulated": True}
    totals = server.totals().json()
    assert totals["sales"] == 21
    assert totals["amount_minor"] == 20 * 4379 + 900
    assert {"volume_ml", "rows", "head", "forks", "deliveries_unpaid"} <= totals.keys()
    assert server.totals("st-9").status_code == 404
    assert server.stop() == ""
    assert server.process.returncode == 0


def test_commands_work_beside_a_running_server(server: Process, config: Path) -> None:
    assert _run("enrol", "--config", config, "st-2", PUBLIC.hex()).output == "station st-2 enrolled\n"
    assert '"sales": 0' in _run("totals", "--config", config, "st-2").output
    result = _run("enrol", "--config", config, "st-2", "00" * 32)
    assert result.exit_code == 1
    assert "--replace" in result.output
    assert _run("totals", "--config", config, "st-9").exit_code == 1
    server.stop()
    assert '"sales": 0' in _run("totals", "--config", config, "st-2").output


def test_totals_want_the_read_token(server: Process) -> None:
    for token in (None, "Bearer wrong", "Basic x"):
        headers = {"authorization": token} if token else {}
        response = httpx.get(f"{server.url}/v1/stations/{STATION}/totals", headers=headers, trust_env=False)
        assert (response.status_code, "token" in response.text) == (401, True), token
    admin = httpx.post(
        f"{server.url}/v1/stations", headers={"authorization": f"Bearer {server.read_token}"}, trust_env=False
    )
    assert admin.status_code == 401


def test_garbage_gets_a_status_and_a_sentence(server: Process) -> None:
    for path in (BATCHES_PATH, REQUESTS_PATH):
        for body, status in ((b"", 400), (b"\xff" * 100, 400), (b"\x01Bx", 400), (bytes(MAX_MESSAGE_BYTES + 1), 413)):
            response = httpx.post(server.url + path, content=body, trust_env=False)
            assert response.status_code == status
            assert "Traceback" not in response.text
            assert len(response.text) > 10
    assert httpx.get(f"{server.url}/nowhere", trust_env=False).status_code == 404
    assert httpx.put(server.url + BATCHES_PATH, trust_env=False).status_code == 405
    assert server.stop() == ""


def test_kill_9_in_mid_stream_loses_and_doubles_nothing(config: Path) -> None:
    seed = 11
    chance = random.Random(seed)
    ports = HeldPorts()
    server = Process(config, ports.one())  # where it comes back
    journal = _journal(400)
    kills = 0
    log = config.parent / "hq.db-wal"

    async def stream() -> None:
        nonlocal kills
        cursor = 0
        async with HttpTransport(server.url) as transport:
            while cursor < journal.head_seq:
                sending = asyncio.ensure_future(transport.post(BATCHES_PATH, journal.batch(cursor, 50)))
                if kills < 4 and chance.random() < 0.4:
                    before = log.stat().st_mtime_ns if log.exists() else 0
                    if kills % 2:  # as soon as something is on disk, most likely before the answer is out
                        while not sending.done() and (not log.exists() or log.stat().st_mtime_ns == before):
                            await asyncio.sleep(0)
                    else:
                        for _ in range(chance.randrange(60)):
                            await asyncio.sleep(0)
                    server.kill()
                    kills += 1
                    server.start()
                try:
                    answer = unpack_acknowledgement(await sending)
                except LinkDown:
                    continue
                mine = [p.seq for p in answer.known if journal.rows[p.seq - 1].hash == p.hash]
                cursor = max(mine, default=0)

    try:
        asyncio.run(stream())
        assert server.totals().json()["sales"] == 400
        server.stop()
    finally:
        if server.process.poll() is None:
            server.kill()
        ports.close()
    assert kills == 4, f"seed {seed}"
    store = Store.open(config.parent / "hq.db")
    assert [row.hash for _, row in store.rows_of(STATION)] == [row.hash for row in journal.rows]
    totals = store.totals(STATION)
    assert store.recount(STATION) == totals
    assert (totals.sales, totals.forks) == (400, 0)
    store.close()


def test_a_full_disk_is_status_507_and_worth_another_try(config: Path) -> None:
    hq, journal = Headquarters(), _journal(300)
    with hq.store._engine.connect() as db:
        pages = db.exec_driver_sql("PRAGMA page_count").scalar_one()
        db.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
    app = build_app(load_config(config), hq.store, lambda: 0)

    async def send() -> None:
        wire = httpx.ASGITransport(app)  # type: ignore[arg-type]  # litestar's own words for the same thing
        async with httpx.AsyncClient(transport=wire, base_url="http://hq") as client:
            response = await client.post(BATCHES_PATH, content=journal.batch(0))
            assert (response.status_code, "make room" in response.text) == (507, True)
        async with HttpTransport("http://hq", transport=httpx.ASGITransport(app)) as transport:  # type: ignore[arg-type]
            with pytest.raises(LinkDown, match="make room"):
                await transport.post(BATCHES_PATH, journal.batch(0))

    asyncio.run(send())
    assert hq.hashes() == []


def test_a_taken_port_ends_with_a_sentence(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = _run("serve", "--config", config, "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "--port" in result.output


def test_two_servers_of_one_database_end_with_a_sentence(server: Process, config: Path) -> None:
    result = _run("serve", "--config", config, "--port", "0")
    assert result.exit_code == 1
    assert server.url in result.output


def test_init_does_not_touch_what_is_there(config: Path) -> None:
    before = config.read_bytes()
    result = _run("init", config.parent)
    assert (result.exit_code, config.read_bytes()) == (1, before)
    assert config.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("port = 8480", 'port = "x"', "listen.port: expected `int`"),
        ("port = 8480", "port = 99999", "listen.port: expected `int` <= 65535"),
        ('database = "hq.db"', "", "top level: object missing required field `database`"),
        ("simulated = true", "simulatd = true", "unknown field `simulatd`"),
        ("[listen]", "[listen", "is not TOML"),
    ],
)
def test_a_wrong_configuration_names_file_key_and_expectation(config: Path, old: str, new: str, text: str) -> None:
    lines = config.read_text().splitlines()
    config.write_text("\n".join(new if line == old else line for line in lines))
    with pytest.raises(ConfigError, match=re.escape(text)) as raised:
        load_config(config)
    assert str(config) in str(raised.value)


@pytest.mark.parametrize("key", ["zz", "00", "/nowhere", "00" * 33])
def test_a_wrong_key_ends_with_a_sentence(config: Path, key: str) -> None:
    result = _run("enrol", "--config", config, "st-3", key)
    assert (result.exit_code, result.output) == (1, "a public key is 64 hex digits\n")


def test_a_key_may_come_from_a_file(config: Path, tmp_path: Path) -> None:
    pem, text = tmp_path / "key.pem", tmp_path / "key.hex"
    pem.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    text.write_text(PUBLIC.hex() + "\n")
    for number, path in enumerate((pem, text)):
        assert _run("enrol", "--config", config, f"file-{number}", path).exit_code == 0
    assert msgspec.json.decode(_run("totals", "--config", config, "file-1").output, type=Totals).rows == 0
