"""Pure rules and words of a fuel station.

Needs the standard library and msgspec only. Knows no clock, port, file or network: what a rule needs to know
of the world is an argument.
"""
