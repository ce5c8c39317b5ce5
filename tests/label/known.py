"""What the checks know of each bundle."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BOXES", "CLASS_BRANCH", "COLOURS", "LABELS", "MODALITIES", "ROOT"]

ROOT = Path(__file__).resolve().parents[2]
LABELS = {
    "hds_inbreast": {"mass": 1},
    "acsnet_busi": {"lesion": 1},
    "ynet_biopsy": {"gland": 1},
    "fcn_ddsm": {"mass": 1},
    "skin_lesion_isic2017": {"lesion": 1},
}
"""By bundle: names of the values of a mask, as a client must get them."""
MODALITIES = {
    "hds_inbreast": ["MG"],
    "acsnet_busi": ["US"],
    "fcn_ddsm": ["MG"],
    "skin_lesion_isic2017": ["XC", "DMS"],
}
"""Of their DICOM files; the bundle without one is asked for pictures only."""
COLOURS = ("ynet_biopsy", "skin_lesion_isic2017")
BOXES = ("skin_lesion_isic2017",)
"""Those whose reply holds ``detection``, the box of the lesion."""
CLASS_BRANCH = {"acsnet_busi": ["classifier."], "ynet_biopsy": ["diagnosis."], "fcn_ddsm": ["c_net."]}
"""Where a mask tells no class, names of what only a class teaches begin so."""
