"""A deterministic simulation: the product's own code on a virtual clock, with an OCI in-process.

A seed decides everything; `make simulate FIRST=<seed> SEEDS=1` repeats it. See docs/reliability.md.
"""
