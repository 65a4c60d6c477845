"""The service's settings with budgets installed."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

if "apps.budgets" not in INSTALLED_APPS:
    INSTALLED_APPS.insert(INSTALLED_APPS.index("apps.keys") + 1, "apps.budgets")
