"""Two sites with different labels, simulated: one has masks only, one classes only; neither sends an image.

Of a data set with both labels, half of the training patients keep their masks and half their classes. Trainings of
equal length: federated, pooled (one place has both halves), and each site alone. All are scored on the same test
patients, which have both labels.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import fire
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
logger = logging.getLogger("monai_mtl")
LACKS = {"masks": "cls", "classes": "seg"}
"""By site, the task that it has not labelled."""
FEDERATED = ("federated", "average")
"""The second averages over all sites, whatever their tasks."""


def main(
    data: str,
    output: str,
    bundle: str = "bundles/acsnet_busi",
    rounds: int = 10,
    local_epochs: int = 2,
    runs: str = "federated,pooled,masks,classes",
    seed: int = 0,
    **settings: Any,
) -> None:
    """Write ``result.json``, with the metrics of each training after its last round.

    Args:
        data: Folder with ``dataset.json`` that names all three sections, both labels and patients.
        output: Folder to write to.
        bundle: Folder of the bundle.
        rounds: Rounds of the federation; the other trainings have as many, with one site.
        local_epochs: Epochs of a round.
        runs: Which trainings, of federated, average (one whose server averages over all sites), pooled, masks, classes.
        seed: Of the first weights, the order and the augmentation; the same in all of them.
        **settings: Overrides of train.json, such as ``image_size``.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    place = Path(output)
    sizes = split_labels(Path(data), place)
    logger.info("cases: %s", sizes)
    settings = {"val_interval": rounds * local_epochs + 1, "seed": seed, **settings}
    names = [runs] if isinstance(runs, str) else list(runs)
    for run in [one for group in names for one in group.split(",")]:
        sites = list(LACKS) if run in FEDERATED else [run]
        result = train(Path(bundle), place, run, sites, rounds, local_epochs, settings, plain=run == "average")
        known = json.loads((place / "result.json").read_text()) if (place / "result.json").is_file() else {}
        known |= {"cases": sizes, "rounds": rounds, "local_epochs": local_epochs, "seed": seed, run: result}
        (place / "result.json").write_text(json.dumps(known, indent=4))
        logger.info("%s: %s", run, result)


def split_labels(data: Path, target: Path) -> dict[str, dict[str, int]]:
    """Write ``dataset.json`` of each site and of the pooled set: patients of training and validation alternate.

    Args:
        data: Folder with the data set.
        target: Folder that gets the folders of :func:`place_of`.

    Returns:
        By site and section, how many cases.
    """
    content = json.loads((data / "dataset.json").read_text())
    found: dict[str, dict[str, list[dict]]] = {name: {} for name in (*LACKS, "pooled")}
    for section in ("training", "validation", "test"):
        cases = [
            {key: str(data / value) if key in ("image", "label_seg") else value for key, value in case.items()}
            for case in content[section]
        ]
        patients = sorted({case["patient_id"] for case in cases})
        for i, (site, lacks) in enumerate(LACKS.items()):
            own = set(patients[i :: len(LACKS)])
            found[site][section] = [
                {key: value for key, value in case.items() if key != f"label_{lacks}"}
                for case in cases
                if case["patient_id"] in own
            ]
        found["pooled"][section] = [case for site in LACKS for case in found[site][section]]
        if section == "test":
            for lists in found.values():
                lists[section] = cases
    for site, lists in found.items():
        place_of(target, site).mkdir(parents=True, exist_ok=True)
        (place_of(target, site) / "dataset.json").write_text(json.dumps(lists))
    return {site: {section: len(cases) for section, cases in lists.items()} for site, lists in found.items()}


def place_of(folder: Path, site: str) -> Path:
    """Folder of a site's data set; that of the pooled set is no site's.

    Args:
        folder: Of all.
        site: Name.
    """
    return folder / ("sites" if site in LACKS else "whole") / site


def train(
    bundle: Path,
    place: Path,
    run: str,
    sites: list[str],
    rounds: int,
    local_epochs: int,
    settings: dict[str, Any],
    plain: bool = False,
) -> dict[str, Any]:
    """Train with some sites, and score the last weights on the test cases.

    Args:
        bundle: Folder of the bundle.
        place: Folder with the data sets; gets a folder for the run.
        run: Name.
        sites: Which take part.
        rounds: Rounds.
        local_epochs: Epochs of a round.
        settings: Overrides.
        plain: Whether the server averages over all sites, whatever their tasks.
    """
    from monai.fl.utils.constants import FlStatistics, WeightType
    from monai.fl.utils.exchange_object import ExchangeObject
    from monai.utils import set_determinism

    from monai_mtl.federated import federated_average, federated_client

    set_determinism(settings["seed"])  # all runs begin with the same weights
    begun = time.monotonic()
    clients = {
        site: federated_client(
            bundle,
            site,
            rounds,
            local_epochs,
            dataset_dir=str(place_of(place, site)),
            ckpt_dir=str(place / run / site),
            output_dir=str(place / run / "eval"),
            unlabelled_tasks=[LACKS[site]] if site in LACKS else [],
            **settings,
        )
        for site in sites
    }
    network = clients[sites[0]].trainer.network
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    parameters = [name for name, _ in network.named_parameters()]
    tasks = [] if plain else [set(LACKS.values()) - {LACKS.get(site)} for site in sites]
    for number in range(1, rounds + 1):
        sent = []
        for client in clients.values():
            client.train(ExchangeObject(weights=dict(weights), weight_type=WeightType.WEIGHTS))
            sent.append(client.get_weights())
        steps = [one.statistics[FlStatistics.NUM_EXECUTED_ITERATIONS] for one in sent]
        weights = federated_average(weights, [one.weights for one in sent], steps, tasks, parameters)
        logger.info("%s: round %d of %d, steps %s", run, number, rounds, steps)
    torch.save({"model": weights}, place / run / "model.pt")
    scored = clients[sites[0]].evaluate(ExchangeObject(weights=dict(weights), weight_type=WeightType.WEIGHTS))
    metrics = {name: float(value) for name, value in scored.metrics.items()}
    return {"metrics": metrics, "minutes": round((time.monotonic() - begun) / 60, 1)}


if __name__ == "__main__":
    fire.Fire(main)
