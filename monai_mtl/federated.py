"""A bundle as a client of federated learning: MONAI's ``MonaiAlgo`` with the settings that make it right.

Nothing leaves a site but weights and metrics. What each site does not label, its share of the weights leaves alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.config import PathLike
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems
from torch import Tensor

from .bundle.opening import in_our_words
from .bundle.packed_code import admit
from .bundle.settings import check_settings, config_files, merged
from .errors import ConfigError

__all__ = ["federated_average", "federated_client"]

OWNED = ("checkpoint", "initial_weights", "max_epochs", "resume", "schedule_epochs")
"""Settings that the federation decides."""


def federated_client(
    bundle: PathLike,
    name: str,
    rounds: int,
    local_epochs: int = 1,
    recipe: Sequence[str] | str = (),
    **settings: Any,
) -> MonaiAlgo:
    """An initialised client, ready for ``train``, ``get_weights`` and ``evaluate``.

    It sends differences of weights. Weights come from the server in each round, so no file of weights is read; the
    schedule of the learning rate runs over all rounds, not over each; ``evaluate`` scores the test cases.

    Args:
        bundle: Folder of the bundle.
        name: Of the site.
        rounds: How many rounds there will be.
        local_epochs: Epochs of a round.
        recipe: Overlay on train.json, or several, names in the bundle's ``configs/``.
        **settings: Overrides of train.json, such as ``dataset_dir``, ``ckpt_dir`` and ``output_dir`` of the site.

    Raises:
        ConfigError: If there is no such recipe or setting, a setting is one that the federation decides, or a packed
            bundle is not what its manifest says.
    """
    if taken := sorted(set(settings) & set(OWNED)):
        raise ConfigError(
            f"a federated client takes no {', '.join(taken)}",
            fix="the server sends the weights; give rounds and local_epochs",
        )
    root = Path(bundle).resolve()
    admit(root)
    names = ["train.json", *(f"{one}.json" for one in ([recipe] if isinstance(recipe, str) else recipe))]
    config = merged(config_files(root, names))
    check_settings(config, settings)
    files = [f"configs/{one}" for one in names]
    given = {"bundle_root": str(root), **settings}
    if "schedule_epochs" in config:
        given["schedule_epochs"] = rounds * local_epochs
    client = MonaiAlgo(
        bundle_root=str(root),
        local_epochs=local_epochs,
        config_train_filename=files,
        train_kwargs=dict(given),
        config_evaluate_filename=[*files, "configs/evaluate.json"],
        eval_kwargs={**given, "checkpoint": None},
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="executing the bundle config")  # the bundle is the site's own
        in_our_words(lambda: client.initialize({ExtraItems.CLIENT_NAME: name}))
    return client


def federated_average(
    weights: Mapping[str, Tensor],
    differences: Sequence[Mapping[str, Tensor]],
    steps: Sequence[float],
    tasks: Sequence[Collection[str]] = (),
    parameters: Iterable[str] = (),
) -> dict[str, Tensor]:
    """Weights of the next round: each site's difference counts by the steps that it took.

    McMahan et al. 2017, https://arxiv.org/abs/1602.05629, equation 3, of differences, but for two things. A site that
    left a tensor exactly as it was does not count there: it has no label of the task that the tensor serves, and would
    only slow down those that have. And where ``tasks`` are given, sites that share no task are added, not averaged, as
    training in one place adds the losses of the tasks; an average would halve the step of what two such sites share.

    Args:
        weights: Of this round.
        differences: By site, new minus old weights.
        steps: By site, such as iterations or cases.
        tasks: By site, the tasks that it has labels of. Without, all sites are averaged.
        parameters: Names of the learned tensors; all others, such as running statistics, are averaged in any case.

    Raises:
        ValueError: If the numbers of sites differ or no step was taken.
    """
    if len(differences) != len(steps) or len(tasks) not in (0, len(steps)) or sum(steps) <= 0:
        raise ValueError(f"{len(differences)} sites with {len(tasks)} sets of tasks took {list(steps)} steps")
    learned = set(parameters) if tasks else set()
    result = {}
    for key, value in weights.items():
        movers = [site for site, one in enumerate(differences) if one[key].any()]
        moved = value.double()
        for group in _sharing(movers, tasks) if key in learned else [movers]:
            total = sum(steps[site] for site in group)
            moved = moved + sum(
                (steps[site] / total * differences[site][key].double() for site in group), torch.zeros(()).double()
            )
        result[key] = (moved if value.is_floating_point() else moved.round()).to(value.dtype)
    return result


def _sharing(sites: Iterable[int], tasks: Sequence[Collection[str]]) -> list[list[int]]:
    """Sites in groups; of two groups no site shares a task with one of the other."""
    groups: list[list[int]] = []
    for site in sites:
        near = [group for group in groups if any(set(tasks[site]) & set(tasks[other]) for other in group)]
        groups = [group for group in groups if group not in near] + [[*(one for group in near for one in group), site]]
    return groups
