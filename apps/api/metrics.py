"""What `/metrics` says, in the text format of Prometheus.

Jobs, tokens and cost are of the whole install, read from the usage roll-ups when they are asked for: the same on every
node, exact, and not lost by a restart. Requests over HTTP, memory and CPU are of the process that answers.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.jobs import health, usage, valkey
from apps.jobs.models import Job, Lane
from apps.jobs.usage.histograms import BOUNDS_SECONDS

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_REQUESTS = Counter("ccs_http_requests", "API requests answered by this process.", ["method", "route", "status"])
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def count(request: HttpRequest, status: int) -> None:
    """Note that a request of the API was answered."""
    match = request.resolver_match
    route = match.route if match and match.url_name else "unknown"
    method = request.method if request.method in _METHODS else "other"
    _REQUESTS.labels(method, f"/{route}" if match and match.url_name else route, str(status)).inc()


def exposition(*, now: datetime) -> bytes:
    """Everything there is to say. Raises what the database raises when it is away."""
    registry = CollectorRegistry()
    registry.register(_Once([*_install(now), *_usage(now), *_workers(now)]))
    return generate_latest(registry) + generate_latest(REGISTRY)


class _Once(Collector):
    """Families that have been collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _install(now: datetime) -> Iterator[Metric]:
    version = GaugeMetricFamily("ccs_info", "The version that answers.", labels=["version"])
    version.add_metric([settings.VERSION], 1)
    yield version
    open_jobs = GaugeMetricFamily("ccs_open_jobs", "Jobs that have not ended.", labels=["status", "lane"])
    for status, lane, found in Job.objects.still_open().values_list("status", "lane").annotate(Count("pk")):
        open_jobs.add_metric([status, Lane(lane).label.lower()], found)
    yield open_jobs
    waited = health.oldest_pending_seconds(now=now)
    yield GaugeMetricFamily("ccs_queue_oldest_seconds", "How long the oldest queued job has waited.", value=waited)


def _usage(now: datetime) -> Iterator[Metric]:
    requests = CounterMetricFamily("ccs_requests", "Requests that ended.", labels=["model", "kind", "status"])
    errors = CounterMetricFamily("ccs_errors", "Requests that ended with an error.", labels=["model", "kind", "code"])
    tokens = CounterMetricFamily("ccs_tokens", "Metered tokens by kind.", labels=["model", "type"])
    cost = CounterMetricFamily("ccs_cost_usd", "What was metered.", labels=["model"])
    saved = CounterMetricFamily("ccs_cache_savings_usd", "What cached reads would have cost more.", labels=["model"])
    for row in usage.totals(usage.Scope(None), since=_BEGINNING, until=now, group_by=["model", "kind", "status"]):
        requests.add_metric(list(row.group.values()), row.figures.requests)
        for code, found in row.figures.errors.items():
            errors.add_metric([row.group["model"], row.group["kind"], code], found)
    for row in usage.totals(usage.Scope(None), since=_BEGINNING, until=now, group_by=["model"]):
        for name in _TOKENS:
            tokens.add_metric([row.group["model"], name.removesuffix("_tokens")], getattr(row.figures, name))
        cost.add_metric([row.group["model"]], row.figures.cost_microusd / 1_000_000)
        saved.add_metric([row.group["model"]], row.figures.saved_microusd / 1_000_000)
    yield from (requests, errors, tokens, cost, saved)
    [total] = usage.totals(usage.Scope(None), since=_BEGINNING, until=now)
    yield _histogram("ccs_latency_seconds", "From submission to the end, of completed ones.", total.figures.latency)
    yield _histogram("ccs_first_token_seconds", "From submission to the first token.", total.figures.first_token)
    yield _histogram("ccs_queue_wait_seconds", "From submission to the start.", total.figures.queue_wait)


def _histogram(name: str, documentation: str, spread: usage.Spread) -> Metric:
    family = HistogramMetricFamily(name, documentation)
    below, buckets = 0, list[tuple[str, float]]()
    for bound, found in zip([*map(str, BOUNDS_SECONDS), "+Inf"], spread.buckets, strict=False):
        below += found
        buckets.append((bound, below))
    family.add_metric([], buckets or [("+Inf", 0)], sum_value=spread.sum_seconds)
    return family


def _workers(now: datetime) -> Iterator[Metric]:
    """Nothing while Valkey is away, but that it is."""
    up = GaugeMetricFamily("ccs_valkey_up", "Whether Valkey answers.", value=1)
    try:
        workers = health.workers(now=now)
    except valkey.ERRORS:
        yield GaugeMetricFamily("ccs_valkey_up", "Whether Valkey answers.", value=0)
        return
    yield up
    able = [worker for worker in workers if not worker.fault]
    yield GaugeMetricFamily("ccs_workers", "Worker processes that were heard of lately.", value=len(able))
    for name, documentation in (("slots", "CLI processes there may be."), ("running", "CLI processes at work.")):
        value = sum(float(str(worker.engine.get(name) or 0)) for worker in able)
        yield GaugeMetricFamily(f"ccs_cli_{name}", documentation, value=value)
