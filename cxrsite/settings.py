"""Django's settings. What a site may choose comes from the environment, through `cxrsite.env`."""

import sys
from urllib.parse import unquote, urlsplit

from cxrsite.database import acts_as_owner, database_settings, redis_tls, role_of, secrets_of
from cxrsite.env import BASE_DIR, SECRETS, StorageKind, data_keys_of, mfa_roles_of, read_environment, revealed, words_of

ENV = read_environment()

SECRET_KEY = ENV.secret_key.get_secret_value()
SECRET_KEY_FALLBACKS = words_of(revealed(ENV.old_secret_keys) or "")
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
    "drf_spectacular",
    "csp",
    "django_htmx",
    "django_tables2",
    "django_filters",
    "crispy_forms",
    "crispy_bootstrap5",
    "diagnoses",
    "workers",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
]

# What gives an answer its headers, also one that is given before Django is asked.
CXR_DRESSERS = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "cxrsite.headers.resource_headers",
]
MIDDLEWARE = [
    *CXR_DRESSERS,
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "diagnoses.denials.DenialsMiddleware",
    "cxrsite.headers.fetch_metadata",  # within, so that what it refuses is on record
    "allauth.account.middleware.AccountMiddleware",
    "diagnoses.accounts.again.ConfirmFirstMiddleware",
    "diagnoses.accounts.middleware.SessionTimesMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "diagnoses.accounts.middleware.SecondFactorMiddleware",
    "diagnoses.preferences.PreferencesMiddleware",
    "diagnoses.accounts.pace.PaceMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "diagnoses" / "templates"],  # named, so that our pages count before those of the panel
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "diagnoses.preferences.preferences",
                "diagnoses.accounts.timeouts.session_left",
                "diagnoses.selectors.pausing.pause",
                "diagnoses.selectors.emergencies.emergencies",
            ],
        },
    },
]

# Truth. What changes its tables, or may see all of them at once, is done by their owner, where the site names one.
DATABASES = {"default": database_settings(ENV, owner=acts_as_owner(sys.argv))}
CXR_APPLICATION_ROLE = role_of(ENV.database_url)
CXR_DATABASE_HAS_OWNER = ENV.database_owner_url is not None
CXR_AUDIT_READER_PASSWORD = revealed(ENV.audit_reader_password)
CXR_TRUSTED_NETWORK = ENV.trusted_network

# Doorbell. Messages are empty wake-up calls, so results are ignored and a lost message costs a delay.
CELERY_BROKER_URL = ENV.redis_url.get_secret_value()
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 3,
    "socket_connect_timeout": 3,
    "visibility_timeout": 3600,
    "global_keyprefix": "cxr:",
}
CELERY_BROKER_USE_SSL = redis_tls(ENV)
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

# Accounts. The first hasher makes new hashes; those of the second are made anew at the next sign-in.
PASSWORD_HASHERS = [
    "diagnoses.accounts.hashers.BoundedArgon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "diagnoses.accounts.validators.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "diagnoses.accounts.weak_words.DisguisedWordValidator"},
    {"NAME": "diagnoses.accounts.leaked.LeakedPasswordValidator"},
]
CXR_LEAKED_PASSWORDS = ENV.leaked_passwords
CXR_IDLE_SECONDS = ENV.idle_minutes * 60
CXR_SESSION_SECONDS = ENV.session_hours * 60 * 60
CXR_MFA_ROLES = mfa_roles_of(ENV.mfa_roles)
ACCOUNT_ADAPTER = "diagnoses.accounts.adapter.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_RATE_LIMITS = False  # ours are kept in the database, and lock nobody out by their name alone
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 5 * 60
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_FORMS = {
    "change_password": "diagnoses.accounts.forms.PasswordForm",
    "login": "diagnoses.accounts.forms.SignInForm",
}
MFA_ADAPTER = "diagnoses.accounts.adapter.SecondFactorAdapter"
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "activate_totp": "diagnoses.accounts.forms.ActivateForm",
    "authenticate": "diagnoses.accounts.forms.CodeForm",
    "reauthenticate": "diagnoses.accounts.forms.CodeAgainForm",
    "authenticate_webauthn": "diagnoses.accounts.forms.KeyForm",
    "reauthenticate_webauthn": "diagnoses.accounts.forms.KeyAgainForm",
}
MFA_RATE_LIMITS = False
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_RECOVERY_CODE_DIGITS = 10
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Chest X-ray reader"
MFA_TOTP_TOLERANCE = 1  # clocks of telephones that are half a minute off
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not ENV.https
USERSESSIONS_ADAPTER = "diagnoses.accounts.adapter.SessionsAdapter"
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "worklist"
LOGOUT_REDIRECT_URL = "sign_in"
# A cookie with this prefix is taken from this very host and over TLS alone: no neighbour in the domain plants one.
_COOKIE = "__Host-" if ENV.https else ""
SESSION_ENGINE = "diagnoses.accounts.session_store"
SESSION_COOKIE_NAME = f"{_COOKIE}sessionid"
SESSION_COOKIE_AGE = CXR_SESSION_SECONDS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = ENV.https
SESSION_COOKIE_SAMESITE = "Lax"  # a link in a mail finds its reader signed in
CSRF_COOKIE_NAME = f"{_COOKIE}csrftoken"
CSRF_COOKIE_SECURE = ENV.https
# Strict would keep it from the request of such a link, whose answer then sets another, and every form that stands open
# in another tab, with what was typed into it, would be out of date.
CSRF_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # what was done to whom is in no cookie
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.https else None
SECURE_SSL_REDIRECT = False  # the proxy in front does it; health checks come in plain
SECURE_HSTS_SECONDS = 31_536_000 if ENV.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = ENV.https
SILENCED_SYSTEM_CHECKS = [
    "security.W008",  # no redirect to TLS: see SECURE_SSL_REDIRECT
    "security.W021",  # no preloading: a hospital's domain is not ours to put on browsers' lists
]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"  # none at all would take the Origin from our own forms, which CSRF's check needs
X_FRAME_OPTIONS = "DENY"
# The viewer fills the screen, and security keys sign in. Nothing else of what a browser can do is used.
_UNUSED = words_of(
    "accelerometer, autoplay, camera, clipboard-read, clipboard-write, display-capture, encrypted-media, "
    "gamepad, geolocation, gyroscope, hid, idle-detection, local-fonts, magnetometer, microphone, midi, payment, "
    "picture-in-picture, screen-wake-lock, serial, "
    "storage-access, usb, window-management, xr-spatial-tracking"
)
PERMISSIONS_POLICY: dict[str, list[str]] = {
    **{feature: ["self"] for feature in ("fullscreen", "publickey-credentials-create", "publickey-credentials-get")},
    **{feature: [] for feature in _UNUSED},
}
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
        "upgrade-insecure-requests": ENV.https,
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("vi", "Tiếng Việt")]
LOCALE_PATHS = [BASE_DIR / "diagnoses" / "locale"]  # named, so that our words count before those of what we stand on
FORMAT_MODULE_PATH = "diagnoses.formats"
# Numbers stay without separators: a template's machine-read ones, such as a width, would break with them.
USE_THOUSAND_SEPARATOR = False
LANGUAGE_COOKIE_NAME = f"{_COOKIE}language"
LANGUAGE_COOKIE_SECURE = ENV.https
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
TIME_ZONE = ENV.time_zone
USE_TZ = True

CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"
DJANGO_TABLES2_TEMPLATE = "diagnoses/table.html"

STATIC_URL = "static/"
WHITENOISE_ALLOW_ALL_ORIGINS = False
# A drawing is text too; of what is text/… the charset is said anyway.
WHITENOISE_MIMETYPES = {".svg": "image/svg+xml; charset=utf-8"}
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
FILE_UPLOAD_HANDLERS = ["diagnoses.views.receiving.QuarantineUploadHandler"]
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

_API_PERMISSIONS = ["rest_framework.permissions.IsAuthenticated", "diagnoses.api.permissions.HasScope"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["diagnoses.api.authentication.ApiTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": _API_PERMISSIONS,
    "DEFAULT_THROTTLE_CLASSES": ["diagnoses.api.limits.TokenThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Chest X-ray reader",
    "DESCRIPTION": "Send chest X-rays, follow their reading, fetch the answers.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": _API_PERMISSIONS,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "diagnoses.api.openapi.describe_refusals",
    ],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "cxrsite.lines.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": ENV.log_level},
    # Of a connection that was lost in use, whoever used it speaks; the pool would add a page about giving it back.
    # The web server's lines would have no time of their own. Nor would Django's while debugging, with secrets in links.
    "loggers": {
        "sqlalchemy.pool": {"level": "CRITICAL"},
        "uvicorn": {"handlers": [], "propagate": True},
        "django": {"handlers": [], "propagate": True},
    },
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
CXR_MAX_REQUEST_BYTES = ENV.max_request_mb * 1024 * 1024
CXR_UPLOADS_PER_MINUTE = ENV.uploads_per_minute
CXR_UPLOAD_BYTES_PER_DAY = ENV.upload_mb_per_day * 1024 * 1024
CXR_MIN_FREE_BYTES = ENV.min_free_mb * 1024 * 1024
CXR_MAX_QUEUED = ENV.max_queued
CXR_API_PER_MINUTE = ENV.api_per_minute
CXR_PAGES_PER_MINUTE = ENV.pages_per_minute
CXR_EXPORT_CASES = ENV.export_cases
CXR_EXPORT_DAYS = ENV.export_days
CXR_EXPORT_BYTES = ENV.export_mb * 1024 * 1024
CXR_BREAK_GLASS_MINUTES = ENV.break_glass_minutes
CXR_DATA_KEYS = data_keys_of(ENV.data_keys.get_secret_value())
CXR_SEAL_FILES = ENV.seal_files
CXR_RETENTION_DAYS = ENV.retention_days
CXR_STORAGE = ENV.storage.value
CXR_S3_ENDPOINT = ENV.s3_endpoint
CXR_ORPHAN_SECONDS = ENV.orphan_seconds
CXR_SITE_NAME = ENV.site_name
CXR_VAR_DIR = ENV.var_dir
CXR_BACKUP_KEY = revealed(ENV.backup_key)
CXR_SECRET_NAMES = {name: str(type(ENV).model_fields[name].alias) for name in SECRETS}
CXR_SECRETS = secrets_of(ENV)
CXR_AUDIT_KEY = revealed(ENV.audit_key)
CXR_AUDIT_ANCHORS = ENV.audit_anchors or ENV.var_dir / "audit" / "anchors.jsonl"
CXR_AUDIT_ANCHOR_MINUTES = ENV.audit_anchor_minutes
CXR_AUDIT_SYSLOG = ENV.audit_syslog
CXR_AUDIT_YEARS = ENV.audit_years
CXR_AUDIT_ARCHIVES = ENV.audit_archives or ENV.var_dir / "audit" / "archives"
