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
    """Those of the method, and those that the sample data declare, which may be others."""
    declared = json.loads((bundle.folder / "sample_data" / "dataset.json").read_text())["classes"]
    for classes in ({task: bundle.classes(task) for task in bundle.tasks}, declared):
        held = CodedConcepts(bundle.metadata["coded_concepts"], classes["seg"][1:])
        answers = [held.answer(name) for name in classes["cls"]]
        assert len({answer.value.value for answer in answers}) == len(answers)
        assert [held.segment(kind).name for kind in range(1, len(classes["seg"]))] == classes["seg"][1:]


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


def test_lesions_of_several_classes_have_a_code_each_by_their_value_in_the_mask():
    content = changed("seg/cyst", {**CONCEPTS["seg"]["mass"], "type": ["1", "X", "Cyst"]})
    held = CodedConcepts(content, ["cyst", "mass", "node"])
    assert [held.segment(kind).name for kind in (1, 2)] == ["cyst", "mass"]
    assert held.segment(1).type.meaning == "Cyst"
    with pytest.raises(ConfigError, match="no code for the lesion class 'node'") as raised:
        held.segment(3)
    assert raised.value.expected == "'mass', 'cyst'"
    assert CodedConcepts(CONCEPTS).segment(255).name == "mass"
