"""Readers of data files: what they give, and the many ways a file can be no such thing."""

import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pytest
from pyarrow import parquet

from finlora import archives, sheets, tables
from finlora.errors import DataError

HTML = b"<!DOCTYPE html>\n<html><body>Sign in</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
PICKLE = b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."


def parquet_bytes(table: Any = None) -> bytes:
    out = io.BytesIO()
    rows = pyarrow.table({"text": ["a", "b", None], "label": [1, 2, 3]}) if table is None else table
    parquet.write_table(rows, out)
    return out.getvalue()


def xlsx_bytes(rows: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(workbook: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """Pack a workbook again, each part changed; None leaves it out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return out.getvalue()


def zip_bytes(members: dict[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content, method)
    return out.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def flagged(archive: bytes, bit: int) -> bytes:
    """Set a flag of the only member, in both of its headers."""
    content = bytearray(archive)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.index(magic) + offset
        content[place] |= bit
    return bytes(content)


def with_method(archive: bytes, method: int) -> bytes:
    content = bytearray(archive)
    for magic, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", content, content.index(magic) + offset, method)
    return bytes(content)


def damaged(archive: bytes) -> bytes:
    content = bytearray(archive)
    content[50] ^= 0xFF
    return bytes(content)


CSV = b"text,label\na,1\n"
BOOK = xlsx_bytes([["text", "label"], ["a", 1]])
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
TWICE = parquet_bytes(pyarrow.table([[1], [2]], names=["text", "text"]))
NOT_UTF8 = parquet_bytes(
    pyarrow.table({"text": pyarrow.array([b"a", b"\xff"]).cast(pyarrow.binary()).view(pyarrow.utf8())})
)

# Name of the case: file, its content, words of the message.
BAD: dict[str, tuple[str, bytes, str]] = {
    "csv: empty": ("x.csv", b"", "x.csv: is empty"),
    "csv: header only": ("x.csv", b"text,label\n", "x.csv: holds no record"),
    "csv: blank lines only": ("x.csv", b"\n\n", "holds no record"),
    "csv: a row too short": ("x.csv", CSV + b"b\n", "x.csv:3: 1 fields; the first row has 2"),
    "csv: a row too long": ("x.csv", CSV + b"b,2,3\n", "x.csv:3: 3 fields"),
    "csv: two bad rows": ("x.csv", b"a,b\n1\n1,2\n1\n", "2 problems"),
    "csv: a column twice": ("x.csv", b"text,text\na,1\n", "x.csv:1: more than one column is called text"),
    "csv: a column without a name": ("x.csv", b"text,,c\na,1,2\n", "x.csv:1: column 2 has no name"),
    "csv: invalid UTF-8": ("x.csv", CSV + b"caf\xe9,1\n", "x.csv:3:4: not UTF-8 text"),
    "csv: UTF-16": ("x.csv", CSV.decode().encode("utf-16"), "is UTF-16 text"),
    "csv: a zero byte": ("x.csv", CSV + b"b\0,1\n", "x.csv:3:2: a zero byte"),
    "csv: a quote never closed": ("x.csv", CSV + b'"b,1\n', "x.csv:3: not CSV: unexpected end of data"),
    "csv: text behind a quote": ("x.csv", CSV + b'"b"c,1\n', "x.csv:3: not CSV"),
    "csv: a huge line": (
        "x.csv",
        CSV + b"b" * (tables.LINE_LIMIT + 1) + b",1\n",
        "x.csv:3: a line of more than",
    ),
    "csv: a web page": ("x.csv", b"\n  <HTML>", "is a web page, not data"),
    "csv: an LFS pointer": ("x.csv", POINTER, "is a Git LFS pointer"),
    "csv: a zip": ("x.csv", zip_bytes({"a": b"x"}), "is a zip archive or workbook, not CSV text"),
    "csv: a gzip": ("x.csv", b"\x1f\x8b\x08\x00", "is a gzip file, not CSV text"),
    "csv: a parquet": ("x.csv", parquet_bytes(), "is a Parquet file, not CSV text"),
    "csv: a pickle": ("x.csv", PICKLE, "x.csv:1:5: a zero byte"),
    "tsv: a row too short": ("x.tsv", b"a\tb\n1\n", "x.tsv:2: 1 fields"),
    "jsonl: no JSON": ("x.jsonl", b'{"a": 1}\n{"a": }\n', "x.jsonl:2: not JSON: Expecting value"),
    "jsonl: cut off": ("x.jsonl", b'{"a": 1}\n{"a": "b', "x.jsonl:2: not JSON"),
    "jsonl: no object": ("x.jsonl", b'{"a": 1}\n[1]\n', "x.jsonl:2: a record is a JSON object"),
    "jsonl: an empty object": ("x.jsonl", b"{}\n", "x.jsonl:1: a record is a JSON object"),
    "jsonl: other columns": ("x.jsonl", b'{"a": 1}\n{"b": 1}\n', "x.jsonl:2: columns differ"),
    "jsonl: mixed types": (
        "x.jsonl",
        b'{"a": "x"}\n{"a": null}\n{"a": 1}\n',
        "x.jsonl:3: 'a' is a number, and text in earlier records",
    ),
    "jsonl: a key twice": ("x.jsonl", b'{"a": 1, "a": 2}\n', "x.jsonl:1: not JSON: the same key twice"),
    "jsonl: NaN": ("x.jsonl", b'{"a": NaN}\n', "x.jsonl:1: not JSON: NaN, which JSON has not"),
    "jsonl: half a character": ("x.jsonl", b'{"a": "\\ud800"}\n', "x.jsonl:1: 'a' holds half a character"),
    "jsonl: nested deeply": ("x.jsonl", b'{"a": ' + b"[" * 100_000 + b"\n", "x.jsonl:1: nested too deeply"),
    "jsonl: a huge number": ("x.jsonl", b'{"a": ' + b"9" * 5000 + b"}\n", "x.jsonl:1: not JSON"),
    "jsonl: invalid UTF-8": ("x.jsonl", b'{"a": "\xff"}\n', "x.jsonl:1:8: not UTF-8 text"),
    "json: an object": ("x.json", b'{"a": 1}', "x.json:1: must be a list of objects"),
    "json: an empty list": ("x.json", b"[]", "x.json: holds no record"),
    "json: cut off": ("x.json", b'[{"a": 1},\n{"a"', "x.json:2:5: not JSON"),
    "json: a text in the list": ("x.json", b'[{"a": 1}, "b"]', "x.json:2: a record is a JSON object"),
    "json: mixed types": ("x.json", b'[{"a": 1}, {"a": [1]}]', "x.json:2: 'a' is a list, and a number"),
    "json: nested deeply": ("x.json", b"[" * 100_000, "nested too deeply"),
    "parquet: text": ("x.parquet", CSV, "is something else, not a Parquet file"),
    "parquet: an LFS pointer": ("x.parquet", POINTER, "is a Git LFS pointer"),
    "parquet: a web page": ("x.parquet", HTML, "is a web page"),
    "parquet: cut off": ("x.parquet", parquet_bytes()[:-9], "is no whole Parquet file"),
    "parquet: the head alone": ("x.parquet", b"PAR1", "is no whole Parquet file"),
    "parquet: garbled": ("x.parquet", parquet_bytes()[:60] + bytes(40) + parquet_bytes()[100:], "x.parquet"),
    "parquet: a column twice": ("x.parquet", TWICE, "text"),
    "parquet: text that is no UTF-8": ("x.parquet", NOT_UTF8, "is no whole Parquet file: "),
    "parquet: no rows": ("x.parquet", parquet_bytes(pyarrow.table({"a": []})), "holds no record"),
    "xlsx: text": ("x.xlsx", CSV, "is something else, not a zip archive or workbook"),
    "xlsx: another zip": ("x.xlsx", zip_bytes({"a.txt": b"x"}), "is no workbook"),
    "xlsx: cut off": ("x.xlsx", BOOK[:-30], "is no whole zip archive"),
    "xlsx: an empty sheet": ("x.xlsx", xlsx_bytes([]), "x.xlsx"),
    "xlsx: a header alone": ("x.xlsx", xlsx_bytes([["text", "label"]]), "holds no record"),
    "xlsx: a column twice": ("x.xlsx", xlsx_bytes([["a", "a"], [1, 2]]), "more than one column is called a"),
    "xlsx: a column without a name": ("x.xlsx", xlsx_bytes([["a", None], [1, 2]]), "column 2 has no name"),
    "xlsx: an entity bomb": (
        "x.xlsx",
        repacked(BOOK, lambda name, old: ENTITIES if name.endswith("sheet1.xml") else old),
        "'xl/worksheets/sheet1.xml' in it declares a document type or entities",
    ),
    "xlsx: an entity bomb in UTF-16": (
        "x.xlsx",
        repacked(
            BOOK, lambda name, old: ENTITIES.decode().encode("utf-16") if name.endswith("sheet1.xml") else old
        ),
        "declares a document type or entities",
    ),
    "xlsx: a zip bomb": (
        "x.xlsx",
        repacked(BOOK, lambda name, old: b" " * (8 << 20) if name.endswith("sheet1.xml") else old),
        "as a zip bomb does",
    ),
    "xlsx: XML that is none": (
        "x.xlsx",
        repacked(BOOK, lambda name, old: b"<row" if name.endswith("sheet1.xml") else old),
        "is no workbook",
    ),
    "xlsx: no sheet in it": (
        "x.xlsx",
        repacked(BOOK, lambda name, old: None if name.endswith("sheet1.xml") else old),
        "is no workbook",
    ),
    "txt: controls, so not Latin-1": ("x.txt", b"caf\xe9 \x81\n", "x.txt:1:4: not UTF-8 text"),
    "txt: a zero byte": ("x.txt", b"a\0\n", "x.txt:1:2: a zero byte"),
    "no reader for code": ("load.py", b"1/0", "'.py' is not read"),
    "no reader for a pickle": ("x.pkl", PICKLE, "'.pkl' is not read"),
    "no ending": ("x", CSV, "'no ending' is not read"),
}
BAD_ZIPS: dict[str, tuple[bytes, str]] = {
    "no such member": (zip_bytes({"b.csv": CSV}), "holds no 'a.csv'; it has b.csv"),
    "text": (CSV, "is something else, not a zip archive"),
    "cut off": (zip_bytes({"a.csv": CSV})[:-10], "is no whole zip archive"),
    "damaged": (damaged(zip_bytes({"a.csv": CSV * 50})), "'a.csv' in it is damaged"),
    "damaged, stored": (
        damaged(zip_bytes({"a.csv": CSV * 50}, zipfile.ZIP_STORED)),
        "is damaged: Bad CRC-32",
    ),
    "damaged, bzip2": (damaged(zip_bytes({"a.csv": CSV * 50}, zipfile.ZIP_BZIP2)), "is damaged"),
    "damaged, LZMA": (damaged(zip_bytes({"a.csv": CSV * 50}, zipfile.ZIP_LZMA)), "is damaged"),
    "encrypted": (flagged(zip_bytes({"a.csv": CSV}), 0x1), "'a.csv' in it is encrypted"),
    "a link": (zip_bytes({link("a.csv"): b"/etc/passwd"}), "is a link, a folder or a device"),
    "a method nobody has": (with_method(zip_bytes({"a.csv": CSV}), 97), "by a method that is not read here"),
    "a bomb": (zip_bytes({"a.csv": b" " * (8 << 20)}), "as a zip bomb does"),
    "an inner LFS pointer": (zip_bytes({"a.csv": POINTER}), "x.zip/a.csv: is a Git LFS pointer"),
    "an inner empty file": (zip_bytes({"a.csv": b""}), "x.zip/a.csv: is empty"),
    "an inner ragged row": (zip_bytes({"a.csv": CSV + b"b\n"}), "x.zip/a.csv:3: 1 fields"),
}
BAD_MEMBERS = ["../a.csv", "/etc/a.csv", "b/../../a.csv", "..\\a.csv", "C:/a.csv"]


def refusal(path: Path, **more: Any) -> str:
    with pytest.raises(DataError) as caught:
        tables.read(path, path.name, **more)
    return str(caught.value)


def test_there_are_enough_of_them() -> None:
    assert (len(BAD), len(BAD_ZIPS), len(BAD_MEMBERS)) == (65, 14, 5)


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_no_such_thing(tmp_path: Path, case: str) -> None:
    name, content, words = BAD[case]
    (tmp_path / name).write_bytes(content)
    assert words in refusal(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("case", BAD_ZIPS)
def test_an_archive_that_cant_be_trusted(tmp_path: Path, case: str) -> None:
    content, words = BAD_ZIPS[case]
    (tmp_path / "x.zip").write_bytes(content)
    assert words in refusal(tmp_path / "x.zip", member="a.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize("name", BAD_MEMBERS)
def test_a_member_whose_path_leads_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.zip").write_bytes(zip_bytes({name: CSV}))
    assert "has a path that leads outside" in refusal(tmp_path / "x.zip", member=name)


def test_a_member_that_is_there_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zip_bytes({zipfile.ZipInfo("a.csv"): CSV, "a.csv": CSV})
    (tmp_path / "x.zip").write_bytes(content)
    assert "holds 'a.csv' more than once" in refusal(tmp_path / "x.zip", member="a.csv")


def test_too_large_and_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.csv").write_bytes(CSV)
    (tmp_path / "x.zip").write_bytes(zip_bytes({"a.csv": CSV, "b.csv": CSV}))
    (tmp_path / "x.xlsx").write_bytes(BOOK)
    monkeypatch.setattr(tables, "FILE_LIMIT", 10)
    assert "x.csv: is 15 bytes; at most 10 are read" in refusal(tmp_path / "x.csv")
    monkeypatch.setattr(tables, "FILE_LIMIT", 10_000)
    monkeypatch.setattr(sheets, "_SHEET_LIMIT", 1000)
    assert "at most 1,000 are read" in refusal(tmp_path / "x.xlsx")
    with (tmp_path / "x.zip").open("rb") as file, pytest.raises(DataError, match="at most 5 are read"):
        archives.member(file, "x.zip", "a.csv", 5).__enter__()
    monkeypatch.setattr(archives, "_MOST_MEMBERS", 1)
    assert "holds more than 1 files" in refusal(tmp_path / "x.zip", member="a.csv")


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loose.csv").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "is a folder, not a file" in refusal(tmp_path / "folder.csv")
    assert "is a link to nothing" in refusal(tmp_path / "loose.csv")
    assert "is no regular file" in refusal(tmp_path / "pipe.csv")
    assert "no such file" in refusal(tmp_path / "gone.csv")


def test_a_link_that_leads_outside(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.csv").write_bytes(CSV)
    (folder / "x.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "near.csv").write_bytes(CSV)
    (folder / "y.csv").symlink_to("near.csv")
    for name in ("x.csv", "../secret.csv", "/etc/passwd"):
        with pytest.raises(DataError, match="leads outside"):
            tables.inside(folder, name)
    assert tables.inside(folder, "y.csv") == folder / "y.csv"


GOOD = [({"text": "a", "label": 1}, 1), ({"text": "b\nc", "label": 2}, 2)]


def test_good_files_give_their_records_and_places(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["a", "b\nc"], "label": [1, 2]})
    files = {
        "x.parquet": parquet_bytes(table),
        "x.xlsx": xlsx_bytes([["text", "label"], ["a", 1], [None, None], ["b\nc", 2]]),
        "x.json": json.dumps([{"text": "a", "label": 1}, {"text": "b\nc", "label": 2}]).encode(),
        "x.jsonl": b'\xef\xbb\xbf{"text": "a", "label": 1}\n\n{"text": "b\\nc", "label": 2}\n',
    }
    lines = {"x.parquet": [1, 2], "x.xlsx": [2, 4], "x.json": [1, 2], "x.jsonl": [1, 3]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        records = tables.read(tmp_path / name, name)
        assert [record.values for record in records] == [values for values, _ in GOOD]
        assert [record.line for record in records] == lines[name]
        assert [records[i] for i in range(len(records))] == list(records)
        assert records[-1] == list(records)[-1]
        assert list(records[:1]) == [records[0]]
        assert {record.file for record in records} == {name}


def test_csv_as_pandas_writes_it(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b',text\r\n0,"a, b\n""c"""\r\n1,' + b"d" * 200_000 + b"\r\n")
    records = tables.read(tmp_path / "x.csv", "x.csv")
    assert [(record.values["index"], record.line) for record in records] == [("0", 2), ("1", 4)]
    assert records[0].values["text"] == 'a, b\n"c"'
    assert len(records[1].values["text"]) == 200_000


def test_text_with_columns_named_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(
        zip_bytes({"d/a.txt": "J+ñ@ltd rose@positive\n\nfell@negative\r\n".encode("latin-1")})
    )
    form = tables.Form(("sentence", "label"), "@")
    records = tables.read(tmp_path / "x.zip", "x.zip", "d/a.txt", form)
    assert [(r.values["sentence"], r.values["label"], r.line) for r in records] == [
        ("J+ñ@ltd rose", "positive", 1),
        ("fell", "negative", 3),
    ]
    assert records[0].file == "x.zip/d/a.txt"
    (tmp_path / "x.txt").write_bytes(b"a@b\nc\n")
    assert "x.txt:2: a line is 2 columns (sentence, label) with '@'" in refusal(tmp_path / "x.txt", form=form)
    (tmp_path / "x.csv").write_bytes(b"1,2\n")
    assert tables.read(tmp_path / "x.csv", "x.csv", form=tables.Form(("a", "b")))[0].values == {
        "a": "1",
        "b": "2",
    }


def test_compressed_members_of_each_kind(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        (tmp_path / "x.zip").write_bytes(zip_bytes({"a.csv": CSV}, method))
        assert tables.read(tmp_path / "x.zip", "x.zip", "a.csv")[0].values == {"text": "a", "label": "1"}
