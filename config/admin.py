"""The admin as a whole: what other packages put there and we take back."""

from django.contrib import admin
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_q.models import Failure, OrmQ, Schedule, Success

# A schedule is a dotted path with arguments: whoever may write one runs code. The others are always empty.
# The pages of second factors show their secrets; people look after their own under /account/.
for unwanted in (Schedule, OrmQ, Success, Failure, TOTPDevice, StaticDevice):
    if admin.site.is_registered(unwanted):
        admin.site.unregister(unwanted)
