"""The list of orders, one order with its story, and exports."""
