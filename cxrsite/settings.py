"""Django's settings. What a site may choose comes from the environment, through `cxrsite.env`."""

from urllib.parse import unquote, urlsplit

import dj_database_url

from cxrsite.env import BASE_DIR, StorageKind, data_keys_of, read_environment, revealed, words_of

ENV = read_environment()

SECRET_KEY = ENV.secret_key.get_secret_value()
DEBUG = ENV.debug
ALLOWED_HOSTS = words_of(ENV.allowed_hosts)
CSRF_TRUSTED_ORIGINS = words_of(ENV.trusted_origins)
ROOT_URLCONF = "cxrsite.urls"
ASGI_APPLICATION = "cxrsite.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "csp",
    "django_htmx",
    "django_tables2",
    "django_filters",
    "crispy_forms",
    "crispy_bootstrap5",
    "diagnoses",
    "workers",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "diagnoses.preferences.PreferencesMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
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
                "diagnoses.preferences.preferences",
                "diagnoses.selectors.pausing.pause",
            ],
        },
    },
]

# Truth. The timeouts keep a request from hanging on a server that is gone; those of TCP count at both ends, so that a
# host which was cut off in the middle of a transaction does not keep its rows locked from the others. Connections are
# kept in a pool: opening one costs more than most requests' statements. As many as are needed are opened, some kept.
_DATABASE = dj_database_url.parse(ENV.database_url.get_secret_value(), conn_max_age=0)
DATABASES = {
    "default": {
        **_DATABASE,
        "ENGINE": "dj_db_conn_pool.backends.postgresql",
        "POOL_OPTIONS": {"POOL_SIZE": 5, "MAX_OVERFLOW": -1, "RECYCLE": 300, "PRE_PING": True},
        "OPTIONS": {
            **_DATABASE.get("OPTIONS", {}),
            "connect_timeout": 3,
            "keepalives_idle": 5,
            "keepalives_interval": 5,
            "tcp_user_timeout": 10_000,
            "options": "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s "
            "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_user_timeout=10s",
        },
    }
}

# Doorbell. Messages are empty wake-up calls, so results are ignored and a lost message costs a delay.
CELERY_BROKER_URL = ENV.redis_url.get_secret_value()
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 3,
    "socket_connect_timeout": 3,
    "visibility_timeout": 3600,
    "global_keyprefix": "cxr:",
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_IMPORTS = ["workers.tasks"]
CELERY_TASK_DEFAULT_QUEUE = "doorbell"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_CONCURRENCY = 1
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A model may take longer to load than Celery's four seconds; a child killed while loading would be replaced for ever.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 120
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 4_000_000  # kilobytes
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "worklist"
LOGOUT_REDIRECT_URL = "sign_in"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = ENV.https
CSRF_COOKIE_SECURE = ENV.https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.https else None
SECURE_SSL_REDIRECT = False  # the proxy in front does it; health checks come in plain
SECURE_HSTS_SECONDS = 31_536_000 if ENV.https else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Nothing but our own files, and nothing written into a page: what a page shows of what people typed runs nowhere. The
# style sheet brings small drawings along as data, and the viewer draws what it was sent.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("vi", "Tiếng Việt")]
LOCALE_PATHS = [BASE_DIR / "diagnoses" / "locale"]  # named, so that our words count before those of what we stand on
FORMAT_MODULE_PATH = "diagnoses.formats"
# Numbers stay without separators: a template's machine-read ones, such as a width, would break with them.
USE_THOUSAND_SEPARATOR = False
LANGUAGE_COOKIE_SECURE = ENV.https
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
TIME_ZONE = ENV.time_zone
USE_TZ = True

CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"
DJANGO_TABLES2_TEMPLATE = "diagnoses/table.html"

STATIC_URL = "static/"
# Made from the code and not data of the site: it lies with the code, wherever the data is.
STATIC_ROOT = BASE_DIR / "var" / "static"
_STORAGE = {
    StorageKind.FILE: {"BACKEND": "diagnoses.storage.files.PrivateFileStorage"},
    StorageKind.S3: {
        "BACKEND": "diagnoses.storage.s3.PrivateS3Storage",
        "OPTIONS": {
            "bucket_name": ENV.s3_bucket,
            "endpoint_url": ENV.s3_endpoint,
            "region_name": ENV.s3_region,
            "access_key": revealed(ENV.s3_access_key),
            "secret_key": revealed(ENV.s3_secret_key),
        },
    },
}
STORAGES = {
    "default": _STORAGE[ENV.storage],
    "staticfiles": {"BACKEND": "cxrsite.statics.ModuleStaticFilesStorage"},
}
MEDIA_ROOT = ENV.var_dir / "media"
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
DATA_UPLOAD_MAX_NUMBER_FILES = ENV.max_files + 1  # one more, so that our own words answer the first too many

# Notices by e-mail, where a server for them is given. One that is slow or away holds up nothing but the mail.
CXR_SENDS_MAIL = ENV.email_url is not None
_MAIL = urlsplit(revealed(ENV.email_url) or "")
EMAIL_HOST = _MAIL.hostname or ""
EMAIL_PORT = _MAIL.port or {"smtps": 465, "smtp+tls": 587}.get(_MAIL.scheme, 25)
EMAIL_HOST_USER = unquote(_MAIL.username or "")
EMAIL_HOST_PASSWORD = unquote(_MAIL.password or "")
EMAIL_USE_SSL = _MAIL.scheme == "smtps"
EMAIL_USE_TLS = _MAIL.scheme == "smtp+tls"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENV.email_from or ""
_HOST = next(iter(ALLOWED_HOSTS), "localhost").removeprefix(".")
CXR_SITE_URL = (ENV.site_url or f"http{'s' if ENV.https else ''}://{_HOST}").rstrip("/")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Chest X-ray reader",
    "DESCRIPTION": "Send chest X-rays, follow their reading, fetch the answers.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "COMPONENT_SPLIT_REQUEST": True,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": ENV.log_level},
    # Of a connection that was lost in use, whoever used it speaks; the pool would add a page about giving it back.
    "loggers": {"sqlalchemy.pool": {"level": "CRITICAL"}},
}

# The product's own.
CXR_MODELS_DIR = ENV.models_dir
CXR_LOG_LEVEL = ENV.log_level
CXR_MODEL = ENV.model
CXR_ENGINE = ENV.engine.value
CXR_OUTSIDE_AGE = ENV.outside_age.value
CXR_FIRST_READ = ENV.first_read.value
CXR_SECOND_READER = ENV.second_reader
CXR_PREVALENCE = ENV.prevalence
CXR_BATCH_SIZE = ENV.batch_size
CXR_LEASE_SECONDS = ENV.lease_seconds
CXR_READING_SECONDS = ENV.reading_seconds
CXR_MAX_ATTEMPTS = ENV.max_attempts
CXR_MAX_FILE_BYTES = ENV.max_file_mb * 1024 * 1024
CXR_MAX_FILES = ENV.max_files
CXR_MAX_QUEUED = ENV.max_queued
CXR_EXPORT_CASES = ENV.export_cases
CXR_EXPORT_DAYS = ENV.export_days
CXR_EXPORT_BYTES = ENV.export_mb * 1024 * 1024
CXR_DATA_KEYS = data_keys_of(ENV.data_keys.get_secret_value())
CXR_SEAL_FILES = ENV.seal_files
CXR_RETENTION_DAYS = ENV.retention_days
CXR_STORAGE = ENV.storage.value
CXR_ORPHAN_SECONDS = ENV.orphan_seconds
CXR_SITE_NAME = ENV.site_name
