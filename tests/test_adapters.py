"""The shelf: finding and checking adapters, publishing them whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from finlora import adapters
from finlora.errors import AdapterError, FinLoRAError, UsageError
from tests.conftest import write_adapter

FILES = ["adapter_config.json", "adapter_model.safetensors", "finlora.json"]
MANIFEST = {"run_name": "a", "variant": "8bits_r8"}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def tree(root):
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }


@pytest.fixture
def trained(tmp_path):
    """What Axolotl leaves: the adapter among much else."""
    folder = write_adapter(tmp_path / "trained", base="/home/somebody/models/base")
    for name in ("README.md", "tokenizer.json", "debug.log", "training_args.bin", "optimizer.pt"):
        (folder / name).write_text("/home/somebody")
    (folder / "checkpoint-5").mkdir()
    return folder


@pytest.fixture
def place(tmp_path):
    return adapters.place(tmp_path / "project", "8bits_r8", "a")


def test_the_place_of_an_adapter(tmp_path):
    assert adapters.place(tmp_path, "8bits_r8", "a") == tmp_path / "lora_adapters" / "8bits_r8" / "a"


def test_three_files_are_published_and_no_folder_of_this_machine(trained, place):
    adapter = adapters.publish(trained, place, MANIFEST, "meta-llama/Llama-3.1-8B-Instruct")
    assert names(place) == FILES
    assert adapter == adapters.read(place)
    assert adapter.name == "a"
    assert adapter.manifest == {"schema": 1, **MANIFEST, "weights_sha256": adapter.weights_sha256()}
    assert adapter.peft["base_model_name_or_path"] == "meta-llama/Llama-3.1-8B-Instruct"
    assert adapter.peft["r"] == 8
    assert (place / "adapter_model.safetensors").read_bytes() == b"weights of trained"
    assert not any(b"/home" in path.read_bytes() for path in place.iterdir())
    assert names(place.parent) == ["a"]


def test_a_new_adapter_takes_the_place_of_the_old(trained, place):
    write_adapter(place, manifest={"schema": 1, "old": True})
    (place / "more.txt").write_text("x")
    adapters.publish(trained, place, MANIFEST, "b")
    assert names(place) == FILES
    assert (place / "adapter_model.safetensors").read_bytes() == b"weights of trained"
    assert names(place.parent) == ["a"]


def test_what_training_did_not_finish_is_not_published(trained, place):
    write_adapter(place)
    before = tree(place.parent)
    (trained / "adapter_model.safetensors").unlink()
    with pytest.raises(AdapterError, match=r"adapter_model\.safetensors missing; found: README\.md"):
        adapters.publish(trained, place, MANIFEST, "b")
    assert tree(place.parent) == before


def test_a_file_in_the_shelfs_place_is_named(trained, tmp_path, place):
    place.parents[2].mkdir()
    place.parents[1].write_text("x")
    with pytest.raises(FinLoRAError, match="the adapter can't be published: Not a directory"):
        adapters.publish(trained, place, MANIFEST, "b")
    assert place.parents[1].read_text() == "x"


# Run in a process of its own, as the limit can't be lifted again: no file may grow past 64 KiB.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from finlora import adapters
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
adapters.publish(Path(sys.argv[1]), Path(sys.argv[2]), {"fill": sys.argv[3]}, "b")
"""


@pytest.mark.parametrize("large", ["weights", "manifest"])
def test_a_full_disk_leaves_the_old_adapter_and_nothing_else(trained, place, large):
    write_adapter(place, manifest={"schema": 1})
    before = tree(place.parent)
    if large == "weights":
        (trained / "adapter_model.safetensors").write_bytes(bytes(100_000))
    fill = "x" * (100_000 if large == "manifest" else 1)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, trained, place, fill], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "FinLoRAError" in done.stderr
    assert done.stderr.rstrip().endswith("File too large")
    assert tree(place.parent) == before


# Ends without a word at the n-th rename or removal of a folder, as a power cut would.
CUT = """
import os, shutil, sys
from pathlib import Path
from finlora import adapters
left = int(sys.argv[3])
def counted(do):
    def step(*given, **named):
        global left
        if left == 0:
            os._exit(9)
        left -= 1
        return do(*given, **named)
    return step
Path.rename = counted(Path.rename)
adapters.shutil.rmtree = counted(shutil.rmtree)
adapters.shutil.copyfile = counted(shutil.copyfile)
adapters.publish(Path(sys.argv[1]), Path(sys.argv[2]), {"new": True}, "b")
"""


def test_a_cut_at_any_step_leaves_one_whole_adapter(trained, place):
    """However far the swap came, the next reader finds the old or the new adapter, whole, and clears up."""
    seen = []
    for step in range(20):
        subprocess.run(["rm", "-rf", place.parent], check=True)
        write_adapter(place, manifest={"schema": 1, "new": False})
        done = subprocess.run([sys.executable, "-c", CUT, trained, place, str(step)], check=False)
        assert adapters.on_shelf(place.parents[2]) == [place]
        seen.append((adapters.read(place).manifest or {})["new"])
        assert names(place) == FILES
        assert not [name for name in names(place.parent) if name.endswith(".old")]
        if done.returncode == 0:
            break
        assert done.returncode == 9
    assert seen == sorted(seen)
    assert len(seen) >= 6
    assert seen[0] is False
    assert seen[-1] is True


def test_a_swap_that_fails_half_way_brings_the_old_adapter_back(trained, place, monkeypatch):
    write_adapter(place, manifest={"schema": 1})
    before = tree(place.parent)
    rename = Path.rename

    def full(path, target):
        if path.name == ".a.new":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(FinLoRAError, match="the adapter can't be published: No space left on device"):
        adapters.publish(trained, place, MANIFEST, "b")
    assert tree(place.parent) == before


@pytest.mark.parametrize("reader", ["read", "shelf", "find"])
def test_every_reader_mends_a_swap(tmp_path, place, reader):
    write_adapter(place.with_name(".a.old"))
    write_adapter(place.with_name(".a.new"))
    root = place.parents[2]
    if reader == "read":
        adapters.read(place)
    elif reader == "shelf":
        assert adapters.on_shelf(root) == [place]
    else:
        assert adapters.find("a", root).folder == place
    assert names(place.parent) == [".a.new", "a"]
    assert (place / "adapter_model.safetensors").read_bytes() == b"weights of .a.old"


@pytest.mark.parametrize("swapped", [False, True])
def test_what_a_cut_publish_left_does_not_disturb_the_next(trained, place, swapped):
    write_adapter(place.with_name(".a.old"))
    if swapped:
        write_adapter(place)
    write_adapter(place.with_name(".a.new"))
    (place.with_name(".a.new") / "rubbish").write_text("x")
    adapters.publish(trained, place, MANIFEST, "b")
    assert names(place.parent) == ["a"]
    assert names(place) == FILES


def test_finding_by_folder_and_by_name(tmp_path, place, monkeypatch):
    root = place.parents[2]
    write_adapter(place)
    assert adapters.find(str(place), None).folder == place
    assert adapters.find("a", root).folder == place
    monkeypatch.chdir(place)
    assert adapters.find(".", None).name == "a"
    monkeypatch.setenv("HOME", str(place.parent))
    assert adapters.find("~/a", None).folder == place


def test_not_finding_names_what_is_near(place, clean_environment):
    root = place.parents[2]
    write_adapter(place.with_name("sentiment_llama"))
    with pytest.raises(UsageError) as fault:
        adapters.find("sentiment_lama", root)
    assert str(fault.value) == (
        f"no adapter 'sentiment_lama' on the shelf {root / 'lora_adapters'}, "
        "did you mean 'sentiment_llama'?\n"
        "Train it with: finlora finetune sentiment_lama"
    )
    with pytest.raises(UsageError, match=r"no adapter 'sentiment_lama' \(no project here\)"):
        adapters.find("sentiment_lama", None)


def test_one_name_in_two_variants_asks_for_the_variant(place):
    root = place.parents[2]
    other = adapters.place(root, "4bits_r4", "a")
    write_adapter(place)
    write_adapter(other)
    with pytest.raises(UsageError) as fault:
        adapters.find("a", root)
    both = f"{other.parent.name}/a or {place.parent.name}/a"
    assert str(fault.value) == f"several adapters are called 'a'; name the variant too: {both}"
    assert adapters.find("4bits_r4/a", root).folder == other
    assert adapters.find(f"{place.parent.name}/a", root).folder == place


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fp16_r8_fed/aa", ", did you mean 'fp16_r8_fed/a'?\nTrain it with: finlora federate aa"),
        ("fp16_r8/a", ", did you mean 'fp16_r8_fed/a'?\nTrain it with: finlora finetune a"),
    ],
)
def test_a_variant_that_is_not_there(tmp_path, name, said):
    write_adapter(adapters.place(tmp_path, "fp16_r8_fed", "a"))
    with pytest.raises(UsageError) as fault:
        adapters.find(name, tmp_path)
    assert str(fault.value) == f"no adapter '{name}' on the shelf {tmp_path / 'lora_adapters'}{said}"


def test_what_to_type_for_an_adapter_finds_it_again(tmp_path, place):
    root = place.parents[2]
    write_adapter(place)
    assert adapters.typed(place, root) == "a"
    write_adapter(adapters.place(root, "fp16_r8_fed", "a"))
    elsewhere = write_adapter(tmp_path / "b")
    for folder, typed in (
        (place, f"{place.parent.name}/a"),
        (adapters.place(root, "fp16_r8_fed", "a"), "fp16_r8_fed/a"),
        (elsewhere, str(elsewhere)),
    ):
        assert adapters.typed(folder, root) == typed
        assert adapters.find(typed, root).folder == folder
    assert adapters.typed(place, None) == str(place)


def test_a_folder_that_is_there_goes_before_a_variant_on_the_shelf(tmp_path, place, monkeypatch):
    write_adapter(place)
    here = write_adapter(tmp_path / "here" / place.parent.name / "a")
    monkeypatch.chdir(tmp_path / "here")
    assert adapters.find(f"{place.parent.name}/a", place.parents[2]).folder.resolve() == here


def test_the_shelf_by_variant_and_name(tmp_path):
    for variant, name in (("8bits_r8", "b"), ("8bits_r8", "a"), ("4bits_r4", "c")):
        write_adapter(adapters.place(tmp_path, variant, name))
    write_adapter(adapters.place(tmp_path, "8bits_r8", ".x.new"))
    adapters.place(tmp_path, "8bits_r8", "empty").mkdir()
    (tmp_path / "lora_adapters" / "README.md").write_text("x")
    found = [str(path.relative_to(tmp_path)) for path in adapters.on_shelf(tmp_path)]
    assert found == [f"lora_adapters/{p}" for p in ("4bits_r4/c", "8bits_r8/a", "8bits_r8/b")]
    assert adapters.on_shelf(tmp_path / "nowhere") == []


def corrupt(folder, name, content):
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("finlora.json", b"{", r"finlora\.json: can't be read: "),
        ("finlora.json", b"\xff", r"finlora\.json: can't be read: "),
        ("finlora.json", b"[]", r"finlora\.json: must be a JSON object"),
        ("finlora.json", b"{}", r"finlora\.json: schema None; this FinLoRA reads schema 1"),
        ("finlora.json", b'{"schema": 2}', r"finlora\.json: schema 2; this FinLoRA reads schema 1"),
        ("adapter_config.json", b"", r"adapter_config\.json: can't be read: "),
        ("adapter_config.json", b"3", r"adapter_config\.json: must be a JSON object"),
    ],
)
def test_a_damaged_adapter(tmp_path, name, content, message):
    corrupt(write_adapter(tmp_path / "a", manifest={"schema": 1}), name, content)
    with pytest.raises(AdapterError, match=message):
        adapters.read(tmp_path / "a")


def test_a_bare_peft_adapter_has_no_manifest(tmp_path):
    assert adapters.read(write_adapter(tmp_path / "a")).manifest is None


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.pt", "adapter_model.pth"])
def test_pickles_are_refused_and_never_opened(tmp_path, name):
    folder = write_adapter(tmp_path / "a")
    (folder / "adapter_model.safetensors").rename(folder / name)
    with pytest.raises(AdapterError, match="weights as pickle can run code when loaded"):
        adapters.read(folder)


def test_safetensors_beside_a_pickle_are_read(tmp_path):
    folder = write_adapter(tmp_path / "a")
    (folder / "adapter_model.bin").write_bytes(b"x")
    assert adapters.read(folder).folder == folder


def test_folders_that_are_no_adapter(tmp_path, monkeypatch):
    with pytest.raises(AdapterError, match="no such adapter folder"):
        adapters.read(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        AdapterError, match=r"adapter_config\.json and adapter_model\.safetensors missing; found: nothing"
    ):
        adapters.read(tmp_path / "empty")
    (tmp_path / "empty" / "x").write_text("")
    with pytest.raises(AdapterError, match="missing; found: x"):
        adapters.read(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(AdapterError, match="no such adapter folder"):
        adapters.find(str(tmp_path / "file"), None)
    monkeypatch.chdir("/")
    with pytest.raises(AdapterError, match="not an adapter"):
        adapters.find(".", None)
