from apps.jobs.models import Job, Lane
from apps.jobs.yielding import (
    HOLD_SECONDS,
    PATIENCE_SECONDS,
    PEOPLE_SECONDS,
    TRICKLE_SECONDS,
    Times,
    Yielding,
    processor_times,
)

PERSON, ITEM = Job(lane=Lane.INTERACTIVE), Job(lane=Lane.BATCH)


class Machine:
    """A clock and processors that are as idle as the test says."""

    def __init__(self, slots: int = 8, cores: int = 8) -> None:
        self.now = self.idle = self.all = 0.0
        self.yielding = Yielding(slots, clock=lambda: self.now, times=self.times, cores=cores)

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


def test_when_people_come_a_batch_begins_nothing_for_a_while() -> None:
    machine = Machine()
    for _ in range(3):
        machine.yielding.began(ITEM)
    machine.yielding.began(PERSON)
    assert machine.claims(free=4) == 0
    for _ in range(3):
        machine.yielding.ended(ITEM)
    assert machine.claims(free=7) == 0


def test_beside_people_on_idle_processors_it_grows_to_all_slots_but_one() -> None:
    machine = Machine()
    machine.yielding.began(PERSON)
    total = 0
    for _ in range(6):
        machine.passes(1, idle=0.9)
        total += machine.claims(free=7 - total)
    assert total == 6


def test_beside_people_on_busy_processors_a_job_every_other_second_is_begun() -> None:
    machine = Machine()
    machine.yielding.began(PERSON)
    machine.passes(1, idle=0.0)
    begun = []
    for _ in range(60):
        machine.passes(TRICKLE_SECONDS / 4, idle=0.0)
        machine.yielding.ended(PERSON)
        begun.append(machine.claims())
        machine.yielding.began(PERSON)
        if begun[-1]:
            machine.yielding.ended(ITEM)
    assert 13 <= sum(begun) <= 15
    assert max(begun) == 1


def test_a_job_that_is_due_is_begun_while_no_person_s_job_runs_and_at_last_anyway() -> None:
    machine = Machine()
    machine.yielding.began(ITEM)
    machine.yielding.ended(ITEM)
    machine.yielding.began(PERSON)
    machine.passes(TRICKLE_SECONDS, idle=0.0)
    assert machine.claims(free=7) == 0
    assert machine.yielding.ended(PERSON)
    assert machine.claims(free=8) == 1
    machine.yielding.ended(ITEM)
    machine.yielding.began(PERSON)
    machine.passes(TRICKLE_SECONDS + PATIENCE_SECONDS, idle=0.0)
    assert machine.claims(free=7) == 1


def test_a_person_s_end_is_no_moment_for_a_batch_that_is_not_due_or_not_there() -> None:
    machine = Machine()
    machine.yielding.began(PERSON)
    machine.passes(60, idle=0.0)
    assert not machine.yielding.ended(PERSON)
    machine.claims(free=1)
    machine.yielding.began(ITEM)
    machine.yielding.ended(ITEM)
    machine.yielding.began(PERSON)
    machine.passes(TRICKLE_SECONDS / 2, idle=0.0)
    assert not machine.yielding.ended(PERSON)


def test_on_a_small_machine_half_of_it_is_not_plenty() -> None:
    """A person alone leaves one of two processors idle: a batch's job on that one would be felt."""
    for cores, many in ((2, 0), (8, 1)):
        machine = Machine(cores=cores)
        machine.yielding.began(PERSON)
        machine.passes(1, idle=0.5)
        assert machine.claims(free=7) == many


def test_what_was_too_much_is_not_tried_again_at_once() -> None:
    machine = Machine()
    machine.yielding.began(PERSON)
    machine.passes(1, idle=0.9)
    machine.claims(free=7)
    machine.passes(1, idle=0.9)
    assert machine.claims(free=6) == 1
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
    machine.passes(TRICKLE_SECONDS / 4, idle=0.0)
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
    machine.passes(1, idle=0.9)
    assert machine.claims(free=7) == 0


def test_this_machine_s_processors_can_be_read() -> None:
    times = processor_times()
    assert times
    assert 0 < times[0] < times[1]
