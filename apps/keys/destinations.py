"""Where people are told of things: addresses as they are typed in."""

from django.core.validators import URLValidator, validate_email

https_only = URLValidator(schemes=["https"])


def validate_emails(value: str) -> None:
    """Accept addresses with commas between them. Raises ValidationError."""
    for address in split_emails(value):
        validate_email(address)


def split_emails(value: str) -> list[str]:
    """The addresses of a comma-separated list."""
    return [address.strip() for address in value.split(",") if address.strip()]
