"""The cryptography gives what NXP's public application notes print."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from card_io.apdu import Command, Response
from card_io.desfire import crypto
from card_io.desfire.channel import Mode
from card_io.desfire.commands import read_data
from card_io.desfire.crypto import AesKey
from card_io.desfire.ev2 import Ev2Channel, authenticate_ev2_first
from card_io.session import StepSession

X = bytes.fromhex
ZERO_KEY = AesKey(bytes(16))


def raw(key: AesKey) -> bytes:
    """A key's bytes: only a test that compares them with printed ones looks inside."""
    return bytes(key._aes.key)


@given(
    st.binary(min_size=16, max_size=16),
    st.lists(st.tuples(st.binary(max_size=80), st.binary(min_size=16, max_size=16))),
)
def test_a_key_that_is_used_again_and_again_chains_and_signs_as_the_library_does(
    secret: bytes, messages: list[tuple[bytes, bytes]]
) -> None:
    key = AesKey(secret)
    for text, iv in messages:
        blocks = crypto.pad(text)
        library = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
        enciphered = library.update(blocks) + library.finalize()
        assert key.encrypt(blocks, iv) == enciphered
        assert key.decrypt(enciphered, iv) == blocks
        mac = CMAC(algorithms.AES(secret))
        mac.update(text)
        assert key.cmac(text) == mac.finalize()
    assert key.encrypt(b"") == key.decrypt(b"") == b""


@pytest.mark.parametrize(("data", "iv"), [(bytes(15), bytes(16)), (bytes(17), bytes(16)), (bytes(16), bytes(8))])
def test_half_a_block_is_a_mistake(data: bytes, iv: bytes) -> None:
    for work in (ZERO_KEY.encrypt, ZERO_KEY.decrypt):
        with pytest.raises(ValueError, match="whole blocks of 16 bytes"):
            work(data, iv)


def test_an10922_diversifies_as_printed() -> None:
    master = AesKey(X("00112233445566778899AABBCCDDEEFF"))
    assert crypto.cmac_subkeys(master) == (
        X("FBC9F75C9413C041DFEE452D3F0706D1"),
        X("F793EEB928278083BFDC8A5A7E0E0D25"),
    )
    diversified = crypto.diversify_raw(master, X("04782E21801D803042F54E585020416275"))
    assert diversified == X("A8DD63A3B89D54B37CA802473FDA9175")


@given(st.binary(min_size=1, max_size=31))
def test_a_diversification_of_two_blocks_is_a_cmac_and_a_short_one_is_not(text: bytes) -> None:
    """AN10922 fills every message up to two blocks; CMAC does so only above one."""
    made = crypto.diversify_raw(ZERO_KEY, text)
    assert (made == ZERO_KEY.cmac(b"\x01" + text)) == (len(text) + 1 > 16)


@pytest.mark.parametrize("length", [0, 32])
def test_a_diversification_of_wrong_length_is_a_mistake(length: int) -> None:
    with pytest.raises(ValueError, match="1 to 31 bytes"):
        crypto.diversify(ZERO_KEY, bytes(length))


@pytest.mark.parametrize(
    ("rnd_a", "rnd_b", "enc", "mac"),
    [
        (
            "B04D0787C93EE0CC8CACC8E86F16C6FE",
            "FA659AD0DCA738DD65DC7DC38612AD81",
            "63DC07286289A7A6C0334CA31C314A04",
            "774F26743ECE6AF5033B6AE8522946F6",
        ),
        (
            "13C5DB8A5930439FC3DEF9A4C675360F",
            "B9E2FC789B64BF237CCCAA20EC7E6E48",
            "1309C877509E5A215007FF0ED19CA564",
            "4C6626F5E72EA694202139295C7A7FC7",
        ),
    ],
    ids=["AN12343", "AN12196 table 14"],
)
def test_session_keys_are_as_printed(rnd_a: str, rnd_b: str, enc: str, mac: str) -> None:
    keys = crypto.session_keys(ZERO_KEY, X(rnd_a), X(rnd_b))
    assert (raw(keys.enc), raw(keys.mac)) == (X(enc), X(mac))


def test_the_printed_authentication_runs_command_for_command() -> None:
    session = StepSession(authenticate_ev2_first(ZERO_KEY, 0, X("B04D0787C93EE0CC8CACC8E86F16C6FE")))
    assert bytes(session.next() or b"") == X("9071000002000000")
    session.feed(Response.parse(X("24677DDBD46349E623798FD729006E7991AF")))
    assert bytes(session.next() or b"") == X(
        "90AF0000203B50445F21D21D77D500794DEB245E5A754F5F901844259F4C9B31A5C7335ACD00"
    )
    session.feed(Response.parse(X("04C6DBD67417ED0D31DDDE4D2E3FFAC2B4B074F638EEF7FFF9254963B65C77599100")))
    assert session.next() is None
    # the transaction identifier, seen by what it does: the first command's MAC under the printed keys
    known = Ev2Channel(
        crypto.session_keys(ZERO_KEY, X("B04D0787C93EE0CC8CACC8E86F16C6FE"), X("FA659AD0DCA738DD65DC7DC38612AD81")),
        X("8CF141F3"),
    )
    assert session.result.command_mac(0x51, b"") == known.command_mac(0x51, b"")


MAC_KEYS = crypto.SessionKeys(ZERO_KEY, AesKey(X("9366FA195EB566F5BD2BAD4020B83002")))
MAC_TI = X("E2D3AF69")


def test_ev2_macs_are_as_printed() -> None:
    first = Ev2Channel(MAC_KEYS, MAC_TI)
    assert first.command_mac(0x8D, X("00000000190000") + b"\x22" * 25) == X("68F2C28C575A1628")
    second = Ev2Channel(MAC_KEYS, MAC_TI, counter=1)
    assert second.command_mac(0x00, b"") == X("0820F68898C2A7F1"), "an answer's MAC is made the same way"
    assert second.command_mac(0xAD, X("00000000300000")) == X("0D9BE191D5960834")


def test_the_printed_read_command_goes_out_whole() -> None:
    session = StepSession(read_data(Ev2Channel(MAC_KEYS, MAC_TI, counter=1), 0, 0x30, Mode.MAC))
    assert session.next() == Command.desfire(0xAD, X("000000003000000D9BE191D5960834"))


def test_the_initial_vector_is_as_printed() -> None:
    enc = AesKey(X("66A8CB93269DC9BC2885B7A91B9C697B"))
    assert crypto.command_iv(enc, X("ED56F6E6"), 0) == X("DA0F644A4986275957CF1EC3AF4CCE53")
    assert crypto.response_iv(enc, X("ED56F6E6"), 0) != crypto.command_iv(enc, X("ED56F6E6"), 0)


@given(st.binary(max_size=100))
def test_padding_comes_off_as_it_went_on(data: bytes) -> None:
    assert len(crypto.pad(data)) % 16 == 0
    assert crypto.unpad(crypto.pad(data)) == data


@pytest.mark.parametrize("broken", [b"", bytes(16), b"\x80" + bytes(16), b"no mark at all!!"])
def test_broken_padding_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="padding"):
        crypto.unpad(broken)


def test_a_key_does_not_show_itself() -> None:
    key = AesKey(b"0123456789abcdef")
    assert "0123" not in repr(key)
    assert "3031" not in repr(key)
