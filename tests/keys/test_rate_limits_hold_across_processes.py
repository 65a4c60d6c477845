from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from apps.keys import ratelimit
from apps.keys.rates import RateLimited
from tests.keys.cast import limited_key
from tests.support.valkey import ValkeyServer

FORK = get_context("fork")  # as django-q2 does it; a connection that crossed the fork must not be shared


def passes(number: int) -> bool:
    try:
        ratelimit.admit(key=limited_key(requests_per_minute=60), job_id="", tokens=0)
    except RateLimited:
        return False
    return True


def node(together: Barrier, passed: "Queue[int]") -> None:
    together.wait(30)
    with ThreadPoolExecutor(10) as threads:
        passed.put(sum(threads.map(passes, range(50))))


def test_four_nodes_with_two_hundred_requests_pass_exactly_the_limit(valkey: ValkeyServer) -> None:
    ratelimit.peek(key=limited_key(requests_per_minute=60))  # the parent has a connection
    together, passed = FORK.Barrier(4), FORK.Queue()
    nodes = [FORK.Process(target=node, args=(together, passed), daemon=True) for _ in range(4)]
    for one in nodes:
        one.start()
    assert sum(passed.get(timeout=30) for _ in nodes) == 60
    for one in nodes:
        one.join(30)
