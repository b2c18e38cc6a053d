"""The fuel programmes of the simulated station: their tables in its station.toml, and members on its list.

Only facts and text: knows no file, no process and no clock.
"""

import csv
import io
from zoneinfo import ZoneInfo

from controller.domain.days import local_time
from controller.domain.desk import Shown

OPET_CARD, POSITIVE_PHONE = "9876540012806566", "+905321112233"
LPG_CARD, LINKED_CARD = "9001000000000201", "9001000000000301"
"""Of fleets of the simulated town: the first accrues a discount, the second's sales are charged to a credit card."""
SHOWN = (Shown(card=OPET_CARD), Shown(phone=POSITIVE_PHONE), None)
"""What customers who pay at the till show there, in turn; None: nothing."""
_ZONE = ZoneInfo("Europe/Istanbul")
_TABLES = """\
[receipt]
language = "en"
[programmes]
use = ["lpg-pass", "opet-kart", "positive-card"]
[[vat]]
from = 2023-07-10
rate = "20"
"""
_FLEETS = {
    LPG_CARD: {"programme": "lpg-pass", "holder": "C-17", "product_set": "lpg", "per_litre": "0.75"},
    LINKED_CARD: {
        "programme": "lpg-pass",
        "holder": "C-18",
        "product_set": "automatic",
        "funds": "none",
        "pay_and_go": "yes",
    },
}
_MEMBERS = (
    {"card": OPET_CARD, "programme": "opet-kart", "holder": "M-1", "purses": "petrol:1234/1234;autogas:200/200"},
    {
        "phone": POSITIVE_PHONE,
        "programme": "positive-card",
        "holder": "M-2",
        "verified": "yes",
        "purses": "fuel:560/560",
    },
)
_COLUMNS = (
    "phone",
    "funds",
    "programme",
    "holder",
    "product_set",
    "verified",
    "activated",
    "per_litre",
    "purses",
    "as_of",
    "pay_and_go",
)


def with_programmes(toml: str) -> str:
    """A station.toml of the simulated station, with its programmes, its tax and the language of its receipts."""
    return toml + _TABLES


def with_members(list_csv: str, wall_ms: int) -> str:
    """A list of the simulated town, with its members. Their balances are as of `wall_ms`, UTC."""
    as_of = local_time(wall_ms, _ZONE).isoformat(timespec="seconds")
    reader = csv.DictReader(io.StringIO(list_csv))
    rows = [row | _FLEETS.get(row["card"], {}) for row in reader]
    rows += [
        {"status": "active", "funds": "none", "activated": "yes", "account": member["holder"], **member}
        for member in _MEMBERS
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*(reader.fieldnames or ()), *_COLUMNS], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | ({"as_of": as_of} if "programme" in row else {}) for row in rows)
    return text.getvalue()
