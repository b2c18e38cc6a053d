"""The commands `forecourt whitelist ...` of a station; those of headquarters are taken along.

Each turns words into one call, and an error into sentences and exit code 1. No PIN and no token is printed whole.
"""

from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from controller import keys
from controller.config import StationConfig
from controller.domain.list_digests import digests_text
from controller.domain.list_parts import Taker, Verify
from controller.domain.lists import ListState
from controller.domain.tokens import (
    TokenKind,
    check_card_number,
    fold_phone,
    fold_plate,
    list_key_print,
    mask_card,
    mask_phone,
    mask_plate,
    token_key,
)
from controller.install import CONFIG_FILE
from controller.office.station_file import load_station
from controller.office.whitelist_making import (
    EXISTING_FILE,
    EXPECTED,
    HEADQUARTERS_PUBLIC,
    NEW_FILE,
    build,
    delta,
    fail,
    keygen,
    now_ms,
    pin,
    progress_bar,
    repair,
    verifier,
)
from controller.office.whitelist_notices import unknown_lines
from controller.office.whitelist_prices import prices
from controller.office.whitelist_publishing import publish
from controller.office.whitelist_text import row_lines
from controller.store.whitelist import Whitelist
from controller.store.whitelist_file import WHITELIST_FILE, Provenance, WhitelistError, about_of
from controller.store.whitelist_import import Way, import_files
from controller.store.whitelist_named import Named
from controller.store.whitelist_stats import stats as stats_of
from controller.store.whitelist_taking import Finding, examine, station_digests, take

_config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), default=Path(CONFIG_FILE), show_default=True
)


@click.group()
def whitelist() -> None:
    """The list of cards, plates and phones that the station decides by."""


for _command in (keygen, publish, build, delta, repair, pin, prices):
    whitelist.add_command(_command)


# ---- at the station


@whitelist.command("import")
@_config_option
@click.argument("sources", metavar="FILE.csv|.jsonl...", type=EXISTING_FILE, nargs=-1, required=True)
@click.option("--version", type=click.IntRange(1), help="The list's version; without it, one more than the last.")
def import_(config_path: Path, sources: tuple[Path, ...], version: int | None) -> None:
    """Replace the list by these files, whole or not at all; a running station takes it at once."""
    config = load_station(config_path)
    path = config.data / WHITELIST_FILE
    try:
        way = Way(keys.list_key(config.keys), config.currency, config.zone)
        number = _next_version(path) if version is None else version
        with progress_bar() as progress:
            about = import_files(path, sources, way, Provenance(number, now_ms(), "", ""), progress)
    except EXPECTED as error:
        fail(f"{error}\nNothing was changed: the old list stands")
    click.echo(f"{about.count} entries, version {about.version}")


@whitelist.command()
@_config_option
@click.argument("source", metavar="FILE", type=EXISTING_FILE)
def apply(config_path: Path, source: Path) -> None:
    """Take a list, delta or repair that headquarters signed; a running station goes on with it at once."""
    config = load_station(config_path)
    try:
        taker = Taker(list_key_print(keys.list_key(config.keys)), config.currency.code)
        with progress_bar() as progress:
            taken = take(config.data / WHITELIST_FILE, source, taker, _headquarters(config), progress)
    except EXPECTED as error:
        fail(f"{error}\nNothing was changed: the old list stands")
    if taken.already:
        click.echo(f"version {taken.about.version} is in place already")
    else:
        click.echo(
            f"{taken.kind}: {taken.buckets} buckets, now {taken.about.count} entries, version {taken.about.version}"
        )


@whitelist.command()
@_config_option
@click.argument("token", metavar="CARD|PLATE|PHONE")
def show(config_path: Path, token: str) -> None:
    """Show what the list says of a card, a plate or a phone. Exit code 1 if it is not on it."""
    config = load_station(config_path)
    try:
        secret = keys.list_key(config.keys)
    except keys.KeyFileError as error:
        fail(str(error))
    listed = Whitelist(config.data / WHITELIST_FILE)
    meant = _meant(token)
    found = [(kind, shown, listed.look_up(token_key(secret, kind, value))) for kind, value, shown in meant]
    listed.close()
    if listed.trouble:
        fail(listed.trouble)
    if not any(look_up.row for *_, look_up in found):
        kinds = " or ".join(kind for kind, *_ in found) or "card, plate or phone"
        fail(f"no such {kinds} on the list")
    for kind, shown, look_up in found:
        if look_up.row is not None and look_up.state is ListState.READY:
            click.echo(f"{kind} {shown}, version {look_up.version}")
            for column, text in row_lines(look_up.row, config.currency, config.zone):
                click.echo(f"  {column:<22} {text}")


@whitelist.command()
@_config_option
def stats(config_path: Path) -> None:
    """Count what is on the list."""
    config = load_station(config_path)
    try:
        with progress_bar() as progress:
            found = stats_of(config.data / WHITELIST_FILE, progress)
    except EXPECTED as error:
        fail(str(error))
    about = found.about
    click.echo(f"version {about.version}, {'signed by headquarters' if about.header else 'imported here'}")
    click.echo(f"{about.count} entries of {found.accounts} accounts, {found.with_pin} with a PIN")
    for (kind, status), count in sorted(found.tokens.items()):
        click.echo(f"  {kind + ', ' + status:<20} {count:>12}")
    for kind, count in sorted(found.others.items()):
        click.echo(f"  {kind:<20} {count:>12}")
    click.echo(f"{found.file_bytes} bytes; at most {found.fullest} entries in one of 4096 buckets")
    for line in unknown_lines(found.named, config):
        click.echo(line)


@whitelist.command()
@_config_option
def verify(config_path: Path) -> None:
    """Read every entry, and hold digests and headquarters' signature against it."""
    config = load_station(config_path)
    named = Named()
    try:
        known = (config.keys / HEADQUARTERS_PUBLIC).exists()
        with progress_bar() as progress:
            signed_by = _headquarters(config) if known else None
            found, about = examine(config.data / WHITELIST_FILE, signed_by, progress, named)
    except EXPECTED as error:
        fail(str(error))
    if about.list_key_print and about.list_key_print != list_key_print(keys.list_key(config.keys)):
        fail("the list was made for another list key than keys/list.key: no card is found. Import it again")
    whose = "signed by headquarters" if found is Finding.SIGNED else "imported here, not signed"
    if about.header and not known:
        whose = f"signed, but by whom is not known here: put {HEADQUARTERS_PUBLIC} into {config.keys}"
    click.echo(f"{about.count} entries, version {about.version}: every digest is right; {whose}")
    for line in unknown_lines(named, config):
        click.echo(line)


@whitelist.command()
@_config_option
@click.option("--output", type=NEW_FILE, help="A file for headquarters, instead of the screen.")
def digests(config_path: Path, output: Path | None) -> None:
    """Print the digests of all buckets, from the entries as they are on the disk: for headquarters' repair."""
    config = load_station(config_path)
    try:
        with progress_bar() as progress:
            text = digests_text(station_digests(config.data / WHITELIST_FILE, progress))
        if output is None:
            click.echo(text, nl=False)
        else:
            output.write_text(text, encoding="ascii")
            click.echo(f"{output} written; at headquarters: forecourt whitelist repair LIST {output} REPAIR")
    except EXPECTED as error:
        fail(str(error))


def _headquarters(config: StationConfig) -> Verify:
    path = config.keys / HEADQUARTERS_PUBLIC
    try:
        return verifier(Ed25519PublicKey.from_public_bytes(bytes.fromhex(path.read_text(encoding="ascii").strip())))
    except FileNotFoundError as error:
        raise WhitelistError(f"{path} is not there: copy it from headquarters (forecourt whitelist keygen)") from error
    except ValueError as error:
        raise WhitelistError(f"{path} holds no key: expected 64 hex digits. Copy it from headquarters again") from error


def _meant(text: str) -> list[tuple[TokenKind, str, str]]:
    """What a text may be: kind, what is hashed, what may be shown."""
    meant = []
    for kind, fold, mask in (
        (TokenKind.CARD, check_card_number, mask_card),
        (TokenKind.PHONE, fold_phone, mask_phone),
        (TokenKind.PLATE, fold_plate, mask_plate),
    ):
        try:
            value = fold(text)
        except ValueError:
            continue
        meant.append((kind, value, mask(value)))
    return meant


def _next_version(path: Path) -> int:
    try:
        about = about_of(path)
    except WhitelistError:
        return 1
    return 1 if about is None else about.version + 1
