"""Files of an inference over regions: tissue, where the diagnosis is sure, overlay and JSON for every image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from PIL import Image

from ..data.dataset import TolerantDataset
from ..data.reader import read_again
from ..outputs.explanation import draw_explanation
from ..outputs.overlay import contact_sheet
from ..outputs.tissue_overlay import HEIGHT, draw_region, tissue_colours
from .inference_page import InferencePage
from .prediction_writer import PredictionWriter, explanation_of

__all__ = ["RegionWriter"]


class RegionWriter(PredictionWriter):
    """Writes the files of :class:`PredictionWriter`, where a pixel has one of several tissues.

    ``x_mask.png`` holds the tissue's index, which looks black; ``x_discriminative.png`` the probability of the tiles'
    surest diagnosis (16 bits, 65535 is certainty), unless the network tells no diagnosis. Reads ``pred`` ``(W, H)``,
    ``discriminative`` ``(1, W, H)`` and ``result`` of each case.

    Args:
        output_dir: As there, and so are all others.
        dataset: As there.
        weights: As there.
        bundle: As there.
        bundle_version: As there.
        seg_classes: Names of the tissues, index 0 first.
    """

    def __init__(
        self,
        output_dir: PathLike,
        dataset: TolerantDataset,
        weights: PathLike,
        bundle: str,
        bundle_version: str,
        seg_classes: Sequence[str],
    ) -> None:
        super().__init__(output_dir, dataset, weights, bundle, bundle_version)
        self.tissues = list(zip(seg_classes, tissue_colours(len(seg_classes)), strict=True))
        self.page = InferencePage(HEIGHT, self.tissues)

    def _write_files(self, case: dict, output: dict[str, Any], target: Path) -> tuple[dict[str, Any], Image.Image]:
        # Arrays of MONAI have x first, pictures have rows first.
        mask = np.asarray(output["pred"], dtype=np.uint8).T
        files = {"mask": Image.fromarray(np.ascontiguousarray(mask))}
        certainty = None
        if "discriminative" in output:
            certainty = np.asarray(output["discriminative"], dtype=np.float32)[0].T
            levels = np.ascontiguousarray(np.round(certainty.clip(0, 1) * 65535).astype(np.uint16))
            files["discriminative"] = Image.fromarray(levels)
        source = Path(case["image"].meta["filename_or_obj"])
        colours, meta = read_again(case["image"].meta, color="rgb", reverse_indexing=False)
        found = output["result"].get("classification")
        caption = [case["case_id"]]
        if found is not None:
            caption.append(f"{found['label']} {found['probabilities'][found['label']]:.2f}")
        scale = 255.0 if meta["bits"] <= 8 else max(float(colours.max()), 1.0)
        picture = draw_region(colours / scale, mask, None, certainty, len(self.tissues), caption)
        files["overlay"] = picture
        if (explained := explanation_of(output)) is not None:
            files["explain"] = draw_explanation(colours, explained, caption, HEIGHT)
        paths = {kind: target.with_name(f"{target.name}_{kind}.png") for kind in files}
        for kind, drawn in files.items():
            drawn.save(paths[kind])
        result = {
            "case_id": case["case_id"],
            "image": source.name,
            **output["result"],
            "image_size_xy": [mask.shape[1], mask.shape[0]],
            "files": {kind: path.name for kind, path in paths.items()},
            "model": self._model,
        }
        return result, picture

    def _sheet(self) -> Image.Image:
        columns = 1 if len(self._pictures) < 4 else 2
        return contact_sheet(self._pictures, self._title, truth=False, columns=columns, legend=self.tissues)
