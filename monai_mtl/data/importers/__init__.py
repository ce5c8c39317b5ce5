"""Data sets as their owners ship them: one file a layout, tried in this order."""

from . import (
    bus_bra,
    busi,
    cbis_ddsm,
    cdd_cesm,
    datalist_json,
    folder_pair,
    inbreast,
    isic2016,
    isic2017,
    isic2018,
    udiat,
    ynet_lists,
)

# A list that the user wrote comes first; the generic pair of folders, which also matches flattened sets, last.
IMPORTERS = (
    *(datalist_json, inbreast, cbis_ddsm, cdd_cesm, busi, bus_bra, udiat),
    *(isic2016, isic2017, isic2018, ynet_lists),
    folder_pair,
)

__all__ = ["IMPORTERS"]
