"""The clients of OCI that a process uses, made from the settings when they are first wanted."""

from __future__ import annotations

import dataclasses
import os
import threading

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from reconciliation import connection
from reconciliation.oci.client import OciClient, OciConfig
from reconciliation.oci.feeds import FeedClient

# Probes overlap while OCI hangs; see reconciliation.monitor.
_PROBE_POOL = 8
# Changes, and beside them one export.
_FEED_POOL = 2

_lock = threading.Lock()
_clients: dict[tuple[int, str], OciClient] = {}


def _after_fork() -> None:
    """Give the child a lock of its own: the parent's may be held by a thread it does not have."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def shared_client() -> OciClient:
    """Return the client of this process for live orders and background work; threads share it.

    Its connection pool is as large as COC_OCI_CONCURRENCY. Raises ImproperlyConfigured if a setting
    is missing.
    """
    return _client(
        "work",
        connect_timeout=settings.COC_OCI_CONNECT_TIMEOUT,
        read_timeout=settings.COC_OCI_TIMEOUT,
        pool_size=settings.COC_OCI_CONCURRENCY,
    )


def client_for_probe() -> OciClient:
    """Return the client of this process for probes: it gives up after COC_OCI_PROBE_TIMEOUT.

    Raises ImproperlyConfigured if a setting is missing.
    """
    return _client(
        "probe",
        connect_timeout=min(settings.COC_OCI_CONNECT_TIMEOUT, settings.COC_OCI_PROBE_TIMEOUT),
        read_timeout=settings.COC_OCI_PROBE_TIMEOUT,
        pool_size=_PROBE_POOL,
    )


def client_for_feeds() -> FeedClient:
    """Return a new client for the stock feeds. The caller closes it.

    It has scopes, tokens and connections of its own, and its calls are not counted: what becomes of
    a feed never speaks for the connection. Raises ImproperlyConfigured if a setting is missing.
    """
    config = _config(
        connect_timeout=settings.COC_OCI_CONNECT_TIMEOUT,
        read_timeout=settings.COC_OCI_TIMEOUT,
        pool_size=_FEED_POOL,
    )
    return FeedClient(dataclasses.replace(config, scope=settings.COC_OCI_FEED_SCOPE))


def client_for_audit() -> FeedClient:
    """Return a new client that reads reservation documents back; see `client_for_feeds`."""
    config = _config(
        connect_timeout=settings.COC_OCI_CONNECT_TIMEOUT,
        read_timeout=settings.COC_OCI_TIMEOUT,
        pool_size=1,
    )
    return FeedClient(dataclasses.replace(config, scope=settings.COC_OCI_AUDIT_SCOPE))


def client_for_check(*, connect_timeout: float, read_timeout: float) -> OciClient:
    """Return a new client whose calls are not counted; the caller closes it.

    Raises ImproperlyConfigured if a setting is missing.
    """
    return OciClient(
        _config(connect_timeout=connect_timeout, read_timeout=read_timeout, pool_size=1)
    )


def close_clients() -> None:
    """Forget the clients of this process; the next call makes new ones from the settings."""
    with _lock:
        for key in [key for key in _clients if key[0] == os.getpid()]:
            _clients.pop(key).close()


def _client(use: str, *, connect_timeout: float, read_timeout: float, pool_size: int) -> OciClient:
    # Sockets must not be shared with the parent of a fork.
    key = (os.getpid(), use)
    found = _clients.get(key)
    if found is not None:
        return found
    with _lock:
        if key not in _clients:
            _clients[key] = OciClient(
                _config(
                    connect_timeout=connect_timeout, read_timeout=read_timeout, pool_size=pool_size
                ),
                observer=connection.observer(),
            )
        return _clients[key]


def _config(*, connect_timeout: float, read_timeout: float, pool_size: int) -> OciConfig:
    return OciConfig(
        base_url=_needed("COC_OCI_BASE_URL"),
        tenant_group_id=_needed("COC_OCI_TENANT_GROUP_ID"),
        token_url=_needed("COC_OCI_TOKEN_URL"),
        client_id=_needed("COC_OCI_CLIENT_ID"),
        client_secret=_needed("COC_OCI_CLIENT_SECRET"),
        scope=_needed("COC_OCI_SCOPE"),
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        pool_size=pool_size,
        proxy=settings.COC_OCI_PROXY,
        ca_file=settings.COC_OCI_CA_FILE,
    )


def _needed(name: str) -> str:
    value: str = getattr(settings, name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set; docs/settings.md says what it must be.")
    return value
