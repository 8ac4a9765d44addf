"""The WSGI application that a web server (coc_admin.web_server) serves."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coc_admin.settings")
application = get_wsgi_application()
