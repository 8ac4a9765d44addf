"""The WSGI application that a web server (coc_admin.web_server) serves."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from coc_admin.header_bounds import bounded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coc_admin.settings")
application = bounded(get_wsgi_application())
