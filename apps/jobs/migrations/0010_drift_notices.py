"""Operators are told of costs that drift."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0009_project_rollups"),
    ]

    operations = [
        migrations.CreateModel(
            name="DriftNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(choices=[("webhook", "Webhook"), ("email", "e-mail")], max_length=8)),
                ("destination", models.CharField(max_length=500)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(help_text="Empty: delivered, or given up.", null=True)),
                ("delivered_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, help_text="Why the last attempt failed.", max_length=300)),
                (
                    "drift",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notices", to="jobs.drift"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_attempt_at__isnull", False)),
                        fields=["next_attempt_at"],
                        name="drift_notice_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("delivered_at", None), ("next_attempt_at", None), _connector="OR"),
                        name="drift_notice_delivered_is_done",
                    )
                ],
            },
        ),
    ]
