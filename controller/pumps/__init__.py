"""Pump lines: one folder a protocol, one set of words above them."""
