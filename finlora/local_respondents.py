"""Who answers on this machine: an adapter on its base model, or the base model alone."""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from finlora import adapters, answering, models, results
from finlora.answering import Wanted
from finlora.answers import Answerer
from finlora.causes import INSTALL, NOT_INSTALLED
from finlora.config import project_root
from finlora.errors import FinLoRAError
from finlora.files import digest
from finlora.manifest import versions, without_folder
from finlora.respondents import Done, Reply

# The packages that decide what a model answers.
_PACKAGES = ("finlora", "torch", "transformers", "peft", "bitsandbytes")


class Local:
    """Answers with a model that is loaded when the first answer is wanted; a `respondents.Respondent`.

    Args:
        wanted: what is to answer.
        config: the project's config file; None outside a project.
        say: takes lines for the user.

    Raises:
        UsageError, AdapterError, BaseModelError: what is named can't be had.
    """

    def __init__(self, wanted: Wanted, config: Path | None, say: Callable[[str], None]) -> None:
        self._wanted, self._say = wanted, say
        self.adapter, self._base = answering.find(wanted, config, say)
        self._answerer: Answerer | None = None
        manifest = (self.adapter.manifest if self.adapter else None) or {}
        asks_adapter = self.adapter is not None and not wanted.no_adapter
        style = wanted.prompt_style or manifest.get("prompt", {}).get("style")
        bits = manifest["run"]["quant_bits"] if manifest else 16
        base = {
            "base_model": without_folder(self._base.name),
            "base_identity": self._base.identity,
            "quant_bits": bits,
            "prompt_style": style,
        }
        self.trained_on: str | None = None
        if self.adapter and asks_adapter:
            self.place = _place(self.adapter, self._base, project_root(config) if config else None)
            self.facts: Mapping[str, Any] = {
                "kind": "adapter",
                "name": self.adapter.name,
                "variant": manifest.get("variant"),
                "adapter_sha256": self.adapter.weights_sha256(),
                **base,
            }
            self.trained_on = manifest.get("dataset", {}).get("sha256")
        else:
            self.place = (results.BASE, f"{_slug(self._base)}_{style or 'default'}_{bits}bits")
            self.facts = {"kind": "base", "name": base["base_model"], **base}
        here = versions()
        self.versions = {name: here[name] for name in _PACKAGES if name in here}
        deciding = {key: value for key, value in self.facts.items() if key not in ("name", "variant")}
        self.identity: Mapping[str, Any] = {
            **deciding,
            "tokenizer": models.tokenizer_digest(self._base.folder),
            "prompt": digest(manifest.get("prompt")) if asks_adapter else None,
            "device": _device(),
            "versions": self.versions,
        }

    def prompts(self, contexts: Sequence[str]) -> list[str]:
        """Return the whole text that is read for each context."""
        prompt = self._loaded().prompt
        return [prompt.text(context) for context in contexts]

    def weigh(self, contexts: Sequence[str], labels: Sequence[str], done: Done) -> None:
        """Answer each context with the likeliest label; of equally likely ones the first."""
        answerer = self._loaded()
        fitting = self._fitting(contexts, answerer.room_for(labels), done)

        def choose(number: int, scores: list[float]) -> None:
            done(fitting[number], Reply(labels[scores.index(max(scores))]))

        answerer.label_scores([contexts[i] for i in fitting], labels, done=choose)

    def answer(self, contexts: Sequence[str], max_new_tokens: int, done: Done) -> None:
        """Answer each context in its own words, greedily."""
        fitting = self._fitting(contexts, max_new_tokens, done)

        def tell(number: int, text: str) -> None:
            done(fitting[number], Reply(text))

        self._loaded().generate([contexts[i] for i in fitting], max_new_tokens, done=tell)

    def settings(self) -> dict[str, Any]:
        """Return how it was asked."""
        answerer = self._loaded()
        literal = [answerer.prompt.head, answerer.prompt.tail, answerer.prompt.separator, answerer.prompt.end]
        return {
            "prompt_style": answerer.prompt.style,
            "prompt_sha256": sha256("\0".join([*literal, *answerer.prompt.stop]).encode()).hexdigest(),
            "dtype": str(answerer.model.dtype).removeprefix("torch."),
            "device": answerer.model.device.type,
            "merged": answerer.is_merged,
            "batch_tokens": answerer.batch_tokens,
        }

    def close(self) -> None:
        """Let go of the model."""
        self._answerer = None

    def _loaded(self) -> Answerer:
        if self._answerer is None:
            self._answerer = answering.opened(self._wanted, self.adapter, self._base, self._say)
        return self._answerer

    def _fitting(self, contexts: Sequence[str], room: int, done: Done) -> list[int]:
        """Return the numbers of the contexts that the model can read; the others get their reply here."""
        faults = self._loaded().unreadable(contexts, room)
        for number, fault in faults.items():
            done(number, Reply("", fault))
        return [number for number in range(len(contexts)) if number not in faults]


def _place(adapter: adapters.Adapter, base: models.BaseModel, root: Path | None) -> tuple[str, str]:
    """Return where an adapter's results lie: as on the shelf, where it is asked on its own base model."""
    shelved = adapters.shelved(adapter.folder, root) if root else None
    own = (adapter.manifest or {}).get("base_model", {}).get("identity")
    if shelved and own == base.identity:
        return shelved
    other = f"_on_{_slug(base)}" if own and own != base.identity else ""
    return results.ELSEWHERE, f"{adapter.name}_{adapter.weights_sha256()[:8]}{other}"


def _slug(base: models.BaseModel) -> str:
    """Return a file name for a base model; folders of one name are told apart by their weights."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", without_folder(base.name)).strip("_").lower()
    kind, _, rest = base.identity.partition(":")
    return f"{name}_{rest[:8]}" if kind == "fingerprint" else name


def _device() -> str:
    try:
        import torch
    except ImportError:
        raise FinLoRAError(f"{NOT_INSTALLED}\nWhat to do: {INSTALL}") from None
    return "cuda" if torch.cuda.is_available() else "cpu"
