"""Each layout is known to one importer."""

import pytest

from monai_mtl.data.importers import (
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

from ...factories import write_datalist
from . import (
    test_bus_bra,
    test_busi,
    test_cbis_ddsm,
    test_cdd_cesm,
    test_inbreast,
    test_isic2016,
    test_isic2017,
    test_isic2018,
    test_udiat,
)
from . import test_ynet_lists as test_ynet
from .trees import pictures, write_csv

SPECIFIC = (inbreast, cbis_ddsm, cdd_cesm, busi, bus_bra, udiat, isic2016, isic2017, isic2018, ynet_lists)


def pair(folder):
    pictures(folder / "images", "a.png")
    write_csv(folder / "labels.csv", "image,patient_id", "a.png,p1")


TREES = [
    (inbreast, test_inbreast.tree),
    (cbis_ddsm, test_cbis_ddsm.tree),
    (cdd_cesm, test_cdd_cesm.tree),
    (cdd_cesm, test_cdd_cesm.flat_tree),
    (busi, test_busi.tree),
    (busi, test_busi.apart),
    (bus_bra, test_bus_bra.tree),
    (bus_bra, test_bus_bra.flat_tree),
    (udiat, test_udiat.tree),
    (isic2016, test_isic2016.tree),
    (isic2017, test_isic2017.tree),
    (isic2017, test_isic2017.flat_tree),
    (isic2018, test_isic2018.tree),
    (ynet_lists, test_ynet.tree),
    (None, pair),
    (None, write_datalist),
    (None, lambda folder: None),
]


@pytest.mark.parametrize(("importer", "make"), TREES)
def test_a_layout_is_recognised_by_its_own_importer_alone(tmp_path, importer, make):
    make(tmp_path)
    assert [module for module in SPECIFIC if module.matches(tmp_path)] == ([importer] if importer else [])
    assert not datalist_json.matches(tmp_path) or make is write_datalist


def test_flattened_shapes_look_like_pairs_of_folders_so_their_importers_come_first(tmp_path):
    assert folder_pair.matches(test_bus_bra.flat_tree(tmp_path))


@pytest.mark.parametrize("module", SPECIFIC)
def test_an_importer_says_how_it_knows_its_layout(module):
    assert module.LAYOUT
    assert "\n" not in module.LAYOUT
