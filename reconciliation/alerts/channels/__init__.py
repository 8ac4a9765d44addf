"""Channels: sending alerts to people outside the console, once for each state change.

`outbox` compares the alerts with each channel's deliveries and stores the missing ones;
`delivery` sends them, with retries and pauses, and gives up in the end. `sending` sends one
message, and is also used for messages to customers.
"""
