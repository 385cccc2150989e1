"""Lays out a new project: config with examples, folders, the sample data."""

from dataclasses import dataclass
from pathlib import Path

from finlora import adapters, build, cards, config, deepspeed
from finlora.errors import UsageError
from finlora.files import write_atomic, write_json

# What the example runs train on.
DATASETS = ("sentiment_sample", "formula")
# What is large, is made again, or may be nobody else's business.
_IGNORED = """\
axolotl-output/
lora_adapters/
results/
# Rows stay out of git: a licence or a customer may forbid it. Those that may go in: git add -f FILE.
data/**/*.jsonl
data/**/*.card.json
"""


@dataclass(frozen=True)
class Laid:
    """What `init` made: the project folder and the files, relative to it."""

    folder: Path
    files: tuple[str, ...]


def init(folder: Path) -> Laid:
    """Lay out a project: nothing that is there is touched.

    Args:
        folder: the project's folder; made if need be.

    Raises:
        UsageError: it holds a config already.
    """
    target = folder / "configs" / config.CONFIG_NAME
    if target.exists():
        raise UsageError(
            f"{target} exists already: this folder is a project. See it with: finlora configs list"
        )
    examples = Path(__file__).parent / "files" / config.CONFIG_NAME
    write_json(target.with_name("finetune_configs.schema.json"), config.json_schema())
    made = [target.with_name("finetune_configs.schema.json")]
    for name in DATASETS:
        built = build.build(folder, build.Order(name), existing="keep")
        new = [file.path for file in built.files if file.is_written]
        made += [part for path in new for part in (path, cards.path_of(path))]
    report = deepspeed.write_shipped(folder / "deepspeed_configs")
    made += [report.folder / name for name in report.new]
    (folder / adapters.SHELF).mkdir(parents=True, exist_ok=True)
    ignored = folder / ".gitignore"
    if not ignored.exists():
        write_atomic(ignored, _IGNORED.encode())
        made.append(ignored)
    # The config comes last: with it the folder is a project.
    write_atomic(target, examples.read_bytes())
    return Laid(folder, tuple(str(path.relative_to(folder)) for path in [target, *made]))
