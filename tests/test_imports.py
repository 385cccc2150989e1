"""The house rules that code can be held to: floors, owners, sizes, documented functions."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "finlora"
FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}

# Edges along one floor: the left module stands on the right one. Each new one is a decision.
SAME_FLOOR = {
    # config_place, files and json_text raise the errors.
    # Checkpoints are files with digests; privacy stands alone.
    ("checkpoints", "files"),
    ("config_place", "errors"),
    ("files", "errors"),
    ("json_text", "errors"),
    ("prompts", "errors"),
    # A model's folder, the built-in model among them, and who loads it.
    ("builtin", "launch"),
    ("models", "launch"),
    ("models", "builtin"),
    ("models", "hub_errors"),
    # What is compiled lies where FinLoRA keeps what it makes itself.
    ("native_builds", "builtin"),
    ("hub", "hub_errors"),
    # A hosted model: who is asked, where, how often, and what its server means.
    ("endpoint", "endpoint_address"),
    ("endpoint", "endpoint_client"),
    ("endpoint", "endpoint_pace"),
    ("endpoint", "endpoint_replies"),
    ("endpoint", "respondents"),
    ("endpoint_client", "endpoint_address"),
    ("endpoint_replies", "respondents"),
    ("harness", "hub_errors"),
    # BERTScore loads a model as a base model is found.
    ("bert_scores", "models"),
    ("inference", "models"),
    ("inference", "answers"),
    ("answers", "decoding"),
    ("answers", "weighing"),
    ("weighing", "decoding"),
    ("inference", "cpu_patches"),
    # Merging: who loads and asks, the weights, the files beside them.
    ("merge", "answering"),
    ("merge", "merged_folder"),
    ("merged_weights", "answers"),
    ("merged_weights", "models"),
    # Scoring: everybody's turn, one evaluation, what is asked, who answers, what it is worth.
    ("scoreboard", "adapter_card"),
    ("scoreboard", "answering"),
    ("scoreboard", "evaluate"),
    ("scoreboard", "local_respondents"),
    ("scoreboard", "machine_checks"),
    ("scoreboard", "questions"),
    ("evaluate", "questions"),
    ("evaluate", "scoring"),
    ("scoring", "questions"),
    ("local_respondents", "answering"),
    ("local_respondents", "manifest"),
    ("kept_answers", "results"),
    # What tuning cost: the harness asks what answers, beside the untuned base.
    ("forgetting", "answering"),
    ("forgetting", "manifest"),
    # A federated training: trainings of one run at several clients.
    ("federate", "adapter_card"),
    ("federate", "federated"),
    ("federate", "finetune"),
    ("federate", "manifest"),
    ("federate", "training_plan"),
    ("federate_network", "federate"),
    ("federate_network", "federated"),
    ("federate_network", "finetune"),
    ("federate_network", "training_plan"),
    ("federated", "adapter_card"),
    ("federated", "finetune"),
    ("federated", "machine_checks"),
    ("federated", "manifest"),
    ("federated", "resume"),
    ("federated", "training_plan"),
    # The font cache lies where FinLoRA keeps what it makes itself.
    ("loss_plot", "builtin"),
    # Inside the training process.
    ("axolotl_plugin", "answer_logits"),
    ("axolotl_plugin", "built_checks"),
    ("axolotl_plugin", "cpu_patches"),
    ("axolotl_plugin", "machines"),
    # Training: what it will be, what came of it.
    ("finetune", "training_plan"),
    ("finetune", "manifest"),
    ("finetune", "resume"),
    ("finetune", "machine_checks"),
    ("machine_checks", "training_plan"),
    ("clusters", "machine_checks"),
    ("resume", "training_plan"),
    ("resume", "manifest"),
    # A plan that names no place, as the manifest has it; and plans that are printed.
    ("training_plan", "manifest"),
    ("clusters", "training_plan"),
    ("prepared_rows", "data"),
    ("overrides", "config"),
    # A rehearsal is a training in small, and an answer.
    ("rehearse", "finetune"),
    ("rehearse", "machine_checks"),
    ("rehearse", "training_plan"),
    ("rehearse", "answering"),
    ("rehearse", "stand_ins"),
    ("rehearse", "rehearsal_report"),
    # Planning: shape, rows and formulas, and what a plan is made of.
    ("model_shapes", "model_folder"),
    ("light_tokenizer", "model_folder"),
    ("row_lengths", "data"),
    ("row_lengths", "light_tokenizer"),
    ("memory", "model_shapes"),
    ("costs", "memory"),
    ("costs", "model_shapes"),
    ("planned_rows", "data"),
    ("planned_rows", "memory"),
    ("planned_rows", "row_lengths"),
    ("plan", "training_plan"),
    ("plan", "plan_needs"),
    ("plan", "plan_changes"),
    ("plan_changes", "plan_needs"),
    # A task: its form, the words for its faults, what holds between its parts and between tasks.
    ("tasks", "task_checks"),
    ("tasks", "task_faults"),
    ("tasks", "task_schema"),
    ("task_checks", "task_schema"),
    # Data: a converter's form, and who reads records for it.
    ("converters", "tasks"),
    ("cards", "converters"),
    ("sheets", "converters"),
    ("sheets", "archives"),
    ("tables", "converters"),
    ("tables", "archives"),
    ("tables", "sheets"),
    ("tables", "json_records"),
    ("json_records", "converters"),
    ("tables", "data"),
    ("mixing", "converters"),
    ("sources", "hub"),
    ("fetch", "task_rows"),
    # A new project comes with the data of its example runs.
    ("project", "build"),
    # Checking data: its rows, their tokens, the share that training may drop; a run's tokenizer as planned.
    ("checks", "data"),
    ("checks", "prepared_rows"),
    ("checks", "row_lengths"),
    ("data_check", "plan"),
    ("data_check", "data_targets"),
    # Filings, and the rows that are made from them.
    ("xbrl", "xbrl_document"),
    ("xbrl", "inline_xbrl"),
    ("xbrl", "xbrl_formats"),
    ("inline_xbrl", "xbrl_document"),
    ("inline_xbrl", "xbrl_formats"),
    ("builders", "xbrl"),
    ("builders", "filing_rows"),
    ("builders", "converters"),
    ("converters", "filing_rows"),
    ("converters", "tasks"),
    ("converters", "xbrl"),
    ("converters", "xbrl_document"),
    # What a whole manifest holds, of a federated training too.
    ("differences", "federated_facts"),
    ("manifest_shape", "federated_facts"),
    # The card of an adapter: its parts.
    ("finetune", "adapter_card"),
    ("adapter_card", "card_data"),
    ("adapter_card", "card_edit"),
    ("adapter_card", "card_front"),
    ("adapter_card", "card_scores"),
    ("adapter_card", "card_words"),
    ("card_front", "card_data"),
    ("card_front", "card_scores"),
    # A report: what lies there, tables, findings, pages; training facts as in a comparison.
    ("report", "compare"),
    ("report", "report_sources"),
    ("report", "report_tables"),
    ("report", "forgetting"),
    ("report_sources", "forgetting"),
    ("report_sources", "shelf"),
    ("report_tables", "report_sources"),
    ("report_findings", "report"),
    ("report_findings", "report_sources"),
    ("report_record", "report"),
    ("report_record", "report_findings"),
    ("report_record", "report_sources"),
    ("report_record", "report_tables"),
    ("report_page", "forgetting"),
    ("report_page", "report"),
    ("report_page", "report_findings"),
    ("report_page", "report_pictures"),
    ("report_page", "report_sources"),
    ("report_page", "report_tables"),
    # How an error is shortened.
    ("shelf_checks", "shelf"),
    ("cli", "display"),
    ("cli", "federate_display"),
    ("federate_display", "display"),
    ("cli", "shelf_display"),
    ("cli", "eval_display"),
    ("eval_display", "display"),
    ("shelf_display", "display"),
    ("cli", "data_display"),
    ("data_display", "display"),
}
HEAVY = {
    "lxml",
    "matplotlib",
    "torch",
    "transformers",
    "peft",
    "datasets",
    "axolotl",
    "accelerate",
    "bitsandbytes",
    "deepspeed",
    "trl",
    "openai",
    "lm_eval",
}
# Only these are imported by nobody but the training process, or after a model is wanted.
MAY_BE_HEAVY = {"axolotl_plugin.py", "answer_logits.py"}

# Functions that are a table of words rather than steps.
TABLES = {"_times"}


def module_of(name):
    """Return the name a file has in the floors: a package counts as one module."""
    return Path(name).with_suffix("").parts[0]


def imported(node):
    """Return the full names of the modules an import statement may load."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def imports(tree):
    return [name for node in ast.walk(tree) for name in imported(node)]


def top_level_imports(tree):
    return [name for node in tree.body for name in imported(node)]


def edges():
    for name, tree in TREES.items():
        for target in imports(tree):
            parts = target.split(".")
            if parts[0] == "finlora" and parts[1] != "__version__" and parts[1] != module_of(name):
                yield module_of(name), parts[1]


def floors():
    """Read the floors from the architecture page: they stand there and nowhere else."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \w+ \| (.*) \|$", page, re.MULTILINE)
    return {module: int(floor) for floor, modules in rows for module in re.findall(r"`(\w+)`", modules)}


def users(library):
    """Return the modules that import a library anywhere."""
    return {
        module_of(name) for name, tree in TREES.items() for i in imports(tree) if i.split(".")[0] == library
    }


def test_the_whole_package_is_looked_at():
    assert len(FILES) > 55
    assert len(set(edges())) > 60


def test_an_import_only_goes_down():
    floor = floors()
    up = {(a, b) for a, b in edges() if a != "__main__" and floor[a] < floor[b]}
    assert up == set()


def test_edges_along_a_floor_are_those_that_were_decided():
    floor = floors()
    along = {(a, b) for a, b in edges() if a != "__main__" and floor[a] == floor[b]}
    assert along == SAME_FLOOR


def test_nothing_imports_the_command_line():
    assert {a for a, b in edges() if b == "cli"} == {"__main__"}
    assert {a for a, b in edges() if b == "display"} == {
        "cli",
        "data_display",
        "eval_display",
        "federate_display",
        "shelf_display",
    }
    assert {a for a, b in edges() if b in ("data_display", "shelf_display")} == {"cli"}


@pytest.mark.parametrize(
    ("library", "owners"),
    [
        ("click", {"cli", "display", "data_display", "eval_display", "federate_display", "shelf_display"}),
        # builtin draws the bar of its one long conversion, as the hub's library draws its own.
        ("rich", {"display", "data_display", "federate_display", "builtin"}),
        ("subprocess", {"launch"}),
        ("signal", {"federated", "launch"}),
        # For JSON's key lines, for Axolotl's files and for the front matter of cards.
        ("yaml", {"json_text", "axolotl_yaml", "card_edit"}),
        ("pydantic", {"config", "task_faults", "task_schema"}),
        ("matplotlib", {"loss_plot"}),
        ("urllib", {"deepspeed", "hub", "models", "doctor", "endpoint_address"}),
        ("lxml", {"xbrl_document"}),
        ("http", {"deepspeed"}),
        ("httpx", {"hub", "hub_errors", "doctor"}),
        ("openai", {"endpoint", "endpoint_client"}),
        ("huggingface_hub", {"card_front", "harness", "hub", "hub_errors", "models", "doctor"}),
        ("pyarrow", {"sheets"}),
        ("openpyxl", {"sheets"}),
        ("axolotl", {"axolotl_plugin", "answer_logits", "machines", "probes"}),
        ("lm_eval", {"harness"}),
        ("flwr", {"federated"}),
        ("pickle", set()),
        ("requests", set()),
        # A port of this machine for each SuperNode.
        ("socket", {"federated"}),
    ],
)
def test_a_library_has_its_owners(library, owners):
    assert users(library) == owners


def test_who_imports_urllib_for_addresses_opens_none():
    names = {
        target
        for name, tree in TREES.items()
        if module_of(name) in ("hub", "hub_errors", "models", "doctor", "endpoint_address")
        for target in imports(tree)
        if target.startswith("urllib")
    }
    assert names == {"urllib.parse.urlsplit"}


@pytest.mark.parametrize("name", FILES)
def test_heavy_libraries_are_imported_inside_functions(name):
    heavy = {target for target in top_level_imports(TREES[name]) if target.split(".")[0] in HEAVY}
    assert not heavy or name in MAY_BE_HEAVY


def test_what_is_heavy_at_import_is_imported_by_no_light_module():
    heavy = {Path(name).stem for name in MAY_BE_HEAVY}
    at_import = {
        module_of(name)
        for name, tree in TREES.items()
        for target in top_level_imports(tree)
        if target.startswith("finlora.") and target.split(".")[1] in heavy
    }
    assert at_import == set()


def calls(tree, *names):
    found = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [f for f in found if isinstance(f, ast.Name) and f.id in names]


@pytest.mark.parametrize("name", FILES)
def test_only_the_shell_prints_and_nothing_is_evaluated(name):
    assert calls(TREES[name], "print", "input", "eval", "exec", "compile") == []


def functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("name", FILES)
def test_modules_are_short_and_say_what_they_are(name):
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= 300
    assert ast.get_docstring(TREES[name])


def lines_of(function):
    """Return a function's length without its documentation."""
    documented = ast.get_docstring(function) is not None
    first = function.body[0].end_lineno if documented else function.lineno
    return function.end_lineno - first + 1


@pytest.mark.parametrize("name", FILES)
def test_functions_are_short(name):
    long = {f.name: n for f in functions(TREES[name]) if (n := lines_of(f)) > 40}
    assert long.keys() - TABLES == set()


@pytest.mark.parametrize("name", FILES)
def test_public_functions_and_classes_have_docstrings(name):
    public = [
        node
        for scope in [TREES[name], *(n for n in TREES[name].body if isinstance(n, ast.ClassDef))]
        for node in scope.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    assert [node.name for node in public if not ast.get_docstring(node)] == []
