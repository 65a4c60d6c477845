"""The sockets behind the pages, over the wire: who may listen to what, and that nothing is missed or told twice."""

import json
from contextlib import suppress
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.dashboard.browser import PASSWORD, let_in
from tests.support.http import chat_body
from tests.support.service import Person, Service

_MAKE_STAFF = """
from django.contrib.auth.models import User
User.objects.filter(username="sam").update(is_staff=True)
"""

_REMOVE_ANN = """
from apps.keys.models import Membership
Membership.objects.filter(user__username="ann").delete()
"""


@pytest.fixture(scope="module")
def cookies(service: Service) -> dict[str, str]:
    """Sessions of Sol, who views sol, and of Sam, who is staff."""
    service.people(("bot", "sol"), ("bot", "luna"))
    let_in(service, ("sol", "sol", "viewer"), ("sam", "luna", "viewer"))
    service.manage("shell", "-v", "0", "-c", _MAKE_STAFF)
    return {name: session_of(service, name) for name in ("sol", "sam")}


def session_of(service: Service, name: str) -> str:
    """The cookie of somebody who has logged in."""
    jar = CookieJar()
    browser = build_opener(HTTPCookieProcessor(jar))
    browser.open(f"{service.url}/login/")
    given = {each.name: each.value or "" for each in jar}
    form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": given["csrftoken"]}
    browser.open(Request(f"{service.url}/login/", urlencode(form).encode(), {"referer": f"{service.url}/login/"}))
    return next(each.value or "" for each in jar if each.name == "ccs_session")


@pytest.fixture(scope="module")
def sol(service: Service) -> Person:
    """Has a key of sol."""
    return service.people(("talker", "sol"))[0]


@pytest.fixture(scope="module")
def luna(service: Service) -> Person:
    """Has a key of luna."""
    return service.people(("talker", "luna"))[0]


def listen(service: Service, path: str, cookie: str = "", *, origin: str = "") -> ClientConnection:
    headers = {"cookie": f"ccs_session={cookie}"} if cookie else {}
    return connect(
        service.url.replace("http", "ws", 1) + path,
        additional_headers=headers,
        origin=Origin(origin or service.url),
    )


def hear(ws: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(ws.recv(timeout=20))
    return frame


def refusal(ws: ClientConnection) -> int | None:
    """The code that the socket is closed with before it says anything."""
    with pytest.raises(ConnectionClosed) as closed:
        ws.recv(timeout=20)
    return closed.value.rcvd.code if closed.value.rcvd else None


def test_a_page_is_told_of_its_project(service: Service, cookies: dict[str, str], sol: Person) -> None:
    with listen(service, "/p/sol/live", cookies["sol"]) as ws, listen(service, "/all/live", cookies["sam"]) as all_:
        assert (hear(ws), hear(all_)) == ({"type": "changed"}, {"type": "changed"})
        assert sol.http.post("/v1/chat/completions", chat_body("[[say: Heard.]]")).status == 200
        assert (hear(ws), hear(all_)) == ({"type": "changed"}, {"type": "changed"})


def test_what_is_not_theirs_does_not_exist(
    service: Service, cookies: dict[str, str], sol: Person, luna: Person
) -> None:
    job = luna.http.post("/v1/chat/completions", chat_body("[[say: Not yours.]]")).headers["x-job-id"]
    places = ["/p/luna/live", "/p/unheard-of/live", f"/p/luna/jobs/{job}/live", f"/p/sol/jobs/{job}/live"]
    for place in places:
        with listen(service, place, cookies["sol"]) as ws:
            assert refusal(ws) == 4404, place
    with listen(service, f"/p/luna/jobs/{job}/live", cookies["sam"]) as staff:
        assert hear(staff)["type"] == "step"


def test_nobody_listens_without_logging_in_or_from_another_page(service: Service, cookies: dict[str, str]) -> None:
    for place in ("/all/live", "/p/sol/live", "/p/sol/jobs/job_x/live"):
        with listen(service, place) as ws:
            assert refusal(ws) == 4401, place
        with pytest.raises(InvalidStatus):
            listen(service, place, cookies["sol"], origin="https://evil.example")


def test_a_story_goes_on_where_the_line_was_cut(service: Service, cookies: dict[str, str], sol: Person) -> None:
    body = chat_body("[[tokens: 60]] [[rate: 40]]", stream=True)
    with sol.http.stream("POST", "/v1/chat/completions", body) as stream:
        job_id = stream.headers["x-job-id"]
        place = f"/p/sol/jobs/{job_id}/live"
        heard: list[dict[str, Any]] = []
        with listen(service, place, cookies["sol"]) as ws:
            while len(heard) < 5:
                heard.append(hear(ws))
        with listen(service, f"{place}?after={heard[-1]['n']}", cookies["sol"]) as ws:
            while heard[-1]["type"] != "end":
                heard.append(hear(ws))
        stream.read()
    numbers = [frame["n"] for frame in heard]
    assert numbers == sorted(set(numbers))
    whole = sol.http.get(f"/v1/jobs/{job_id}").json()["result"]
    told = "".join(frame["text"] for frame in heard if frame["type"] == "text")
    first = next(frame["html"] for frame in heard if frame["type"] == "step")
    assert whole.endswith(told)
    assert whole.removesuffix(told) in first


def test_who_is_removed_hears_no_more_of_a_story(service: Service, cookies: dict[str, str], sol: Person) -> None:
    let_in(service, ("ann", "sol", "viewer"))
    body = chat_body("[[tokens: 2000]] [[rate: 20]]", stream=True)
    with sol.http.stream("POST", "/v1/chat/completions", body) as stream:
        job_id = stream.headers["x-job-id"]
        with listen(service, f"/p/sol/jobs/{job_id}/live", session_of(service, "ann")) as ws:
            assert hear(ws)["type"] == "step"
            service.manage("shell", "-v", "0", "-c", _REMOVE_ANN)
            heard: set[str] = set()
            with suppress(ConnectionClosed):
                heard.update(json.loads(frame)["type"] for frame in ws)
            assert "end" not in heard
            assert ws.close_code == 4404
        assert sol.http.get(f"/v1/jobs/{job_id}").json()["status"] == "in_progress"
        sol.http.post(f"/v1/jobs/{job_id}/cancel")
        stream.read()
