"""What `--set` changes of a run, and what it may not."""

import pytest

from finlora.config import check_run
from finlora.errors import ConfigError, UsageError
from finlora.overrides import override, parse_overrides

NEEDED = {"base_model": "./base", "dataset_path": "rows.jsonl"}


def test_overrides_read_as_json_where_they_can():
    texts = ["lora_r=4", "learning_rate=2e-4", "deepspeed=none", 'axolotl={"a": 1}', "x==", "quant_bits=null"]
    assert parse_overrides(texts) == {
        "lora_r": 4,
        "learning_rate": 2e-4,
        "deepspeed": "none",
        "axolotl": {"a": 1},
        "x": "=",
        "quant_bits": None,
    }
    assert parse_overrides(["x=" + "[" * 100_000])["x"].startswith("[[")


@pytest.mark.parametrize("text", ["lora_r", "=4", " =4", ""])
def test_overrides_that_set_nothing(text):
    with pytest.raises(UsageError, match="write it as key=value"):
        parse_overrides([text])


def test_an_override_is_checked_like_the_file():
    run = check_run("a", {**NEEDED, "lora_r": 4})[0]
    assert override("a", run, {"quant_bits": 8}).variant == "8bits_r4"
    with pytest.raises(ConfigError) as fault:
        override("a", run, {"lora_r": 0, "lora_rr": 1})
    assert [problem.file for problem in fault.value.problems] == ["--set", "--set"]


def test_what_was_left_to_defaults_stays_known_after_an_override():
    run = override("a", check_run("a", NEEDED)[0], {"lora_r": 8})
    assert run.model_fields_set == {"base_model", "dataset_path", "lora_r"}


def test_the_two_ways_to_say_the_rows_of_a_step_take_each_others_place():
    run = check_run("a", {**NEEDED, "gradient_accumulation_steps": 2})[0]
    whole = override("a", run, {"global_batch_size": 16})
    assert (whole.global_batch_size, "gradient_accumulation_steps" in whole.model_fields_set) == (16, False)
    back = override("a", whole, {"gradient_accumulation_steps": 4})
    assert (back.global_batch_size, back.gradient_accumulation_steps) == (None, 4)
    with pytest.raises(ConfigError, match="leave one of them out"):
        override("a", run, {"global_batch_size": 16, "gradient_accumulation_steps": 2})
