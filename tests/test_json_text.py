"""Reading JSON strictly: what is refused, and where each fault stands."""

import pytest

from finlora.errors import ConfigError
from finlora.json_text import KeyLines, parse_object

FAULTS = {
    "": "f.json:1:1: not JSON: Expecting value",
    "{": "f.json:1:2: not JSON: Expecting property name",
    '{\n  "a": 1,\n  "b" 2\n}': "f.json:3:7: not JSON: Expecting ':' delimiter",
    '{"a": 1} {': "f.json:1:10: not JSON: Extra data",
    "[]": "f.json:1: must be a JSON object",
    "3": "f.json:1: must be a JSON object",
    '{"a": 1,\n "a": 2}': "f.json:2: the key 'a' stands twice",
    '{"a": {"x": 1,\n\n"x": 2}}': "f.json:3: the key 'x' stands twice",
    '{"a": [{"x": 1},\n{"x": 1, "x": 2}]}': "f.json:2: the key 'x' stands twice",
    '{"a": NaN}': "f.json: not JSON: NaN is no JSON number",
    '{"a": -Infinity}': "f.json: not JSON: -Infinity is no JSON number",
    '{"a": ' + "9" * 5000 + "}": "f.json: not JSON: Exceeds the limit (4300 digits)",
    '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}": "f.json: nested too deeply",
    '{"\\ud800": 1}': "f.json: holds half a character",
    '{"a": ["\\udfff"]}': "f.json: holds half a character",
    # JSON, but no YAML: the line is not known, the key is.
    '{"a"\n: 1, "a": 2}': "f.json: the key 'a' stands twice",
    '{"a": "\x7f", "a": 2}': "f.json: the key 'a' stands twice",
}


def test_enough_faults_are_tried():
    assert len(FAULTS) == 17


@pytest.mark.parametrize("text", FAULTS, ids=lambda text: text[:20])
def test_a_fault_names_its_place(text):
    with pytest.raises(ConfigError) as fault:
        parse_object(text, "f.json")
    assert str(fault.value).startswith(FAULTS[text])


def test_every_repeated_key_is_named_at_once():
    with pytest.raises(ConfigError) as fault:
        parse_object('{"a": 1,\n"a": 2,\n"b": {"c": 1,\n"c": 1}}', "f.json")
    assert [(problem.line, problem.message) for problem in fault.value.problems] == [
        (2, "the key 'a' stands twice"),
        (4, "the key 'c' stands twice"),
    ]


def test_good_text_is_read_as_json_reads_it():
    text = '{\t"a": {"b": [1, 2.5, null, true, "\\ud83d\\ude00\\/"]}, "": {}}'
    assert parse_object(text, "f.json") == {"a": {"b": [1, 2.5, None, True, "\U0001f600/"]}, "": {}}


def test_lines_of_keys():
    lines = KeyLines('{\n"a": {"x": 1,\n\t"y": {\n"z": 2}},\n"b": 3}')
    assert lines.of("a") == 2
    assert lines.of("a", "y") == 3
    assert lines.of("a", "y", "z") == 4
    assert lines.of("b") == 5
    # A key that is missing is looked for in its object: the deepest key there is.
    assert lines.of("a", "nothing") == 2
    assert lines.of("b", "deeper") == 5
    assert lines.of("nothing") is None


@pytest.mark.parametrize("text", ['{"a"\n: 1}', '{"a": "\x7f"}', "", "[1]"])
def test_texts_without_lines(text):
    assert KeyLines(text).of("a") is None
    assert KeyLines(text).repeated() == []
