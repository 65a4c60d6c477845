"""Webhook secrets are encrypted from now on, those that are there too."""

from typing import Any

from django.db import migrations, models

from apps.keys.encryption import PREFIX, EncryptedTextField, decrypt, encrypt

PURPOSE = "budget.webhook_secret"


def encrypt_all(apps: Any, _editor: object) -> None:
    for budget in apps.get_model("budgets", "Budget").objects.exclude(webhook_secret="").iterator():
        if not budget.webhook_secret.startswith(PREFIX):
            budget.webhook_secret = encrypt(budget.webhook_secret.encode(), purpose=PURPOSE)
            budget.save(update_fields=["webhook_secret"])


def decrypt_all(apps: Any, _editor: object) -> None:
    for budget in apps.get_model("budgets", "Budget").objects.exclude(webhook_secret="").iterator():
        budget.webhook_secret = decrypt(budget.webhook_secret, purpose=PURPOSE).decode()
        budget.save(update_fields=["webhook_secret"])


class Migration(migrations.Migration):
    dependencies = [("budgets", "0001_initial")]

    operations = [
        migrations.AlterField("budget", "webhook_secret", models.TextField(blank=True, max_length=100)),
        migrations.RunPython(encrypt_all, decrypt_all),
        migrations.AlterField(
            "budget", "webhook_secret", EncryptedTextField(blank=True, max_length=100, purpose=PURPOSE)
        ),
    ]
