"""A batch may wait for its budget, and says so."""

from django.db import migrations, models

import apps.jobs.jsontext


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0007_idempotency_key"),
    ]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="patient",
            field=models.BooleanField(
                default=False, help_text="Whether items that the budget cannot pay wait; else they are refused."
            ),
        ),
        migrations.AddField(
            model_name="batch",
            name="tries_again_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="waits_for",
            field=apps.jobs.jsontext.JsonTextField(null=True),
        ),
    ]
