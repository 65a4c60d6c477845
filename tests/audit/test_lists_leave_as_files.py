"""What every list of the admin exports with."""

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory

from apps.audit.models import AuditEvent
from apps.audit.showing import csv_file

pytestmark = pytest.mark.django_db


def exported(*cells: object) -> list[str]:
    """One row, as a spreadsheet reads it back."""
    request = RequestFactory().post("/?status=failed", {"_selected_action": ["1", "2"]})
    request.user = User(username="alice")
    answer = csv_file(request, name="job", titles=[str(number) for number in range(len(cells))], rows=[cells])
    assert answer.headers["Content-Disposition"] == 'attachment; filename="job.csv"'
    return list(csv.reader(io.StringIO(answer.content.decode())))[1]


def test_numbers_stay_numbers_and_nothing_is_empty() -> None:
    assert exported(-5, 0, 1.5, None, "job_1") == ["-5", "0", "1.5", "", "job_1"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "  =x"])
def test_text_is_never_a_formula(text: str) -> None:
    assert exported(text) == [f"'{text}"]


def test_an_export_is_on_record_with_what_it_was_narrowed_by() -> None:
    exported("x")
    event = AuditEvent.objects.get()
    assert (event.actor, event.action) == ("user:alice", "job.exported")
    assert event.data == {"form": "csv", "filters": "status=failed", "selected": 2}
