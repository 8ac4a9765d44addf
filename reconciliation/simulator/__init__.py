"""A stand-in for Omnichannel Inventory: its own process and stock, and faults on request.

It uses the standard library alone and shares no code with the client, so that a mistake in one
is not repeated in the other. Start it with ``python -m reconciliation.simulator`` or
``manage.py oci_simulator``.
"""
