"""A hosted model on the command line: scored, kept, asked again where it failed; its key is in nothing."""

import json

import pytest

from finlora import results
from tests.model_server import KEY, good, serving, status

TARGETS = ["up", "down", "up", "down"]


@pytest.fixture
def asked(project, monkeypatch):
    """Four rows, and a server that answers each rightly but the last."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("SERVER_KEY", KEY)
    rows = [{"context": f"row {i}", "target": target} for i, target in enumerate(TARGETS)]
    (project.root / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serving() as server:
        for i, target in enumerate(TARGETS):
            server.script[f"row {i}"] = [good(f"Answer: {target}")]
        server.script["row 3"] = [status(400, "too hot"), good("I can't say.")]
        yield server


def command(server, *more):
    words = ("eval", "--endpoint", server.url, "--model", "big/one", "--key-env", "SERVER_KEY", *more)
    return (*words, "--data", "mine.jsonl")


def test_it_is_scored_kept_and_asked_again_where_it_failed(asked, project, run):
    done = run(*command(asked, "--price-in", "1", "--price-out", "2"))
    assert done.code == 1
    assert "1 of 4 rows have no answer and count as wrong. The first is line 4: status 400: too" in done.err
    assert "127.0.0.1" in done.err.splitlines()[0]
    [folder] = (project.root / "results" / "endpoint").iterdir()
    [first] = results.kept(project.root, "endpoint", folder.name)
    assert (first.score, first.errors, first.respondent["name"]) == (0.75, 1, "big/one")
    assert first.decode == "generate"
    again = run(*command(asked))
    assert again.code == 0, again.err
    [second] = results.kept(project.root, "endpoint", folder.name)
    assert (second.score, second.errors, second.unparsed) == (0.75, 0, 0.25)
    assert asked.counts == {"row 0": 1, "row 1": 1, "row 2": 1, "row 3": 2}
    # The benchmark's rule on the same answers sends nothing.
    assert run(*command(asked, "--scorer", "reference", "--json")).code == 0
    assert asked.counts.total() == 5
    everything = [path.read_text() for path in (project.root / "results").rglob("*") if path.is_file()]
    assert [text for text in [done.out, done.err, again.out, again.err, *everything] if KEY in text] == []


def test_a_key_that_is_refused_stops_at_once_and_keeps_what_came(asked, project, run):
    asked.script["row 2"] = [status(401, "bad key")]
    done = run(*command(asked, "--concurrency", "1"))
    assert done.code == 1
    assert KEY not in done.err
    [part] = (project.root / "results" / "endpoint").glob("*/.mine.generate.part.jsonl")
    assert len(part.read_text().splitlines()) == 1 + 2
    assert not list((project.root / "results").rglob("*.json"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--decode", "labels"], "a hosted model does not tell how likely each label is"),
        (["--baseline"], "--baseline compares adapters with their base model"),
        (["--offline"], "--offline forbids it"),
    ],
)
def test_what_a_hosted_model_can_not_do(asked, run, more, message):
    done = run(*command(asked, *more))
    assert done.code == 2
    assert message in done.err
    assert asked.counts == {}
