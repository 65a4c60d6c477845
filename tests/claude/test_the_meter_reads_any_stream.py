import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from apps.claude import protocol
from apps.claude.metering import Meter
from apps.claude.spec import Call, Usage

STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1,'
    b'"cache_read_input_tokens":7,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,'
    b'"ephemeral_1h_input_tokens":20}}}}\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta",'
    b'"delta":{"type":"text_delta","text":"hell\xc3\xb6"}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta",'
    b'"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":42}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_wherever_the_stream_is_cut_into_pieces(cuts: list[int]) -> None:
    meter = Meter("id", "claude-sonnet-5-5", 100, status=200)
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        meter.feed(STREAM[start:end])
    call = meter.call()
    assert call.usage == Usage(5, 42, 7, 10, 20)
    assert not call.estimated
    assert Call.from_json(call.to_json()) == call


@given(end=st.integers(0, len(STREAM)))
def test_a_stream_that_breaks_anywhere_is_never_free_and_never_crashes(end: int) -> None:
    meter = Meter("id", "claude-sonnet-5-5", 100, status=200)
    meter.feed(STREAM[:end])
    call = meter.call()
    assert call.cost_microusd > 0
    assert call.estimated == (b'"output_tokens":42}}\n\n' not in STREAM[:end])


@given(junk=st.binary(max_size=300))
def test_junk_is_no_usage(junk: bytes) -> None:
    meter = Meter("id", "claude-sonnet-5-5", 100, status=200)
    meter.feed(junk + b"\n\n")
    assert meter.call().usage.output_tokens == 0


@given(line=st.binary(max_size=300))
def test_a_line_of_junk_is_no_frame(line: bytes) -> None:
    assert protocol.parse(line) is None


@given(kind=st.sampled_from(["result", "stream_event", "control_response", "control_request", "new"]), rest=st.text())
def test_an_unexpected_shape_is_not_fatal(kind: str, rest: str) -> None:
    protocol.parse(json.dumps({"type": kind, "event": rest, "response": [rest], "request": None}).encode())
