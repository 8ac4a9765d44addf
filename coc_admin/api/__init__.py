"""The HTTP API, version 1 (docs/api.md)."""

ROOT = "/api/"
# content type of refusals (RFC 9457)
PROBLEM_TYPE = "application/problem+json"
# Seconds: OCI's return is detected within five, and a busy database needs a moment.
RETRY_AFTER = 5
