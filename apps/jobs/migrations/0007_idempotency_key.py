"""The column has the name of what is in it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_batches")]

    operations = [
        migrations.RemoveConstraint("idempotentrequest", "idempotent_once"),
        migrations.RenameField("idempotentrequest", "word", "idempotency_key"),
        migrations.AddConstraint(
            "idempotentrequest",
            models.UniqueConstraint(fields=("api_key", "idempotency_key"), name="idempotent_once"),
        ),
    ]
