"""The list of orders, one order with its history, and exports."""
