"""Headquarters' keys open with their passphrase and with nothing else, and show themselves to nobody."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_io.errors import KeyMissing, VaultRefused
from card_io.keys import KeyRing
from card_io.vault import KEY_NUMBERS, Vault, open_vault
from tests.cards.bench import seeded

PASSPHRASE = "correct horse battery"
COST = 12  # the least that is taken: a test's guess costs milliseconds
VAULT = Vault.make(seeded(5), 3)
SEALED = VAULT.sealed(PASSPHRASE, seeded(6), COST)


def test_a_vault_opens_as_it_was_closed() -> None:
    opened = open_vault(SEALED, PASSPHRASE)
    assert opened.public_key == VAULT.public_key
    assert opened.sign(b"x") == VAULT.sign(b"x")
    for number in KEY_NUMBERS:
        assert opened.new_key(number, 3, b"d").exposed() == VAULT.new_key(number, 3, b"d").exposed()
        assert opened.card_key(number, 3, b"d").cmac(b"") == VAULT.new_key(number, 3, b"d").cmac(b"")


def test_no_other_passphrase_opens_it() -> None:
    with pytest.raises(VaultRefused, match="passphrase is wrong"):
        open_vault(SEALED, PASSPHRASE + " ")
    with pytest.raises(ValueError, match="12 characters"):
        VAULT.sealed("short", seeded(), COST)


@settings(max_examples=60)
@given(st.integers(0, len(SEALED) - 3), st.integers(0, 7))
def test_a_changed_file_is_refused(at: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[at] ^= 1 << bit
    if msgspec_equal(bytes(changed)):
        return  # white space only
    with pytest.raises(VaultRefused) as refusal:
        open_vault(bytes(changed), PASSPHRASE)
    assert PASSPHRASE not in str(refusal.value)


def msgspec_equal(changed: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(changed) == msgspec.json.decode(SEALED))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def test_a_vault_of_another_format_or_cost_is_refused_unguessed() -> None:
    for key, value, what in (("format", 2, "format 2"), ("scrypt_cost", 30, "head")):
        content = msgspec.json.decode(SEALED)
        content["forecourt_card_keys"][key] = value
        with pytest.raises(VaultRefused, match=what):
            open_vault(msgspec.json.encode(content), PASSPHRASE)


def test_versions_lie_side_by_side() -> None:
    both = VAULT.with_version(4, seeded(8))
    assert (both.version, both.newest(2), both.newest(15)) == (4, 4, 3)
    assert both.new_key(1, 3, b"d").exposed() == VAULT.new_key(1, 3, b"d").exposed()
    assert both.new_key(1, 4, b"d").exposed() != VAULT.new_key(1, 3, b"d").exposed()
    with pytest.raises(ValueError, match="there already"):
        both.with_version(4, seeded())
    with pytest.raises(KeyMissing):
        VAULT.new_key(1, 4, b"d")
    again = open_vault(both.sealed(PASSPHRASE, seeded(), COST), PASSPHRASE)
    assert again.new_key(9, 4, b"d").exposed() == both.new_key(9, 4, b"d").exposed()


def test_a_station_gets_the_keys_it_may_have_and_makes_the_same_cards_keys() -> None:
    given_out = VAULT.for_station(1, 2)
    ring = KeyRing.from_handover({f"{n}.{v}": digits for n, keys in given_out.items() for v, digits in keys.items()})
    assert ring.card_key(2, 3, b"d").cmac(b"") == VAULT.card_key(2, 3, b"d").cmac(b"")
    with pytest.raises(KeyMissing):
        ring.card_key(3, 3, b"d")
    for number in (0, 3, 4, 15, 16):
        with pytest.raises(ValueError, match="never leaves headquarters"):
            VAULT.for_station(1, number)


def test_a_vault_does_not_show_itself() -> None:
    key = VAULT.for_station(1)["1"]["3"]
    for shown in (repr(VAULT), str(VAULT), repr(VAULT.new_key(1, 3, b"d")), SEALED.decode()):
        assert key not in shown
    with pytest.raises(TypeError):
        VAULT.new_key(0, 3, b"d").__reduce__()
