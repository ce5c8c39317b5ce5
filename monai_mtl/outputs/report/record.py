"""What ran: versions, digests and the command, without folders and names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from monai.config import PathLike

from ...bundle.running import running_command, shown
from ...data.hashes import cases_sha256, file_sha256
from ...errors import MonaiMtlError
from ...registry import read_bundle
from ..result_json import software_versions

__all__ = ["copy_curves", "run_record", "without_folders"]

ABSOLUTE = re.compile(r"(?:~?/|[A-Za-z]:[/\\])[^\s'\",\]\[][^'\",\]\[]*")

DATA = ("--dataset_dir", "--input")
"""Options that name what may be called after patients."""


def run_record(
    cases: Sequence[Mapping[str, Any]], seconds: float, device: str, bundle: PathLike | None, weights: PathLike | None
) -> dict[str, Any]:
    """What made an evaluation or an inference, as ``run.json`` and ``report.json`` hold it.

    Args:
        cases: Test cases of the datalist, or the images.
        seconds: How long it took.
        device: What it ran on.
        bundle: Folder of the bundle, or None.
        weights: Weights file, or None.
    """
    command = running_command()
    record: dict[str, Any] = {
        "command": shown(without_folders(command)) if command else None,
        "software": software_versions(),
        "device": device,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "expected_cases": len(cases) or None,
    }
    if bundle is not None:
        one = read_bundle(Path(bundle))
        record["bundle"] = {
            "name": one.name,
            "version": one.metadata["version"],
            "state": one.state,
            "title": one.title,
        }
    if weights is not None:
        record["weights"] = {"file": Path(weights).name, "sha256": file_sha256(weights)}
    try:
        record["data_sha256"] = cases_sha256(cases) if cases else None
        record["data_reason"] = None if cases else "the cases were not named to the report"
    except MonaiMtlError as error:  # such as a file that went away since it was read
        record |= {"data_sha256": None, "data_reason": type(error).__name__}
    return record


def copy_curves(weights: PathLike | None, folder: Path) -> None:
    """Keep the table of the training beside the evaluation of its weights.

    Args:
        weights: Weights file. A training leaves ``model.pt`` with ``training.csv``; one of another format came from
            elsewhere.
        folder: Of the evaluation. It loses the table of an earlier evaluation.
    """
    target = folder / "training.csv"
    if weights is not None and Path(weights).with_name("training.csv") == target:
        return  # all in one folder
    target.unlink(missing_ok=True)
    if weights is None or Path(weights).suffix != ".pt":
        return
    if (source := Path(weights).with_name("training.csv")).is_file():
        shutil.copyfile(source, target)


def without_folders(words: Sequence[str]) -> list[str]:
    """A command without the folders of its machine, which may be named after people.

    Args:
        words: Of the command.

    Returns:
        The words: ``DATA`` for the data set, of other absolute paths what follows the bundle's parent, or the name.

    Example:
        >>> without_folders(["--config_file", "/home/me/bundles/x/configs/train.json", "--dataset_dir", "/data/smith"])
        ['--config_file', 'x/configs/train.json', '--dataset_dir', 'DATA']
    """
    kept: list[str] = []
    for i, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if i and words[i - 1] in DATA:
            kept.append("DATA")
        elif name in DATA and equals:
            kept.append(f"{name}=DATA")
        else:
            kept.append(ABSOLUTE.sub(_relative, word) if "/" in word or "\\" in word else word)
    return kept


def _relative(found: re.Match[str]) -> str:
    parts = re.split(r"[/\\]", found.group())
    if found.start() and found.string[found.start() - 1] not in "'\"[,= ":
        return found.group()  # in the middle of a relative path
    return "/".join(parts[max(parts.index("configs") - 1, 0) :]) if "configs" in parts else parts[-1]
