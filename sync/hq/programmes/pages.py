"""The desk of the fuel programmes at a running server: what is asked as JSON, and answered. Bytes in, bytes out."""

import msgspec

from sync.hq.programmes.asks import Ask
from sync.hq.programmes.desk import Desk
from sync.hq.programmes.statements import DeskError

PROGRAMMES_PATH = "/v1/programmes"
MAX_ASK_BYTES = 64 << 20
"""A file of events is checked whole, and so it comes whole."""

_asks = msgspec.json.Decoder(Ask)
_encoder = msgspec.json.Encoder()


def answer(desk: Desk, data: bytes, now_ms: int) -> bytes:
    """What is asked, done and answered. DeskError, StoreError; then nothing was kept."""
    try:
        ask = _asks.decode(data)
    except ValueError as error:
        raise DeskError(f"not a question that this headquarters understands: {error}") from error
    return _encoder.encode(desk.answer(ask, now_ms))
