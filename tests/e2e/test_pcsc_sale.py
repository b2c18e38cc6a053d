"""A sale by a card in a real PC/SC reader: pcscd, the station's reader process, a pump on a pty, a printed receipt."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.config import load
from controller.daemon import JOURNAL_FILE
from controller.domain.funds import Funds
from controller.domain.records import Authorised, Delivery, Settlement, Stopped, TenderKind
from controller.domain.tokens import Assurance, TokenKind
from controller.install import install
from controller.machine import MachineClock
from controller.pumps.core import LineSettings
from controller.store.journal import Journal
from sim.cards.vpcd import serve_vpcd
from sim.chance import Chance
from sim.pumps.port import PtyLine
from sim.site import CARD_MASTER_BYTES, LINES, PLACES, list_csv, make_cards, make_twin, station_toml
from tests.cards.pcscd import READER, PrivatePcscd

DEADLINE_S = 60
CARD_NUMBER = "9001000000000301"
WANT_ML = 5_000


def test_a_card_in_a_real_reader_buys_fuel_on_account(tmp_path: Path, pcscd: PrivatePcscd) -> None:
    master = Chance(1, "master").random_bytes(CARD_MASTER_BYTES)

    asyncio.run(_sell(tmp_path, pcscd, master))

    config = load(tmp_path / "station" / "station.toml")
    journal = Journal(config.data / JOURNAL_FILE)
    try:
        records = [body.record for body in journal.replay()]
    finally:
        journal.close()
    (authorised,) = (record for record in records if isinstance(record, Authorised))
    (delivery,) = (record for record in records if isinstance(record, Delivery))
    (settlement,) = (record for record in records if isinstance(record, Settlement))
    assert authorised.token is not None
    assert authorised.token.kind is TokenKind.CARD
    assert authorised.token.assurance is Assurance.PROVEN
    assert authorised.token.shown == "900100******0301"
    assert (delivery.volume_ml, delivery.funds) == (WANT_ML, Funds.POSTPAID)
    assert [tender.kind for tender in settlement.tenders] == [TenderKind.ACCOUNT]
    assert isinstance(records[-1], Stopped), "SIGTERM ends it in order"
    receipt = (config.data / "receipts" / "receipt-000001.txt").read_text(encoding="utf-8")
    assert "SIMULATION" in receipt
    assert "900100******0301" in receipt
    assert CARD_NUMBER.encode() not in (config.data / JOURNAL_FILE).read_bytes()


async def _sell(folder: Path, pcscd: PrivatePcscd, master: bytes) -> None:
    clock = MachineClock()
    twins = {place.number: make_twin(place, flow_ml_per_s=4_000) for place in PLACES}
    lines = {
        line: PtyLine([twins[place.number] for place in PLACES if place.line == line], clock, LineSettings())
        for line in LINES
    }
    toml = station_toml(
        line_ports={name: line.path for name, line in lines.items()},
        reader_ports={1: READER},
        printer_port=None,
        api_port=0,
        headquarters=None,
    ).replace('kind = "tcp"', 'kind = "pcsc"')
    station = folder / "station"
    install(station, toml, Chance(1, "install").random_bytes, tills=("till-1", "till-2"), card_key=master)
    (folder / "cards.csv").write_text(list_csv(), encoding="utf-8")
    environment = {**os.environ, **pcscd.environment, "PYTHONUNBUFFERED": "1"}
    config = str(station / "station.toml")
    _forecourt(environment, "whitelist", "import", "--config", config, str(folder / "cards.csv"))
    process = _run_station(config, environment, folder / "station.log")
    card = make_cards(master, Chance(1, "cards"))[CARD_NUMBER]
    in_reader = asyncio.ensure_future(serve_vpcd(card, "127.0.0.1", pcscd.port))
    try:
        journal_log = folder / "station.log"
        head = twins[1].head

        def said(word: str) -> bool:
            return word in journal_log.read_text(errors="replace")

        # The pump is heard first: its two nozzles' totalisers are written.
        await _until(clock, lambda: said("totaliser"), process)
        head.lift(1, clock.now().mono_us)
        head.squeeze(WANT_ML, clock.now().mono_us)
        await _until(clock, lambda: head.volume_ml(clock.now().mono_us) == WANT_ML and not head.flowing, process)
        head.hang_up(clock.now().mono_us)
        await _until(clock, (station / "data" / "receipts" / "receipt-000001.txt").exists, process)
        process.send_signal(signal.SIGTERM)
        await _until(clock, lambda: process.poll() is not None, None)
        assert process.returncode == 0, journal_log.read_text(errors="replace")
    finally:
        in_reader.cancel()
        await asyncio.gather(in_reader, return_exceptions=True)
        if process.poll() is None:
            process.kill()
            process.wait()
        for line in lines.values():
            line.close()


async def _until(clock: MachineClock, met: Callable[[], bool], process: "subprocess.Popen[bytes] | None") -> None:
    deadline_us = clock.now().mono_us + DEADLINE_S * 1_000_000
    while not met():
        if process is not None and process.poll() is not None:
            pytest.fail(f"the station ended with code {process.returncode}")
        if clock.now().mono_us > deadline_us:
            pytest.fail(f"not within {DEADLINE_S} s")
        await clock.sleep_until(clock.now().mono_us + 20_000)


def _forecourt(environment: dict[str, str], *words: str) -> None:
    subprocess.run([sys.executable, "-m", "forecourt", *words], env=environment, check=True, timeout=DEADLINE_S)


def _run_station(config: str, environment: dict[str, str], log_path: Path) -> "subprocess.Popen[bytes]":
    with open(log_path, "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "forecourt", "station", "run", "--config", config, "--simulation"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
