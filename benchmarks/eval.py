"""Evaluation speed: a loop over single prompts and the FinLoRA benchmark's batches against FinLoRA's engine.

All sides load the same base model and adapter in one process, ask the same prompts and are judged by the
same scorer.

    python benchmarks/eval.py
    python benchmarks/eval.py --shape 8b --device cuda      (random weights in the shape of Llama 3.1 8B)
    python benchmarks/eval.py --shape tiny --device cpu     (does the script itself work?)
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import report
from random_llama import SHAPES, WORDS, make_base

from finlora import adapters, build, builtin, inference, launch, metrics, models
from finlora.answers import Answerer
from finlora.errors import FinLoRAError
from finlora.files import write_atomic

ROOT = Path(__file__).parents[1]
RUN = "sentiment_smollm2_135m_fp16_r8"
LABELS = ("negative", "neutral", "positive")
ROWS, MANY = 300, 3000
ROUNDS = 3
BATCH, NEW_TOKENS = 8, 10
SINGLE, BATCHED, BATCHED_32 = "one prompt at a time", f"batches of {BATCH}", f"batches of {BATCH}, float32"
OURS, GENERATED = "FinLoRA, labels", "FinLoRA, generate"
ORDER = (SINGLE, BATCHED, BATCHED_32, OURS, GENERATED)
ABOUT = f"""{ROWS} rows, asked with the adapter's own prompt. Greedy, at most {NEW_TOKENS} new tokens, the
base unquantised on every side. Loading is not counted. Where there were several rounds: median and range.

- `{SINGLE}`: transformers' `generate` on each prompt, the adapter beside the weights (PEFT, not merged).
- `{BATCHED}`: the FinLoRA benchmark's loop: rows in file order, left padding, `generate`, not merged.
- `{OURS}`: `Answerer.label_scores`, the likeliest of the labels; `{GENERATED}`: `Answerer.generate`. Both as
  they come: rows by length, what prompts share read once, merged where weights are float32."""


@dataclass
class Side:
    """One way to answer.

    Args:
        answer: answers contexts.
        about: type and threads, in words.
        rounds: how often it answers all rows.
        seconds: what each round took.
        answers: those of the last round.
    """

    answer: Callable[[Sequence[str]], list[str]]
    about: str
    rounds: int
    seconds: list[float] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def measure(self, contexts: Sequence[str]) -> None:
        """Answer once."""
        started = time.perf_counter()
        self.answers = self.answer(contexts)
        self.seconds.append(time.perf_counter() - started)


def built_rows(count: int) -> tuple[list[str], list[str]]:
    """Return contexts and targets of new sentences with a sentiment."""
    made = build.Sides(*build.BUILDERS["sentiment"].build(seed=build.SEED, train_rows=1, test_rows=count))
    return [row["context"] for row in made.test], [row["target"] for row in made.test]


def random_rows(count: int) -> tuple[list[str], list[str]]:
    """Return contexts of one instruction and random words, sentence-long, and random targets."""
    chance = random.Random(0)

    def words(least: int, most: int) -> str:
        return " ".join(f"w{chance.randrange(WORDS)}" for _ in range(chance.randint(least, most)))

    start, end = words(30, 30), words(3, 3)
    return [f"{start} {words(10, 60)} {end}" for _ in range(count)], [words(1, 1) for _ in range(count)]


def plain(answerer: Answerer, size: int) -> Callable[[Sequence[str]], list[str]]:
    """Return transformers' `generate` over batches in file order, as the others use it.

    Args:
        answerer: whose model, not merged, and prompt are used.
        size: prompts of a batch.
    """
    import torch

    model, tokenizer, prompt = answerer.model, answerer.tokenizer, answerer.prompt
    tokenizer.padding_side, tokenizer.pad_token_id = "left", answerer._pad

    def answer(contexts: Sequence[str]) -> list[str]:
        found = []
        for i in range(0, len(contexts), size):
            texts = [prompt.text(context) for context in contexts[i : i + size]]
            given = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
            with torch.inference_mode():
                made = model.generate(
                    input_ids=given["input_ids"].to(model.device),
                    attention_mask=given["attention_mask"].to(model.device),
                    max_new_tokens=NEW_TOKENS,
                    do_sample=False,
                    eos_token_id=answerer._stop,
                    pad_token_id=answerer._pad,
                )
            rest = made[:, given["input_ids"].shape[1] :]
            found += [text.strip() for text in tokenizer.batch_decode(rest, skip_special_tokens=True)]
        return found

    return answer


def likeliest(answerer: Answerer, labels: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
    """Return what answers with the likeliest label."""
    return lambda contexts: [labels[row.index(max(row))] for row in answerer.label_scores(contexts, labels)]


@dataclass(frozen=True)
class Loaded:
    """The model, loaded for each side.

    Args:
        half: in 16 bits, the adapter not merged.
        whole: in float32, not merged; None on a GPU.
        ours: as FinLoRA loads it.
    """

    half: Answerer
    whole: Answerer | None
    ours: Answerer


def loaded(load: Callable[[bool], Answerer], on_gpu: bool) -> Loaded:
    """Load the model once for each side; `load` is told whether to merge."""
    import torch

    half = load(False)
    if not on_gpu:
        half.model.to(torch.float16)
    return Loaded(half, None if on_gpu else load(False), load(True))


def sides(models_: Loaded, labels: Sequence[str]) -> dict[str, Side]:
    """Return what is compared, the slow ones first."""
    ours = models_.ours
    found = {
        SINGLE: Side(plain(models_.half, 1), about(models_.half), 1),
        BATCHED: Side(plain(models_.half, BATCH), about(models_.half), 1),
        OURS: Side(likeliest(ours, labels), about(ours), ROUNDS),
        GENERATED: Side(lambda contexts: ours.generate(contexts, NEW_TOKENS), about(ours), ROUNDS),
    }
    if models_.whole:
        found[BATCHED_32] = Side(plain(models_.whole, BATCH), about(models_.whole), 1)
    return {name: found[name] for name in ORDER if name in found}


def about(answerer: Answerer) -> str:
    """Return a side's type and threads in words."""
    import torch

    parts = [str(answerer.model.dtype).removeprefix("torch.")]
    if answerer.model.device.type == "cpu":
        parts.append(str(torch.get_num_threads()))
    return ", ".join([*parts, *(["merged"] if answerer.is_merged else [])])


def measure(compared: dict[str, Side], contexts: Sequence[str]) -> None:
    """Let the sides take turns: the fast ones answer before, between and after the slow ones."""
    for side in compared.values():
        side.answer(contexts[:BATCH])
    fast = [name for name, side in compared.items() if side.rounds > 1]
    slow = [name for name in compared if name not in fast]
    for turn in range(max(ROUNDS, len(slow))):
        for name in [*(fast if turn < ROUNDS else []), *slow[turn : turn + 1]]:
            compared[name].measure(contexts)
            print(f"{name}: {compared[name].seconds[-1]:.1f} s", flush=True)


def share(answers: Sequence[str], targets: Sequence[str], labels: Sequence[str]) -> float:
    """Return the accuracy of answers."""
    judged = [
        metrics.judge("label", answer, target, labels)
        for answer, target in zip(answers, targets, strict=True)
    ]
    return statistics.mean(one.score for one in judged)


def table(compared: dict[str, Side], targets: Sequence[str], labels: Sequence[str]) -> list[list[str]]:
    """Return the lines of the report."""
    medians = {name: statistics.median(side.seconds) for name, side in compared.items()}
    lines = []
    for name, side in compared.items():
        span = f" ({min(side.seconds):.1f}-{max(side.seconds):.1f})" if len(side.seconds) > 1 else ""
        lines.append(
            [
                name,
                side.about,
                f"{medians[name]:.1f}{span}",
                f"{ROWS / medians[name]:.1f}",
                f"{medians[SINGLE] / medians[name]:.1f}",
                f"{medians[BATCHED] / medians[name]:.1f}",
                *([f"{medians[BATCHED_32] / medians[name]:.1f}"] if BATCHED_32 in compared else []),
                f"{share(side.answers, targets, labels):.1%}",
            ]
        )
    return lines


def growth(compared: dict[str, Side], rows: Callable[[int], tuple[list[str], list[str]]]) -> str:
    """Return in words how the time grows from the rows to ten times as many."""
    contexts, _ = rows(MANY)
    started = time.perf_counter()
    compared[OURS].answer(contexts)
    taken = time.perf_counter() - started
    before = statistics.median(compared[OURS].seconds)
    return f"`{OURS}` on {MANY:,} rows: {taken:.1f} s, {taken / before:.1f} times as long as on {ROWS}."


def compare(
    models_: Loaded,
    rows: Callable[[int], tuple[list[str], list[str]]],
    labels: Sequence[str],
    title: str,
    model: str,
    gpus: Sequence[str],
) -> str:
    """Measure all sides and return the page."""
    contexts, targets = rows(ROWS)
    compared = sides(models_, labels)
    measure(compared, contexts)
    words = f"{ABOUT}\n\n{model} {growth(compared, rows)}"
    columns = ["", "type, threads", "seconds", "rows/s", "times the first", "times the second"]
    columns += ["times the third"] if BATCHED_32 in compared else []
    return report.page("eval", title, words, [*columns, "accuracy"], table(compared, targets, labels), gpus)


def trained(given: str) -> adapters.Adapter:
    """Return the adapter, or end with what to type."""
    try:
        return adapters.find(given, ROOT)
    except FinLoRAError as error:
        raise SystemExit(f"{error}\nThe demo's adapter is trained by: make demo") from None


def small(given: adapters.Adapter) -> str:
    """Compare on the built-in 135M model with an adapter; return the page."""
    base = models.BaseModel(builtin.NAME, builtin.make_once(print), builtin.IDENTITY)
    models_ = loaded(
        lambda merge: inference.load(
            given, base, prompt_style=None, quant_bits=16, device="cpu", merge=merge
        ),
        on_gpu=False,
    )
    model = f"""Base: the built-in SmolLM2 135M Instruct; adapter: `{given.name}`; rows: sentences with a
sentiment, as `finlora data build sentiment` makes them, which the adapter was not trained on."""
    return compare(models_, built_rows, LABELS, "Evaluation speed", model, [])


def random_shape(shape: str, device: str) -> str:
    """Compare on a random model of a shape with a random adapter; return the page."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_base(folder / "base", SHAPES[shape], device)
        model = AutoModelForCausalLM.from_pretrained(folder / "base", device_map={"": device})
        wanted = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "k_proj", "v_proj"])
        tuned = get_peft_model(model, wanted)
        for key, weight in tuned.named_parameters():
            if "lora_B" in key:
                torch.nn.init.normal_(weight, std=0.02)
        tuned.save_pretrained(folder / "adapter")
        del model, tuned
        base = models.BaseModel(f"random {shape}", folder / "base", "random")
        given = adapters.read(folder / "adapter")
        models_ = loaded(
            lambda merge: inference.load(
                given, base, prompt_style="plain", quant_bits=16, device=device, merge=merge
            ),
            on_gpu=device == "cuda",
        )
        gpus = [torch.cuda.get_device_name()] if device == "cuda" else []
        words = f"Base: random weights in the shape `{shape}`, random adapter; its accuracy means nothing."
        return compare(
            models_, random_rows, ("w0", "w1", "w2"), "Evaluation speed, random model", words, gpus
        )


def main() -> None:
    """Measure, print the table, write it to eval.md where it is the real thing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--adapter", default=RUN, help="run name or folder; default: the demo's")
    parser.add_argument("--shape", choices=SHAPES, help="a random model in place of the 135M and its adapter")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="where to, with --shape")
    given = parser.parse_args()
    if given.shape and given.device == "cuda" and not launch.visible_gpus():
        raise SystemExit("no NVIDIA GPU here; try the script itself with: --shape tiny --device cpu")
    inference.prepare_process()
    page = random_shape(given.shape, given.device) if given.shape else small(trained(given.adapter))
    print(page)
    if not given.shape:
        write_atomic(Path(__file__).with_suffix(".md"), page)


if __name__ == "__main__":
    main()
