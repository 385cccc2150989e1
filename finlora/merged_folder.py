"""The files of a merged folder beside its weights, and how a merged folder is known."""

import json
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from finlora import model_folder
from finlora.adapters import MANIFEST, SCHEMA, Adapter
from finlora.files import write_atomic, write_json
from finlora.models import BaseModel
from finlora.prompts import Prompt, Tokenizer

_GENERATION = "generation_config.json"
# What comes along from the base as it is: every program that reads the base reads the merged model too.
_FROM_BASE = (
    "config.json",
    "tokenizer*",
    "*.jinja",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "LICENSE*",
    "NOTICE*",
    "USE_POLICY*",
)


def complete(folder: Path, base: BaseModel, prompt: Prompt, tokenizer: Tokenizer) -> None:
    """Put what a model needs beside its weights: the base's config and tokenizer, and when to stop.

    Args:
        folder: holds the merged weights.
        base: the base model.
        prompt: the adapter's; the tokens that end its answers end them in other programs too.
        tokenizer: the base model's.
    """
    for pattern in _FROM_BASE:
        for path in base.folder.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
    given = base.folder / _GENERATION
    settings = model_folder.read_json(given, base.name) if given.is_file() else {}
    named = settings.get("eos_token_id")
    ends = named if isinstance(named, list) else [] if named is None else [named]
    stop = tokenizer.convert_tokens_to_ids(list(prompt.stop))
    write_json(folder / _GENERATION, {**settings, "eos_token_id": list(dict.fromkeys([*stop, *ends]))})


def describe(folder: Path, adapter: Adapter, base: BaseModel, facts: Mapping[str, Any]) -> None:
    """Write a merged folder's `finlora.json` and its model card.

    Args:
        folder: the merged model.
        adapter: what was merged.
        base: what it was merged into.
        facts: what was made and proved.
    """
    trained = adapter.manifest or {}
    record = {
        "schema": SCHEMA,
        "merged": facts,
        "adapter": {
            "run_name": trained.get("run_name", adapter.name),
            "variant": trained.get("variant"),
            "weights_sha256": adapter.weights_sha256(),
            "quant_bits": trained.get("run", {}).get("quant_bits"),
        },
        "base_model": {"name": _public(base.name), "identity": base.identity},
        "prompt": trained.get("prompt"),
    }
    write_json(folder / MANIFEST, record)
    write_atomic(folder / "README.md", _card(record))


def is_merged(folder: Path) -> bool:
    """Tell whether a folder is one that a merge made."""
    with suppress(OSError, ValueError, RecursionError):
        record = json.loads((folder / MANIFEST).read_bytes())
        return isinstance(record, dict) and isinstance(record.get("merged"), dict)
    return False


def command(output: Path, style: str) -> str:
    """Return the command that asks a merged folder what its adapter was asked."""
    place = str(output) if str(output).startswith(("/", "~", "./", "../")) else f"./{output}"
    return f"finlora infer --base-model {shlex.quote(place)} --no-adapter --prompt-style {style}"


def _public(name: str) -> str:
    """Return a base model's name without a place of this machine."""
    return name if model_folder.named(name, Path()) is None else Path(name).name


def _card(record: Mapping[str, Any]) -> str:
    merged, adapter, base = record["merged"], record["adapter"], record["base_model"]
    on_hub = base["identity"].startswith("hub:")
    where = f"https://huggingface.co/{base['name']}" if on_hub else "the card of the base model"
    style = merged["prompt_style"]
    saved = merged["saved"]
    return f"""# {adapter["run_name"]}, merged

The base model `{base["name"]}` with a LoRA adapter of FinLoRA added to its weights ({merged["dtype"]}).

- base model: `{base["identity"]}`
- adapter: run `{adapter["run_name"]}`, SHA-256 of its weights `{adapter["weights_sha256"]}`
- prompt: style `{style}`, literally in `{MANIFEST}`
- proof: {saved["equal"]} of {saved["prompts"]} greedy answers equal those of base model and adapter apart;
  a token's probability differs by at most {saved["probabilities"]:.2g}
- licence: not known to FinLoRA. The base model's terms hold ({where}), and those of the data the adapter
  was trained on.

Ask it, from the folder that holds it:

```sh
{command(Path("FOLDER"), style)}
```
"""
