"""The command `forecourt hq check-cards`: holds what stations sent of their cards' commits against what cards sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from card_io.application import TRANSACTION_MAC_KEY_NUMBER
from card_io.desfire.crypto import CardKey
from card_io.vault import Vault
from controller.domain.tokens import TokenKind, token_key
from sync.hq.cards.check import CardCheck, Finding, KnownCard
from sync.hq.cards.claims import Claim, ClaimPage, page_of
from sync.hq.cards.desk import office_option, opened, passphrase_option, said
from sync.hq.cards.folder import OfficeFolder, secret_from
from sync.hq.cards.log import Register
from sync.hq.cards.network import Network, OfficeError
from sync.hq.config import Config, ConfigError, database_of, load_config
from sync.hq.enrolment import STATIONS_PATH
from sync.hq.hold import StoreBusy, StoreError
from sync.hq.running import ask_running
from sync.hq.store import Store
from sync.wire import WireError, check_station_id

PageOf = Callable[[str, int], ClaimPage]


@click.command("check-cards")
@click.option("--config", "config_path", type=click.Path(path_type=Path), default=Path("hq.toml"), show_default=True)
@office_option
@passphrase_option
@click.option(
    "--list-key",
    "list_keys",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    required=True,
    help="A station's keys/list.key, by which its records name cards; several, where stations have their own.",
)
@click.argument("station_ids", metavar="[STATION_ID]...", nargs=-1)
def check_cards(
    config_path: Path,
    folder: Path,
    passphrase_file: Path | None,
    list_keys: tuple[Path, ...],
    station_ids: tuple[str, ...],
) -> None:
    """Check what cards signed of purse sales: forged, doubled and missing ones are named, with exit code 1.

    All stations unless some are named: then commits at the others look missing.
    """
    with said():
        files = OfficeFolder(folder)
        network = files.network()
        vault = opened(files, passphrase_file)
        log = files.log()
        try:
            register = log.register
        finally:
            log.close()
        check = CardCheck(_finder(register, [secret_from(path) for path in list_keys]), _mac_key(network, vault))
        for number, proof in register.proofs:
            check.take_own("this office", KnownCard(number, register.cards[number]), proof)
        try:
            with _claims(load_config(config_path), config_path) as (known, page):
                for station in map(check_station_id, station_ids or known()):
                    for claim in _all(page, station):
                        check.take(f"station {station} row {claim.row}", claim.proof)
        except (ConfigError, StoreError, WireError, msgspec.DecodeError) as error:
            raise OfficeError(str(error)) from None
    findings = check.findings(register.tmc_seen, _open_loads(register))
    for finding in findings:
        click.echo(_line(finding))
    click.echo(f"{check.taken} commits of {check.cards} cards checked, {len(findings)} to look at")
    if findings:
        raise SystemExit(1)


def _line(finding: Finding) -> str:
    where = "".join(f", {place}" for place in finding.where)
    return f"{finding.trouble}: card {finding.card}, commit {finding.tmc}{where}: {finding.text}"


def _finder(register: Register, secrets: list[bytes]) -> Callable[[bytes], KnownCard | None]:
    cards = {
        token_key(secret, TokenKind.CARD, number): KnownCard(number, uid)
        for number, uid in register.cards.items()
        for secret in secrets
    }
    return cards.get


def _mac_key(network: Network, vault: Vault) -> Callable[[bytes], CardKey]:
    number = TRANSACTION_MAC_KEY_NUMBER
    version, profile = vault.newest(number), network.profile()
    return lambda uid: vault.card_key(number, version, profile.diversification(uid, number))


def _open_loads(register: Register) -> dict[str, int]:
    return {
        load.card_number: load.tmc_before + 1 for load in register.open_loads.values() if load.tmc_before is not None
    }


def _all(page: PageOf, station: str) -> Iterator[Claim]:
    after: int | None = 0
    while after is not None:
        found = page(station, after)
        yield from found.claims
        after = found.next_after


@contextmanager
def _claims(config: Config, path: Path) -> Iterator[tuple[Callable[[], list[str]], PageOf]]:
    """All stations' ids and a station's claims: from the database, or from the process that holds it."""
    try:
        store = Store.open(database_of(config, path))
    except StoreBusy as busy:
        held = busy  # `busy` ends with this block

        def known() -> list[str]:
            return msgspec.json.decode(ask_running(held, "GET", STATIONS_PATH, config.tokens.read, b""), type=list[str])

        def page(station: str, after: int) -> ClaimPage:
            query = f"{STATIONS_PATH}/{station}/card-claims?after={after}"
            return msgspec.json.decode(ask_running(held, "GET", query, config.tokens.read, b""), type=ClaimPage)

        yield known, page
    else:
        try:
            yield store.station_ids, lambda station, after: page_of(store, station, after)
        finally:
            store.close()
