"""What an outage cost: the orders captured and refused during it, and what became of them."""
