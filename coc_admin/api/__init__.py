"""The HTTP API, version 1 (docs/api.md)."""

ROOT = "/api/"
# Of refusals (RFC 9457).
PROBLEM_TYPE = "application/problem+json"
# Seconds: OCI's return is noticed within five, and a busy database has a moment to breathe.
RETRY_AFTER = 5
