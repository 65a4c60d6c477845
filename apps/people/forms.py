"""What people type to log in and to look after their account."""

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

_CODE = {"autocomplete": "one-time-code", "autocapitalize": "off", "spellcheck": "false", "size": "14"}


class SignInForm(AuthenticationForm):
    """Name and password."""

    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": "This name and password do not belong together. Both are case-sensitive.",
        "not_staff": "This account may not use the admin.",
    }


class StaffSignInForm(SignInForm):
    """Name and password of somebody who may use the admin."""

    def confirm_login_allowed(self, user: Any) -> None:
        """Raises ValidationError."""
        super().confirm_login_allowed(user)
        if not user.is_staff:
            raise ValidationError(self.error_messages["not_staff"], code="not_staff")


class CodeForm(forms.Form):
    """A code of the authenticator, or a recovery code."""

    code = forms.CharField(max_length=40, widget=forms.TextInput(attrs={**_CODE, "autofocus": True}))


class PasswordForm(forms.Form):
    """Shows that it is still the same person; too many wrong ones lock out like at a login."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_password(self) -> str:
        """Raises ValidationError."""
        password: str = self.cleaned_data["password"]
        name = self.request.user.get_username()
        if authenticate(self.request, username=name, password=password) is None:
            raise ValidationError("This is not your password.", code="wrong")
        return password
