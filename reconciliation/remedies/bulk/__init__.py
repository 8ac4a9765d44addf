"""One remedy for up to 500 orders: what it would do to each, and doing it once confirmed."""
