"""Packs the bundles, as the server and MONAI's own run get them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from checking import tell
from known import LABELS, ROOT
from PIL import Image
from server import HERE, environment

__all__ = ["pack", "reference"]


def pack(packer: str, folder: Path) -> list[Path]:
    """Pack each bundle in the collection's environment.

    Args:
        packer: Python of that environment.
        folder: To pack into.
    """
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(*words: str) -> None:
        subprocess.run([packer, "-W", "ignore", *words], check=True, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL)

    for name in LABELS:
        words = [name, "--out", str(folder / name)]
        if not (ROOT / "bundles" / name / "models" / "model.safetensors").is_file():
            tell(f"note  {name} ships no weights: packed with random ones, whose masks mean nothing")
            copy = folder.parent / "copies" / name
            run(str(HERE / "random_weights.py"), f"bundles/{name}", str(copy))
            words = [str(copy), *words[1:], "--weights", str(copy / "models" / "model.pt")]
        run("-m", "monai_mtl", "pack", *words)
    return [folder / name for name in LABELS]


def reference(bundle: Path, image: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Mask and result that ``monai.bundle run`` writes of an image with the same folder and packages."""
    with tempfile.TemporaryDirectory() as folder:
        (images := Path(folder) / "images").mkdir()
        shutil.copy(image, images)
        command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--config_file"]
        command += ["configs/inference.json", "--dataset_dir", str(images), "--output_dir", f"{folder}/out"]
        command += ["--device", "cpu"]
        done = subprocess.run(command, cwd=bundle, env=environment(Path(folder)), capture_output=True, text=True)
        masks = sorted(Path(folder, "out").rglob("*_mask.png"))
        if not masks:
            raise RuntimeError(done.stderr[-600:])
        result = masks[0].with_name(masks[0].name.replace("_mask.png", ".json"))
        return np.asarray(Image.open(masks[0])), json.loads(result.read_text())
