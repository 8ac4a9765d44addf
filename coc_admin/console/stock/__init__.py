"""Stock as last known, compared with Omnichannel Inventory, and imported."""
