from apps.jobs.models import Job, Lane
from apps.jobs.yielding import HOLD_SECONDS, PEOPLE_SECONDS, TRICKLE_SECONDS, Times, Yielding, processor_times

PERSON, ITEM = Job(lane=Lane.INTERACTIVE), Job(lane=Lane.BATCH)


class Machine:
    """A clock and processors that are as idle as the test says."""

    def __init__(self, slots: int = 8) -> None:
        self.now = self.idle = self.all = 0.0
        self.yielding = Yielding(slots, clock=lambda: self.now, times=self.times)

    def times(self) -> Times | None:
        return self.idle, self.all

    def passes(self, seconds: float, *, idle: float) -> None:
        self.now += seconds
        self.all += 100 * seconds
        self.idle += 100 * seconds * idle

    def claims(self, *, free: int = 8) -> int:
        """How many items the worker would claim now; they run on."""
        count = 0
        while free - count and self.yielding.last_lane(free - count) == Lane.BATCH:
            self.yielding.began(ITEM)
            count += 1
        return count


def test_with_nobody_there_a_batch_takes_all_slots_but_one() -> None:
    assert Machine().claims() == 7


def test_the_only_slot_is_for_everybody() -> None:
    assert Machine(slots=1).claims(free=1) == 1


def test_when_people_come_a_batch_begins_nothing_beyond_one_job() -> None:
    machine = Machine()
    for _ in range(3):
        machine.yielding.began(ITEM)
    machine.yielding.began(PERSON)
    assert machine.claims(free=4) == 0
    for _ in range(3):
        machine.yielding.ended(ITEM)
    assert machine.claims(free=7) == 1


def test_beside_people_on_idle_processors_it_grows_to_all_slots_but_one() -> None:
    machine = Machine()
    machine.yielding.began(PERSON)
    total = 0
    for _ in range(6):
        machine.passes(1, idle=0.9)
        total += machine.claims(free=7 - total)
    assert total == 6


def test_beside_people_on_busy_processors_a_job_a_second_is_begun() -> None:
    machine = Machine()
    machine.yielding.began(PERSON)
    machine.passes(1, idle=0.0)
    begun = []
    for _ in range(20):
        machine.passes(TRICKLE_SECONDS / 2, idle=0.0)
        count = machine.claims()
        begun.append(count)
        for _ in range(count):
            machine.yielding.ended(ITEM)
    assert sum(begun) == 10
    assert max(begun) == 1


def test_what_was_too_much_is_not_tried_again_at_once() -> None:
    machine = Machine()
    machine.yielding.began(PERSON)
    machine.passes(1, idle=0.9)
    assert machine.claims(free=7) == 2
    machine.passes(1, idle=0.0)
    for _ in range(2):
        machine.yielding.ended(ITEM)
    assert machine.claims(free=7) == 1
    machine.passes(HOLD_SECONDS - 1, idle=0.9)
    assert machine.claims(free=6) == 0
    machine.passes(2, idle=0.9)
    assert machine.claims(free=6) == 1


def test_it_takes_all_again_when_people_have_gone() -> None:
    machine = Machine()
    machine.yielding.began(PERSON)
    machine.passes(1, idle=0.0)
    machine.claims()
    machine.yielding.ended(PERSON)
    machine.passes(PEOPLE_SECONDS / 2, idle=0.0)
    assert machine.claims(free=7) == 0
    machine.passes(PEOPLE_SECONDS, idle=0.0)
    assert machine.claims(free=7) == 6


def test_where_processors_tell_nothing_a_batch_stays_as_it_is() -> None:
    machine = Machine()
    machine.yielding = Yielding(8, clock=lambda: machine.now, times=lambda: None)
    machine.yielding.began(PERSON)
    machine.passes(5, idle=0.0)
    assert machine.claims(free=7) == 1


def test_this_machine_s_processors_can_be_read() -> None:
    times = processor_times()
    assert times
    assert 0 < times[0] < times[1]
