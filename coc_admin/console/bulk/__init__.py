"""Select rows across pages, and apply one remedy to all of them."""
