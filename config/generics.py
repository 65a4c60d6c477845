"""Lets Django's classes take type arguments at run time, as the type checker wants them written: `ModelAdmin[Job]`.

The package for it (django-stubs-ext) loads the PostgreSQL fields and their driver too: 0.15 s for every process.
"""

from typing import Any

from django.contrib.admin.options import BaseModelAdmin
from django.db.models.fields import Field
from django.forms.models import BaseModelForm


def _itself(cls: type, *_: Any) -> type:
    return cls


def allow() -> None:
    """Call it before the apps are loaded."""
    for kind in (BaseModelAdmin, BaseModelForm, Field):
        kind.__class_getitem__ = classmethod(_itself)  # type: ignore[union-attr]
