"""Spiking networks on many-core chips: slices of populations on cores, routing trees, tables, limits."""
