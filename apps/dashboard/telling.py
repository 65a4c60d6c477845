"""A running job's story as frames for its page."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from django.template.loader import render_to_string

from apps.dashboard.timeline import Step, Timeline
from apps.dashboard.visits import Visit
from apps.jobs.events import Event
from apps.jobs.following import follow_batches

Frame = dict[str, Any]


async def story(job_id: str, told: Sequence[Event], after: int, there: Visit) -> AsyncGenerator[Frame, None]:
    """From after an event to the job's end. `told` are the events so far: steps need what came before them.

    Each frame has `n`, the event it tells of: a page that lost its line asks for what came after that.
    """
    timeline = Timeline(event for event in told if event.sequence_number <= after)
    async with aclosing(follow_batches(job_id, after=timeline.last)) as batches:
        async for batch in batches:
            for frame in frames(timeline, batch, there, job_id):
                yield frame
            if timeline.ended:
                return


def frames(timeline: Timeline, batch: Sequence[Event], there: Visit, job_id: str) -> list[Frame]:
    """What a batch of events changes on the page: text grows, steps come or are replaced."""
    found: list[Frame] = []
    for event in batch:
        known = {step.anchor for step in timeline.steps[-1:]}
        step = timeline.take(event)
        if timeline.ended:
            found.append({"type": "end", "n": timeline.last})
        elif step is None:
            continue
        elif event.type in ("token", "thinking") and step.anchor in known:
            text = str(event.data.get("text", ""))
            found.append({"type": "text", "n": timeline.last, "step": step.anchor, "text": text})
        elif event.type != "tool_input":
            top = _top(step)
            html = _html(top, there, job_id)
            found.append({"type": "step", "n": timeline.last, "step": top.anchor, "html": html})
    return found


def _html(step: Step, there: Visit, job_id: str) -> str:
    context = {"step": step, "live": True, "visit": there, "project": there.project, "job": {"pk": job_id}}
    return render_to_string("dashboard/parts/step.html", context)


def _top(step: Step) -> Step:
    while step.parent is not None:
        step = step.parent
    return step
