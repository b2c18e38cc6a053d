"""The command `forecourt whitelist publish`: the next list for all stations, in the folder from which they fetch it.

Counts versions itself: the whole list `12.list`, and beside it `11-12.delta`, what changed since the one before. One at
a time; what one that was broken off has left is never given to a station. Knows no station, and not how files travel.
"""

from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import keys
from controller.domain.list_parts import DELTA_NAME, LIST_NAME, Header, Verify
from controller.office.whitelist_making import (
    EXISTING_FILE,
    EXPECTED,
    currency_option,
    fail,
    key_option,
    now_ms,
    progress_bar,
    signer_of,
    verifier,
    way_of,
    zone_option,
)
from controller.store.whitelist_file import WhitelistError, changing, sync_to_disk
from controller.store.whitelist_import import Progress, Way
from controller.store.whitelist_signed import SignedFile, build_delta, build_list

LISTS_KEPT = 2
"""Whole lists: the newest, and the one before for who is fetching it just now."""
DELTAS_KEPT = 100
"""A station that was away for more versions fetches the whole list."""


@click.command()
@key_option
@click.option(
    "--list-key",
    "list_key",
    type=click.Path(path_type=Path),
    default=Path(keys.LIST_KEY),
    show_default=True,
    help="The network's list.key, as all stations have it.",
)
@currency_option
@zone_option
@click.option("--version", type=click.IntRange(1), help="The list's version; without it, one more than the last.")
@click.argument("folder", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@click.argument("sources", metavar="FILE.csv|.jsonl...", type=EXISTING_FILE, nargs=-1, required=True)
def publish(
    key_path: Path,
    list_key: Path,
    currency: str,
    time_zone: str,
    version: int | None,
    folder: Path,
    sources: tuple[Path, ...],
) -> None:
    """Put the next list of these files, and what changed, into FOLDER, from which stations fetch them."""
    try:
        way = way_of(list_key, currency, time_zone)
        signer = signer_of(key_path)
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the folder: in it stands nothing but what stations may fetch.
        with changing(folder.resolve()), progress_bar() as progress:
            said = _publish(folder, sources, way, signer, version, progress)
    except EXPECTED as error:
        fail(f"{error}\nNothing was published")
    click.echo(said)


def _publish(
    folder: Path,
    sources: tuple[Path, ...],
    way: Way,
    signer: Ed25519PrivateKey,
    wanted: int | None,
    progress: Progress,
) -> str:
    own = verifier(signer.public_key())
    before = _newest(folder)
    _clean(folder, before)
    version = before + 1 if wanted is None else wanted
    if version <= before:
        raise WhitelistError(f"version {version} is not later than version {before} in {folder}")
    # Beside the others under a name that is no list's, until the delta is made: a station may ask at any moment.
    fresh = folder / "next"
    try:
        header = build_list(fresh, sources, way, version, now_ms(), signer.sign, progress)
        said = f"{version}.list: {header.count} entries, {fresh.stat().st_size} bytes"
        if before:
            with SignedFile(folder / f"{before}.list", own) as old:
                if wanted is None and same_list(old.header, header):
                    return f"nothing has changed since version {before}: it stays"
            said += _add_delta(folder, before, version, own, signer)
        fresh.replace(folder / f"{version}.list")
        sync_to_disk(folder)  # after a power cut, no other list may get this number
    finally:
        fresh.unlink(missing_ok=True)
    _clean(folder, version)
    return said


def same_list(old: Header, new: Header) -> bool:
    """The same entries, for the same stations."""
    return (old.root, old.list_key_print, old.currency) == (new.root, new.list_key_print, new.currency)


def _add_delta(folder: Path, before: int, version: int, own: Verify, signer: Ed25519PrivateKey) -> str:
    target = folder / f"{before}-{version}.delta"
    try:
        with SignedFile(folder / f"{before}.list", own) as old, SignedFile(folder / "next", own) as new:
            header = build_delta(target, old, new, signer.sign)
    except WhitelistError as error:
        return f"; no delta ({error})"
    return f"\n{target.name}: {len(header.parts)} of 4096 buckets, {target.stat().st_size} bytes"


def _newest(folder: Path) -> int:
    return max((int(found[1]) for path in folder.iterdir() if (found := LIST_NAME.fullmatch(path.name))), default=0)


def _clean(folder: Path, version: int) -> None:
    """Keep the last ones, up to this version: a later delta is of a list that was never put in place."""
    lists, deltas = [], []
    for path in folder.iterdir():
        if whole := LIST_NAME.fullmatch(path.name):
            lists.append((int(whole[1]), path))
        elif delta := DELTA_NAME.fullmatch(path.name):
            deltas.append((int(delta[2]), path))
    never = [path for end, path in deltas if end > version]
    kept = [each for each in deltas if each[0] <= version]
    for path in (*never, *_but_the_last(lists, LISTS_KEPT), *_but_the_last(kept, DELTAS_KEPT)):
        path.unlink()


def _but_the_last(numbered: list[tuple[int, Path]], count: int) -> list[Path]:
    return [path for _, path in sorted(numbered)[:-count]]
