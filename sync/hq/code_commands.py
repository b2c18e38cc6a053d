"""The command `forecourt hq qr`: a code of one use for the holder of a card, a plate or a phone, signed on the spot."""

import os
import time
from pathlib import Path
from typing import NoReturn

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.codes import NONCE_BYTES, Code, signed_code
from controller.domain.tokens import TokenKind, check_card_number, fold_phone, fold_plate, token_key
from controller.keys import SECRET_BYTES, KeyFileError, read_hex

MINUTES_MAX = 24 * 60
MS_PER_MINUTE = 60_000
_FOLDS = {TokenKind.CARD: check_card_number, TokenKind.PLATE: fold_plate, TokenKind.PHONE: fold_phone}


@click.command("qr")
@click.option("--card", default="", help="For the holder of this card.")
@click.option("--plate", default="", help="For this plate.")
@click.option("--phone", default="", help="For this phone number.")
@click.option(
    "--minutes", type=click.IntRange(1, MINUTES_MAX), default=5, show_default=True, help="How long it may be used."
)
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path),
    default=Path("headquarters.key"),
    show_default=True,
    help="What signs: made by `forecourt whitelist keygen`.",
)
@click.option(
    "--list-key",
    "list_key_path",
    type=click.Path(path_type=Path),
    default=Path("list.key"),
    show_default=True,
    help="The network's list.key, as all stations have it.",
)
def qr(card: str, plate: str, phone: str, minutes: int, key_path: Path, list_key_path: Path) -> None:
    """Print a code of one use, as the text that a scanner types."""
    given = [(kind, text) for kind, text in zip(_FOLDS, (card, plate, phone), strict=True) if text]
    if len(given) != 1:
        _fail("Whose code? Give one of --card, --plate and --phone")
    kind, text = given[0]
    try:
        folded = _FOLDS[kind](text)
        key = Ed25519PrivateKey.from_private_bytes(read_hex(key_path, SECRET_BYTES))
        secret = read_hex(list_key_path, SECRET_BYTES)
    except (ValueError, KeyFileError) as error:
        _fail(str(error))
    now_ms = time.time_ns() // 1_000_000
    until_ms = now_ms + minutes * MS_PER_MINUTE
    code = Code(kind, token_key(secret, kind, folded), now_ms, until_ms, os.urandom(NONCE_BYTES))
    click.echo(signed_code(code, key.sign))


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)
