"""From a collated batch to what network and loss take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from torch import Tensor

from ..errors import RunError

__all__ = ["PrepareMultiTaskBatch", "PrepareTargetsBatch"]


class PrepareMultiTaskBatch:
    """Splits a batch into the image and a dictionary of targets; refuses non-finite images.

    The check stands before the forward pass, because afterwards batch normalisation has already taken
    the values into its statistics.

    Args:
        tasks: Task names; each has ``label_<task>`` and ``has_<task>`` in the batch.
        image_key: Key of the image.
        hidden: Those of the tasks whose labels neither network nor loss sees, for an ablation.

    Raises:
        ValueError: If a hidden task is none of the tasks.
    """

    def __init__(self, tasks: Sequence[str], image_key: str = "image", hidden: Sequence[str] = ()) -> None:
        if not set(hidden) <= set(tasks):
            raise ValueError(f"hidden tasks {list(hidden)} are not all among {list(tasks)}")
        self.tasks, self.hidden = tuple(tasks), tuple(hidden)
        self.image_key = image_key

    def __call__(
        self, batch: Mapping[str, Any], device: torch.device | str | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Prepare.

        Args:
            batch: Image ``(B, C, H, W)``; for each task ``label_<task>``, ``(B, 1, H, W)`` or ``(B,)``, and
                ``has_<task>`` ``(B,)``; ``case_id``, B names.
            device: Where tensors go.
            non_blocking: Whether the copy may be asynchronous.

        Returns:
            The image, without its meta data, which stay in the batch, and a dictionary with ``<task>`` on the device
            and ``has_<task>`` on the CPU, where a loss can ask them without waiting for a GPU.

        Raises:
            RunError: If a pixel is not finite.
        """
        image = batch[self.image_key]
        finite = torch.isfinite(image).flatten(1).all(dim=1)
        if not bool(finite.all()):
            names = batch.get("case_id", list(range(len(finite))))
            bad = [name for name, good in zip(names, finite.tolist(), strict=True) if not good]
            raise RunError("an image holds non-finite values; nothing was learnt from it", bad, fix="repair it")
        labels = {task: _plain(batch[f"label_{task}"]) for task in self.tasks}
        targets = {task: label.to(device, non_blocking=non_blocking) for task, label in labels.items()}
        targets |= {f"has_{task}": _plain(batch[f"has_{task}"]) for task in self.tasks}
        for task in self.hidden:
            targets[task] = torch.zeros_like(targets[task])
            targets[f"has_{task}"] = torch.zeros_like(targets[f"has_{task}"])
        return _plain(image).to(device, non_blocking=non_blocking), targets


class PrepareTargetsBatch(PrepareMultiTaskBatch):
    """The same for a network that chooses what it learns from by the targets, as detectors do.

    MONAI's engines hand the third and fourth part on, so that they call ``network(image, target=targets)``.
    """

    def __call__(  # type: ignore[override]
        self, batch: Mapping[str, Any], device: torch.device | str | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, dict[str, Tensor], tuple, dict[str, Any]]:
        """Prepare.

        Args:
            batch: As in :class:`PrepareMultiTaskBatch`.
            device: Where tensors go.
            non_blocking: Whether the copy may be asynchronous.

        Returns:
            The image, the targets, no further arguments, and the targets again by the name ``target``.

        Raises:
            RunError: If a pixel is not finite.
        """
        image, targets = super().__call__(batch, device, non_blocking)
        return image, targets, (), {"target": targets}


def _plain(value: Tensor) -> Tensor:
    return value.as_tensor() if isinstance(value, MetaTensor) else value
