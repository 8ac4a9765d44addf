"""Decisions about short orders: a remedy and the message to the customer, as one act.

`outlook` says what a person can decide about an order, with which effect and which message;
`decide` does it; `questions` asks the customer before; `proposals` names the best remedy of
each row of a list.
"""
