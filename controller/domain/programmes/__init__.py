"""Fuel programmes: points, rebates, prepaid accounts, vouchers. One engine; what differs stands in a TOML file each.

Two faces: `quoting.quote` says at the station what a sale would earn or cost, and may decline; `Engine.post` books at
headquarters what was delivered, whatever the balance. Knows no clock, no file and no network: rules come as text,
events as records, time as an argument.
"""
