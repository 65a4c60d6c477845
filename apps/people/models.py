"""The second factor of a login, its secret encrypted."""

from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.keys.encryption import decrypt, encrypt

PURPOSE = "people.second_factor"


class SecondFactor(TOTPDevice):  # type: ignore[misc]  # django-otp is not typed
    """django-otp's device, whose `key` the database has encrypted: it must be computed with, so no digest would do."""

    class Meta:
        proxy = True

    @property
    def bin_key(self) -> bytes:
        """The secret. Raises Undecryptable."""
        return decrypt(self.key, purpose=PURPOSE)


def new_secret(secret: bytes) -> str:
    """What `key` is to hold for that secret."""
    return encrypt(secret, purpose=PURPOSE)
