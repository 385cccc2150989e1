"""What a report is made from: every kept result of a project, and every adapter on its shelf."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finlora import adapters, forgetting, manifest_shape, results
from finlora.adapters import Adapter
from finlora.errors import FinLoRAError
from finlora.forgetting import Forgetting
from finlora.results import Result
from finlora.shelf import in_a_word

# What tells one respondent from another that was scored under the same name.
_IDENTITY = (
    *("kind", "adapter_sha256", "base_model", "base_identity", "quant_bits", "prompt_style"),
    *("url", "model"),
)
# Whether an adapter's weights are those on the shelf.
CURRENT, REPLACED, GONE, ELSEWHERE = "current", "replaced", "gone", "elsewhere"


@dataclass(frozen=True)
class Respondent:
    """Somebody who was scored: one column of the tables.

    Args:
        name: what tables call it; no two have the same.
        kind: adapter, base or endpoint.
        place: folder and name below `results/`.
        base_model: of an adapter or a base.
        weights: of an adapter: `current`, `replaced` by others of that name, `gone` from the shelf, or
            `elsewhere` than on it; None for who is no adapter.
        adapter_sha256: digest of an adapter's weights.
        facts: who it is, as its results say.
    """

    name: str
    kind: str
    place: tuple[str, str]
    base_model: str | None
    weights: str | None
    adapter_sha256: str | None
    facts: Mapping[str, Any] = field(hash=False, compare=False)


@dataclass(frozen=True)
class Entry:
    """One kept result.

    Args:
        path: below `results/`.
        who: answered.
        result: as kept.
    """

    path: str
    who: Respondent
    result: Result

    @property
    def as_published(self) -> bool:
        """Whether the rows are the published ones, faults included."""
        return "as_published" in self.result.dataset

    @property
    def apart(self) -> tuple[str, ...]:
        """Why the score can't stand among the full ones, in words; empty where it can."""
        reasons = {
            "the benchmark's scorer": self.result.scorer == "reference",
            "data as published": self.as_published,
            f"{self.result.limit} rows drawn": self.result.limit is not None,
            "weights replaced since": self.who.weights == REPLACED,
        }
        return tuple(reason for reason, holds in reasons.items() if holds)


@dataclass(frozen=True)
class Trained:
    """An adapter on the shelf.

    Args:
        name: its run; with the variant where another has the same.
        variant: of the method.
        run: its folder's name.
        bytes: size of its weights.
        manifest: how it was trained; None where that is not known whole.
    """

    name: str
    variant: str
    run: str
    bytes: int
    manifest: Mapping[str, Any] | None


@dataclass(frozen=True)
class Found:
    """All that lies in a project.

    Args:
        entries: the results, by respondent and task.
        trained: the adapters on the shelf that can be read.
        forgotten: general benchmarks, by adapter and task.
        damaged: file or folder, and what is wrong with it.
    """

    entries: tuple[Entry, ...]
    trained: tuple[Trained, ...]
    forgotten: tuple[Forgetting, ...]
    damaged: tuple[tuple[str, str], ...]


def gather(root: Path) -> Found:
    """Read all results and all manifests of a project; what is damaged is named and left out.

    Args:
        root: the project.
    """
    damaged: list[tuple[str, str]] = []
    shelf = _shelf(root, damaged)
    kept = _kept(root, damaged)
    # Weights may be large: they are read only where the manifest has no digest of them.
    digests = {
        place: (shelf[place].manifest or {}).get(adapters.DIGEST) or shelf[place].weights_sha256()
        for place in {place for place, _, _ in kept} & shelf.keys()
    }
    who = _respondents(kept, digests)
    entries = [Entry(path, who[_key(place, result)], result) for place, path, result in kept]
    return Found(
        entries=tuple(sorted(entries, key=lambda entry: (entry.who.name, entry.path))),
        trained=_trained(shelf, damaged),
        forgotten=_forgotten(root, damaged),
        damaged=tuple(damaged),
    )


def _forgotten(root: Path, damaged: list[tuple[str, str]]) -> tuple[Forgetting, ...]:
    found = []
    for path in forgetting.files(root):
        try:
            found.append(forgetting.read(path))
        except FinLoRAError as error:
            damaged.append((path.relative_to(root).as_posix(), in_a_word(error, path)))
    return tuple(found)


def _shelf(root: Path, damaged: list[tuple[str, str]]) -> dict[tuple[str, str], Adapter]:
    found = {}
    for folder in adapters.places(root):
        try:
            found[folder.parent.name, folder.name] = adapters.read(folder)
        except (FinLoRAError, OSError) as error:
            damaged.append((folder.relative_to(root).as_posix(), in_a_word(error, folder)))
    return found


def _kept(root: Path, damaged: list[tuple[str, str]]) -> list[tuple[tuple[str, str], str, Result]]:
    """Return place, path below `results/` and content of every result that can be read."""
    top = root / results.FOLDER
    found = []
    for folder in sorted(top.glob("[!.]*/[!.]*")):
        for path in results.files(folder):
            name = path.relative_to(top).as_posix()
            try:
                result = results.read(path)
            except FinLoRAError as error:
                fault = in_a_word(error, path).replace(f"{top}/", "")
                damaged.append((f"{results.FOLDER}/{name}", fault))
                continue
            if impossible := _fault(result):
                damaged.append((f"{results.FOLDER}/{name}", impossible))
            else:
                found.append(((folder.parent.name, folder.name), name, result))
    return found


def _fault(result: Result) -> str | None:
    """Return what no scoring can have come to, which a report would show as a score."""
    low, high = result.interval
    shares = [
        result.score,
        low,
        high,
        result.unparsed,
        *filter(None, [result.majority, *result.also.values()]),
    ]
    if not all(0 <= share <= 1 for share in shares) or low > high or result.errors > result.rows:
        return "holds shares that are not between 0 and 1, or an interval upside down"
    against = result.against
    if against and not all(-1 <= share <= 1 for share in (against["difference"], *against["interval"])):
        return "against holds a difference that is not between -1 and 1"
    return None


def _key(place: tuple[str, str], result: Result) -> tuple[Any, ...]:
    return (*place, *(repr(result.respondent.get(key)) for key in _IDENTITY))


def _respondents(
    kept: list[tuple[tuple[str, str], str, Result]], digests: Mapping[tuple[str, str], Any]
) -> dict[tuple[Any, ...], Respondent]:
    """Return everybody who was scored, each with a name of its own."""
    found: dict[tuple[Any, ...], Respondent] = {}
    for place, _, result in kept:
        facts = result.respondent
        is_adapter = facts["kind"] == "adapter"
        found.setdefault(
            _key(place, result),
            Respondent(
                name=facts["name"] or place[1],
                kind=facts["kind"],
                place=place,
                base_model=facts.get("base_model"),
                weights=_weights(place, result.adapter_sha256, digests) if is_adapter else None,
                adapter_sha256=result.adapter_sha256,
                facts=facts,
            ),
        )
    return dict(zip(found, _distinct(list(found.values())), strict=True))


def _weights(place: tuple[str, str], digest: str | None, digests: Mapping[tuple[str, str], Any]) -> str:
    if place[0] == results.ELSEWHERE:
        return ELSEWHERE
    if place not in digests:
        return GONE
    return CURRENT if digests[place] == digest else REPLACED


def _distinct(everybody: list[Respondent]) -> list[Respondent]:
    """Return everybody with names that no two share; who has one alone keeps it, unless of old weights."""

    def digest(who: Respondent) -> str:
        return f"weights {(who.adapter_sha256 or 'unknown')[:8]}"

    named = [f"{who.name}, {digest(who)}" if who.weights == REPLACED else who.name for who in everybody]
    additions: list[Callable[[Respondent, int], str]] = [
        lambda who, number: who.place[0] if who.kind == "adapter" else who.place[1],
        lambda who, number: digest(who),
        lambda who, number: f"#{number}",
    ]
    for addition in additions:
        groups: dict[str, list[int]] = {}
        for i, name in enumerate(named):
            groups.setdefault(name, []).append(i)
        for same in groups.values():
            added = [addition(everybody[i], i + 1) for i in same]
            if len(same) > 1 and len(set(added)) > 1:
                for i, words in zip(same, added, strict=True):
                    named[i] = f"{named[i]} ({words})"
    return [replace(who, name=name) for who, name in zip(everybody, named, strict=True)]


def _trained(shelf: Mapping[tuple[str, str], Adapter], damaged: list[tuple[str, str]]) -> tuple[Trained, ...]:
    names = Counter(run for _, run in shelf)
    found = []
    for (variant, run), adapter in shelf.items():
        manifest = adapter.manifest
        faults = manifest_shape.faults(manifest) if manifest is not None else []
        if faults:
            where = f"{adapters.SHELF}/{variant}/{run}/{adapters.MANIFEST}"
            damaged.append((where, f"{', '.join(faults)} missing or damaged"))
        name = run if names[run] == 1 else f"{variant}/{run}"
        size = (adapter.folder / adapters.WEIGHTS).stat().st_size
        found.append(Trained(name, variant, run, size, None if faults else manifest))
    return tuple(found)
