"""Signing in under attack: few hashes at a time, and growing delays after wrong passwords."""
