from tests.support.http import chat_body
from tests.support.scripted import ScriptedServer
from tests.support.service import Service


def test_usage_equals_the_models_count_to_the_token_also_in_the_tenth_request(
    service: Service, scripted_model: ScriptedServer, marker: str
) -> None:
    for n in range(10):
        text = f"[[tokens: {n * 3 + 2}]] {marker}-{n}."
        answer = service.alice.http.chat(text)
        assert answer.status == 200, answer.body
        usage = answer.json()["usage"]
        counted = scripted_model.log.one(f"{marker}-{n}.")["usage"]
        read, written = counted["cache_read_input_tokens"], counted["cache_creation_input_tokens"]
        assert usage["completion_tokens"] == counted["output_tokens"] == n * 3 + 2
        assert usage["prompt_tokens"] == counted["input_tokens"] + read + written
        assert usage["prompt_tokens_details"]["cached_tokens"] == read
        job = service.alice.http.get(f"/v1/jobs/{answer.headers['x-job-id']}").json()
        assert job["usage"]["cache_creation_input_tokens"] == written
        assert job["cost_usd"] == answer.json()["x_claude"]["cost_usd"] > 0


def test_a_conversation_replayed_as_openai_clients_do_reads_its_past_from_the_cache(
    service: Service, marker: str
) -> None:
    messages = [{"role": "system", "content": f"You are {marker}."}, {"role": "user", "content": "word " * 300}]
    cached = []
    for _ in range(3):
        reply = service.alice.http.post("/v1/chat/completions", chat_body("", messages=messages)).json()
        cached.append(reply["usage"]["prompt_tokens_details"]["cached_tokens"])
        messages.append(reply["choices"][0]["message"] | {"role": "assistant"})
        messages.append({"role": "user", "content": "go on"})
    assert cached[0] < 100
    assert cached[1] > 250
    assert cached[2] > cached[1]
