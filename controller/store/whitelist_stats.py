"""What a list holds, counted. Knows no command line."""

from collections import Counter
from pathlib import Path

import msgspec
import sqlite_utils

from controller.domain.list_digests import BUCKETS
from controller.domain.list_entries import EntryKind, decode_parts
from controller.domain.lists import ListRow
from controller.store.whitelist_file import UNREADABLE, About, WhitelistError, open_to_read, read_about
from controller.store.whitelist_import import Progress, silent
from controller.store.whitelist_named import Named


class Stats(msgspec.Struct, frozen=True):
    """`tokens`: how many, by kind and status. `others`: products, prices and rules. `fullest`: entries of a bucket.

    `named`: what the tokens name that has to be known elsewhere.
    """

    about: About
    tokens: dict[tuple[str, str], int]
    others: dict[str, int]
    accounts: int
    with_pin: int
    fullest: int
    file_bytes: int
    named: Named


def stats(path: Path, progress: Progress = silent) -> Stats:
    """Reads every entry. WhitelistError if the list cannot be read."""
    try:
        database = open_to_read(path)
        try:
            return _count(database, path.stat().st_size, progress)
        finally:
            database.close()
    except UNREADABLE as error:
        raise WhitelistError(f"{path} cannot be read ({error}): import a list (forecourt whitelist import)") from error


def _count(database: sqlite_utils.Database, file_bytes: int, progress: Progress) -> Stats:
    about = read_about(database)
    tokens: Counter[tuple[str, str]] = Counter()
    others: Counter[str] = Counter()
    accounts: set[str] = set()
    with_pin, named = 0, Named()
    for number, row in enumerate(database.query("SELECT key, kind, value FROM entries")):
        entry = decode_parts(row["key"], row["kind"], row["value"])
        named.see(entry)
        if isinstance(entry, ListRow):
            tokens[entry.kind.value, entry.status.value] += 1
            accounts.add(entry.account)
            with_pin += bool(entry.pin)
        else:
            others[EntryKind(row["kind"]).name.lower()] += 1
        if number % BUCKETS == 0:
            progress("counting", number, about.count)
    fullest = next(database.query("SELECT coalesce(max(count), 0) AS fullest FROM buckets"))["fullest"]
    return Stats(about, dict(tokens), dict(others), len(accounts), with_pin, fullest, file_bytes, named)
