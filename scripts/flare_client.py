"""What NVIDIA FLARE runs at each site: a bundle as a client, for as many rounds as the server asks.

``scripts/flare_job.py`` makes the job. The site's name is that of its data folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nvflare.client as flare
import torch
from monai.fl.utils.constants import FlStatistics
from monai.fl.utils.exchange_object import ExchangeObject
from nvflare.app_common.abstract.fl_model import FLModel, ParamsType

from monai_mtl.federated import federated_client


def main(plan: str) -> None:
    """Train and score until the server ends.

    Args:
        plan: JSON file: ``bundle``, ``sites``, ``output``, ``rounds``, ``local_epochs``, ``settings``, and the
            ``unlabelled`` tasks by site.
    """
    torch.set_num_threads(1)
    known = json.loads(Path(plan).read_text())
    flare.init()
    site = flare.get_site_name()
    client = federated_client(
        known["bundle"],
        site,
        known["rounds"],
        known["local_epochs"],
        dataset_dir=f"{known['sites']}/{site}",
        ckpt_dir=f"{known['output']}/{site}",
        output_dir=f"{known['output']}/{site}/eval",
        unlabelled_tasks=known["unlabelled"].get(site, []),
        **known["settings"],
    )
    while flare.is_running():
        received = flare.receive()
        weights = ExchangeObject(weights={name: torch.as_tensor(value) for name, value in received.params.items()})
        metrics = client.evaluate(weights).metrics  # of the server's weights, before this round
        client.train(weights)
        sent = client.get_weights()
        steps = sent.statistics[FlStatistics.NUM_EXECUTED_ITERATIONS]
        flare.send(
            FLModel(
                params=sent.weights,
                params_type=ParamsType.DIFF,
                metrics={name: float(value) for name, value in metrics.items()},
                meta={"NUM_STEPS_CURRENT_ROUND": steps},
            )
        )
    client.finalize()


if __name__ == "__main__":
    main(sys.argv[1])
