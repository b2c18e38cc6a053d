"""A station takes what headquarters signed: a list, a delta or a repair, in one transaction, beside the list in use.

What comes out is held against the signed digests before it is put in place, so a station has headquarters' list or the
one it had. A list that was damaged on the disk shows itself here, and by `verify`.
"""

import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from controller.domain.list_digests import BUCKETS, EMPTY, changed, digest, root
from controller.domain.list_entries import DamagedEntry, decode_entry
from controller.domain.list_parts import (
    FileKind,
    PartsError,
    Taker,
    Verify,
    check,
    may_take,
    open_signed,
    unpack_changes,
    unpack_entries,
)
from controller.store.whitelist_file import (
    UNREADABLE,
    About,
    NewList,
    Provenance,
    WhitelistError,
    WhitelistNotNow,
    about_of,
    all_buckets,
    bucket_entries,
    changing,
    digests_of,
    open_to_read,
    read_about,
)
from controller.store.whitelist_import import Progress, silent
from controller.store.whitelist_named import Named
from controller.store.whitelist_signed import SignedFile


class Taken(msgspec.Struct, frozen=True):
    """What was put in place, and how many buckets came along. `already`: it was in place before."""

    kind: FileKind
    about: About
    buckets: int
    already: bool = False


class Finding(StrEnum):
    """What an examination of the list in place found."""

    SOUND = "sound"
    SIGNED = "signed"
    """Sound, and headquarters' signature is under it."""


def take(path: Path, source: Path, taker: Taker, verify: Verify, progress: Progress = silent) -> Taken:
    """Put what `source` says in place of the list at `path`. WhitelistError says why not: the old list stays."""
    with changing(path), SignedFile(source, verify) as file:
        header = file.header
        held = _held(path, header.kind)
        known = held is not None and held.header and (held.version, held.root) == (header.version, header.root)
        if held is not None and known and header.kind is not FileKind.REPAIR:
            return Taken(header.kind, held, 0, already=True)
        try:
            may_take(header, taker, None if held is None else held.in_place)
            with NewList(path, like=None if header.kind is FileKind.LIST else path) as fresh:
                return _take(fresh, file, progress)
        except PartsError as error:
            raise WhitelistError(f"{source} is not taken: {error}") from error
        except sqlite3.Error as error:
            # A full disk gives an error of writing as well as its own: which it was, nobody knows for sure.
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
                raise WhitelistNotNow(f"{source} is not taken: the disk is full: make room") from error
            raise WhitelistError(
                f"{source} is not taken: the list in place is damaged, or the disk is full ({error}): get a whole list"
            ) from error


def _take(fresh: NewList, file: SignedFile, progress: Progress) -> Taken:
    header = file.header
    if header.kind is FileKind.REPAIR:
        _recount(fresh, progress)
    for number, part in enumerate(header.parts, 1):
        if header.kind is FileKind.LIST:
            fresh.append(unpack_entries(part, file.packed(part)), part.bucket, part.bucket + 1)
        else:
            old = bucket_entries(fresh.database, part.bucket)
            if header.kind is FileKind.DELTA:
                new = changed(old, unpack_changes(part, file.packed(part)))
                check(part, new)
            else:
                new = unpack_entries(part, file.packed(part))
            fresh.put_bucket(part.bucket, old, new)
        progress("taking", number, len(header.parts))
    if root(digests_of(fresh.database)) != header.root:
        raise PartsError(
            "the list that comes out is not the one that headquarters signed: the list in place differs from "
            "what headquarters has, get a repair (forecourt whitelist digests)"
        )
    about = fresh.commit(
        Provenance(header.version, header.made_at_ms, header.list_key_print, header.currency, file.signed)
    )
    return Taken(header.kind, about, len(header.parts))


def station_digests(path: Path, progress: Progress = silent) -> list[bytes]:
    """The digests of the list at `path`, from its rows as they are on the disk. WhitelistError if it cannot be read."""
    found = [EMPTY] * BUCKETS
    for bucket, entries in _read(path):
        found[bucket] = digest(entries)
        progress("reading", bucket + 1, BUCKETS)
    return found


def examine(
    path: Path, verify: Verify | None, progress: Progress = silent, named: Named | None = None
) -> tuple[Finding, About]:
    """Read every entry of the list at `path` and hold all digests, and the signature, against it.

    WhitelistError says what is wrong. `verify`: None where headquarters' key is not known here. `named` is shown
    every entry.
    """
    named = named or Named()
    about = about_of(path)
    if about is None:
        raise WhitelistError(f"there is no list at {path}: import one (forecourt whitelist import)")
    found, count = [EMPTY] * BUCKETS, 0
    for bucket, entries in _read(path):
        try:
            for entry in entries:
                named.see(decode_entry(entry))
        except DamagedEntry as error:
            raise WhitelistError(f"{path}: an entry of bucket {bucket:03x} is damaged ({error}): {_HEAL}") from error
        found[bucket] = digest(entries)
        count += len(entries)
        progress("reading", bucket + 1, BUCKETS)
    if root(found) != about.root or count != about.count:
        raise WhitelistError(f"{path}: its entries are not those that were put in place: {_HEAL}")
    if not about.header or verify is None:
        return Finding.SOUND, about
    try:
        header = open_signed(about.header, verify)
    except PartsError as error:
        raise WhitelistError(f"{path}: {error}") from error
    if (header.root, header.version) != (about.root, about.version):
        raise WhitelistError(f"{path}: it is not the list that headquarters signed: {_HEAL}")
    return Finding.SIGNED, about


_HEAL = "get a repair (forecourt whitelist digests), or import the list again"


def _held(path: Path, kind: FileKind) -> About | None:
    try:
        return about_of(path)
    except WhitelistError:
        if kind is FileKind.LIST:
            return None  # what cannot be read is replaced whole
        raise


def _read(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    try:
        database = open_to_read(path)
        try:
            read_about(database)
            yield from all_buckets(database)
        finally:
            database.close()
    except UNREADABLE as error:
        raise WhitelistError(
            f"{path} cannot be read ({error}): import the list (forecourt whitelist import)"
        ) from error


def _recount(fresh: NewList, progress: Progress) -> None:
    """A repair does not believe the digests that stand in the file: nobody knows what is wrong with it."""
    found = []
    for bucket, entries in all_buckets(fresh.database):
        found.append((bucket, len(entries), digest(entries)))
        progress("reading", bucket + 1, BUCKETS)
    fresh.count_again(found)
