"""Calls that OCI carries out but whose answers are lost, for minutes at a time; `make unknowns`."""
