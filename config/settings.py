"""Django's settings, all derived from `config.env`."""

import hashlib
import os
import sys
from decimal import Decimal

from config import databases, generics, logs, paths, version
from config.env import ROOT, Env

generics.allow()
ENV = Env.read(os.environ)
BASE_DIR = ROOT
VERSION = version.current()

# -- the install
DATA_DIR = paths.prepare_data_dir(ENV.data_dir)
SECRET_KEY = ENV.secret_key or paths.secret_key(DATA_DIR)
SECRET_KEY_FALLBACKS = list(ENV.secret_key_fallbacks)
RUNTIME_DIR = paths.runtime_dir(DATA_DIR)
DEMO = ENV.demo
DEBUG = False
ALLOWED_HOSTS = list(ENV.allowed_hosts)
REDIS_URL = ENV.redis_url
VALKEY_URL = REDIS_URL or f"unix://{RUNTIME_DIR}/valkey.sock?db=0"
# Two installs may share one Valkey; nodes of one install share the secret key and therefore this.
INSTALL_ID = hashlib.sha256(SECRET_KEY.encode()).hexdigest()[:8]
VALKEY_PREFIX = f"ccs:{INSTALL_ID}:"

# -- the engine and its jobs
ANTHROPIC_API_KEY = ENV.anthropic_api_key
ANTHROPIC_AUTH_TOKEN = ENV.anthropic_auth_token
CLAUDE_CODE_OAUTH_TOKEN = ENV.claude_code_oauth_token
ANTHROPIC_BASE_URL = ENV.anthropic_base_url
CLAUDE_CLI_PATH = ENV.claude_cli_path
CLAUDE_CLI_VERSION = ENV.claude_cli_version
CLAUDE_HOME = ENV.claude_home
CAPABILITY_DIRS = ENV.capability_dirs
MCP_SERVERS = ENV.mcp_servers
CLAUDE_SLOTS = ENV.claude_slots
WORKERS = ENV.workers
DEFAULT_MODEL = ENV.default_model
JOB_TIMEOUT_SECONDS, JOB_IDLE_SECONDS = ENV.job_timeout_seconds, ENV.job_idle_seconds
JOB_MAX_COST_MICROUSD = int(Decimal(ENV.job_max_cost_usd) * 1_000_000)
WEBHOOK_HOSTS = ENV.webhook_hosts
APPROVAL_SECONDS, APPROVAL_BY = ENV.approval_seconds, ENV.approval_by
ALERT_EMAILS, ALERT_WEBHOOK_URL = ENV.alert_emails, ENV.alert_webhook_url
ALERT_WEBHOOK_SECRET = ENV.alert_webhook_secret
ARTIFACT_DAYS, ARTIFACT_MAX_GB = ENV.artifact_days, ENV.artifact_max_gb
SESSION_DAYS = ENV.session_days
REMOTE_IMAGES = ENV.remote_images
TASK_NETWORK_ALLOW = ENV.task_network_allow
TASK_NETWORK_PORTS = ENV.task_network_ports
TASK_NETWORK_CA = ENV.task_network_ca
TASK_NETWORK_MB = ENV.task_network_mb
CHAT_DISCONNECT_GRACE_SECONDS = ENV.chat_disconnect_grace_seconds
METRICS_TOKEN = ENV.metrics_token
DRAIN_SECONDS = ENV.drain_seconds
AUTH_FAILURES_PER_MINUTE = ENV.auth_failures_per_minute
DISABLE_JAIL_AT_MY_OWN_RISK = ENV.disable_jail_at_my_own_risk

# -- apps
INSTALLED_APPS = [
    "apps.claude",
    "apps.audit",
    "apps.permissions",
    "apps.keys",
    "apps.budgets",
    "apps.routing",
    "apps.capabilities",
    "apps.jobs",
    "apps.api",
    "apps.dashboard",
    "config.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_q",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "csp",
    "django_htmx",
    "apps.people",  # after Django's users and django-axes: it takes over the pages of the one, and hears the other
    "config",  # last, because its admin takes back what others registered
]
# Only pages pass through these: the API has a short way of its own (apps.api.gateway).
MIDDLEWARE = [
    "config.middleware.StaticFiles",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# -- database
SERVES_WEB = sys.argv[1:2] == ["run_web"]


DATABASES = {
    "default": databases.postgres(ENV.database_url, serves_web=SERVES_WEB)
    if ENV.database_url
    else databases.sqlite(DATA_DIR / "service.sqlite3")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- Valkey: cache, channel layer, doorbell
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": VALKEY_URL,
        "KEY_PREFIX": f"{VALKEY_PREFIX}cache",
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            # redis-py's default of 5 seconds would end every idle subscription.
            "hosts": [{"address": VALKEY_URL, "socket_timeout": None}],
            "prefix": f"{VALKEY_PREFIX}channels",
        },
    }
}
# django-q2 is only the hand: its messages carry nothing, so it needs no retries, no result table and no schedule.
Q_CLUSTER = {
    "name": f"ccs-{INSTALL_ID}",
    "redis": VALKEY_URL,
    "workers": WORKERS or max(2, min(4, os.cpu_count() or 2)),
    "queue_limit": 1,
    "bulk": 1,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "scheduler": False,
    "guard_cycle": 0.5,
    "timeout": 60,
    "retry": 120,
    "recycle": 1_000_000_000,
    "label": "Doorbell",
    "log_level": "WARNING",
    "ALT_CLUSTERS": {f"ccs-{INSTALL_ID}-tasks": {}},
}

# -- people
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True  # the record has it
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or whoever guesses on could keep the right one out for ever
AXES_LOCKOUT_CALLABLE = "apps.people.views.locked_out"
REQUIRE_SECOND_FACTOR = ENV.require_second_factor
OTP_TOTP_ISSUER = "Claude Code API Service"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"

# -- HTTP
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024  # chats carry images; config.web refuses more before it is read
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_NAME = "ccs_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENV.behind_tls_proxy
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
CSRF_COOKIE_HTTPONLY = True
CSRF_TRUSTED_ORIGINS = list(ENV.trusted_origins)
if ENV.behind_tls_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
BEHIND_TLS_PROXY = ENV.behind_tls_proxy
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# -- static files: served from where the packages keep them, so that nothing has to be collected
STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"] if (ROOT / "static").is_dir() else []
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 3600

# -- API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.api.errors.exception_handler",
    # `?format=` would pick a renderer and break `stream: true`.
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Claude Code API Service",
    "DESCRIPTION": "The Claude Code CLI as a governed, multi-tenant API, compatible with OpenAI's chat completions.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "FunctionTypeEnum": ["function"],
        "BatchStatusEnum": [
            "validating",
            "in_progress",
            "finalizing",
            "completed",
            "failed",
            "expired",
            "cancelling",
            "cancelled",
        ],
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "apps.api.schema.everywhere.describe"],
}

# -- language, time, logs
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DATE_FORMAT, TIME_FORMAT, DATETIME_FORMAT = "j M Y", "H:i", "j M Y H:i"
LOGGING_CONFIG = None
logs.configure(log_format=ENV.log_format, level=ENV.log_level)
