"""What the training data and the epoch tell the network and the loss."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ignite.engine import Events
from monai.engines import Workflow
from tqdm import tqdm

from ..data.naming import called
from ..errors import DataError

__all__ = ["ImageStatistics", "LossEpoch"]

logger = logging.getLogger("monai_mtl")


class LossEpoch:
    """Tells a loss the current epoch, from 1, so that its schedule survives a resumed run.

    Args:
        loss: Anything with an attribute ``epoch``.
    """

    def __init__(self, loss: Any) -> None:
        self.loss = loss

    def attach(self, engine: Workflow) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._tell)

    def _tell(self, engine: Workflow) -> None:
        self.loss.epoch = engine.state.epoch


class ImageStatistics:
    """Measures mean and standard deviation of the training images and stores them in the network.

    They are buffers (``image_mean``, ``image_std``), so every copy of the weights carries them and inference
    uses them unchanged. A network that already has statistics, because weights were loaded, keeps them.

    Args:
        network: Network with both buffers; 0 and 1 mean not yet measured.
        data: Training cases, and no others.
        transform: Deterministic transforms up to what the network sees.
        image_key: Key of the image.
    """

    def __init__(self, network: Any, data: Sequence[dict], transform: Callable, image_key: str = "image") -> None:
        self.network, self.data, self.transform, self.image_key = network, data, transform, image_key

    def attach(self, engine: Workflow) -> None:
        """Measure when the trainer starts."""
        engine.add_event_handler(Events.STARTED, self._measure)

    def _measure(self, engine: Workflow) -> None:
        network = getattr(self.network, "module", self.network)
        if float(network.image_mean) != 0.0 or float(network.image_std) != 1.0:
            return
        count, total, squares = 0, 0.0, 0.0
        for case in tqdm(self.data, desc="measuring the training images", leave=False, disable=None):
            with called(case.get("case_id")):
                image = np.asarray(self.transform(case)[self.image_key], dtype=np.float64)
            count, total, squares = count + image.size, total + image.sum(), squares + np.square(image).sum()
        mean = total / count
        std = float(np.sqrt(max(squares / count - mean**2, 0.0)))
        if std == 0.0:
            raise DataError("every training image is blank", fix="point --dataset_dir at images")
        network.image_mean.fill_(mean)
        network.image_std.fill_(std)
        logger.info("training images: mean %.2f, standard deviation %.2f (n=%d)", mean, std, len(self.data))
