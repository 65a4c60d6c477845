"""The addresses of logins and accounts."""

from django.urls import path

from apps.people import account, views

urlpatterns = [
    path("login/", views.SignIn.as_view(), name="login"),
    path("login/code/", views.second_factor, name="second-factor"),
    path("login/enrol/", account.enrol, name="enrol"),
    path("logout/", views.SignOut.as_view(), name="logout"),
    path("account/", account.account, name="account"),
    path("account/password/", views.ChangePassword.as_view(), name="change-password"),
    path("account/second-factor/codes/", account.renew_codes, name="renew-codes"),
    path("account/second-factor/off/", account.turn_off, name="turn-off"),
]
