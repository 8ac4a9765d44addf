"""The oversold desk: short orders that wait for a person."""
