"""Settings with which a training of a bundle takes seconds."""

from __future__ import annotations

from typing import Any

__all__ = ["SMALL_RUNS"]

SMALL_RUNS: dict[str, dict[str, Any]] = {
    "acsnet_busi": {"image_size": [64, 64], "network_def#width": 16},
    "hds_inbreast": {"image_size": [128, 128], "patch_size": [128, 128]},
    "ynet_biopsy": {
        "image_size": [64, 64],
        "zoomed_size": [96, 96],
        "zoomed_area": [80, 80],
        "max_trim": 4,
        "network_def#width": 16,
        "network_def#depth": 1,
    },
}
"""By bundle: small images, and where the network takes long a narrow one."""
