"""Settings, read from the environment in this one module. docs/settings.md lists them."""

from __future__ import annotations

import os
from pathlib import Path

from csp.constants import NONCE, NONE, SELF

from coc_admin import env

# Before anything is written: the database and the reports hold what customers ordered.
COC_FILE_GROUP_ACCESS = env.flag("COC_FILE_GROUP_ACCESS", default=False)
os.umask(env.umask_for(group_access=COC_FILE_GROUP_ACCESS))

BASE_DIR = Path(__file__).resolve().parent.parent
# SQLite opens no file in a folder that is not there, and the folder is ours to make.
VAR_DIR = env.folder("COC_VAR_DIR", BASE_DIR / "var")

DEFAULT_SECRET_KEY = "insecure-development-key-set-SECRET_KEY"  # noqa: S105 - refused by a check
SECRET_KEY = env.text("SECRET_KEY") or DEFAULT_SECRET_KEY
DEBUG = env.flag("DEBUG", default=False)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
PORT = env.whole("PORT", 8000, low=1, high=65535)
COC_HTTPS = env.flag("COC_HTTPS", default=not DEBUG)
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "coc_admin",
    "orders",
    "reconciliation",
    "coc_admin.back_office_app.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "csp",
    "django_q",
]

MIDDLEWARE = [
    "coc_admin.client_address.ClientAddressMiddleware",
    "coc_admin.logs.RequestIdMiddleware",
    "coc_admin.api.problems.ApiAnswersMiddleware",
    "coc_admin.request_texts.StorableTextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "coc_admin.page_compression.PageCompressionMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "coc_admin.personal.PersonalMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "coc_admin.accounts.sign_in.passwords.PasswordsBusyMiddleware",
]

# What a request that takes orders needs of it (coc_admin.web_server.order_paths): nobody signs in
# there and no page is shown, and each of the others would cost every order.
ORDER_MIDDLEWARE = [
    "coc_admin.client_address.ClientAddressMiddleware",
    "coc_admin.logs.RequestIdMiddleware",
    "coc_admin.api.problems.ApiAnswersMiddleware",
    "coc_admin.request_texts.StorableTextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]

ROOT_URLCONF = "coc_admin.urls"
WSGI_APPLICATION = "coc_admin.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            # Every number in an attribute is written by `unlocalize`; see docs/architecture.md.
            "builtins": ["django.templatetags.l10n"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "coc_admin.context.shell",
            ],
        },
    },
]

DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{VAR_DIR}/coc.sqlite3")}
# How long one statement may take on PostgreSQL: where somebody waits for it (web, monitor), in a
# worker and an export, and in a command that a person has started.
COC_DATABASE_SECONDS = env.number("COC_DATABASE_SECONDS", 5, low=1, high=60)
# Under the queue's own timeout, so that a task ends with a reason.
COC_DATABASE_WORK_SECONDS = env.number("COC_DATABASE_WORK_SECONDS", 20, low=1, high=50)
COC_DATABASE_COMMAND_SECONDS = env.number("COC_DATABASE_COMMAND_SECONDS", 3600, low=1, high=86_400)

# The queue's statistics go through the cache, so it must be one that processes share.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(VAR_DIR / "cache"),
    }
}

AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
# Few hashes at a time, however many people want one (coc_admin.accounts.sign_in.passwords).
PASSWORD_HASHERS = ["coc_admin.accounts.sign_in.passwords.BoundedHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "coc_admin" / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("COC_STATIC_ROOT") or BASE_DIR / "staticfiles")
STATICFILES_DIRS = [
    BASE_DIR / "coc_admin" / "static",
    # The pictures of the guide, which the console shows from the same files.
    ("guide", BASE_DIR / "docs" / "guide" / "images"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # A web server of another user may serve them; nothing in them is anybody's secret.
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage",
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}

SECURE_SSL_REDIRECT = COC_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if COC_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = COC_HTTPS
SECURE_HSTS_PRELOAD = COC_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SESSION_COOKIE_SECURE = COC_HTTPS
CSRF_COOKIE_SECURE = COC_HTTPS
SESSION_COOKIE_NAME = "coc_session"
CSRF_COOKIE_NAME = "coc_csrf"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
COC_BEHIND_TLS_PROXY = env.flag("COC_BEHIND_TLS_PROXY", default=False)
# Whose headers about the client are believed (coc_admin.client_address).
COC_TRUSTED_PROXIES = env.networks(
    "COC_TRUSTED_PROXIES", "127.0.0.0/8,::1" if COC_BEHIND_TLS_PROXY else ""
)
COC_PROXIES_ARE_NAMED = bool(env.text("COC_TRUSTED_PROXIES"))
if COC_BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
# The largest order is 2,000 items of about 300 bytes; the API checks its own bound as well.
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o640 if COC_FILE_GROUP_ACCESS else 0o600
FILE_UPLOAD_HANDLERS = [
    "coc_admin.upload_limit.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- the inventory service -----------------------------------------------------------------
COC_OCI_BASE_URL = env.text("COC_OCI_BASE_URL")
COC_OCI_TENANT_GROUP_ID = env.text("COC_OCI_TENANT_GROUP_ID")
COC_OCI_TOKEN_URL = env.text("COC_OCI_TOKEN_URL")
COC_OCI_CLIENT_ID = env.text("COC_OCI_CLIENT_ID")
COC_OCI_CLIENT_SECRET = env.text("COC_OCI_CLIENT_SECRET")
# OCI contract 1.1: the tenant (realm_instance) is one of the scopes; often it names the group too.
COC_OCI_TENANT = env.text("COC_OCI_TENANT", COC_OCI_TENANT_GROUP_ID)
COC_OCI_SCOPE = env.text(
    "COC_OCI_SCOPE",
    f"SALESFORCE_COMMERCE_API:{COC_OCI_TENANT}"
    " sfcc.inventory.reservations.rw sfcc.inventory.availability",
)
COC_OCI_CONNECT_TIMEOUT = env.number("COC_OCI_CONNECT_TIMEOUT", 1.0, low=0.1, high=30)
# A shopper waits for a live reservation; reconciliation can be more patient.
COC_OCI_LIVE_TIMEOUT = env.number("COC_OCI_LIVE_TIMEOUT", 2.0, low=0.1, high=30)
COC_OCI_TIMEOUT = env.number("COC_OCI_TIMEOUT", 8.0, low=0.1, high=60)
COC_OCI_PROBE_TIMEOUT = env.number("COC_OCI_PROBE_TIMEOUT", 1.0, low=0.1, high=4)
# How calls to OCI leave our network; nothing of the environment's own (HTTPS_PROXY) counts.
COC_OCI_PROXY = env.text("COC_OCI_PROXY")
COC_OCI_CA_FILE = env.text("COC_OCI_CA_FILE")
# Seconds by which OCI's figures may lag behind a reservation it has confirmed (contract 1.10).
COC_OCI_READ_LAG = env.number("COC_OCI_READ_LAG", 3.0, low=0, high=600)

# The feeds of stock have a token of their own: a client without the scope of exports still works.
COC_OCI_FEED_SCOPE = env.text(
    "COC_OCI_FEED_SCOPE",
    f"SALESFORCE_COMMERCE_API:{COC_OCI_TENANT}"
    " sfcc.inventory.availability sfcc.inventory.impex-inventory",
)
# The audit reads reservation documents back, for which OCI wants a right to write.
COC_OCI_AUDIT_SCOPE = env.text(
    "COC_OCI_AUDIT_SCOPE",
    f"SALESFORCE_COMMERCE_API:{COC_OCI_TENANT}"
    " sfcc.inventory.impex-inventory sfcc.inventory.impex-inventory.rw",
)

# --- stock ---------------------------------------------------------------------------------
COC_STOCK_FEED = env.flag("COC_STOCK_FEED", default=True)
COC_STOCK_FEED_SECONDS = env.number("COC_STOCK_FEED_SECONDS", 1.0, low=0.1, high=60)
COC_STOCK_EXPORT_HOURS = env.number("COC_STOCK_EXPORT_HOURS", 24.0, low=0.1, high=1000)
COC_STOCK_MAX_AGE = env.number("COC_STOCK_MAX_AGE", 60.0, low=5, high=86_400)

# --- connection ----------------------------------------------------------------------------
COC_PROBE_SECONDS = env.number("COC_PROBE_SECONDS", 1.0, low=1, high=60)
COC_FAILURES_TO_OFFLINE = env.whole("COC_FAILURES_TO_OFFLINE", 3, low=1, high=20)
COC_GOOD_PROBES_TO_RECOVER = env.whole("COC_GOOD_PROBES_TO_RECOVER", 3, low=1, high=20)
COC_OCI_CONCURRENCY = env.whole("COC_OCI_CONCURRENCY", 16, low=1, high=64)

# --- reconciliation and reports ------------------------------------------------------------
COC_BATCH_SIZE = env.whole("COC_BATCH_SIZE", 50, low=1, high=10_000)
COC_LEASE_SECONDS = env.number("COC_LEASE_SECONDS", 60, low=5, high=3600)
COC_RETRY_MINUTES = env.whole("COC_RETRY_MINUTES", 1, low=1, high=1440)
# Counts instead of the minutes when it is set.
COC_RETRY_SECONDS = env.whole("COC_RETRY_SECONDS", 0, low=0, high=3600)
COC_IMPEX_DIR = Path(env.text("COC_IMPEX_DIR") or VAR_DIR / "impex")
COC_MERGE_SECONDS = env.number("COC_MERGE_SECONDS", 20, low=1, high=3600)
# Days after which personal data of finished orders goes; 0 keeps it.
COC_RETAIN_CUSTOMER_DAYS = env.whole("COC_RETAIN_CUSTOMER_DAYS", 0, low=0, high=36_500)
# Older figures of OCI's in the ledger are added up, one line a SKU; 0 keeps each.
COC_RETAIN_FIGURE_DAYS = env.whole("COC_RETAIN_FIGURE_DAYS", 0, low=0, high=36_500)
COC_RETAIN_PAYLOAD_DAYS = env.whole("COC_RETAIN_PAYLOAD_DAYS", 0, low=0, high=36_500)
# The audit log names people as well: as long as customers, unless it says so itself.
COC_RETAIN_AUDIT_DAYS = env.whole(
    "COC_RETAIN_AUDIT_DAYS", COC_RETAIN_CUSTOMER_DAYS, low=0, high=36_500
)

# --- messages to people ---------------------------------------------------------------------
# Django's own SMTP settings. Without a host, messages are written to standard error in DEBUG, and
# elsewhere are refused with an explanation: nothing is lost in silence.
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=False)
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL", default=False)
EMAIL_PORT = env.whole(
    "EMAIL_PORT", 465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25, low=1, high=65535
)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_TIMEOUT = env.number("EMAIL_TIMEOUT", 5.0, low=1, high=20)
EMAIL_BACKEND = env.text("EMAIL_BACKEND") or (
    "reconciliation.alerts.channels.smtp.BoundedSmtp"
    if EMAIL_HOST
    else "django.core.mail.backends.console.EmailBackend"
    if DEBUG
    else "reconciliation.alerts.channels.no_mail.NoMail"
)
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "console@localhost")
# Where people reach the console, for the links in messages.
COC_CONSOLE_URL = env.text("COC_CONSOLE_URL").rstrip("/")
# Which addresses webhooks may have beside public ones with https; see docs/channels.md.
COC_WEBHOOKS_LOCAL = env.flag("COC_WEBHOOKS_LOCAL", default=DEBUG)
COC_WEBHOOKS_PRIVATE = env.flag("COC_WEBHOOKS_PRIVATE", default=False)
COC_WEBHOOK_TIMEOUT = env.number("COC_WEBHOOK_TIMEOUT", 5.0, low=0.5, high=20)

# --- processes (`manage.py serve`) ----------------------------------------------------------
COC_BIND = env.text("COC_BIND", "127.0.0.1")
# 0 leaves the choice to the database: one process for SQLite, one a core for PostgreSQL.
COC_WEB_WORKERS = env.whole("COC_WEB_WORKERS", 0, low=0, high=64)
COC_WEB_THREADS = env.whole("COC_WEB_THREADS", 0, low=0, high=64)
# How long a request may take to arrive, from its first byte to its last.
COC_WEB_REQUEST_SECONDS = env.number("COC_WEB_REQUEST_SECONDS", 60, low=1, high=600)
# A process that shows no sign of life for so long is replaced.
COC_SILENT_SECONDS = env.number("COC_SILENT_SECONDS", 10, low=2, high=86_400)
# Pages, lists and downloads have a process of their own; of one such request, how much processor
# time it may use and how long it may take in all: less than the supervisor's patience with threads.
COC_CONSOLE_THREADS = env.whole("COC_CONSOLE_THREADS", 0, low=0, high=64)
COC_CONSOLE_CPU_SECONDS = env.number("COC_CONSOLE_CPU_SECONDS", 30, low=1, high=3600)
COC_CONSOLE_SECONDS = env.number("COC_CONSOLE_SECONDS", 75, low=1, high=3600)
# The queue's timeout and a few seconds: a worker that did nothing for so long is replaced.
COC_WATCHDOG_SECONDS = env.number("COC_WATCHDOG_SECONDS", 75, low=2, high=3600)

# --- queue ---------------------------------------------------------------------------------
COC_BROKER = env.text("COC_BROKER", "orm")
COC_WORKERS = env.whole("COC_WORKERS", 2, low=1, high=64)
Q_CLUSTER = {
    "name": "coc",
    "workers": COC_WORKERS,
    # A task is cut to stay well under this; one that hangs is ended here.
    "timeout": 60,
    # Counted from prefetch, so it must exceed the wait in the local queue as well (coc.E005).
    "retry": 300,
    # Few prefetched tasks: they are lost to other workers while they wait here.
    "queue_limit": 2,
    "bulk": 1,
    "max_attempts": 3,
    # A failed task comes back after `retry`; our sweep is quicker, but only when this is off
    # does the queue keep counting its attempts.
    "ack_failures": False,
    # After a stop of days, missed schedules fire once.
    "catch_up": False,
    # A task waits for a look up to so long.
    "poll": 0.5,
    # A worker that died is replaced so soon; the cluster's state is signed and stored as often.
    # Taken off the time of a task until it is 0, so every limit in seconds must be a multiple.
    "guard_cycle": 1,
    # Successes are not kept: our own rows are the record (and saving them costs throughput).
    "save_limit": -1,
    "recycle": 500,
    "label": "Queue",
    "log_level": "WARNING",
}
if COC_BROKER == "orm":
    Q_CLUSTER["orm"] = "default"
    Q_CLUSTER["broker_class"] = "reconciliation.queue.orm_broker.OrmBroker"
else:
    Q_CLUSTER["redis"] = COC_BROKER

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "coc_admin.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env.text("COC_LOG_LEVEL", "INFO").upper()},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "propagate": False},
        # A line for each task says nothing that our own rows do not say.
        "django-q": {"level": "WARNING"},
        # A warning for each request that has to wait for a thread.
        "waitress.queue": {"level": "ERROR"},
        # Its debug lines carry URLs and header values.
        "urllib3": {"level": "WARNING"},
    },
}
