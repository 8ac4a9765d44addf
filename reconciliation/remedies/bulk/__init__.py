"""One remedy for up to 500 orders: preview, then execution once confirmed."""
