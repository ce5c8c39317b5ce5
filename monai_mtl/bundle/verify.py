"""Whether a bundle is what its metadata says, each named output included, and what MONAI and the zoo ask for."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow
from torch import nn

from ..errors import own_error
from .audit import audit
from .manifest import MANIFEST, SIGNATURE, compare_manifest
from .opening import component, open_bundle
from .packed_code import import_from_source
from .schema import metadata_faults
from .signing import signature_faults
from .verify_configs import equality_faults, metric_faults
from .verify_network import output_faults, scripting_faults, weights_faults

__all__ = ["Check", "verify_bundle"]

FILES = (
    *("LICENSE", "docs/README.md", "configs/metadata.json", "configs/inference.json", "configs/train.json"),
    "configs/logging.conf",
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: What.
        faults: What is wrong with it; empty if it is right.
        note: What was found, or why it was not looked at.
    """

    name: str
    faults: list[str]
    note: str = ""

    def text(self) -> str:
        """A line of the table, and one for each fault."""
        head = f"{'FAILS' if self.faults else 'ok':<6}{self.name}" + (f"  ({self.note})" if self.note else "")
        return "\n".join([head, *(f"        {fault}" for fault in self.faults)])

    def to_json(self) -> dict[str, Any]:
        """The fields."""
        return {**asdict(self), "ok": not self.faults}


def verify_bundle(folder: Path, run: bool = True, key: Path | None = None) -> list[Check]:
    """All checks of a bundle.

    Args:
        folder: Of the bundle, packed or not.
        run: Whether to make its components and run its network too.
        key: Public key of the one who must have signed the manifest.

    Returns:
        The checks, in a fixed order. Those that need what an earlier one found missing are left out.

    Raises:
        MissingError: If there is no such key.
        ConfigError: If a key is given and the library that checks signatures is missing.
    """
    missing = [f"{name} is missing" for name in FILES if not (folder / name).is_file()]
    checks = [Check("files", missing)]
    if any("configs/" in one and ".json" in one for one in missing):
        return checks
    found = [one.text() for one in audit(folder)]
    checks.append(Check("audit: nothing runs code, leaves the folder or names an absolute path", found))
    checks += [_manifest(folder), *_signature(folder, key)]
    if any(one.faults for one in checks[1:]):
        return [*checks, Check("the rest", [], "nothing is run of a bundle with findings")]
    metadata, train, inference = (
        json.loads((folder / "configs" / f"{name}.json").read_text()) for name in ("metadata", "train", "inference")
    )
    faults = metadata_faults(metadata)
    checks.append(Check("metadata", faults))
    checks.append(_tried("training and inference agree", lambda: equality_faults(train, inference)))
    checks.append(_tried("metrics", lambda: metric_faults(train, metadata)))
    if not run:
        return checks
    with _importable(folder):
        checks += [
            _tried(f"properties of {kind}.json", partial(_properties, folder, kind)) for kind in ("train", "inference")
        ]
        if not faults:
            checks += _network(folder, metadata)
    return checks


def _manifest(folder: Path) -> Check:
    if not (folder / MANIFEST).is_file():
        return Check("manifest", [], "none: not packed")
    changes = compare_manifest(folder)
    return Check("manifest", changes.refused, f"retrained: {', '.join(changes.retrained)}" if changes.retrained else "")


def _signature(folder: Path, key: Path | None) -> list[Check]:
    if key is not None:
        return [Check("signature", signature_faults(folder, key))]
    signed = (folder / SIGNATURE).is_file()
    return [Check("signature", [], "not looked at, give --key with the owner's public key")] if signed else []


def _properties(folder: Path, kind: str) -> list[str]:
    with tempfile.NamedTemporaryFile(suffix=".pt") as weights:
        settings = {"checkpoint": weights.name} if kind == "inference" else {"cache": "none"}
        flow = ConfigWorkflow(
            str(folder / "configs" / f"{kind}.json"),
            logging_file=False,
            workflow_type="train" if kind == "train" else "infer",
            bundle_root=str(folder),
            **settings,
        )
        flow.initialize()
        return [f"{name} is missing" for name in flow.check_properties() or []]


def _network(folder: Path, metadata: Mapping[str, Any]) -> list[Check]:
    made: list[nn.Module] = []

    def make() -> list[str]:
        """Build it; no fault if that works."""
        made.append(component(open_bundle(folder, ["inference.json"], {}), "network_def").eval())
        return []

    checks = [_tried("network", make)]
    if not made:
        return checks
    network, declared = made[0], metadata["network_data_format"]
    checks.append(_tried("outputs", lambda: output_faults(network, declared)))
    checks.append(_tried("scripting", lambda: scripting_faults(network, declared)))
    files = [path for path in sorted((folder / "models").glob("model.*")) if path.suffix in (".pt", ".safetensors")]
    checks += [_tried(f"weights {path.name}", partial(weights_faults, network, path)) for path in files]
    return checks if files else [*checks, Check("weights", [], "none in models/")]


def _tried(name: str, check: Callable[[], list[str]]) -> Check:
    """A check that may fail in the code of a bundle; then that is the fault."""
    try:
        return Check(name, check())
    except Exception as error:  # a bundle may raise anything
        ours = own_error(error)
        first: BaseException = error
        while first.__cause__ is not None:  # MONAI wraps what a component raised
            first = first.__cause__
        return Check(name, [str(ours) if ours else f"{type(first).__name__}: {str(first).strip()[:300]}"])


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let the code of a packed folder be found, and no other folder's."""
    logger = logging.getLogger("monai.bundle.workflows")  # it warns that no logging.conf is applied
    before, level = list(sys.path), logger.level
    _forget()
    import_from_source(folder)
    sys.path.insert(0, str(folder))
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        sys.path[:] = before
        logger.setLevel(level)
        _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]
