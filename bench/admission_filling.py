"""A long past, by SQL: what the ORM would take hours for."""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from apps.audit import appendonly, chain, sealing
from apps.audit.models import AuditHead
from apps.budgets.models import Budget, BudgetWindow
from apps.keys.models import ApiKey, Project
from apps.permissions.models import Profile

_PROJECTS = 1000


def fill(*, keys: int, budgets: int, rows: int) -> None:
    """So many keys and budgets in a thousand projects, and as many ledger as audit rows, sealed ones."""
    _fill_projects()
    _fill_keys(keys)
    _fill_budgets(budgets)
    _fill_ledger(rows)
    _fill_record(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


_NOW = "CURRENT_TIMESTAMP"


def _n() -> str:
    """A table of one column, `i`, from 1 to the statement's last parameter."""
    if connection.vendor == "postgresql":
        return "generate_series(1, %s) AS n(i)"
    return "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) SELECT i FROM n)"


def _run(statement: str, *values: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _hex(digits: int) -> str:
    return f"printf('%%0{digits}x', i)" if connection.vendor == "sqlite" else f"lpad(to_hex(i), {digits}, '0')"


def _fill_keys(keys: int) -> None:
    first = Project.objects.get(slug="q-1").pk
    profile = Profile.objects.get(slug="enterprise").pk
    networks = "'[]'" if connection.vendor == "sqlite" else "'[]'::jsonb"
    _run(
        "INSERT INTO keys_apikey (project_id, name, public_id, digest, last4, profile_id, allowed_networks, "
        f"default_model, created_at) SELECT {first} + i %% {_PROJECTS}, 'k', {_hex(12)}, {_hex(64)}, 'xxxx', "
        f"{profile}, {networks}, '', {_NOW} FROM {_n()}",
        keys,
    )


def _fill_projects() -> None:
    texts = "name, webhook_url, emails"
    _run(
        f"INSERT INTO keys_project (slug, {texts}, created_at) SELECT 'q-' || i, '', '', '', {_NOW} FROM {_n()}",
        _PROJECTS,
    )


def _fill_budgets(budgets: int) -> None:
    """Every project's, then those of keys; each with a window."""
    first, key = Project.objects.get(slug="q-1").pk, ApiKey.objects.filter(name="k").earliest("pk").pk
    now = timezone.now()
    facts = {"limit_microusd": 10**9, "period": "day", "created_at": now, "updated_at": now}
    shared = [Budget(project_id=first + n, **facts) for n in range(min(_PROJECTS, budgets))]
    own = [
        Budget(project_id=first + (n + 1) % _PROJECTS, api_key_id=key + n, **facts)
        for n in range(budgets - len(shared))
    ]
    made = Budget.objects.bulk_create([*shared, *own], batch_size=500)
    starts_at = now - timedelta(days=2)
    BudgetWindow.objects.bulk_create(
        (BudgetWindow(budget=each, starts_at=starts_at, ends_at=now) for each in made), batch_size=500
    )


def _fill_ledger(rows: int) -> None:
    """Spread over all windows and keys, those of the measured ones included."""
    windows, keys, projects = BudgetWindow.objects, ApiKey.objects, Project.objects
    lows = [each.earliest("pk").pk for each in (windows, keys, projects)]
    counts = [each.count() for each in (windows, keys, projects)]
    window, key, project = (f"{low} + i %% {count}" for low, count in zip(lows, counts, strict=True))
    zeros = "reserved_microusd, spent_microusd, reserved_tokens, spent_tokens, input_tokens, output_tokens, "
    zeros += "cache_read_input_tokens, cache_creation_input_tokens"
    _run(
        f"INSERT INTO budgets_ledgerentry (kind, project_id, api_key_id, window_id, job_id, {zeros}, reason, "
        f"created_at) SELECT 'reserve', {project}, {key}, {window}, 'job_' || {_hex(32)}, 1, 0, 0, 0, 0, 0, 0, 0, "
        f"'', {_NOW} FROM {_n()}",
        rows,
    )


def _fill_record(rows: int) -> None:
    """Sealed rows behind those there are. Nobody verifies this past, so their seals need not be true."""
    sqlite = connection.vendor == "sqlite"
    identity = _hex(32) if sqlite else f"({_hex(32)})::uuid"
    digest = "randomblob(32)" if sqlite else "decode(md5(i::text) || md5(i::text), 'hex')"
    head = AuditHead.objects.get()
    with appendonly.lifted(connection):
        _run(
            "INSERT INTO audit_auditevent (id, at, actor, action, target_type, target_id, project_id, outcome, reason, "
            f"ip, request_id, data_text, key_id, digest, position, seal) SELECT {identity}, {_NOW}, "
            f"'key:' || {_hex(12)}, 'job.submitted', 'job', 'job_' || {_hex(32)}, 'q-' || (i %% {_PROJECTS}), 'ok', "
            f"'', '', 'req_' || {_hex(32)}, '{{}}', 'x', {digest}, {head.position} + i, {digest} FROM {_n()}",
            rows,
        )
        last = chain.Head(head.position + rows, bytes(head.seal), timezone.now())
        sealing._write_head(head, last, chain.keyring())
