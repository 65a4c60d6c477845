"""Roll-ups of all keys of a project together, made from those of its keys."""

import django.db.models.deletion
from django.db import migrations, models

_PLACE = "span, start, project_id, model, kind, status, error_code"
_HISTOGRAMS = [f"{timing}_{number:02}" for timing in ("latency", "first_token", "queue_wait") for number in range(20)]
_SUMS = [
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
    *_HISTOGRAMS,
]
_ADD_UP = f"""
    INSERT INTO jobs_projectrollup ({_PLACE}, {", ".join(_SUMS)})
    SELECT {_PLACE}, {", ".join(f"SUM({name})" for name in _SUMS)} FROM jobs_rollup WHERE span > 0 GROUP BY {_PLACE}
"""  # noqa: S608


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0008_batches_wait"),
        ("keys", "0003_members"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProjectRollup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("span", models.PositiveSmallIntegerField(help_text="Minutes: 15, 60 or 1440.")),
                ("start", models.BigIntegerField(help_text="Unix seconds: the beginning of the span.")),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="keys.project"
                    ),
                ),
                ("model", models.CharField(max_length=64)),
                ("kind", models.CharField(max_length=16)),
                ("status", models.CharField(max_length=16)),
                ("error_code", models.CharField(blank=True, max_length=32)),
                ("requests", models.BigIntegerField(db_default=0)),
                ("calls", models.BigIntegerField(db_default=0, help_text="Metered upstream calls.")),
                (
                    "estimated",
                    models.BigIntegerField(db_default=0, help_text="Requests whose usage had to be estimated."),
                ),
                (
                    "unpriced",
                    models.BigIntegerField(
                        db_default=0, help_text="Calls of models that the price table does not know."
                    ),
                ),
                ("input_tokens", models.BigIntegerField(db_default=0)),
                ("output_tokens", models.BigIntegerField(db_default=0)),
                ("cache_read_input_tokens", models.BigIntegerField(db_default=0)),
                ("cache_creation_input_tokens", models.BigIntegerField(db_default=0)),
                (
                    "cost_microusd",
                    models.BigIntegerField(db_default=0, help_text="As metered at the egress: the bill."),
                ),
                (
                    "saved_microusd",
                    models.BigIntegerField(db_default=0, help_text="What cached reads would have cost more."),
                ),
                (
                    "table_microusd",
                    models.BigIntegerField(db_default=0, help_text="The calls' usage at that day's price table."),
                ),
                (
                    "cli_requests",
                    models.BigIntegerField(db_default=0, help_text="Requests of which the CLI said what they cost."),
                ),
                ("cli_microusd", models.BigIntegerField(db_default=0, help_text="What it said.")),
                (
                    "cli_metered_microusd",
                    models.BigIntegerField(db_default=0, help_text="What was metered for the same requests."),
                ),
                (
                    "latency_ms",
                    models.BigIntegerField(db_default=0, help_text="From submission to completion, in sum."),
                ),
                (
                    "first_token_ms",
                    models.BigIntegerField(db_default=0, help_text="From submission to the first token, in sum."),
                ),
                ("queue_wait_ms", models.BigIntegerField(db_default=0, help_text="From submission to start, in sum.")),
                *((name, models.BigIntegerField(db_default=0, editable=False)) for name in _HISTOGRAMS),
            ],
            options={
                "verbose_name": "usage roll-up of a project",
                "verbose_name_plural": "usage roll-ups of projects",
            },
        ),
        migrations.RunSQL(_ADD_UP, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="projectrollup",
            constraint=models.UniqueConstraint(
                fields=("project", "span", "start", "model", "kind", "status", "error_code"), name="projectrollup_once"
            ),
        ),
        migrations.AddIndex(
            model_name="projectrollup",
            index=models.Index(fields=["span", "start"], name="projectrollup_span"),
        ),
        migrations.AddIndex(
            model_name="projectrollup",
            index=models.Index(
                condition=models.Q(("error_code__gt", "")),
                fields=["project", "span", "start"],
                name="projectrollup_errors",
            ),
        ),
        migrations.AddIndex(
            model_name="rollup",
            index=models.Index(
                condition=models.Q(("error_code__gt", "")), fields=["project", "span", "start"], name="rollup_errors"
            ),
        ),
    ]
