"""What hides is found for what it is, and what only looks so is not found."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_mtl.bundle.audit import audit

from .attacks import LOGGING, Payload, config, logging_conf, metadata, run, saved, text
from .hidden import HIDDEN, LISTED, archive, field, onnx, safetensors, tensor

CAUSES: dict[str, tuple[str, ...]] = {
    "it runs code where it is loaded by this name": (
        "oldest pickle called text",
        "oldest pickle called README",
        "oldest pickle called a table",
        "oldest pickle that is YAML too",
        "pickle in a picture",
        "pickle in the preamble of DICOM",
        "pickle behind numbers",
        "pickle without end",
        "pickle with marks",
        "pickle in the numbers of a network",
    ),
    "a program, a pickle, an array or an archive": (
        "array of objects called a picture",
        "TorchScript called a picture",
    ),
    "loading it unpickles": ("array of objects in an archive without a suffix",),
    "Python runs it, and others unpack it, whatever stands before": (
        "old torch file and more",
        "archive behind a picture",
        "archive behind text",
    ),
    "it cannot be parsed": ("archive behind a config",),
    "something else may hide there, such as another archive": (
        "archive behind weights",
        "bytes before weights",
        "comment of weights",
        "bytes between parts of weights",
    ),
    "something else may hide there": (
        "archive behind safetensors",
        "safetensors with a hole",
        "safetensors that overlap",
        "safetensors with an offset before the start",
    ),
    "no part of weights, so code or data may stand there": (
        "code beside weights",
        "library beside weights",
        "pickle among the numbers",
    ),
    "loading the file calls or imports it": ("pickle in other letters",),
    "what it holds is not known": (
        "TorchScript called a config",
        "two documents",
        "hidden beginning of a file",
    ),
    "what it holds is not looked at": ("TorchScript in an archive",),
    "two programs may read it differently": (
        "safetensors with a name twice",
        "tag of its own",
    ),
    "the format has none": ("safetensors with code as metadata",),
    "its weights lie outside the bundle": (
        "ONNX with data elsewhere",
        "ONNX, a length of two bytes",
        "ONNX, a long path",
        "ONNX behind much else",
    ),
    "where its weights lie cannot be told": ("ONNX, value first",),
    "fetched later, and neither plain weights nor a picture": (
        "code that is fetched later",
        "config that is fetched later",
    ),
    "it is not there yet, so nobody has looked into it": ("weights that are fetched later",),
    "another file comes than the one that is there": ("other weights that are fetched later",),
    "its author can make another file of the same md5": ("weights with a digest that can be forged",),
    "fetched without encryption, or from this machine": ("file of this machine",),
    "fetched without a digest, so anything may come": ("large files by another name",),
    "a name of code: what is written to it may run later, and what lies there may run now": (
        "log that is code",
        "log of a name that is put together",
        "output that is code",
        "output that is code, put together",
        "name of code in pieces",
        "ending of an output",
    ),
    "the log is written over a config": ("log over a config",),
    "a program that the bundle does not need reads it, and may run it": (
        "task of an editor",
        "container of an editor",
        "workflow",
        "hooks",
        "modules of git",
    ),
    "it is none of configs/; other programs run what a file of their name says": (
        "package of another language",
        "compose file",
        "environment",
        "setup of a package",
        "settings of a test runner",
    ),
    "a path of one machine, outside the bundle": ("path in the metadata",),
    "an address: a run of the bundle may fetch from it or send to it": (
        "address in pieces",
        "address in the metadata, in an expression",
        "whole metadata",
    ),
    "characters that turn the order of others around": ("comment that turns around",),
    "its data lies outside the bundle": ("data of a picture elsewhere", "data of a picture above"),
    "a shape is evaluated": ("shape that fills memory", "shape of a huge number", "shape that is none"),
    "pip would install it from there": ("option behind a version", "option for a version"),
    "the path climbs out of its folder": (
        "climbing in pieces",
        "path in the metadata by a macro",
    ),
    "it reaches the operating system: commands, files, processes": (
        "config in the metadata",
        "target in a key of YAML",
    ),
    "no list allows it, so what it does is not known": ("config as a text in the metadata",),
    "a path into git's folder, which is not looked at": ("folder of git's in a path",),
    "it is computed: what is called cannot be told": (
        "target of a macro",
        "target by pieces",
    ),
    "letters that may look like others": (
        "letters that look like scripts",
        "letters that look like a config's",
    ),
    "nobody knows what it is for": (
        "config without a suffix",
        "suffix in other letters",
        "code of Windows",
    ),
    "code of the bundle, which no list can hold": (
        "code that is data",
        "code that starts with the interpreter",
        "code of tests",
    ),
    "what it does cannot be told": ("code in a folder of caches",),
    "a linked folder: code in it can be imported by a name that is not looked at": ("scripts that are a link",),
    "a browser that opens the file acts on it, and a parser may read another file for it": (
        "page called a network",
        "network with a style of its own",
        "network that reads a file",
        "drawing in a network",
    ),
    "programs may read it differently": ("network of another encoding",),
}
"""By the reason that a finding gives, what is found for it."""


def test_each_has_a_reason():
    named = [name for names in CAUSES.values() for name in names]
    assert sorted(named) == sorted(HIDDEN)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("why", "name"), [(why, name) for why, names in CAUSES.items() for name in names])
def test_what_hides_is_found_for_what_it_is(bundle, why, name):
    HIDDEN[name](bundle)
    begun = time.process_time()
    found = audit(bundle)
    assert time.process_time() - begun < 1
    assert any(one.why.startswith(why) for one in found), [one.text() for one in found]


@pytest.mark.parametrize("protocol", [0, 1])
@pytest.mark.parametrize("before", [b"", b"N0", b"(0", b"(I1\nN1", b"](I1\ne0", b"(dS'a'\nI1\ns0"])
def test_python_runs_a_pickle_without_a_mark_at_its_beginning_and_it_is_found(bundle, monkeypatch, protocol, before):
    called = []
    content = before + pickle.dumps(Payload(), protocol).replace(b"cposix", b"cos")
    monkeypatch.setattr(os, "system", called.append)
    pickle.loads(content)
    assert called == ["echo pwned"]
    text("docs/notes.txt", content)(bundle)
    assert [one.what for one in audit(bundle)] == ["a pickle besides"]


def picture(name: str):
    def put(folder: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (32, 32), dtype=np.uint8)
        Image.fromarray(noise).save(folder / name)

    return put


def fetched(folder: Path) -> None:
    digest = hashlib.sha256((folder / "models" / "model.pt").read_bytes()).hexdigest()
    text("large_files.yml", LISTED.format("models/model.pt", "https://x/y", digest, "sha256"))(folder)


HARMLESS = {
    "text that begins as a pickle": text("docs/notes.md", "(in short, this is text\nand more of it)\n"),
    "text of opcodes without end": text("docs/notes.txt", "0" * 50_000),
    "text that calls what is not there": text("docs/notes.txt", "RR(R"),
    "text of letters of opcodes": text("docs/notes.txt", "clear\nwords of text\n(N)t)R\n"),
    "table": text("docs/cases.csv", "image,label\nNone,0\n"),
    "text with the mark of an archive": text("docs/notes.txt", b"PK\x05\x06 is its mark" + b"\0" * 30),
    **{f"picture {kind}": picture(f"docs/figure.{kind}") for kind in ("png", "jpg", "gif", "bmp", "tif", "webp")},
    "network": text("models/model.xml", '<?xml version="1.0"?>\n<net name="x"><!-- y --><layers/></net>\n'),
    "network and its encoding": text("docs/x.xml", "<?xml version='1.0' encoding='UTF-8' ?><net/>"),
    "ONNX with data beside": onnx(field(1, b"location") + field(2, b"weights.data")),
    "ONNX that knows no place": text("models/model.onnx", b"\x08\x08the location of a lesion"),
    "safetensors": safetensors(
        f'{{"__metadata__": {{"x": "y"}}, "b": {tensor(3, 5)}, "a": {tensor(0, 3)}}}', b"\0" * 5
    ),
    "safetensors, nothing in one": safetensors(f'{{"b": {tensor(3, 3)}, "a": {tensor(0, 3)}}}', b"\0" * 3),
    "arrays": text("models/a.npz", archive(("a.npy", saved("f4")), ("b.npy", saved([("x", "i2")])))),
    "weights of which the digest is known": fetched,
    "nothing is fetched": text("large_files.yml", "large_files: []\n"),
    "attributes of git": text(".gitattributes", "*.pt filter=lfs diff=lfs merge=lfs -text\n"),
    "ignored by git": text("docs/.gitignore", "*.log\n"),
    "log": logging_conf("class=StreamHandler\nargs=(sys.stdout,)", "class=FileHandler\nargs=('run.log', 'w')"),
    "use of the metadata": config(version="@_meta_#version", more="$@_meta_#changelog['0.1.0']"),
    "a place for weights": run("$@bundle_root + '/models/model.pth'"),
    "shapes": metadata(
        network_data_format={"inputs": {"image": {"spatial_shape": ["2**p*n", "32**p*n", "(n+1)*16", 512]}}}
    ),
    "versions": metadata(required_packages_version={"x": "1.0", "y-z": ">=1.0, <2", "w": "2.0.post1+cu-1"}),
    "picture with its data": text("sample_data/x.mha", "NDims = 2\nElementDataFile = LOCAL\n"),
    "picture with its data beside": text("sample_data/x.mhd", "NDims = 2\nElementDataFile = x.raw\n"),
    "comment with a sign": config(_desc_="\U0001f468\u200d\u2695\ufe0f"),
    "text in pieces": run("$@bundle_root + '/models/' + f'model_{1}.pt' + '.x'"),
    "names of data in other letters": text("sample_data/gr\u00f6\u00dfe.csv", "a\n"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_so_is_not_found(bundle, name):
    (bundle / "sample_data").mkdir()
    HARMLESS[name](bundle)
    assert [one.text() for one in audit(bundle)] == []


def test_a_single_file_has_no_place_to_be_wrong_in(bundle):
    assert audit(bundle / "configs" / "inference.json") == []
    shutil.move(bundle / "configs" / "logging.conf", bundle / "logging.conf")
    assert [one.file for one in audit(bundle)] == ["logging.conf"]
    assert audit(bundle / "logging.conf") == []


@pytest.mark.parametrize("content", ["5", '"x"', '{"large_files": 5}', '{"large_files": {"path": "x"}}'])
def test_a_list_of_large_files_that_is_none_is_said(bundle, content):
    text("large_files.json", content)(bundle)
    assert [one.what for one in audit(bundle)] == ["no list of large files"]


def damaged(folder: Path, name: str) -> None:
    """Change a byte of the data of an archive's first large part, so that its checksum is wrong."""
    content = bytearray((folder / name).read_bytes())
    with zipfile.ZipFile(folder / name) as opened:
        info = max(opened.infolist(), key=lambda one: one.compress_size)
        content[info.header_offset + 30 + len(info.filename) + info.compress_size // 2 + 80] ^= 0x55
    (folder / name).write_bytes(content)


def test_a_damaged_archive_is_a_finding_and_no_crash(bundle, tmp_path):
    with zipfile.ZipFile(bundle / "models" / "a.npz", "w") as opened:
        opened.writestr("a.npy", saved("f4") + b"\0" * 4096)
    assert audit(bundle) == []
    damaged(bundle, "models/a.npz")
    (found,) = audit(bundle)
    assert (found.file, found.what) == ("models/a.npz", "cannot be read: Bad CRC-32 for file 'a.npy'")


def test_a_damaged_archive_of_a_bundle_is_a_finding_and_no_crash(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr("configs/logging.conf", LOGGING)
        opened.writestr("docs/README.md", "# A bundle\n")
        opened.writestr("configs/inference.json", json.dumps({"x": "y" * 5000}))
    assert audit(tmp_path / "x.zip") == []
    damaged(tmp_path, "x.zip")
    (found,) = audit(tmp_path / "x.zip")
    assert found.file == "configs/inference.json"
    assert found.what.startswith("cannot be read: Bad CRC-32")
