"""The table that usage is read from: sums of ended jobs by quarter of an hour, hour and day.

A job's end adds a row of its own (span 0), so that no two jobs ever wait for each other's row; the sweep folds these
into the sums of all three spans, once by key and once for all keys of a project together. A reader adds folded and
unfolded rows in one statement and is exact at any moment.
"""

from datetime import UTC, datetime

from django.db import models

COUNTERS = (
    "requests",
    "calls",
    "estimated",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cost_microusd",
    "saved_microusd",
    "table_microusd",
    "cli_requests",
    "cli_microusd",
    "cli_metered_microusd",
    "latency_ms",
    "first_token_ms",
    "queue_wait_ms",
)
TIMINGS = ("latency", "first_token", "queue_wait")
COLUMNS_PER_TIMING = 20
HISTOGRAMS = tuple(f"{timing}_{number:02}" for timing in TIMINGS for number in range(COLUMNS_PER_TIMING))
"""How many jobs took how long: see `apps.jobs.usage.histograms`."""
SUMS = (*COUNTERS, *HISTOGRAMS)
PLACE = ("project_id", "span", "start", "api_key_id", "model", "kind", "status", "error_code", "job_id")
"""What a row is the sum of. The job's id only while it is not folded."""
PROJECT_PLACE = tuple(name for name in PLACE if name not in ("api_key_id", "job_id"))
"""What a row for all keys is the sum of."""


class Sums(models.Model):
    """What is counted."""

    requests = models.BigIntegerField(db_default=0)
    calls = models.BigIntegerField(db_default=0, help_text="Metered upstream calls.")
    estimated = models.BigIntegerField(db_default=0, help_text="Requests whose usage had to be estimated.")
    unpriced = models.BigIntegerField(db_default=0, help_text="Calls of models that the price table does not know.")
    input_tokens = models.BigIntegerField(db_default=0)
    output_tokens = models.BigIntegerField(db_default=0)
    cache_read_input_tokens = models.BigIntegerField(db_default=0)
    cache_creation_input_tokens = models.BigIntegerField(db_default=0)
    cost_microusd = models.BigIntegerField(db_default=0, help_text="As metered at the egress: the bill.")
    saved_microusd = models.BigIntegerField(db_default=0, help_text="What cached reads would have cost more.")
    table_microusd = models.BigIntegerField(db_default=0, help_text="The calls' usage at that day's price table.")
    cli_requests = models.BigIntegerField(db_default=0, help_text="Requests of which the CLI said what they cost.")
    cli_microusd = models.BigIntegerField(db_default=0, help_text="What it said.")
    cli_metered_microusd = models.BigIntegerField(db_default=0, help_text="What was metered for the same requests.")
    latency_ms = models.BigIntegerField(db_default=0, help_text="From submission to completion, in sum.")
    first_token_ms = models.BigIntegerField(db_default=0, help_text="From submission to the first token, in sum.")
    queue_wait_ms = models.BigIntegerField(db_default=0, help_text="From submission to start, in sum.")

    class Meta:
        abstract = True


for _name in HISTOGRAMS:
    Sums.add_to_class(_name, models.BigIntegerField(db_default=0, editable=False))


class RollupQuerySet(models.QuerySet["Rollup"]):
    """Questions about roll-ups, for people; `apps.jobs.usage` asks for machines, in SQL."""

    def unfolded(self) -> "RollupQuerySet":
        """Those of a single job each."""
        return self.filter(span=0)


class Rollup(Sums):
    """What ended in a span of time, of one key, model, kind, status and error code."""

    span = models.PositiveSmallIntegerField(help_text="Minutes: 15, 60 or 1440; 0: one job, not folded yet.")
    start = models.BigIntegerField(help_text="Unix seconds: the beginning of the span, of a job its quarter hour's.")
    project = models.ForeignKey("keys.Project", on_delete=models.PROTECT, related_name="+", db_index=False)
    api_key = models.ForeignKey(
        "keys.ApiKey", on_delete=models.PROTECT, related_name="+", db_index=False, verbose_name="API key"
    )
    model = models.CharField(max_length=64)
    kind = models.CharField(max_length=16)
    status = models.CharField(max_length=16, help_text="How the jobs ended, or `refused`.")
    error_code = models.CharField(max_length=32, blank=True)
    job_id = models.CharField(max_length=36, blank=True)

    objects = RollupQuerySet.as_manager()

    class Meta:
        verbose_name = "usage roll-up"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "span", "start", "api_key", "model", "kind", "status", "error_code", "job_id"],
                name="rollup_once",
            )
        ]
        indexes = [
            models.Index(fields=["span", "start"], name="rollup_span"),
            models.Index(
                fields=["project", "span", "start"], condition=models.Q(error_code__gt=""), name="rollup_errors"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} + {self.span} min"

    @property
    def starts_at(self) -> datetime:
        """The beginning of the span."""
        return datetime.fromtimestamp(self.start, UTC)


class ProjectRollup(Sums):
    """What ended in a span of time, of all keys of a project together: far fewer rows, for most questions."""

    span = models.PositiveSmallIntegerField(help_text="Minutes: 15, 60 or 1440.")
    start = models.BigIntegerField(help_text="Unix seconds: the beginning of the span.")
    project = models.ForeignKey("keys.Project", on_delete=models.PROTECT, related_name="+", db_index=False)
    model = models.CharField(max_length=64)
    kind = models.CharField(max_length=16)
    status = models.CharField(max_length=16)
    error_code = models.CharField(max_length=32, blank=True)

    objects = models.Manager["ProjectRollup"]()

    class Meta:
        verbose_name = "usage roll-up of a project"
        verbose_name_plural = "usage roll-ups of projects"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "span", "start", "model", "kind", "status", "error_code"], name="projectrollup_once"
            )
        ]
        indexes = [
            models.Index(fields=["span", "start"], name="projectrollup_span"),
            models.Index(
                fields=["project", "span", "start"], condition=models.Q(error_code__gt=""), name="projectrollup_errors"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} + {self.span} min"

    @property
    def starts_at(self) -> datetime:
        """The beginning of the span."""
        return datetime.fromtimestamp(self.start, UTC)


class Drift(models.Model):
    """On one day the cost of one model differed by measure of the CLI or of the price table. Raised once."""

    day = models.DateField()
    model = models.CharField(max_length=64)
    measure = models.CharField(max_length=8, choices=[("cli", "the CLI's figure"), ("table", "the price table")])
    metered_microusd = models.BigIntegerField(help_text="When it was raised.")
    other_microusd = models.BigIntegerField()
    created_at = models.DateTimeField()

    objects = models.Manager["Drift"]()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "model", "measure"], name="drift_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.model}: {self.measure}"
