"""The oversold desk: what is short of which orders, and who looks after each of them."""
