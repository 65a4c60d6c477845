import asyncio
import time

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Event
from apps.claude.taskspec import Agent, File
from tests.claude.conftest import eventually, running_engine
from tests.claude.tasks import bash, call, do, task


def spares(engine: Engine) -> list[int]:
    assert engine._seats is not None
    return [seat.cli.pid for seat in engine._seats._spares.values()]


def test_a_task_takes_the_jail_that_was_prepared_for_its_shape_and_no_one_else_gets_it(model: ScriptedModel) -> None:
    with running_engine(model, task_spares=1) as engine:
        do(engine, task(bash("echo planted > ~/planted; echo planted > /tmp/planted"), tools=("Bash", "Agent")))
        eventually(lambda: len(spares(engine)) == 1)
        prepared = spares(engine)
        taken: list[int] = []
        agent = Agent(name="late", description="Told late.", prompt="You were told late.", tools=("Bash",))
        spec = task(
            bash("cat late.txt; ls -A ~ /tmp; echo $PPID"),
            call("Agent", subagent_type="late", description="d", prompt="[[say: i am here]]"),
            tools=("Bash", "Agent"),
            agents=(agent,),
            system="late words",
            files=(File(name="late.txt", content=b"delivered late\n"),),
            project="another",
        )
        done = do(engine, spec, lambda _: taken.append(engine._runs[spec.job_id]._cli.pid))  # type: ignore[union-attr]
        assert set(taken) == set(prepared)
        assert "delivered late" in done.result_of(0).content
        assert "planted" not in done.result_of(0).content
        assert "i am here" in done.result_of(1).content
        eventually(lambda: len(spares(engine)) == 1)
        assert not set(spares(engine)) & set(prepared)
        do(engine, task(bash("true"), tools=("Bash",)))
        eventually(lambda: len(spares(engine)) == 1 and not set(spares(engine)) & set(prepared))


def test_a_spare_that_died_is_replaced_unseen(model: ScriptedModel) -> None:
    with running_engine(model, task_spares=1) as engine:
        do(engine, task(bash("true")))
        eventually(lambda: len(spares(engine)) == 1)
        assert engine._seats is not None
        (spare,) = engine._seats._spares.values()
        spare.cli.kill()
        began = time.monotonic()
        assert do(engine, task(bash("echo fine"))).result_of(0).content == "fine"
        assert time.monotonic() - began < 60


def test_tasks_that_begin_together_leave_one_spare_and_nothing_else(model: ScriptedModel) -> None:
    async def ignore(_: Event) -> None:
        return None

    with running_engine(model, task_spares=1) as engine:
        seats = engine._seats
        assert seats is not None

        async def together() -> None:
            await asyncio.gather(*(engine.run(task(bash("true")), ignore) for _ in range(3)))

        asyncio.run_coroutine_threadsafe(together(), engine.loop).result(150)
        eventually(lambda: not seats._background and not seats._clearing)
        assert len(spares(engine)) == 1
        rooms = [room.name for room in (engine._runtime_dir / "tasks").iterdir()]
        assert rooms == [seat.room.root.name for seat in seats._spares.values()]
