"""Signing in under attack: few hashes at a time, and slower and slower for those who guess."""
