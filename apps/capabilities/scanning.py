"""From files to rows: what is new, what has changed, what is gone. Reads only files whose stamp has changed."""

import hashlib
import logging
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.capabilities import parsing
from apps.capabilities.finding import Found, find, sources
from apps.capabilities.frontmatter import Malformed
from apps.capabilities.models import Capability

_MOST_NAMED = 50
_CONTENT = ["name", "description", "body", "tools", "model", "runs_commands", "ignored", "digest"]
_FACTS = [*_CONTENT, "source", "size", "stamp", "fault", "trusted", "changed_at", "last_seen_at", "missing_since"]
_log = logging.getLogger(__name__)
_last: dict[str, str] = {}
"""What this process saw last, so that a look that finds nothing new touches no database."""
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan came to: names of what is new, changed, faulty and gone, and how much there is."""

    present: int
    read: int
    found: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    faulty: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = f"{len(self.found)} new, {len(self.changed)} changed, {len(self.lost)} gone"
        return f"{self.present} agents and skills: {counts}; {len(self.faulty)} cannot be used."


def look() -> list[Found]:
    """All files that should hold an agent or a skill, those of earlier sources first."""
    where = sources(home=Path(settings.CLAUDE_HOME), folders=[Path(each) for each in settings.CAPABILITY_DIRS])
    return [found for source in where for found in find(source)]


def scan(*, actor: str, now: datetime) -> Scan:
    """Make the rows agree with the files. What a skill's files were trusted for ends when they change."""
    with _one_at_a_time:
        seen = look()
        result = _write(seen, actor=actor, now=now)
        _last.clear()
        _last.update(_stamps(seen))
    return result


def scan_if_changed(*, now: datetime) -> Scan | None:
    """`scan` if any file came, changed or went since this process looked last. A look at 1,000 files takes 20 ms."""
    if _last and _stamps(look()) == _last:
        return None
    try:
        return scan(actor="system", now=now)
    except IntegrityError as raced:  # another node scans at the same time; one of us is enough
        _log.info("capabilities are scanned by others: %s", raced)
        return None


def _stamps(seen: Iterable[Found]) -> dict[str, str]:
    return {"": "", **{str(found.path): f"{found.stamp}{found.fault}" for found in seen}}


@transaction.atomic
def _write(seen: Sequence[Found], *, actor: str, now: datetime) -> Scan:
    rows = {(row.kind, row.path): row for row in Capability.objects.all()}
    taken: set[tuple[str, str]] = set()
    fresh: list[Capability] = []
    touched: list[Capability] = []
    read = 0
    for found in seen:
        key = (found.kind, _path(found))
        row = rows.pop(key, None)
        known = row is not None and row.stamp == found.stamp and not row.missing_since and not found.fault
        facts = _facts_of(row) if row and known else _read(found)
        read += not known
        if not facts["fault"] or facts["fault"].startswith(_TAKEN):
            twice = (found.kind, facts["name"]) in taken
            facts["fault"] = f"{_TAKEN}: another {found.kind} {facts['name']} comes first" if twice else ""
            taken.add((found.kind, facts["name"]))
        if row is None:
            fresh.append(_new(found, facts, now))
        elif not known or facts["fault"] != row.fault:
            touched.append(_updated(row, found, facts, now))
    gone = [row for row in rows.values() if not row.missing_since]
    Capability.objects.filter(pk__in=[row.pk for row in gone]).update(missing_since=now)
    # A name may pass from one row to another: first those that give one up.
    touched.sort(key=lambda row: not row.fault)
    for row in touched:
        row.save(update_fields=_FACTS)
    Capability.objects.bulk_create(fresh, batch_size=200)
    Capability.objects.filter(missing_since=None).update(last_seen_at=now)
    result = Scan(
        present=len(seen),
        read=read,
        found=_names(fresh),
        changed=_names(touched),
        lost=_names(gone),
        faulty=_names(Capability.objects.filter(missing_since=None).exclude(fault="")),
    )
    if fresh or touched or gone:
        _record(result, actor=actor, now=now)
    return result


_TAKEN = "its name is taken"


def _read(found: Found) -> dict[str, Any]:
    """The columns that a file's content decides; of one that cannot be used, its fault."""
    blank: dict[str, Any] = {"name": _fallback(found)[:200], "description": "", "body": "", "tools": None, "model": ""}
    blank |= {"runs_commands": False, "ignored": [], "digest": "", "fault": found.fault}
    if found.fault:
        return blank
    try:
        content = found.path.read_bytes()
        blank["digest"] = _digest(found, content)
        parsed = _parse(found, content.decode("utf-8"))
    except Malformed as fault:
        return {**blank, "fault": str(fault)[:300]}
    except UnicodeDecodeError:
        return {**blank, "fault": "it is not UTF-8 text"}
    except OSError as error:
        return {**blank, "fault": f"it cannot be read: {error.strerror}"[:300]}
    return {
        "name": parsed.name,
        "description": parsed.description,
        "body": parsed.body.replace("\0", "") if found.kind == "agent" else "",
        "tools": None if parsed.tools is None else list(parsed.tools),
        "model": parsed.model,
        "runs_commands": parsed.runs_commands and found.kind == "skill",
        "ignored": list(parsed.ignored),
        "digest": blank["digest"],
        "fault": "",
    }


def _parse(found: Found, text: str) -> parsing.Parsed:
    if found.kind == "agent":
        return parsing.agent(text, stem=found.path.stem, namespace=found.source.namespace)
    return parsing.skill(text, folder=found.path.parent.name, namespace=found.source.namespace)


def _fallback(found: Found) -> str:
    bare = found.path.stem if found.kind == "agent" else found.path.parent.name
    return _storable(f"{found.source.namespace}:{bare}" if found.source.namespace else bare)


def _digest(found: Found, content: bytes) -> str:
    """SHA-256 of an agent's file; of a skill over the names and contents of all its files, links left out."""
    if found.kind == "agent":
        return hashlib.sha256(content).hexdigest()
    digest, root = hashlib.sha256(), found.path.parent
    for folder, folders, names in os.walk(root):
        folders.sort()
        for path in sorted(Path(folder, name) for name in names):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                digest.update(f"{path.relative_to(root)}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
    return digest.hexdigest()


def _facts_of(row: Capability) -> dict[str, Any]:
    return {name: getattr(row, name) for name in (*_CONTENT, "fault")}


def _new(found: Found, facts: dict[str, Any], now: datetime) -> Capability:
    return Capability(
        kind=found.kind,
        path=_path(found),
        source=_storable(found.source.label)[:200],
        size=found.size,
        stamp=found.stamp,
        first_seen_at=now,
        changed_at=now,
        last_seen_at=now,
        **facts,
    )


def _updated(row: Capability, found: Found, facts: dict[str, Any], now: datetime) -> Capability:
    if facts["digest"] != row.digest:
        row.changed_at, row.trusted = now, False
    for name, value in facts.items():
        setattr(row, name, value)
    row.source, row.size, row.stamp = _storable(found.source.label)[:200], found.size, found.stamp
    row.last_seen_at, row.missing_since = now, None
    return row


def _path(found: Found) -> str:
    return _storable(str(found.path))[:1000]


def _storable(text: str) -> str:
    """File names may be any bytes; databases take UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _names(rows: Iterable[Capability]) -> tuple[str, ...]:
    return tuple(str(row) for row in rows)


def _record(result: Scan, *, actor: str, now: datetime) -> None:
    named = {"found": result.found, "changed": result.changed, "lost": result.lost, "faulty": result.faulty}
    data = {name: {"count": len(names), "names": list(names[:_MOST_NAMED])} for name, names in named.items() if names}
    audit.record(actor=actor, action="capabilities.scanned", target_type="capabilities", data=data, now=now)
