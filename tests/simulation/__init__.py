"""A deterministic simulation: the product's own code on a virtual clock, with an OCI in-process.

A seed decides everything that happens; `make simulate FIRST=<seed> SEEDS=1` plays it again. See
docs/reliability.md.
"""
