"""Calls that OCI carries out and whose answers are lost, for minutes at a time; `make unknowns`."""
