from tests.support.processes import assert_gone
from tests.support.scripted import ScriptedServer
from tests.support.service import UPSTREAM_KEY, Person, Service, ServiceFactory
from tests.support.waiting import eventually


def test_the_service_answers(service: Service) -> None:
    assert service.http().get("/health").status == 200


def test_each_person_has_a_key_and_only_charlie_another_project(alice: Person, bob: Person, charlie: Person) -> None:
    assert (alice.project, bob.project, charlie.project) == ("atlas", "atlas", "borealis")
    assert len({alice.key, bob.key, charlie.key}) == 3


def test_a_chat_reaches_the_scripted_model(service: Service, scripted_model: ScriptedServer, marker: str) -> None:
    answer = service.alice.http.chat(f"{marker} [[say: Hello from behind]]")
    assert answer.status == 200, answer.body
    assert answer.json()["choices"][0]["message"]["content"] == "Hello from behind"
    assert scripted_model.log.one(marker)["headers"]["x-api-key"] == UPSTREAM_KEY


def test_a_service_of_ones_own_stops_without_a_trace(new_service: ServiceFactory) -> None:
    service = new_service(WORKERS="1", CLAUDE_SLOTS="1")
    service.wait_until_ready()
    processes = service.processes()
    assert len(eventually(lambda: service.find("run_workers"))) > 0
    assert service.stop() == 0
    assert_gone(processes)
