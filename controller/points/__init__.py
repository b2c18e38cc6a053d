"""A fuelling point: what its pump says and is told, from the lifted nozzle to a delivery on disk."""
