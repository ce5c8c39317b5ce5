"""The codes of every bundle are those of the terminologies that pydicom holds."""

from __future__ import annotations

import copy
import json

import pytest
from pydicom.sr._concepts_dict import concepts

from monai_mtl.errors import ConfigError
from monai_mtl.outputs.coded_concepts import CodedConcepts
from monai_mtl.registry import find_bundles

from ..conftest import ROOT
from .dicom_cases import CONCEPTS

BUNDLES = {bundle.name: bundle for bundle in find_bundles(ROOT) if "coded_concepts" in bundle.metadata}


def codes_in(content) -> list[tuple[str, str, str]]:
    if isinstance(content, list):
        return [tuple(content)]
    return [code for part in content.values() for code in codes_in(part)]


def meanings(scheme: str, value: str) -> set[str]:
    """Every wording that pydicom's dictionary, made from the standard, has for a code."""
    held = (entry[value][0] for entry in concepts[scheme].values() if value in entry)
    return {meaning.casefold() for meaning in held}


@pytest.mark.parametrize("bundle", BUNDLES.values(), ids=BUNDLES)
def test_every_code_means_what_it_says(bundle):
    found = codes_in(bundle.metadata["coded_concepts"])
    assert len(found) >= 8
    for value, scheme, meaning in found:
        assert meaning.casefold() in meanings(scheme, value), (value, meaning)


@pytest.mark.parametrize("bundle", BUNDLES.values(), ids=BUNDLES)
def test_every_class_has_a_code(bundle):
    held = CodedConcepts(bundle.metadata["coded_concepts"])
    config = json.loads((bundle.folder / "configs" / "inference.json").read_text())
    answers = [held.answer(name) for name in config["cls_classes"]]
    assert len({answer.value.value for answer in answers}) == len(answers)
    masks = bundle.metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert held.segment().name in masks.values()


def test_bundles_that_read_dicom_and_no_others_have_codes():
    reading = {bundle.name for bundle in find_bundles(ROOT) if "DICOM" in bundle.metadata["data_type"]}
    assert reading == set(BUNDLES)


def changed(place: str, value) -> dict:
    content = copy.deepcopy(CONCEPTS)
    *parts, last = place.split("/")
    node = content
    for part in parts:
        node = node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "coded_concepts#procedure is no code: None"),
        ([], "coded_concepts#procedure is no code"),
        (changed("procedure", ["1", "SCT"]), "coded_concepts#procedure is no code"),
        (changed("procedure", ["1", "SCT", ""]), "coded_concepts#procedure is no code"),
        (changed("procedure", ["1" * 17, "SCT", "x"]), "coded_concepts#procedure is no code"),
        (changed("procedure", "71651007"), "coded_concepts#procedure is no code"),
        (changed("seg", None), "coded_concepts has no 'seg'"),
        (changed("seg", {}), "coded_concepts#seg has 0 classes"),
        (changed("seg/cyst", CONCEPTS["seg"]["mass"]), "coded_concepts#seg has 2 classes"),
        (changed("seg/mass/type", None), "coded_concepts#seg#mass#type is no code"),
        (changed("cls", "mass"), "coded_concepts has no 'cls'"),
        (changed("cls/mass/value", 5), "coded_concepts#cls#mass#value is no code"),
    ],
)
def test_what_is_no_code_is_refused_with_its_place(content, words):
    with pytest.raises(ConfigError, match=words):
        CodedConcepts(content)


def test_a_class_without_a_code_is_named():
    with pytest.raises(ConfigError, match="no code for the class 'cyst'") as raised:
        CodedConcepts(CONCEPTS).answer("cyst")
    assert "'mass'" in raised.value.expected
