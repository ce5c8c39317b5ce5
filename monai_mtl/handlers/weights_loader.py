"""Weights from a file, strictly and without running code from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.config import PathLike
from monai.engines import Workflow
from torch import nn

from ..bundle.weights import read_weights
from ..errors import ConfigError, MissingError

__all__ = ["StrictCheckpointLoader", "WeightsLoader"]


class WeightsLoader:
    """Loads a network's weights when the run starts, strictly and without running code from the file.

    Args:
        path: As :func:`monai_mtl.bundle.weights.read_weights` reads it.
        network: Network.
        fix: What to tell a user who has no such file.
        settings: Values that must equal those stored with the weights, where the file holds them.

    Raises:
        MissingError: If there is no such file.
    """

    def __init__(
        self,
        path: PathLike,
        network: nn.Module,
        fix: str = "train first, or name another file",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.path, self.network, self.settings = Path(path), network, dict(settings or {})
        if not self.path.is_file():
            raise MissingError(f"no weights at {self.path}", fix=fix)

    def attach(self, engine: Workflow) -> None:
        """Load when the engine starts."""
        engine.add_event_handler(Events.STARTED, self._load)

    def _load(self, engine: Workflow) -> None:
        state, stored = read_weights(self.path)
        for name, value in self.settings.items():
            if name in stored and stored[name] != value:
                raise ConfigError(
                    f"{self.path} was trained with {name} {stored[name]}, this run has {value}",
                    fix=f'--{name} "{stored[name]}"',
                )
        network = getattr(self.network, "module", self.network)
        expected = network.state_dict()
        wrong = [f"missing {k}" for k in expected if k not in state]
        wrong += [f"unknown {k}" for k in state if k not in expected]
        wrong += [
            f"{k}: {tuple(state[k].shape)}, network {tuple(v.shape)}"
            for k, v in expected.items()
            if k in state and state[k].shape != v.shape
        ]
        if wrong:
            fix = "use the network_def it was trained with"
            raise ConfigError(f"{self.path} belongs to another network", wrong, fix=fix)
        network.load_state_dict(state)


class StrictCheckpointLoader(WeightsLoader):
    """A :class:`WeightsLoader` that federated learning can switch off.

    There the weights come from the server. MONAI's ``MonaiAlgo`` disables what has ``CheckpointLoader`` in its name
    among ``validate#handlers``; a loader of any other name would put a file's weights in their place, silently.
    """
