"""Who is asking: projects and their keys."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from apps.claude.catalog import MODELS, find
from apps.keys.destinations import https_only, validate_emails
from apps.keys.networks import validate_networks
from apps.keys.outgoing import Notice, OutgoingQuerySet
from apps.keys.secrets import PREFIX
from apps.permissions.models import Profile

slug_rule = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\Z",
    "Use 1 to 64 of a-z, 0-9 and -, not beginning or ending with -.",
)


class Role(models.TextChoices):
    """What a person may do in a project: see it, use it, or manage its keys, budgets and members as well."""

    OWNER = "owner"
    MEMBER = "member"
    VIEWER = "viewer"


def oversees(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether the person sees every project: staff and superusers. Only the latter may change anything in each."""
    may_log_in = user.is_authenticated and user.is_active
    return may_log_in and bool(getattr(user, "is_superuser", False) or getattr(user, "is_staff", False))


class ProjectQuerySet(models.QuerySet["Project"]):
    """Questions about projects."""

    def of(self, user: AbstractBaseUser | AnonymousUser) -> ProjectQuerySet:
        """Those the person may see: all for staff, their own for others, none for who may not log in."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if oversees(user):
            return self.all()
        return self.filter(pk__in=Membership.objects.filter(user_id=user.pk).values("project_id"))


class Project(models.Model):
    """A tenant. Everything that is stored or run belongs to exactly one."""

    slug = models.CharField(max_length=64, unique=True, validators=[slug_rule], help_text="Its name on the wire.")
    name = models.CharField(max_length=200, blank=True)
    webhook_url = models.CharField(
        "webhook URL",
        max_length=500,
        blank=True,
        validators=[https_only],
        help_text="Where it is told when one of its keys ends soon: https, a public address; signed with the secret of "
        "GET /v1/webhooks/secret.",
    )
    emails = models.CharField(
        "e-mail addresses",
        max_length=1000,
        blank=True,
        validators=[validate_emails],
        help_text="Who is told that as well; commas between addresses. Empty: the owners, at the addresses they have.",
    )
    created_at = models.DateTimeField()

    objects = ProjectQuerySet.as_manager()

    def __str__(self) -> str:
        return self.slug


class MembershipQuerySet(models.QuerySet["Membership"]):
    """Questions about members."""

    def owners(self) -> MembershipQuerySet:
        """Those who manage their project."""
        return self.filter(role=Role.OWNER)


class Membership(models.Model):
    """A person's role in a project. A person with one cannot be deleted, so that no project loses its last owner."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField()

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = "member"
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="keys_one_role_per_person"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="keys_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role}) in {self.project}"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Questions about keys."""

    def usable(self, *, now: datetime) -> ApiKeyQuerySet:
        """Neither revoked nor expired at `now`."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)

    def expiring(self, *, within: timedelta, now: datetime) -> ApiKeyQuerySet:
        """Usable at `now`, but not `within` that time from it."""
        return self.filter(revoked_at=None, expires_at__gt=now, expires_at__lte=now + within)

    def not_replaced(self) -> ApiKeyQuerySet:
        """Those that nobody has rotated yet."""
        return self.filter(rotated_to=None)


def _at_least_one() -> list[MinValueValidator]:
    return [MinValueValidator(1, "Use at least 1, or leave it empty.")]


def validate_model(name: str) -> None:
    """Accept an alias or a full id. Raises ValidationError with those there are."""
    if find(name) is None:
        known = ", ".join(filter(None, [*(model.alias for model in MODELS), *(model.id for model in MODELS)]))
        raise ValidationError(f"There is no model {name!r}. Known: {known}.", code="invalid")


def _one_or_none(field: str) -> Q:
    return Q(**{field: None}) | Q(**{f"{field}__gte": 1})


class ApiKey(models.Model):
    """A credential of a project. Its secret was shown once; only a digest is here."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="keys")
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    profile = models.ForeignKey(
        Profile,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="keys",
        help_text="What this key may use. Empty: what the default profile allows.",
    )
    requests_per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=_at_least_one(), help_text="In any 60 seconds. Empty: no limit."
    )
    tokens_per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=_at_least_one(), help_text="In any 60 seconds, all kinds. Empty: no limit."
    )
    concurrent_jobs = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=_at_least_one(),
        help_text="Queued and running at a time. Empty: what the profile allows, which is also the most.",
    )
    allowed_networks = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_networks],
        help_text="Addresses it may be used from, such as 192.0.2.0/24 or 2001:db8::/32. Empty: any.",
    )
    default_model = models.CharField(
        max_length=64,
        blank=True,
        validators=[validate_model],
        help_text="For requests that name none. Empty: the service's default.",
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    expiry_warned_days = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    """The last of its warnings, as days before the end. Empty: none yet."""
    rotated_from = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="rotated_to"
    )
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Exact to a minute.")

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        indexes = [
            # The newest page of the list, and the few that end soon; neither reads the other 100,000.
            models.Index(fields=["-created_at"], name="keys_newest"),
            models.Index(fields=["expires_at"], condition=Q(revoked_at=None), name="keys_expiring"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(digest=""), name="keys_digest_present"),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("created_at")), name="keys_expiry_after_creation"
            ),
            models.CheckConstraint(condition=_one_or_none("requests_per_minute"), name="keys_requests_positive"),
            models.CheckConstraint(condition=_one_or_none("tokens_per_minute"), name="keys_tokens_positive"),
            models.CheckConstraint(condition=_one_or_none("concurrent_jobs"), name="keys_jobs_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    @property
    def hint(self) -> str:
        """The key as lists show it: enough to recognise, nothing to use."""
        return f"{PREFIX}{self.public_id}_…{self.last4}"

    def is_usable(self, *, now: datetime) -> bool:
        """Neither revoked nor expired at `now`."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class KeyWarningQuerySet(OutgoingQuerySet["KeyWarning"]):
    """Questions about what is to be sent."""


class KeyWarning(Notice):
    """The news that a key ends soon, on its way to one destination."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="warnings")
    days = models.PositiveSmallIntegerField(help_text="Before its end.")
    expires_at = models.DateTimeField(help_text="The end that is announced.")
    created_at = models.DateTimeField()

    objects = KeyWarningQuerySet.as_manager()

    class Meta:
        verbose_name = "key warning"
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="key_warning_due")
        ]

    @property
    def state(self) -> str:
        """In one or two words."""
        return "delivered" if self.delivered_at else "waiting" if self.next_attempt_at else "given up"
