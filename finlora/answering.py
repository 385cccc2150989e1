"""Opens what answers: an adapter on its own base model, or the base model alone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from finlora import adapters, answers, inference, models, record_checks
from finlora.config import project_root
from finlora.errors import UsageError
from finlora.prompts import STYLES

# What a manifest must hold for its adapter to be asked rightly.
_NEEDED: dict[str, record_checks.Check] = {
    "base_model.name": record_checks.text,
    "run.quant_bits": record_checks.one_of(4, 8, 16),
    "prompt.style": record_checks.one_of(*STYLES),
    **dict.fromkeys(
        [f"prompt.{part}" for part in ("head", "tail", "separator", "end", "probe")], record_checks.text
    ),
    "prompt.stop": record_checks.list_of(record_checks.text),
}


@dataclass(frozen=True)
class Wanted:
    """What the command line asks to be opened.

    Args:
        adapter: folder or run name; None for a base model alone.
        base_model: another base model than the adapter's; needed when there is no adapter.
        no_adapter: answer with the untuned base of the adapter.
        prompt_style: for what carries no manifest.
        offline: never use the network.
    """

    adapter: str | None
    base_model: str | None = None
    no_adapter: bool = False
    prompt_style: str | None = None
    offline: bool = False


def open_answerer(wanted: Wanted, config: Path | None, say: Callable[[str], None]) -> answers.Answerer:
    """Load what the command line asks for and prove that it is that.

    Args:
        wanted: what to open.
        config: the project's config file; None outside a project.
        say: takes lines for the user.

    Returns:
        What answers.

    Raises:
        UsageError, AdapterError, BaseModelError: with the next step.
    """
    return opened(wanted, *find(wanted, config, say), say)


def opened(
    wanted: Wanted, adapter: adapters.Adapter | None, base: models.BaseModel, say: Callable[[str], None]
) -> answers.Answerer:
    """Load what `find` found, and prove that it is that; errors as in `open_answerer`."""
    say(f"loading {base.name}" + (f" with {adapter.folder}" if adapter and not wanted.no_adapter else ""))
    manifest = adapter.manifest if adapter else None
    style = wanted.prompt_style
    if wanted.no_adapter and manifest and style is None:
        style = manifest["prompt"]["style"]
    answerer = inference.load(
        None if wanted.no_adapter else adapter,
        base,
        prompt_style=style,
        quant_bits=manifest["run"]["quant_bits"] if manifest else 16,
        allow_other_base=wanted.base_model is not None,
    )
    for note in answerer.notes:
        say(note)
    return answerer


def find(
    wanted: Wanted, config: Path | None, say: Callable[[str], None]
) -> tuple[adapters.Adapter | None, models.BaseModel]:
    """Find what the command line names, without loading it; arguments and errors as in `open_answerer`."""
    root = project_root(config) if config else None
    adapter = adapters.find(wanted.adapter, root) if wanted.adapter is not None else None
    if adapter and adapter.manifest:
        adapter.manifest_with(_NEEDED)
    name = wanted.base_model or _base_name(adapter)
    folder = Path.cwd() if wanted.base_model or config is None else config.resolve().parent
    return adapter, models.resolve(name, folder, offline=wanted.offline, say=say)


def _base_name(adapter: adapters.Adapter | None) -> str:
    if adapter is None:
        raise UsageError("name what is to answer: --adapter NAME, or --base-model MODEL --no-adapter")
    if adapter.manifest:
        trained = adapter.manifest["base_model"]
        if str(trained.get("identity")).startswith("fingerprint:") and not trained["name"].startswith("."):
            raise UsageError(
                f"{adapter.folder} was trained on a folder called '{trained['name']}', whose place it does "
                "not carry; name the folder with --base-model"
            )
        return str(trained["name"])
    named = adapter.peft.get("base_model_name_or_path")
    if not named:
        raise UsageError(f"{adapter.folder} does not name its base model; name it with --base-model")
    return str(named)
