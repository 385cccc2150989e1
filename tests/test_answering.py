"""A manifest that was damaged or edited by hand is refused, and never guessed at."""

import json

import pytest

from finlora import answering
from finlora.errors import AdapterError
from tests.conftest import write_adapter

PROMPT = {"style": "plain", "head": "", "tail": "", "separator": " ", "end": "x", "stop": ["x"], "probe": "p"}
SOUND = {"schema": 1, "base_model": {"name": "./b"}, "run": {"quant_bits": 16}, "prompt": PROMPT}
DAMAGE = [
    ("base_model", None, "base_model.name"),
    ("base_model", "x", "base_model.name"),
    ("base_model", {"name": 3}, "base_model.name"),
    ("run", [1], "run.quant_bits"),
    ("run", {"quant_bits": 5}, "run.quant_bits"),
    ("prompt", "chat", "prompt.style, prompt.head, .*, prompt.stop"),
    ("prompt", {**PROMPT, "end": None}, "prompt.end"),
    ("prompt", {**PROMPT, "stop": [None]}, "prompt.stop"),
    ("prompt", {**PROMPT, "style": "weird"}, "prompt.style"),
]


@pytest.mark.parametrize(("key", "value", "named"), DAMAGE)
def test_a_damaged_manifest_is_refused_by_name(tmp_path, key, value, named):
    folder = tmp_path / "adapter"
    write_adapter(folder)
    (folder / "finlora.json").write_text(json.dumps({**SOUND, key: value}))
    with pytest.raises(AdapterError, match=f"finlora.json: {named} missing or damaged"):
        answering.open_answerer(answering.Wanted(str(folder)), None, lambda _: None)
    assert len(DAMAGE) == 9
