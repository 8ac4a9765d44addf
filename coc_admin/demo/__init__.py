"""The demo: a shop with two sites that goes through an outage automatically."""
