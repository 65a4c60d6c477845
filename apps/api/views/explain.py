"""`POST /v1/explain`: what would become of a request."""

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.body import read_json
from apps.api.explanations import explanation_object, read_any
from apps.api.schema.explain import explain_schema
from apps.jobs.explaining import explain


class Explain(View):
    """A request tried, not done."""

    @explain_schema
    def post(self, request: Request) -> HttpResponse:
        """Tell whether a request would be taken, by which rules, at what cost and against which budgets."""
        asked = read_any(read_json(request), default_model=self.default_model)
        return answer(explanation_object(explain(key=self.caller, request=asked, now=timezone.now())))
