"""Asking a running headquarters, where its process holds the database. Knows no table."""

from __future__ import annotations

import httpx

from sync.hq.hold import StoreBusy, StoreError

RUNNING_ANSWER_S = 30


def ask_running(busy: StoreBusy, method: str, path: str, token: str, body: bytes) -> bytes:
    """The database is held by a running server: let that one do it."""
    if not busy.url:
        raise busy
    try:
        with httpx.Client(trust_env=False, timeout=RUNNING_ANSWER_S) as client:
            response = client.request(
                method, busy.url + path, content=body, headers={"authorization": f"Bearer {token}"}
            )
    except httpx.HTTPError as error:
        raise StoreError(f"headquarters at {busy.url} holds the database and does not answer: {error}") from error
    if response.status_code != httpx.codes.OK:
        raise StoreError(response.text)
    return response.content
