"""The product's settings with a queue that loses patience in seconds instead of minutes."""

from __future__ import annotations

from coc_admin.settings import *  # noqa: F403
from coc_admin.settings import Q_CLUSTER

Q_CLUSTER = Q_CLUSTER | {"timeout": 1, "retry": 4}
