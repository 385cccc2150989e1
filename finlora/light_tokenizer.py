"""A base model's tokenizer without transformers: enough for `prompts` to count the tokens of a training."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finlora import model_folder
from finlora.causes import INSTALL
from finlora.errors import BaseModelError


class LightTokenizer:
    """What `prompts.Tokenizer` asks for, from tokenizer.json and tokenizer_config.json.

    Args:
        folder: holds the two files, and chat_template.jinja where the template is not in the second.

    Raises:
        BaseModelError: a file is missing or can't be read, or the package `tokenizers` is not there.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise BaseModelError(f"counting tokens needs the package tokenizers; {INSTALL}") from None
        name = str(folder)
        if not (folder / "tokenizer.json").is_file():
            raise BaseModelError(f"{name}: no tokenizer.json there")
        settings = folder / "tokenizer_config.json"
        config = model_folder.read_json(settings, name) if settings.is_file() else {}
        try:
            self._core = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # What the library raises has no better type.
        except Exception as error:
            raise BaseModelError(f"{name}: tokenizer.json can't be read: {error}") from None
        # Some programs leave these in the file, and rows would be cut or filled up.
        self._core.no_truncation()
        self._core.no_padding()
        named = {key: _text(value) for key, value in config.items() if key.endswith("_token")}
        self.bos_token = named.get("bos_token")
        self.eos_token = named.get("eos_token")
        self.pad_token = named.get("pad_token")
        self.bos_token_id = self._core.token_to_id(self.bos_token) if self.bos_token else None
        self.all_special_tokens = sorted({token for token in named.values() if token})
        self.added_tokens_decoder: dict[int, Any] = {
            number: _Token(token.content, token.special)
            for number, token in self._core.get_added_tokens_decoder().items()
        }
        template = folder / "chat_template.jinja"
        self.chat_template = template.read_text(encoding="utf-8") if template.is_file() else _template(config)
        self._variables = {key: value for key, value in named.items() if value}

    def __call__(self, text: Any, **options: Any) -> dict[str, Any]:
        """Tokenise a text or a list of texts; options as in transformers, those that `prompts` gives."""
        self._core.encode_special_tokens = bool(options.get("split_special_tokens"))
        add = bool(options.get("add_special_tokens", True))
        texts = [text] if isinstance(text, str) else list(text)
        ids = [row.ids for row in self._core.encode_batch_fast(texts, add_special_tokens=add)]
        return {"input_ids": ids[0] if isinstance(text, str) else ids}

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """Look up a token's id."""
        return self._core.token_to_id(tokens)

    def convert_ids_to_tokens(self, number: int) -> str:
        """Look up a token, as the vocabulary writes it."""
        return str(self._core.id_to_token(number))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, control tokens written out, nothing trimmed."""
        return str(self._core.decode(list(ids), skip_special_tokens=False))

    def apply_chat_template(self, conversation: Any, **options: Any) -> str:
        """Render a conversation as transformers does, in a sandbox.

        Raises:
            BaseModelError: the template can't be rendered.
        """
        from jinja2 import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        world = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        world.filters["tojson"] = lambda value, **more: json.dumps(value, ensure_ascii=False, **more)
        world.globals["raise_exception"] = _refuse
        given = {**self._variables, **options, "messages": conversation}
        given.setdefault("add_generation_prompt", False)
        try:
            return world.from_string(self.chat_template or "").render(**given)
        except (TemplateError, TypeError) as error:
            raise BaseModelError(f"the chat template can't be rendered: {error}") from None


class _Token(str):
    """An added token: its text, and whether it is a control token."""

    special: bool

    def __new__(cls, text: str, special: bool) -> "_Token":
        token = super().__new__(cls, text)
        token.special = special
        return token


def _text(value: Any) -> str | None:
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _template(config: dict[str, Any]) -> str | None:
    found = config.get("chat_template")
    if isinstance(found, list):
        found = next((entry.get("template") for entry in found if entry.get("name") == "default"), None)
    return found if isinstance(found, str) else None


def _refuse(message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError(message)
