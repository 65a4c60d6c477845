from django.db import migrations, models

import apps.permissions.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Profile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(unique=True)),
                ("name", models.CharField(max_length=80)),
                ("description", models.TextField(blank=True, max_length=500)),
                (
                    "allow",
                    models.JSONField(blank=True, default=list, validators=[apps.permissions.models.validate_patterns]),
                ),
                (
                    "deny",
                    models.JSONField(blank=True, default=list, validators=[apps.permissions.models.validate_patterns]),
                ),
                (
                    "ask",
                    models.JSONField(
                        blank=True, default=list, validators=[apps.permissions.models.validate_tool_patterns]
                    ),
                ),
                ("max_cost_microusd", models.PositiveBigIntegerField()),
                ("max_seconds", models.PositiveIntegerField()),
                ("max_turns", models.PositiveIntegerField()),
                ("max_concurrency", models.PositiveIntegerField()),
                ("built_in", models.BooleanField(default=False, editable=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("slug", ""), _negated=True), name="profile_has_slug"),
                    models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="profile_has_name"),
                    models.CheckConstraint(
                        condition=models.Q(("max_cost_microusd__gte", 1)), name="profile_cost_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("max_seconds__gte", 1)), name="profile_seconds_positive"
                    ),
                    models.CheckConstraint(condition=models.Q(("max_turns__gte", 1)), name="profile_turns_positive"),
                    models.CheckConstraint(
                        condition=models.Q(("max_concurrency__gte", 1)), name="profile_concurrency_positive"
                    ),
                    models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="profile_version_positive"),
                ],
            },
        ),
    ]
