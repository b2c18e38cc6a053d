"""Listening passively at a line's port: whatever comes is decoded and written down, nothing is ever sent.

A tap on the wire hears both directions; who spoke is judged from the frames. Time comes from the injected `Clock`.
"""

from controller.domain.seams import Clock
from controller.pumps.stream import StreamPort
from controller.wire.decode import Ear
from controller.wire.record import Recorder

WAIT_US = 1_000_000
"""How long it waits before it looks whether the port is still there."""


async def record_port(port: StreamPort, clock: Clock, ear: Ear, recorder: Recorder) -> None:
    """Until cancelled, or `PortError`; then what is unfinished is written too, and the port closed."""
    began_us = heard_us = clock.now().mono_us
    pending = False
    try:
        while True:
            now_us, data = await port.hear(ear.silence_us if pending else WAIT_US)
            if data:
                recorder.add(ear.hear(data), now_us - began_us)
                heard_us = now_us
            elif pending:
                recorder.add(ear.silence(), heard_us - began_us)
            pending = bool(data)
    finally:
        port.close()
        recorder.add(ear.silence(), heard_us - began_us)
