"""A stand-in for Omnichannel Inventory: its own process and stock, and faults on request.

It uses only the standard library and shares no code with the client, so neither repeats a mistake
of the other. Start it with ``python -m reconciliation.simulator`` or ``manage.py oci_simulator``.
"""
