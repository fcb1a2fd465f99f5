"""Observations as linked tables: readers, checks, releases."""
