"""Channels: telling people outside the console what the alerts say, once for each turn.

`outbox` compares the alerts with what each channel was told and writes down what is to be told;
`delivery` sends it, again and again with pauses, and gives up in the end. `sending` hands one
message over, and is what messages to customers use too.
"""
