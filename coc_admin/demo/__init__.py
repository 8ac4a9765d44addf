"""The demo: a shop with two sites that lives through an outage by itself."""
