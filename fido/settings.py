"""Django's settings, all from the environment. `.env.example` explains each variable."""

import os
import tempfile
from datetime import timedelta
from pathlib import Path

import dj_database_url
from django.conf import global_settings
from psycopg import IsolationLevel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from fido import openapi, queues
from fido.env import Environment
from fido.lib.cache.connections import set_up
from fido.lib.process.logs import FORMS, configure_structlog, logging_config
from fido.lib.values.money import CURRENCIES

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# --- secrets: no defaults ---------------------------------------------------------------------
SECRET_KEY = env.secret("SECRET_KEY", "a random string of at least 32 characters", 32)
JWT_SIGNING_KEY = env.secret(
    "JWT_SIGNING_KEY", "a random string of at least 32 bytes that signs login tokens", 32
)
FERNET_KEYS = env.fernet_keys("FERNET_KEYS")
FERNET_USE_HKDF = False
BLIND_INDEX_KEYS = env.index_keys("BLIND_INDEX_KEYS")

# --- servers ----------------------------------------------------------------------------------
STATEMENT_TIMEOUT_SECONDS = env.integer("STATEMENT_TIMEOUT_SECONDS", default=30)
LOCK_TIMEOUT_SECONDS = env.integer("LOCK_TIMEOUT_SECONDS", default=3)
DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL", "where PostgreSQL is, such as postgres://user:secret@host/fido"),
        engine="fido.lib.process.postgresql",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
# Whether PostgreSQL may remember the statements that most requests execute. An old pooler cannot.
PREPARED_STATEMENTS = env.boolean("PREPARED_STATEMENTS", default=True)
DATABASES["default"].setdefault("OPTIONS", {}).update(
    connect_timeout=3,
    # The kernel notices within a minute that the server's machine has gone, also while nothing is
    # sent and where no other limit applies, as in a migration.
    keepalives_idle=30,
    keepalives_interval=10,
    keepalives_count=3,
    tcp_user_timeout=60_000,
    application_name="fido",
    # What a connection executes for the second time; None: nothing.
    prepare_threshold=1 if PREPARED_STATEMENTS else None,
    # Independent of the server's default: after a lost compare-and-set, the code reads again.
    isolation_level=IsolationLevel.READ_COMMITTED,
    options=f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"
    f" -c lock_timeout={LOCK_TIMEOUT_SECONDS}s",
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL", "where Redis or Valkey is, such as redis://:secret@host:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "fido",
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": 0.25,
            "SOCKET_TIMEOUT": 0.25,
            # One immediate retry, for a connection that a restart has cut. redis-py's own default
            # waits for seconds between several retries, and the request waits with it. A timeout is
            # not retried.
            "CONNECTION_POOL_KWARGS": {
                "retry": Retry(NoBackoff(), 1, (RedisConnectionError,)),
                "redis_connect_func": set_up,
            },
        },
    }
}

# Whether kept answers are served before Django; off, each request takes the long way.
FAST_PATH = env.boolean("FAST_PATH", default=True)
# The longest time that an answer is cached, so that everything is refreshed now and then.
CACHE_SECONDS = env.integer("CACHE_SECONDS", default=300)
# The number of users whose answers are warmed, in rounds. The next round comes before any answer
# expires.
WARM_USERS = env.integer("WARM_USERS", default=1000, minimum=0)
WARM_SECONDS = max(CACHE_SECONDS // 2, 10)
# How long each minute's round of standing checks lasts, about; 0: there is none.
CHECK_SECONDS = env.integer("CHECK_SECONDS", default=10, minimum=0)
# PostgreSQL ends a longer transaction of the service; a dead writer expires only after that.
TRANSACTION_TIMEOUT_SECONDS = 30
WRITER_LAPSE_SECONDS = 2 * TRANSACTION_TIMEOUT_SECONDS

# A request that has waited longer for a thread is refused.
QUEUE_SECONDS = env.integer("QUEUE_SECONDS", default=5)
# A bulk begins with no other user's rows after as long.
BULK_SECONDS = env.integer("BULK_SECONDS", default=20, minimum=0)
# An export only reads, so it may take longer; but it is bounded, and cannot occupy all threads.
EXPORT_SECONDS = env.integer("EXPORT_SECONDS", default=600)
EXPORT_STALL_SECONDS = env.integer("EXPORT_STALL_SECONDS", default=60)
EXPORTS_PER_PROCESS = env.integer("EXPORTS_PER_PROCESS", default=1)
# A process ends itself if something in it hears from nobody for longer than any wait takes.
_longest_wait = max(STATEMENT_TIMEOUT_SECONDS, EXPORT_STALL_SECONDS, 60)
PROGRESS_SECONDS = env.integer(
    "PROGRESS_SECONDS", default=2 * _longest_wait, minimum=_longest_wait + 10
)

# The bank; None means the table that ships with Fido.
RATES_URL = env.url("RATES_URL")
RATES_SYNC_SECONDS = env.integer("RATES_SYNC_SECONDS", default=60)
RATES_MAX_FACTOR = env.factor("RATES_MAX_FACTOR", default="2")
RATES_STALE_HOURS = env.integer("RATES_STALE_HOURS", default=96)

# For tests: webhooks may go to this machine, without TLS.
WEBHOOK_ALLOW_LOOPBACK = env.boolean("WEBHOOK_ALLOW_LOOPBACK", default=False)

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "the queue's Redis or Valkey", REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_PUBLISH_RETRY = False
# Not a message more than there are threads: in a worker, one would wait behind the jobs of others.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# All of them, for a worker that is started without --queues.
CELERY_TASK_QUEUES = {name: {"exchange": name, "routing_key": name} for name in queues.NAMES}
CELERY_TASK_ROUTES = {job: {"queue": name} for name, jobs in queues.JOBS.items() for job in jobs}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
BROKER_CONNECT_SECONDS, BROKER_ANSWER_SECONDS = 1, 10
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": BROKER_CONNECT_SECONDS,
    "socket_timeout": BROKER_ANSWER_SECONDS,
}
CELERY_BEAT_SCHEDULER = "fido.scheduler:Scheduler"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    name: {
        "task": task,
        "schedule": timedelta(seconds=seconds),
        # If the workers have fallen behind, rounds do not pile up.
        "options": {"expire_seconds": seconds},
    }
    for name, task, seconds in (
        ("fold totals that no job took", "analytics.sweep_totals", 60),
        ("check transactions for alerts that no job took", "alerts.sweep_checks", 10),
        ("send webhooks that are due", "alerts.sweep_deliveries", 5),
        ("go on with imports that no worker is at", "imports.resume_imports", 30),
        ("remove the files of uploads that broke off", "imports.remove_abandoned_uploads", 3600),
        ("keep answers of active users ready", "analytics.warm_cache", WARM_SECONDS),
        ("compare totals and balances with the transactions", "checks.run_round", 60),
        ("ask the bank for its rates", "rates.sync", RATES_SYNC_SECONDS),
        ("forget ended login sessions", "accounts.purge_sessions", 3600),
        ("forget idempotency keys of yesterday", "fido.purge_idempotency_keys", 3600),
    )
}

# --- HTTP -------------------------------------------------------------------------------------
DEBUG = False
env.text("ALLOWED_HOSTS", "the host names that the service answers to, separated by commas")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
HTTPS_ONLY = env.boolean("HTTPS_ONLY", default=True)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS_ONLY
# Inside the cluster, health checks and Prometheus use plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SESSION_COOKIE_AGE = 8 * 3600
X_FRAME_OPTIONS = "DENY"
MAX_BODY_BYTES = 1024 * 1024
# Parsed, a body may take 25 times as much memory.
MAX_BULK_BODY_BYTES = 4 * MAX_BODY_BYTES
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
# Never to a file in /tmp: that fills the disk, and holds the upload in clear.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

# Where uploads wait, encrypted, until a worker has imported them. Web processes and workers share
# this folder.
IMPORTS_DIR = env.text(
    "IMPORTS_DIR",
    "a folder that web processes and workers share",
    str(Path(tempfile.gettempdir()) / "fido-imports"),
)
IMPORT_MAX_BYTES = env.integer("IMPORT_MAX_MEGABYTES", default=1024) * 1024 * 1024
# Processes that encrypt for one import.
IMPORT_PROCESSES = env.integer("IMPORT_PROCESSES", default=os.cpu_count() or 1)

ROOT_URLCONF = "fido.urls"
WSGI_APPLICATION = "fido.wsgi.application"
INSTALLED_APPS = [
    "fido.apps.FidoConfig",
    "accounts",
    "accounts.rates",
    "accounts.wallets",
    "transactions",
    "transactions.imports",
    "analytics",
    "analytics.alerts",
    "analytics.checks",
    "fido.admin_config.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_structlog",
]
MIDDLEWARE = [
    "fido.lib.api.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
STATIC_URL = "/static/"
# If it is empty, assets are served directly from the installed packages, without collectstatic.
STATIC_ROOT = env.text("STATIC_ROOT", "a folder", "") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    **global_settings.STORAGES,
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}

# --- people -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["accounts.hashers.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "email", "full_name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_FAILURES_PER_NAME = env.rate("LOGIN_FAILURES_PER_NAME", "10/5m")
LOGIN_FAILURES_PER_ADDRESS = env.rate("LOGIN_FAILURES_PER_ADDRESS", "100/5m")
REGISTRATIONS_PER_ADDRESS = env.rate("REGISTRATIONS_PER_ADDRESS", "30/1h")
REQUESTS_PER_USER = env.rate("REQUESTS_PER_USER", None)
SIMPLE_JWT = {
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ALGORITHM": "HS256",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    # The clocks of two machines may differ by as much.
    "LEEWAY": timedelta(seconds=30),
    "UPDATE_LAST_LOGIN": False,
}

# --- the API ----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["fido.lib.api.parsing.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["fido.lib.api.throttling.RequestsPerUser"],
    "DEFAULT_PAGINATION_CLASS": "fido.lib.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "fido.lib.api.schema.operations.OperationSchema",
    "DEFAULT_METADATA_CLASS": "fido.lib.api.metadata.RouteMetadata",
    "EXCEPTION_HANDLER": "fido.lib.api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = openapi.SETTINGS
DEFAULT_CURRENCY = env.currency("DEFAULT_CURRENCY", default="USD", known=CURRENCIES)

# --- the rest ---------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
LOGGING = logging_config(
    env.text("LOG_LEVEL", "a level such as INFO", "INFO").upper(),
    env.choice("LOG_FORMAT", FORMS, default="json"),
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
configure_structlog()
ALIVE_FILE = env.text("ALIVE_FILE", "a file", "") or None
METRICS_TOKEN = env.token("METRICS_TOKEN")
PROMETHEUS_MULTIPROC_DIR = env.folder("PROMETHEUS_MULTIPROC_DIR")
# A collector; None means that there are no traces, and no code of theirs is loaded.
TRACES_ENDPOINT = env.url("OTEL_EXPORTER_OTLP_ENDPOINT")
