"""A task's requests to the egress: admitted, fitted into what is left of its money, metered, forwarded."""

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from apps.claude import options, pricing
from apps.claude.tab import Failure
from apps.claude.tasks import admission
from apps.claude.tasks.results import REFUSED
from apps.claude.tasks.tab import TaskTab

if TYPE_CHECKING:
    from apps.claude.egress import Egress
    from apps.claude.metering import Meter

_EXACT_COUNT_BELOW_TOKENS = 16_384
"""Counting bytes as tokens overstates a prompt; when that leaves less than this for the answer, the upstream counts."""
_TOOL_PREAMBLE = " " * 1024
"""What the upstream itself tells a model about tools, in bytes as above: about 350 tokens."""


async def answer(egress: "Egress", tab: TaskTab, request: web.BaseRequest) -> web.StreamResponse:
    """Answer one request of a task's jail, whoever in it sent it."""
    from apps.claude.egress import read_body, refusal

    counting = request.path == "/v1/messages/count_tokens"
    if request.method != "POST" or not (counting or request.path == "/v1/messages"):
        return refusal(Failure.of(404, "not_found_error", "the egress forwards POST /v1/messages and its count only"))
    asked = await read_body(request)
    if asked is None:
        return refusal(Failure.of(413, "request_too_large", "not a JSON object, or too large"))
    await tab.checked.wait()
    if tab.closed:
        return refusal(tab.failure or Failure.of(400, "invalid_request_error", "this run is over"))
    try:
        body = admission.counted(asked, tab.fence) if counting else admission.admitted(asked, tab.fence)
    except admission.Refused as refused:
        return refusal(tab.refuse(403, "permission_error", f"{REFUSED}: {refused}."))
    headers = egress.headers(request)
    if headers is None:
        return refusal(tab.refuse(503, "authentication_error", "no credential is configured"))
    headers["anthropic-beta"] = admission.betas(headers.get("anthropic-beta", ""))
    if counting:
        tokens = await egress.count(body, headers)
        return web.json_response({"input_tokens": tokens}, status=200 if tokens is not None else 502)
    async with tab.turnstile:
        meter = await _reserve(egress, tab, body, headers)
    if meter is None:
        message = "The call costs more than this job may still spend; raise its cap."
        return refusal(tab.refuse(402, "cost_limit", message))
    tab.failure = None  # what went wrong before, the CLI has got over
    try:
        return await egress.send(tab, meter, request, json.dumps(body, separators=(",", ":")).encode(), headers)
    finally:
        tab.settle(meter)


async def _reserve(egress: "Egress", tab: TaskTab, body: dict[str, Any], headers: dict[str, str]) -> "Meter | None":
    """Set the worst case aside and open the call; max_tokens is lowered to what is left. None where nothing fits.

    Where others are under way and the call does not fit beside them, it waits for what they leave.
    """
    read = [body.get(name) for name in ("system", "tools", "messages", "output_config", "output_format")]
    prompt = json.dumps(read, ensure_ascii=False) + _TOOL_PREAMBLE * bool(body.get("tools"))
    prompt_tokens = len(prompt.encode(errors="replace"))
    wanted, exact, searches = body["max_tokens"], False, admission.searches(body) * pricing.SEARCH_MICROUSD
    hour_cache = '"1h"' in prompt
    while True:
        budget = tab.remaining_microusd() - searches
        affordable = pricing.affordable_output_tokens(body["model"], prompt_tokens, budget, hour_cache=hour_cache) or 0
        if not exact and (affordable < min(wanted, _EXACT_COUNT_BELOW_TOKENS) or '"document"' in prompt):
            exact = True
            counted = await egress.count(body, headers)
            if counted is not None:
                prompt_tokens = counted + counted // 50 + 64  # the upstream calls its own count an estimate
                continue
        if affordable >= wanted or not tab.reserved:
            break
        await tab.another_settles()
    if affordable < 1 or tab.closed:
        return None
    if affordable < wanted:
        tab.short_of_money = True
        options.clamp_max_tokens(body, affordable)
    meter = tab.open_call(body["model"], len(prompt))
    tab.reserved[meter.id] = searches + pricing.worst_case_microusd(
        body["model"], prompt_tokens, body["max_tokens"], hour_cache=hour_cache
    )
    return meter
