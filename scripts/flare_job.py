"""A federation of a bundle in NVIDIA FLARE's simulator: a server and a process a site. Needs the package nvflare.

The sites are folders with a data set each, as ``scripts/federated.py`` writes them. FLARE averages by steps, and counts
a site without labels of a task with zero; ``monai_mtl.federated.federated_average`` leaves it out.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import fire
from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
from nvflare.recipe.sim_env import SimEnv

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))


def main(
    sites: str,
    output: str,
    bundle: str = "bundles/acsnet_busi",
    rounds: int = 2,
    local_epochs: int = 1,
    **settings: Any,
) -> None:
    """Simulate, and print where FLARE wrote the server's weights.

    Args:
        sites: Folder with a folder a site.
        output: Folder to write to.
        bundle: Folder of the bundle.
        rounds: Rounds.
        local_epochs: Epochs of a round.
        **settings: Overrides of train.json.
    """
    from monai_mtl.bundle.opening import component, open_bundle

    logging.basicConfig(level=logging.WARNING)
    place, data = Path(output).resolve(), Path(sites).resolve()
    place.mkdir(parents=True, exist_ok=True)
    lists = {path.parent.name: json.loads(path.read_text()) for path in sorted(data.glob("*/dataset.json"))}
    parser = open_bundle(
        bundle, ["train.json"], {"dataset_dir": str(data / next(iter(lists))), **settings}, kind="train"
    )
    component(parser, "network_def#in_channels")  # resolves what the arguments refer to
    names = [name for name in parser["network_def"] if not name.startswith("_")]
    arguments = {name: component(parser, f"network_def#{name}") for name in names}
    plan = {
        "bundle": str(Path(bundle).resolve()),
        "sites": str(data),
        "output": str(place),
        "rounds": rounds,
        "local_epochs": local_epochs,
        "settings": settings,
        "unlabelled": {
            name: [task for task in ("seg", "cls") if not any(f"label_{task}" in case for case in content["training"])]
            for name, content in lists.items()
        },
    }
    (place / "plan.json").write_text(json.dumps(plan))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    recipe = FedAvgRecipe(
        name="monai_mtl",
        model={"class_path": parser["network_def"]["_target_"], "args": arguments},
        min_clients=len(lists),
        num_rounds=rounds,
        train_script=str(Path(__file__).with_name("flare_client.py")),
        train_args=str(place / "plan.json"),
        key_metric="val_seg_dice",
    )
    run = recipe.execute(SimEnv(clients=list(lists), workspace_root=str(place / "flare")))
    print(run.get_status(), run.get_result())


if __name__ == "__main__":
    fire.Fire(main)
