"""Jobs that have ended at chosen moments, made by the code that ends them."""

from datetime import datetime, timedelta

from django.db.models import Q

from apps.claude import pricing, spec
from apps.jobs.closing import close
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job
from apps.keys.models import ApiKey

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"


def call(
    model: str = HAIKU, *, number: int = 1, read: int = 100, wrote: int = 50, cached: int = 0, estimated: bool = False
) -> spec.Call:
    """A metered call at its price."""
    tokens = spec.Usage(read, wrote, cached)
    return spec.Call(
        id=f"call_{number}",
        model=model,
        usage=tokens,
        cost_microusd=pricing.cost_microusd(model, tokens) or 0,
        priced=model in pricing.TARIFFS,
        estimated=estimated,
        status=200,
        price_version=pricing.VERSION,
        started_at=0.0,
        duration_seconds=0.1,
        first_token_seconds=None,
    )


def end(
    key: ApiKey,
    at: datetime,
    *calls: spec.Call,
    status: str = "completed",
    error_code: str | None = None,
    kind: str = "chat",
    model: str = HAIKU,
    cli_microusd: int | None = None,
    waited: float = 1.0,
    ran: float = 2.0,
) -> Job:
    """A job that waited and ran for so many seconds and ended `at` that moment."""
    started = at - timedelta(seconds=ran)
    job = Job.objects.create(
        id=new_job_id(started - timedelta(seconds=waited)),
        kind=kind,
        status="in_progress",
        project=key.project,
        api_key=key,
        model=model,
        requested_model=model,
        request={},
        cap_microusd=1,
        worker="w",
        lease_until=at,
        created_at=started - timedelta(seconds=waited),
        started_at=started,
        expires_at=at,
    )
    outcome = spec.Outcome(status, error_code=error_code, calls=calls, cli_cost_microusd=cli_microusd)  # type: ignore[arg-type]
    assert close(job=job, outcome=outcome, events=(), where=Q(worker="w"), now=at)
    return job
