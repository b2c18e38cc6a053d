"""The commands `forecourt whitelist ...` by which headquarters makes lists, deltas and repairs, and their keys.

Each turns words into one call, and an error into sentences and exit code 1. Knows no station.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from controller import keys
from controller.domain.list_digests import DigestsError, parse_digests
from controller.domain.list_parts import Verify
from controller.domain.pins import SALT_BYTES
from controller.domain.quantities import CURRENCIES
from controller.machine import MachineClock, MachineRandomness
from controller.pincheck import make_verifier
from controller.store.whitelist_file import WhitelistError
from controller.store.whitelist_import import Progress, Way, silent
from controller.store.whitelist_signed import SignedFile, build_delta, build_list, build_repair

HEADQUARTERS_KEY = "headquarters.key"
HEADQUARTERS_PUBLIC = "headquarters.pub"
EXPECTED = (WhitelistError, keys.KeyFileError, OSError)
"""What a command says as a sentence."""

key_option = click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path),
    default=Path(HEADQUARTERS_KEY),
    show_default=True,
    help="What signs: made by keygen.",
)
currency_option = click.option(
    "--currency", type=click.Choice(sorted(CURRENCIES)), required=True, help="Of the amounts."
)
zone_option = click.option("--time-zone", required=True, help="In which days begin, such as Europe/Istanbul.")
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


def way_of(list_key: Path, currency: str, time_zone: str) -> Way:
    """How the rows of a list are to be read. KeyFileError for a key that cannot be used; ends at no time zone."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        fail(f"{time_zone!r} is no time zone: expected one such as Europe/Istanbul")
    return Way(keys.read_hex(list_key, keys.SECRET_BYTES), CURRENCIES[currency], zone)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def keygen(folder: Path) -> None:
    """Make the network's keys in DIR: one that signs lists, its public half, and the list key."""
    chance = MachineRandomness().random_bytes
    private = Ed25519PrivateKey.from_private_bytes(chance(keys.SECRET_BYTES))
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = folder / HEADQUARTERS_PUBLIC
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (HEADQUARTERS_KEY, keys.LIST_KEY):
            if (folder / name).exists():
                fail(f"{folder / name} is there already, and was not touched")
        keys.write_secret(folder / HEADQUARTERS_KEY, raw.hex())
        keys.write_secret(folder / keys.LIST_KEY, chance(keys.SECRET_BYTES).hex())
        public.write_text(
            private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex() + "\n", encoding="ascii"
        )
    except OSError as error:
        fail(str(error))
    click.echo(
        f"{folder / HEADQUARTERS_KEY} stays here. Into each station's keys: {public} and {folder / keys.LIST_KEY}"
    )


@click.command()
@key_option
@click.option(
    "--list-key", "list_key", type=EXISTING_FILE, required=True, help="The network's list.key, as all stations have it."
)
@currency_option
@zone_option
@click.option("--version", type=click.IntRange(1), required=True, help="Higher than that of the list before.")
@click.argument("target", metavar="LIST", type=NEW_FILE)
@click.argument("sources", metavar="FILE.csv|.jsonl...", type=EXISTING_FILE, nargs=-1, required=True)
def build(
    key_path: Path,
    list_key: Path,
    currency: str,
    time_zone: str,
    version: int,
    target: Path,
    sources: tuple[Path, ...],
) -> None:
    """Make a signed LIST for all stations from these files, whole or not at all."""
    try:
        way = way_of(list_key, currency, time_zone)
        with progress_bar() as progress:
            header = build_list(target, sources, way, version, now_ms(), signer_of(key_path).sign, progress)
    except EXPECTED as error:
        fail(f"{error}\n{target} was not made")
    click.echo(f"{target}: {header.count} entries, version {header.version}, {target.stat().st_size} bytes")


@click.command()
@key_option
@click.argument("old", metavar="OLD", type=EXISTING_FILE)
@click.argument("new", metavar="NEW", type=EXISTING_FILE)
@click.argument("target", metavar="DELTA", type=NEW_FILE)
def delta(key_path: Path, old: Path, new: Path, target: Path) -> None:
    """Make a signed DELTA from the list OLD to the list NEW."""
    _make(key_path, target, lambda signer, own: _delta(target, old, new, signer, own))


@click.command()
@key_option
@click.argument("source", metavar="LIST", type=EXISTING_FILE)
@click.argument("digests_path", metavar="DIGESTS", type=EXISTING_FILE)
@click.argument("target", metavar="REPAIR", type=NEW_FILE)
def repair(key_path: Path, source: Path, digests_path: Path, target: Path) -> None:
    """Make a signed REPAIR: the buckets of LIST that a station's DIGESTS show to be otherwise there."""
    try:
        theirs = parse_digests(digests_path.read_text(encoding="ascii"))
    except (DigestsError, UnicodeDecodeError) as error:
        fail(f"{digests_path}: {error}")
    except OSError as error:
        fail(str(error))

    def make(signer: Ed25519PrivateKey, own: Verify) -> None:
        with SignedFile(source, own) as file:
            header = build_repair(target, file, theirs, signer.sign)
        click.echo(f"{target}: {len(header.parts)} of 4096 buckets differ, {target.stat().st_size} bytes")

    _make(key_path, target, make)


@click.command()
@click.option("--stdin", "from_stdin", is_flag=True, help="Read PINs from the input, one a line.")
def pin(from_stdin: bool) -> None:
    """Turn a PIN into the verifier that a list may hold. The PIN is not shown."""
    given = sys.stdin if from_stdin else [click.prompt("PIN", hide_input=True, confirmation_prompt=True)]
    for number, text in enumerate(given, 1):
        try:
            click.echo(make_verifier(text, MachineRandomness().random_bytes(SALT_BYTES)))
        except ValueError as error:
            fail(f"line {number}: {error}" if from_stdin else str(error))


def _delta(target: Path, old: Path, new: Path, signer: Ed25519PrivateKey, own: Verify) -> None:
    with SignedFile(old, own) as before, SignedFile(new, own) as after:
        header = build_delta(target, before, after, signer.sign)
    click.echo(
        f"{target}: from version {header.base_version} to {header.version}, {len(header.parts)} of 4096 buckets, "
        f"{target.stat().st_size} bytes"
    )


def _make(key_path: Path, target: Path, make: Callable[[Ed25519PrivateKey, Verify], None]) -> None:
    try:
        signer = signer_of(key_path)
        make(signer, verifier(signer.public_key()))
    except EXPECTED as error:
        fail(f"{error}\n{target} was not made")


def verifier(key: Ed25519PublicKey) -> Verify:
    """Whether a signature is of this key."""

    def right(signature: bytes, data: bytes) -> bool:
        try:
            key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return right


def signer_of(path: Path) -> Ed25519PrivateKey:
    """The key that signs lists. KeyFileError."""
    return Ed25519PrivateKey.from_private_bytes(keys.read_hex(path, keys.SECRET_BYTES))


def now_ms() -> int:
    return MachineClock().now().wall_ms


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on stderr while somebody looks at it."""
    if not sys.stderr.isatty():
        yield silent
        return
    with click.progressbar(length=100, file=sys.stderr) as bar:

        def show_progress(what: str, done: int, out_of: int) -> None:
            if what != bar.label:
                bar.label, bar.pos = what, 0
            bar.update(done * 100 // max(out_of, 1) - bar.pos)

        yield show_progress


def fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)
