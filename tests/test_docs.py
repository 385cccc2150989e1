"""What is written about FinLoRA is true of the code: commands, keys, links, versions, shipped files."""

import json
import re
import shlex
from pathlib import Path

import click
import jsonschema
import pytest

from finlora import __version__, config, privacy
from finlora.cli import cli
from tests import cluster_parts, readme_parts

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *(ROOT / folder / "README.md" for folder in ("data", "lora_adapters")),
]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
LEAVES = {name: command for name, command, _ in readme_parts.leaves()}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that words behind `finlora` name, and the words that are left."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"no command '{words[0]}' in {sorted(command.commands)}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options(command: click.Command) -> set[str]:
    context = click.Context(command, help_option_names=["-h", "--help"])
    return {name for parameter in command.get_params(context) for name in parameter.opts}


def lines_of(text: str) -> list[list[str]]:
    """Return the finlora commands in lines of shell, as words; redirections left out."""
    lines = [line.strip().removeprefix(".venv/bin/") for line in text.splitlines()]
    return [shlex.split(re.split(r" [>|] ", line)[0])[1:] for line in lines if line.startswith("finlora ")]


def example_of(help_text: str) -> str:
    return help_text.partition("Example:\n")[2]


EXAMPLES = [
    (name, words) for name, command in LEAVES.items() for words in lines_of(example_of(command.help or ""))
]
SHELL = [
    (page, words)
    for page, text in TEXTS.items()
    for language, block in FENCE.findall(text)
    if language == "sh"
    for words in lines_of(block)
]
INLINE = [
    (page, shlex.split(found)[1:])
    for page, text in TEXTS.items()
    for found in re.findall(r"`(?:\.venv/bin/)?(finlora [^`]+)`", FENCE.sub("", text))
]


def test_the_pages_hold_enough_to_check():
    assert len(LEAVES) == 28
    assert len(PAGES) >= 8
    assert len(EXAMPLES) >= 15
    assert len(SHELL) >= 3
    assert len(INLINE) >= 30


@pytest.mark.parametrize("page", readme_parts.PARTS)
def test_the_generated_parts_of_a_page_are_current(page, request):
    if request.config.getoption("--update-golden"):
        (ROOT / page).write_text(readme_parts.filled(page, TEXTS[page]), encoding="utf-8")
    assert (ROOT / page).read_text(encoding="utf-8") == readme_parts.filled(page, TEXTS[page])
    for part in readme_parts.PARTS[page]:
        assert TEXTS[page].count(f"<!-- {part}:begin -->\n") == 1
        assert TEXTS[page].count(f"<!-- {part}:end -->") == 1


def test_what_the_page_on_several_machines_shows_is_what_is_printed(request):
    page = ROOT / "docs" / "clusters.md"
    if request.config.getoption("--update-golden"):
        page.write_text(cluster_parts.filled(page.read_text(encoding="utf-8")), encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    assert text == cluster_parts.filled(text)
    for part in cluster_parts.parts():
        assert text.count(f"<!-- {part}:begin -->\n") == text.count(f"<!-- {part}:end -->") == 1


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_and_option_is_explained(name):
    command = LEAVES[name]
    assert command.help
    assert command.help.partition("\n")[0].endswith((".", ":"))
    assert lines_of(example_of(command.help)), "no example"
    unexplained = [
        option.name
        for option in command.params
        if isinstance(option, click.Option) and not (option.help or option.show_default)
    ]
    assert unexplained == []


@pytest.mark.parametrize(("page", "words"), [*EXAMPLES, *SHELL], ids=str)
def test_every_example_parses(page, words):
    command, rest = find(words)
    context = command.make_context(command.name, list(rest))
    assert context.params.keys() >= {p.name for p in command.params if p.expose_value}


@pytest.mark.parametrize(("page", "words"), INLINE, ids=str)
def test_every_command_in_the_text_exists(page, words):
    command, rest = find(words)
    named = {word.partition("=")[0] for word in rest if word.startswith("-")}
    assert named <= options(command)


def test_every_make_target_in_the_text_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    inline = {t for text in TEXTS.values() for t in re.findall(r"`make ([a-z-]+)`", text)}
    blocks = {t for text in TEXTS.values() for t in re.findall(r"^make ([a-z-]+)$", text, re.MULTILINE)}
    assert {"demo", "test"} <= inline | blocks <= targets


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)\s]+)\)", TEXTS[page])
    local = [link for link in links if not link.startswith("https://")]
    assert [link for link in local if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", TEXTS)
def test_every_file_named_in_a_page_is_there(page):
    named = re.findall(r"`((?:finlora|tests|benchmarks|docs|configs)/[\w./*-]+)`", TEXTS[page])
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []


def test_every_module_has_its_floor_in_the_architecture():
    parts = {path.relative_to(ROOT / "finlora").parts[0] for path in (ROOT / "finlora").rglob("*.py")}
    modules = {part.removesuffix(".py") for part in parts if not part.startswith("__")}
    assert len(modules) > 30
    lines = re.findall(r"^\| \d \w+ \| (.*) \|$", TEXTS["docs/architecture.md"], re.MULTILINE)
    assert sorted(modules) == sorted(re.findall(r"`(\w+)`", " ".join(lines)))


def test_the_network_page_names_every_command_that_may_go_online_and_every_switch():
    text = TEXTS["docs/network.md"]
    online = [name for name, command in LEAVES.items() if "--offline" in options(command)]
    assert len(online) == 10
    told = {**privacy.QUIET, **privacy.BENCHMARKS, **privacy.OFFLINE}
    switches = [f"{name}={value}" for name, value in told.items()]
    assert [word for word in [*online, *switches] if f"`{word}`" not in text] == []


def test_the_changelog_begins_with_this_version():
    assert re.findall(r"^## (\S+)", TEXTS["CHANGELOG.md"], re.MULTILINE)[0] == __version__


def test_the_run_in_the_readme_is_the_shipped_one():
    block = next(block for language, block in FENCE.findall(TEXTS["README.md"]) if language == "json")
    [(name, shown)] = json.loads(f"{{{block}}}").items()
    shipped = json.loads((ROOT / "configs" / config.CONFIG_NAME).read_text(encoding="utf-8"))[name]
    assert config.check_run(name, shown) == config.check_run(name, shipped)


def test_the_shipped_runs_keep_to_the_schema_that_editors_read():
    runs = json.loads((ROOT / "configs" / config.CONFIG_NAME).read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "configs" / runs["$schema"]).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema)
    checker.validate(runs)
    assert not checker.is_valid({**runs, "one_more": {"base_model": "./base"}})


def test_no_figure_was_left_to_be_filled_in():
    assert [page for page in PAGES if "@@" in (ROOT / page).read_text(encoding="utf-8")] == []
