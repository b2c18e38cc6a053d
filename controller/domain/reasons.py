"""The catalogue of reasons: one code, and its text for each reader.

Terminal, receipt, journal and documentation take their words from here. A code never changes its meaning.
"""

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    CARD_UNKNOWN = "card_unknown"
    PLATE_UNKNOWN = "plate_unknown"
    CARD_BLOCKED = "card_blocked"
    CARD_NOT_PROVEN = "card_not_proven"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    PRODUCT_NOT_ALLOWED = "product_not_allowed"
    PLATE_MISMATCH = "plate_mismatch"
    ODOMETER_IMPLAUSIBLE = "odometer_implausible"
    LIMIT_DAY = "limit_day"
    LIST_UNREADABLE = "list_unreadable"
    LIST_MISSING = "list_missing"
    PRICE_MISSING = "price_missing"
    PUMP_NOT_CALLING = "pump_not_calling"
    PUMP_BUSY = "pump_busy"
    PUMP_OFFLINE = "pump_offline"
    PUMP_REFUSED = "pump_refused"
    PUMP_STOPPED = "pump_stopped"
    TWO_UNPAID = "two_unpaid"
    POINT_UNKNOWN = "point_unknown"
    NOTHING_TO_ANSWER = "nothing_to_answer"
    DELIVERY_UNKNOWN = "delivery_unknown"
    ALREADY_SETTLED = "already_settled"
    LEASED_ELSEWHERE = "leased_elsewhere"
    NOT_LEASED = "not_leased"
    TENDER_TOO_SMALL = "tender_too_small"
    TENDER_TOO_LARGE = "tender_too_large"
    PRESET_INVALID = "preset_invalid"
    JOURNAL_FULL = "journal_full"
    HEADQUARTERS_SILENT = "headquarters_silent"
    HEADQUARTERS_REFUSED = "headquarters_refused"
    STATION_STOPPING = "station_stopping"
    COMMAND_REUSED = "command_reused"
    PUMP_UNSUPPORTED = "pump_unsupported"
    PUMP_WRONG_STATE = "pump_wrong_state"
    PUMP_NOT_CONFIRMED = "pump_not_confirmed"
    GRADE_UNKNOWN = "grade_unknown"
    PRICE_INVALID = "price_invalid"
    TEST_MEASURE = "test_measure"
    GRADE_NOT_HERE = "grade_not_here"
    GRADE_NOT_LIFTED = "grade_not_lifted"
    PRICE_NOT_SHOWN = "price_not_shown"


class ReasonText(msgspec.Struct, frozen=True):
    """`attendant`: what happened and what to do now. `driver`: what the receipt or display says."""

    attendant: str
    driver: str


CATALOGUE: dict[Reason, ReasonText] = {
    Reason.CARD_UNKNOWN: ReasonText(
        "This card is not on the list: take another means of payment", "Card not known here"
    ),
    Reason.PLATE_UNKNOWN: ReasonText(
        "This plate is not on the list: take another means of payment", "Plate not known here"
    ),
    Reason.CARD_BLOCKED: ReasonText(
        "This card or plate is on the stop list: do not serve it on account", "Card blocked: ask your company"
    ),
    Reason.CARD_NOT_PROVEN: ReasonText("The card could not prove itself: it may be a copy", "Card not accepted"),
    Reason.NOT_YET_VALID: ReasonText("This card or plate is valid from a later day", "Not valid yet"),
    Reason.EXPIRED: ReasonText("This card or plate has expired", "Expired: ask your company for a new one"),
    Reason.PRODUCT_NOT_ALLOWED: ReasonText(
        "This card or plate may not buy this grade: ask for another nozzle", "This product is not allowed"
    ),
    Reason.PLATE_MISMATCH: ReasonText(
        "The plate is not the one of this card: look at the vehicle", "Plate does not fit the card"
    ),
    Reason.ODOMETER_IMPLAUSIBLE: ReasonText(
        "The odometer is below the last one: read it again", "Odometer reading not plausible"
    ),
    Reason.LIMIT_DAY: ReasonText("The day's limit of this card or plate is used up", "Day limit used up"),
    Reason.LIST_UNREADABLE: ReasonText(
        "The card list cannot be read: sell for cash, and import it again (forecourt whitelist import)",
        "Cards not accepted at the moment",
    ),
    Reason.LIST_MISSING: ReasonText(
        "There is no card list yet: sell for cash, and import one (forecourt whitelist import)",
        "Cards not accepted at the moment",
    ),
    Reason.PRICE_MISSING: ReasonText(
        "The pump has no price for this grade: set it in station.toml", "Pump out of order"
    ),
    Reason.PUMP_NOT_CALLING: ReasonText("No nozzle is lifted at this pump", "Lift the nozzle first"),
    Reason.PUMP_BUSY: ReasonText(
        "The pump is delivering or being authorised: wait until it has finished", "Please wait"
    ),
    Reason.PUMP_OFFLINE: ReasonText("The pump does not answer: check its power and its cable", "Pump out of order"),
    Reason.PUMP_REFUSED: ReasonText(
        "The pump did not take the order: hang up the nozzle and try again", "Please hang up and try again"
    ),
    Reason.PUMP_STOPPED: ReasonText(
        "This pump was stopped: the nozzle must be hung up first", "Hang up the nozzle, please"
    ),
    Reason.TWO_UNPAID: ReasonText(
        "Two deliveries wait unpaid at this pump: take the money for one first", "Please pay first"
    ),
    Reason.POINT_UNKNOWN: ReasonText("There is no such pump at this station", "No such pump"),
    Reason.NOTHING_TO_ANSWER: ReasonText("This pump does not wait for an answer any more", "Present the card again"),
    Reason.DELIVERY_UNKNOWN: ReasonText("There is no such delivery", "No such delivery"),
    Reason.ALREADY_SETTLED: ReasonText("This delivery is paid already", "Paid already"),
    Reason.LEASED_ELSEWHERE: ReasonText(
        "Another till is taking the money for this delivery", "Being paid at another till"
    ),
    Reason.NOT_LEASED: ReasonText("Open the sale at this till first", "Please wait"),
    Reason.TENDER_TOO_SMALL: ReasonText("The money given is less than the amount", "Not enough money"),
    Reason.TENDER_TOO_LARGE: ReasonText(
        "A bank card pays exactly the amount: no cash is given back on it", "The card pays the exact amount"
    ),
    Reason.PRESET_INVALID: ReasonText("A preset is one of money or volume, above zero", "Preset not possible"),
    Reason.JOURNAL_FULL: ReasonText(
        "The journal cannot be written (disk full or broken): nothing new is sold until there is room again",
        "Station out of order",
    ),
    Reason.HEADQUARTERS_SILENT: ReasonText(
        "Headquarters did not answer in time: ask again later", "Not available at the moment"
    ),
    Reason.HEADQUARTERS_REFUSED: ReasonText(
        "Headquarters refuses to answer: ask its office", "Not available: ask your company"
    ),
    Reason.STATION_STOPPING: ReasonText(
        "The station is being stopped: look whether it was done when it runs again", "Please wait"
    ),
    Reason.COMMAND_REUSED: ReasonText(
        "This command id was used for something else: send a new one", "Please try again"
    ),
    Reason.PUMP_UNSUPPORTED: ReasonText(
        "This pump has no such function: do it at the pump itself, if it can be done there", "Not possible at this pump"
    ),
    Reason.PUMP_WRONG_STATE: ReasonText(
        "This cannot be done in what the pump is doing now: look at its tile, and try again", "Not possible now"
    ),
    Reason.PUMP_NOT_CONFIRMED: ReasonText(
        "The pump did not confirm this: go and look whether it was done", "Please wait"
    ),
    Reason.GRADE_UNKNOWN: ReasonText("There is no such grade at this station", "No such product"),
    Reason.PRICE_INVALID: ReasonText(
        "A price is a number above zero, such as 43.79, with no more decimals than the pumps show",
        "Price not possible",
    ),
    Reason.TEST_MEASURE: ReasonText(
        "This delivery was a test measure: its fuel is back in the tank", "Nothing to pay: test measure"
    ),
    Reason.GRADE_NOT_HERE: ReasonText(
        "This pump has no such grade: name one of its grades, or the number of the nozzle", "Not at this pump"
    ),
    Reason.GRADE_NOT_LIFTED: ReasonText(
        "Another nozzle than of this grade is lifted: ask the customer which fuel it shall be",
        "Lift the right nozzle, please",
    ),
    Reason.PRICE_NOT_SHOWN: ReasonText(
        "The pump does not show the station's price of this grade: hang up, the price is being sent",
        "Please hang up and try again",
    ),
}
