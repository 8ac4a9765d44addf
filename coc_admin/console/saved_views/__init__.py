"""Saved views of the desk and of the order list: their menu and the page that manages them."""
