"""Lists compared by digests, for any entries: what differs is found, and what is sent makes the one into the other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.list_digests import (
    BUCKETS,
    EMPTY,
    DigestsError,
    bucket_of,
    changed,
    changes,
    differing,
    digest,
    digests_text,
    first_key,
    parse_digests,
    root,
    split,
)
from controller.domain.list_entries import (
    DamagedEntry,
    Entry,
    EntryKind,
    ListPrice,
    Product,
    Rule,
    decode_entry,
    encode_entry,
    key_of,
)
from controller.domain.lists import Cap, Level, ListRow, Measure, Status, Window
from controller.domain.quantities import Unit, UnitPrice
from controller.domain.tokens import KEY_BYTES, TokenKind

keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
lists = st.dictionaries(st.sampled_from([bytes([n]) * KEY_BYTES for n in range(12)]) | keys, st.binary(max_size=3)).map(
    lambda held: sorted(key + value for key, value in held.items())
)


def digests_of(entries: list[bytes]) -> list[bytes]:
    return [digest(own) for _, own in split(entries)]


@given(keys)
def test_a_key_is_in_the_bucket_of_its_first_twelve_bits(key: bytes) -> None:
    bucket = bucket_of(key)
    assert bucket == int.from_bytes(key, "big") >> 52
    assert first_key(bucket) <= key < first_key(bucket + 1)


@settings(max_examples=25)
@given(lists)
def test_every_entry_is_in_one_bucket(entries: list[bytes]) -> None:
    parts = list(split(entries))
    assert [bucket for bucket, _ in parts] == list(range(BUCKETS))
    assert [entry for _, own in parts for entry in own] == entries
    assert all(bucket_of(entry) == bucket for bucket, own in parts for entry in own)


@settings(max_examples=25)
@given(lists, lists)
def test_only_buckets_that_differ_differ(old: list[bytes], new: list[bytes]) -> None:
    found = differing(digests_of(old), digests_of(new))
    assert found == sorted({bucket_of(entry) for entry in set(old) ^ set(new)})
    assert (root(digests_of(old)) == root(digests_of(new))) == (old == new)


@given(lists, lists)
def test_changes_lead_from_the_one_to_the_other_and_hold_no_more_than_that(old: list[bytes], new: list[bytes]) -> None:
    change = changes(old, new)
    assert changed(old, change) == new
    assert changed(new, change) == new, "twice is once"
    assert set(change.put) == set(new) - set(old)
    assert set(change.drop) == {entry[:KEY_BYTES] for entry in old} - {entry[:KEY_BYTES] for entry in new}


@settings(max_examples=25)
@given(lists)
def test_digests_go_through_a_file(entries: list[bytes]) -> None:
    assert parse_digests(digests_text(digests_of(entries))) == digests_of(entries)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: expected 'forecourt whitelist digests 1'"),
        ("forecourt whitelist digests 1\n", "line 1: the digest over all does not fit"),
        (f"forecourt whitelist digests 1\n0a7 {EMPTY.hex()[2:]}\nroot\n", "line 2: expected a bucket and its digest"),
        (f"forecourt whitelist digests 1\nxyz {EMPTY.hex()}\nroot\n", "line 2: expected a bucket and its digest"),
        (f"forecourt whitelist digests 1\n0a7 {'00' * 16}\nroot 00\n", "line 3: the digest over all does not fit"),
    ],
)
def test_a_file_of_digests_that_is_none_is_refused_with_its_line(text: str, why: str) -> None:
    with pytest.raises(DigestsError) as caught:
        parse_digests(text)
    assert str(caught.value).startswith(why)


ENTRIES: list[Entry] = [
    ListRow(b"12345678", TokenKind.CARD, Status.ACTIVE, "ACME"),
    ListRow(
        b"12345678",
        TokenKind.PHONE,
        Status.STOPPED,
        "ŞİRKET",
        caps=(Cap(Level.ACCOUNT, Window.WEEK, Measure.FILLS, 3),),
    ),
    Product("diesel", "Motorin", Unit.LITRE),
    ListPrice("diesel", 5, UnitPrice(23, -3)),
    Rule("opet-kart", "a = 1\n"),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_goes_through_bytes(entry: ListRow | Product | ListPrice | Rule) -> None:
    data = encode_entry(entry)
    assert decode_entry(data) == entry
    assert data[:KEY_BYTES] == key_of(entry)
    for size in range(len(data)):
        with pytest.raises(DamagedEntry):
            decode_entry(data[:size])


def test_what_has_its_default_takes_no_room() -> None:
    assert encode_entry(ENTRIES[0]) == b"12345678\x01\x93\xa4card\xa6active\xa4ACME"


def test_an_entry_of_another_key_or_of_a_later_kind_is_refused() -> None:
    with pytest.raises(DamagedEntry, match="under the key of another entry"):
        decode_entry(b"00000000" + encode_entry(ENTRIES[2])[KEY_BYTES:])
    later = max(EntryKind) + 1
    with pytest.raises(DamagedEntry, match=f"entries of kind {later} are not known here"):
        decode_entry(b"12345678" + bytes([later]) + b"\x90")
