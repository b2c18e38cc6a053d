"""The commands `forecourt keys ...`: the network's card keys at headquarters, and what a station gets of them.

No command shows a key: versions and fingerprints only. Exit codes as in `desk`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click
import msgspec

from card_io.application import (
    CARD_KEY_NUMBER,
    DEBIT_KEY_NUMBER,
    GUEST_KEY_NUMBERS,
    MASTER_KEY_NUMBER,
    READ_KEY_NUMBER,
    TRANSACTION_MAC_KEY_NUMBER,
    WRITE_KEY_NUMBER,
    PurseUnit,
)
from card_io.entitlement import key_id
from card_io.errors import VaultRefused
from card_io.vault import Vault, open_vault
from sync.hq.cards.desk import (
    NEW_PASSPHRASE_VARIABLE,
    new_passphrase,
    office_option,
    opened,
    passphrase,
    passphrase_option,
    said,
)
from sync.hq.cards.folder import OfficeFolder, write_whole
from sync.hq.cards.network import OfficeError, PurseTable, parse_network, template

KEY_FILE_FORMAT = 2
STATION_FILE = Path("keys") / "cards.json"
_NAMES = {
    MASTER_KEY_NUMBER: "master of the application",
    READ_KEY_NUMBER: "read (stations)",
    DEBIT_KEY_NUMBER: "debit (stations with purses)",
    WRITE_KEY_NUMBER: "write and credit",
    TRANSACTION_MAC_KEY_NUMBER: "Transaction MAC",
    CARD_KEY_NUMBER: "the card's own",
    **dict.fromkeys(GUEST_KEY_NUMBERS, "another acquirer's"),
}


@click.group()
def keys() -> None:
    """The card keys of the network: made and kept at headquarters, handed to stations as far as they need them."""


@keys.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@passphrase_option
@click.option("--aid", default="F50401", show_default=True, help="The application on the cards, 6 hex digits.")
@click.option("--system", default="forecourt", show_default=True, help="The network's name in the keys of its cards.")
@click.option("--issuer", required=True, help="On each card, 1 to 8 letters and digits.")
@click.option("--scheme", required=True, help="The card programme, 1 to 4 letters and digits.")
@click.option("--purse", type=click.Choice(["money_minor", "volume_ml", "points"]), help="Cards carry value.")
@click.option("--purse-max", type=click.IntRange(1, 2**31 - 1), default=1_000_000, help="At most so much.")
def init(
    folder: Path,
    passphrase_file: Path | None,
    aid: str,
    system: str,
    issuer: str,
    scheme: str,
    purse: PurseUnit | None,
    purse_max: int,
) -> None:
    """Make a card office in DIR: new keys under a passphrase, and cards.toml. A lost passphrase is a lost network."""
    with said():
        text = template(aid, system, issuer, scheme, None if purse is None else PurseTable(purse, purse_max))
        parse_network(text, "the new cards.toml")
        files = OfficeFolder(folder)
        files.check_free()
        vault = Vault.make(os.urandom)
        sealed = vault.sealed(passphrase(passphrase_file, confirm=True), os.urandom)
        files.make(text, sealed)
    click.echo(f"{files.vault_path} made: keys of version 1. Keep a copy of it, and the passphrase elsewhere")


@keys.command()
@office_option
@passphrase_option
def show(folder: Path, passphrase_file: Path | None) -> None:
    """Versions and fingerprints of all keys, to compare two copies of a vault. No key is shown."""
    with said():
        vault = opened(OfficeFolder(folder), passphrase_file)
    for number, versions in vault.fingerprints().items():
        held = ", ".join(f"version {version}: {print_}" for version, print_ in versions.items())
        click.echo(f"key {number:2}  {_NAMES.get(number, 'spare'):28}  {held}")
    click.echo(f"entitlements are signed with key {key_id(vault.public_key).hex()}, public: {vault.public_key.hex()}")


@keys.command()
@office_option
@passphrase_option
def rotate(folder: Path, passphrase_file: Path | None) -> None:
    """Make a new version of the application's keys beside the old ones. Cards keep the old until they are renewed."""
    with said():
        files = OfficeFolder(folder)
        files.network()
        secret = passphrase(passphrase_file, confirm=False)
        with contextlib.closing(files.log()):  # its lock: nobody else changes the vault between reading and writing
            vault = files.vault(secret)
            try:
                renewed = vault.with_version(vault.version + 1, os.urandom)
            except ValueError:
                raise OfficeError("there is no version after 255: start a new network of cards") from None
            files.put_vault(renewed.sealed(secret, os.urandom))
    click.echo(
        f"keys of version {renewed.version} made. First give them to every station (forecourt keys export-station), "
        "then put them on the cards (forecourt card rotate-keys)"
    )


@keys.command("passphrase")
@office_option
@passphrase_option
@click.option(
    "--new-passphrase-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"An owner-only file with the new one. Else {NEW_PASSPHRASE_VARIABLE} is read, or it is asked for, twice.",
)
def change_passphrase(folder: Path, passphrase_file: Path | None, new_passphrase_file: Path | None) -> None:
    """Put the vault under a new passphrase. Its keys stay; copies of the old file open with the old passphrase."""
    with said():
        files = OfficeFolder(folder)
        files.network()
        with contextlib.closing(files.log()):  # its lock, as above
            old = passphrase(passphrase_file, confirm=False)
            try:
                vault = files.vault(old)
            except VaultRefused as error:
                raise OfficeError(f"{files.vault_path} was not changed: {error}") from None
            new = new_passphrase(new_passphrase_file)
            if new == old:
                raise OfficeError(f"{files.vault_path} was not changed: the new passphrase is the old one")
            sealed = vault.sealed(new, os.urandom)
            if open_vault(sealed, new).fingerprints() != vault.fingerprints():
                raise OfficeError(f"{files.vault_path} was not changed: what was to be written could not be read again")
            files.put_vault(sealed)
    click.echo(
        f"{files.vault_path} has a new passphrase. Put copies of it in place of the old ones: "
        "those still open with the old passphrase"
    )


@keys.command("export-station")
@click.argument("target", metavar="STATION_DIR|FILE", type=click.Path(path_type=Path))
@office_option
@passphrase_option
@click.option("--with-debit", is_flag=True, help="Also the debit key: only for stations where purses are used.")
@click.option(
    "--guest",
    type=click.IntRange(GUEST_KEY_NUMBERS[0], GUEST_KEY_NUMBERS[-1]),
    help="For another acquirer's stations: the key of this slot (5 to 9) alone; it reads cards, no more.",
)
@click.option("--replace", is_flag=True, help="Write over a key file that is there.")
def export_station(
    target: Path, folder: Path, passphrase_file: Path | None, with_debit: bool, guest: int | None, replace: bool
) -> None:
    """Write what a station may hold into its keys/cards.json, or into FILE."""
    if guest is not None and with_debit:
        raise click.UsageError("a guest never gets the debit key: leave out --with-debit")
    path = target / STATION_FILE if target.is_dir() else target
    with said():
        if path.exists() and not replace:
            raise OfficeError(f"{path} is there already and was not touched: add --replace to write over it")
        vault = opened(OfficeFolder(folder), passphrase_file)
        data, said_what = _key_file(vault, with_debit=with_debit, guest=guest)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, data)
        except OSError as error:
            raise OfficeError(f"{path} cannot be written ({error.strerror})") from None
    click.echo(f"{path}: {said_what}, readable by its owner only")


def _key_file(vault: Vault, *, with_debit: bool, guest: int | None) -> tuple[bytes, str]:
    """The file, and what is in it in words."""
    content: dict[str, object] = {"format": KEY_FILE_FORMAT, "issuer_keys": [vault.public_key.hex()]}
    if guest is not None:
        content["keys"] = vault.for_station(guest)
        what = f"key {guest}, for a guest,"
        numbers = [guest]
    else:
        content["read_keys"] = vault.for_station(READ_KEY_NUMBER)[str(READ_KEY_NUMBER)]
        numbers = [READ_KEY_NUMBER, DEBIT_KEY_NUMBER] if with_debit else [READ_KEY_NUMBER]
        if with_debit:
            content["keys"] = vault.for_station(DEBIT_KEY_NUMBER)
        what = "read and debit keys" if with_debit else "read keys"
    versions = sorted({version for number in numbers for version in vault.fingerprints()[number]})
    data = msgspec.json.format(msgspec.json.encode(content)) + b"\n"
    return data, f"{what} of version {', '.join(map(str, versions))}, public key {key_id(vault.public_key).hex()}"
