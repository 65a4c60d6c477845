"""The secrets of second factors are encrypted from now on, those that are there too."""

from typing import Any

from django.db import migrations

from apps.keys.encryption import PREFIX, decrypt, encrypt

PURPOSE = "people.second_factor"


def encrypt_all(apps: Any, _editor: object) -> None:
    for device in apps.get_model("otp_totp", "TOTPDevice").objects.iterator():
        if not device.key.startswith(PREFIX):
            device.key = encrypt(bytes.fromhex(device.key), purpose=PURPOSE)
            device.save(update_fields=["key"])


def decrypt_all(apps: Any, _editor: object) -> None:
    for device in apps.get_model("otp_totp", "TOTPDevice").objects.iterator():
        device.key = decrypt(device.key, purpose=PURPOSE).hex()
        device.save(update_fields=["key"])


class Migration(migrations.Migration):
    initial = True
    dependencies = [("otp_totp", "0003_add_timestamps")]

    operations = [
        migrations.CreateModel(
            name="SecondFactor",
            fields=[],
            options={"proxy": True, "indexes": [], "constraints": []},
            bases=("otp_totp.totpdevice",),
        ),
        migrations.RunPython(encrypt_all, decrypt_all),
    ]
