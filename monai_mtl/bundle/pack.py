"""A bundle as a folder of its own: with the code that its configs name, as the model zoo and MONAI Label take it."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, MissingError
from .audit import audit
from .closure import PACKAGE, package_files
from .json_style import render
from .manifest import write_manifest
from .packed_metadata import packed_metadata
from .packed_weights import check_weights, pack_weights, shipped_settings, trained_settings
from .settings import put_setting
from .signing import sign_manifest, signer

__all__ = ["pack_bundle"]

OWN = PACKAGE.name
NAME = re.compile(rf'"({OWN}\.[A-Za-z_.0-9]+)"')
STAGING = ".packing-"
LEFT = (
    "models",
    "eval",
    "predictions",
    "cache",
    "mlruns",
    "__pycache__",
    "*.pyc",
    "*.part",
    "training.*",
    f"{STAGING}*",
)
LIMIT = 25 << 20
"""Bytes of a file that the model zoo takes into its repository."""

USE = """

## This folder
It was packed with the code that it needs in `scripts/`; the package monai-mtl is not needed. Run it from this folder,
with the packages of `configs/metadata.json`:

```bash
python -m monai.bundle run --config_file configs/inference.json --dataset_dir IMAGES
python -m monai.bundle run --config_file configs/train.json --dataset_dir DATA
```

Commands above that begin with `python -m monai_mtl` or name `bundles/` are those of the collection.
`MANIFEST.sha256` holds the digest of every file (`sha256sum --check MANIFEST.sha256`); plain `monai.bundle run` does
not look at it.
"""


def pack_bundle(
    bundle: Path, target: Path, weights: Path | None = None, weights_url: str | None = None, key: Path | None = None
) -> list[str]:
    """Write a bundle as a folder that needs no package of ours; all of it, or nothing if that fails.

    Args:
        bundle: Folder of the bundle.
        target: Folder to write, which must be empty or not exist.
        weights: Weights to bring; those of the bundle's ``models/`` by default, with the settings they ship with.
        weights_url: Address at which ``models/`` will be found, for ``large_files.yml``.
        key: Private key to sign with, as :func:`monai_mtl.bundle.signing.signer` takes it.

    Returns:
        What a user should know.

    Raises:
        ConfigError: If the target holds something, the version is not in the changelog, a config names what is not of
            the package, the weights are of other settings, or the key does not sign.
        MissingError: If the bundle's card, the weights or the key do not exist.
    """
    if target.exists() and any(target.iterdir()):
        raise ConfigError(f"{target} is not empty", fix="name another folder, or remove it")
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    if metadata["version"] not in metadata["changelog"]:
        raise ConfigError(
            f"version {metadata['version']} of {bundle.name} is not in its changelog",
            expected=", ".join(metadata["changelog"]),
            fix="add a line to changelog in configs/metadata.json",
        )
    if not (bundle / "docs" / "README.md").is_file():
        raise MissingError(f"{bundle.name} has no card", [bundle / "docs" / "README.md"], fix="write one")
    if weights is not None:
        check_weights(bundle, weights)
    if key is not None:
        signer(key)
    above = next(folder for folder in target.absolute().parents if folder.is_dir())
    with tempfile.TemporaryDirectory(prefix=STAGING, dir=above) as staging:
        place = Path(staging) / target.absolute().name
        notes = _write(bundle, place, metadata, weights, weights_url)
        if key is not None:
            sign_manifest(place, key)
        _put(place, target)
    return notes


def _put(place: Path, target: Path) -> None:
    """Move a folder to its place; into it, where it exists already and may be somebody's current folder."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        place.rename(target)
        return
    for path in sorted(place.iterdir()):
        shutil.move(path, target / path.name)


def _write(
    bundle: Path, target: Path, metadata: dict[str, Any], weights: Path | None, weights_url: str | None
) -> list[str]:
    configs = bundle / "configs"
    texts = {path.relative_to(configs).as_posix(): path.read_text() for path in sorted(configs.rglob("*.json"))}
    files = package_files(sorted({name for text in texts.values() for name in NAME.findall(text)}))
    shutil.copytree(bundle, target, ignore=shutil.ignore_patterns(*LEFT))
    settings = shipped_settings(bundle) if weights is None else trained_settings(bundle, weights)
    if weights is not None or not (bundle / "models" / "model.safetensors").is_file():
        metadata["eval_metrics"] = dict.fromkeys(metadata["eval_metrics"])  # they are of the bundle's own weights
    for name in texts:
        (target / "configs" / name).write_text(_dumped(_rewritten(name, texts, settings)))
    (target / "configs" / "metadata.json").write_text(_dumped(packed_metadata(metadata, files, settings)))
    _vendor(files, target)
    readme = target / "docs" / "README.md"
    readme.write_text(readme.read_text().rstrip() + USE)
    notes = pack_weights(bundle, target, weights)
    notes += _large_files(target, weights_url)
    write_manifest(target)
    notes += [f"audit: {one.text()}" for one in audit(target)]
    return notes


def _rewritten(name: str, texts: Mapping[str, str], settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A config that names the code in ``scripts/`` and the folder it stands in.

    MONAI puts that folder on the path of imports between ``initialize`` and ``run``. So what needs our code moves from
    the one to the other, and the bundle runs from any current folder with ``--bundle_root``.
    """
    base = "inference.json" if name.endswith("inference.json") else "train.json"
    config = _plain(texts[name])
    for key, value in settings.get(name, {}).items():
        put_setting(config, key, value, Path(name))
    moved = [item for item in _plain(texts[base]).get("initialize", []) if _needs_code(item)]
    if "initialize" in config:
        config["initialize"] = [item for item in config["initialize"] if not _needs_code(item)]
    if "run" in config:
        config["run"] = [*(item for item in moved if name == base or isinstance(item, dict)), *config["run"]]
    return config


def _plain(text: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(NAME.sub(r'"scripts.\1"', text))
    if "bundle_root" in content:
        content["bundle_root"] = "."
    return content


def _needs_code(item: Any) -> bool:
    """Whether a step of ``initialize`` makes something of ours."""
    return "scripts." in json.dumps(item) or "@network_def" in json.dumps(item)


def _vendor(files: list[Path], target: Path) -> None:
    for file in [*files, *_data_files(files)]:
        place = target / "scripts" / OWN / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / file, place)
    (target / "scripts" / "__init__.py").write_text('"""Code that the configs name."""\n')


def _data_files(files: list[Path]) -> list[Path]:
    """Templates of pages, beside the code that fills them."""
    folders = {PACKAGE / file.parent / "templates" for file in files}
    return sorted(path.relative_to(PACKAGE) for folder in folders for path in folder.glob("*.*"))


def _large_files(target: Path, url: str | None) -> list[str]:
    """``large_files.yml`` for what the zoo's repository does not take."""
    from ..data.hashes import file_sha256

    large = [path for path in sorted(target.rglob("*")) if path.is_file() and path.stat().st_size > LIMIT]
    names = [path.relative_to(target).as_posix() for path in large]
    if not large:
        return []
    if url is None:
        return [f"larger than the model zoo takes, give --weights_url for large_files.yml: {', '.join(names)}"]
    lines = ["large_files:"]
    for path, name in zip(large, names, strict=True):
        lines += [f"- path: {name}", f"  url: {url.rstrip('/')}/{path.name}"]
        lines += [f"  hash_val: {file_sha256(path)}", "  hash_type: sha256"]
    (target / "large_files.yml").write_text("\n".join(lines) + "\n")
    return [f"leave out of the model zoo's repository: {', '.join(names)}"]


def _dumped(value: Any) -> str:
    return render(value) + "\n"
