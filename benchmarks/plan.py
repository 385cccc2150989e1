"""What `finlora plan` says, beside what the FinLoRA benchmark published: memory, parameters, hours."""

from dataclasses import dataclass
from pathlib import Path

from finlora import costs, gpus, memory, model_shapes
from finlora.memory import GIB, Batch, Tuning

BASE = "meta-llama/Llama-3.1-8B-Instruct"
QKV = ("q_proj", "k_proj", "v_proj")
# FinLoRA's documentation, `docs/source/benchmark_results/resources.rst`. NER on Llama 3.1 8B:
# (bits, rank): GB for batches of 4 and of 8.
MEMORY = {
    (16, 8): (30.91, 30.91),
    (8, 8): (11.41, 11.81),
    (4, 8): (8.26, 8.65),
    (16, 4): (30.90, 30.90),
    (8, 4): (11.40, 11.78),
    (4, 4): (8.25, 8.61),
}
# Rank: parameters of the adapter, in millions.
PARAMETERS = {8: 4.72, 4: 2.36}
# Method: (bits, rank, DoRA, hours on 4 RTX A5000).
HOURS = {
    "LoRA 8-bit r8": (8, 8, False, 14.9),
    "QLoRA 4-bit r4": (4, 4, False, 14.1),
    "DoRA 8-bit r8": (8, 8, True, 15.9),
    "rsLoRA 8-bit r8": (8, 8, False, 14.5),
}
# Characters / 4 of the mean row of the NER test file: Llama 3.1's tokenizer is gated.
NER_TOKENS, ANSWER_TOKENS = 153, 3
GPUS = 4
TRAINED_SHARE = 0.98


@dataclass(frozen=True)
class Task:
    """Training rows of one task of the benchmark, as its documentation, code and adapters tell them.

    Args:
        rows: of the training file, repeated ones among them.
        tokens: of a mean row.
        epochs: as its config says.
    """

    rows: int
    tokens: int
    epochs: int


SENTIMENT = (Task(21_804, 63, 4), Task(15_750, 49, 4), Task(19_086, 53, 4), Task(16_184, 95, 4))
FINER = (Task(9_995, 1952, 4),)
OTHERS = (
    Task(82_200, 53, 4),  # headline
    Task(13_549, NER_TOKENS, 4),
    *FINER,
    Task(5_856, 29, 1),  # XBRL term
    Task(8_661, 3300, 1),  # XBRL extraction, without the rows over 4,096 tokens
    Task(800, 123, 1),  # financial maths
    Task(86, 858, 4),  # FinanceBench
    Task(180, 181, 4),  # CFA, levels 1 to 3
    Task(88, 1000, 4),
    Task(80, 961, 4),
    Task(124, 147, 4),  # CPA
)
SCOPES = {"all tasks": SENTIMENT + OTHERS, "FiNER alone": FINER, "sentiment alone": SENTIMENT}

WORDS = """\
Published figures of the FinLoRA benchmark (`docs/source/benchmark_results/resources.rst` of its
repository) beside what the formulas of `finlora plan` give. Nothing was trained for this page, and no
constant is fitted to these figures. Error: ours over the published figure, less one; for hours, of our
fewest and our most.

The 4- and 8-bit rows are held to 15% by `tests/test_memory.py`.

**Ours is the larger of two moments**, loading the base model and training on it. For rows as short as
these it is loading, so ours does not grow with the batch, and the published rows do, by 0.4 from 4 rows
to 8. The lines "in training" are the other moment. They lie 19 to 29% below what was published, and
grow by 0.54 or so. So that ours comes out so near is no proof of the formulas: the benchmark was
trained with another version of Axolotl, and nobody knows which moment its table shows. What would
explain it: embedding, output layer and norms staying in float32 while training, as PEFT's preparation
for quantised bases leaves them. That is 1.96 GiB more, and the training lines would be within 2 to 5%.
We did not check it.

**We doubt the 16-bit rows.** They do not change with the batch, while the 8- and 4-bit rows of the same
table do, so they can't be peaks of training as those seem to be. The weights take 15.0 GiB; 30.9 is
about twice that, as if the whole model had stood there in float32 (29.9 GiB) for a moment. This FinLoRA
does not do that, and `finlora plan` does not follow them.

**Nobody knows which tasks the hours cover.** The documentation does not say. We take every task of the
benchmark, trained once, because the table stands for the whole benchmark. Ours are then too many: only
the 4-bit figure lies within our range, close to our fewest hours, and the 8-bit ones lie below it. The
slowdown of 2 that we take for 8 bits may be too much here: the published 8-bit training takes 1.06
times as long as the 4-bit one, ours 1.33 times. FiNER or sentiment alone are below, to show how much
hangs on this; that FiNER alone fits is no reason to take it.

Assumed for memory:

- the table's GB are GiB: only so does the difference between its 8- and 4-bit rows come out, to 0.01
- it shows what PyTorch allocated, so ours is without the CUDA context (0.5 GiB)
- rows of 153 tokens: characters / 4 of the mean row of the public NER test file, as Llama 3.1's
  tokenizer is gated; all rows alike, no padding
- answers of 3 tokens, each at a place of its own; logits at the answers alone, as this FinLoRA computes
  them
- float32 Adam states, although the benchmark's 8-bit optimiser has smaller ones: 0.03 GiB at most
- one GPU, no DeepSpeed, bfloat16, gradient checkpointing, dropout; query, key and value matrices

Assumed for hours:

- rows as the benchmark's files, code and adapter logs tell them, 2% held out; epochs as its configs say
- tokens of a mean row: characters / 4 of the public files; too few for rows full of numbers. Headline's
  rows were not seen: taken to be as long as those of TFNS. CFA and CPA: as documented
- XBRL extraction: the 8,661 rows within 4,096 tokens, of 3,300 tokens
- all rows of a task alike, no padding; answers of 3 tokens
- 4 RTX A5000 of 111.1 TFLOPS that lose nothing by working together, at 10-22% of that with 8 bits and
  13-30% with 4 bits (`finlora/costs.py`); no start-up, no held-out losses
- rsLoRA computes what LoRA does"""


def hours(shape: model_shapes.ModelShape, tuning: Tuning, tasks: tuple[Task, ...]) -> tuple[float, float]:
    """Return the fewest and the most hours of training on each task once."""
    seen = [(TRAINED_SHARE * task.rows * task.epochs, task.tokens) for task in tasks]
    work = costs.Work(
        tokens=sum(rows * tokens for rows, tokens in seen),
        squares=sum(rows * tokens**2 for rows, tokens in seen),
        positions=ANSWER_TOKENS * sum(rows for rows, _ in seen),
    )
    flops = costs.training_flops(shape, tuning, work)
    return costs.hours(flops, gpus.find("a5000").tflops, GPUS, tuning.quant_bits)


def error(ours: float, published: float) -> float:
    """Return how far ours is above what was published, as a share of that."""
    return ours / published - 1


def memory_gib(shape: model_shapes.ModelShape, bits: int, rank: int, rows: int) -> tuple[float, ...]:
    """Return GiB of a published setting without the CUDA context: the peak, and while training."""
    batch = Batch(rows, NER_TOKENS, rows * ANSWER_TOKENS)
    tuning = Tuning(bits, rank, shape.targets(QKV))
    found = memory.gpu_memory(shape, tuning, batch)
    return tuple((moment - memory.overhead()) / GIB for moment in (found.peak, found.training))


def table(shape: model_shapes.ModelShape) -> list[list[str]]:
    """Return the lines of the page's table."""
    lines = []
    for (bits, rank), both in MEMORY.items():
        for rows, published in zip((4, 8), both, strict=True):
            doubt = " (doubted)" if bits == 16 else ""
            name = f"GiB, r{rank} {bits}-bit, batch {rows}"
            moments = zip(("", ", in training"), memory_gib(shape, bits, rank, rows), strict=True)
            for moment, ours in moments:
                shown = [f"{published:.2f}", f"{ours:.2f}", f"{error(ours, published):+.1%}"]
                lines.append([name + moment + doubt, *shown])
    for rank, millions in PARAMETERS.items():
        count = memory.trainable_parameters(shape, Tuning(8, rank, shape.targets(QKV))) / 1e6
        name = f"trained parameters, r{rank}: millions"
        lines.append([name, f"{millions:.2f}", f"{count:.2f}", f"{error(count, millions):+.1%}"])
    for scope, tasks in SCOPES.items():
        for method, (bits, rank, dora, published) in HOURS.items():
            low, high = hours(shape, Tuning(bits, rank, shape.targets(QKV), dora=dora), tasks)
            errors = f"{error(low, published):+.0%} to {error(high, published):+.0%}"
            lines.append(
                [f"hours, {method}, {scope}", f"{published:.1f}", f"{low:.1f} to {high:.1f}", errors]
            )
    return lines


def main() -> None:
    """Compute, print the table, write it to plan.md."""
    import report

    shape = model_shapes.shape_of(model_shapes.config_of(BASE, Path())[0], BASE)
    report.write("plan", "The plan against published figures", WORDS, COLUMNS, table(shape))


COLUMNS = ("figure", "published", "ours", "error")

if __name__ == "__main__":
    main()
