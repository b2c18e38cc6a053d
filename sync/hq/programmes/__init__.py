"""Headquarters' side of the fuel programmes: a ledger of events for each, from operators and from stations' rows.

The rules are the engine's (`controller.domain.programmes`); here is what keeps its events and postings.
"""
