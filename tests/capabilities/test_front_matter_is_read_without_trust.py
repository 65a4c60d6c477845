import pytest

from apps.capabilities.frontmatter import MAX_BYTES, Malformed, split
from apps.capabilities.parsing import Parsed, agent, skill


def read(front: str, body: str = "You help.") -> Parsed:
    return agent(f"---\n{front}\n---\n{body}", stem="helper")


def test_an_agent_says_its_name_description_tools_and_model() -> None:
    found = read("name: reviewer\ndescription: Reviews.\ntools: Read, Grep\nmodel: haiku\ncolor: red\nhooks: {}")

    assert (found.name, found.description, found.model) == ("reviewer", "Reviews.", "haiku")
    assert found.tools == ("Read", "Grep")
    assert found.ignored == ("color", "hooks")
    assert found.body.strip() == "You help."


def test_a_file_without_a_name_is_called_after_itself() -> None:
    assert read("description: d").name == "helper"
    assert skill("---\ndescription: d\n---\nText", folder="pdf").name == "pdf"


def test_what_a_plugin_brings_begins_with_its_name() -> None:
    assert agent("---\ndescription: d\n---\nText", stem="a", namespace="tools").name == "tools:a"


@pytest.mark.parametrize(
    ("written", "tools"),
    [
        ("tools: [Read, Grep]", ("Read", "Grep")),
        ("tools:\n  - Read\n  - Bash(git log:*)", ("Read", "Bash")),
        ("tools: Bash(git add:*), Bash(git commit -m a, b:*), Read", ("Bash", "Read")),
        ("tools: Read Grep", ("Read", "Grep")),
        ("tools: '*'", None),
        ("color: red", None),
    ],
)
def test_tools_are_read_in_every_way_people_write_them(written: str, tools: tuple[str, ...] | None) -> None:
    assert read(f"description: d\n{written}").tools == tools


def test_a_description_with_a_colon_is_taken_as_the_cli_takes_it() -> None:
    found = read("name: reviewer\ndescription: Use it so: <example>user: 'hi'</example>\ntools: Read")

    assert found.description == "Use it so: <example>user: 'hi'</example>"
    assert found.tools == ("Read",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("no front matter", "no front matter"),
        ("---\nname: x\n", "no front matter"),
        ("---\nname: a\n---\nbody", "no description"),
        ("---\ndescription: d\n---\n  \n", "no prompt"),
        ("---\n- a\n- b\n---\nbody", "not a list of names"),
        ("---\nname: [\nwhat\n---\nbody", "not YAML"),
        ("---\nname: ../etc\ndescription: d\n---\nbody", "not a name"),
        ("---\nname: two words\ndescription: d\n---\nbody", "not a name"),
        ("---\na: &a [x]\nb: *a\n---\nbody", "anchors or aliases"),
        (f"---\ndescription: {'x' * MAX_BYTES}\n---\nbody", "larger than"),
        (f"---\ndescription: {'[' * 50}{']' * 50}\n---\nbody", "too deep"),
        (f"---\ndescription: [{'a, ' * 3000}]\n---\nbody", "too large"),
    ],
)
def test_what_cannot_be_used_says_why(text: str, fault: str) -> None:
    with pytest.raises(Malformed, match=fault):
        agent(text, stem="helper")


def test_what_no_database_takes_is_left_out() -> None:
    found = read('name: a\ndescription: "x\\0y"\nmodel: "h\\0aiku"\n"o\\0dd": 1')
    assert (found.description, found.model, found.ignored) == ("xy", "haiku", ("odd",))


def test_tags_build_no_objects() -> None:
    front, _ = split("---\ndescription: !!python/object/apply:os.system ['true']\n---\nbody")
    assert front["description"] == "!!python/object/apply:os.system ['true']"


@pytest.mark.parametrize(("body", "runs"), [("Run !`ls -l` first", True), ("```!\nls\n```", True), ("Wow!`x", False)])
def test_commands_that_would_run_by_themselves_are_noticed(body: str, runs: bool) -> None:
    assert skill(f"---\ndescription: d\n---\n{body}", folder="s").runs_commands is runs
