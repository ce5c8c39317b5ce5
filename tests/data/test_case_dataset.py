"""Prepared cases: the same randomness from any worker, and a cache on disk that never tells an old or a broken tale."""

from __future__ import annotations

import logging
import resource
import signal

import numpy as np
import pytest
import torch
from monai.data import DataLoader, MetaTensor
from monai.transforms import (
    Compose,
    Identityd,
    LoadImaged,
    RandGaussianNoised,
    RandRotated,
    ScaleIntensityRanged,
    Spacingd,
    Transposed,
)
from PIL import Image

from monai_mtl.data import CaseDataset, DiskCache, MedicalReader, digest_of
from monai_mtl.errors import ConfigError, DataError, RunError
from monai_mtl.transforms import LoadMaskd

from ..factories import breast


def write_images(folder, count=3) -> list[dict]:
    cases = []
    for i in range(count):
        Image.fromarray(breast(lesion=i % 2 == 1, seed=i)[0]).save(folder / f"{i}.png")
        cases.append({"image": str(folder / f"{i}.png"), "label_cls": i % 2, "case_id": f"case {i}"})
    return cases


def load(high: float = 255.0) -> list:
    return [
        LoadImaged("image", reader=MedicalReader, ensure_channel_first=True),
        ScaleIntensityRanged("image", 0, 255, 0, high),
    ]


def noisy() -> Compose:
    return Compose(
        [*load(), RandGaussianNoised("image", prob=1.0, std=5.0), RandRotated("image", range_x=0.5, prob=0.5)]
    )


def epoch_of(dataset, workers=0) -> torch.Tensor:
    return torch.cat([batch["image"].as_tensor() for batch in DataLoader(dataset, batch_size=2, num_workers=workers)])


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_randomness_depends_on_seed_epoch_and_case_alone(tmp_path, cache):
    cases = write_images(tmp_path)
    options = {"cache": cache, "cache_dir": tmp_path / "cache"}
    dataset = CaseDataset(cases, noisy(), **options)
    dataset.set_epoch(1)
    first = epoch_of(dataset)
    assert torch.equal(epoch_of(dataset, workers=2), first)
    assert torch.equal(dataset[2]["image"].as_tensor(), first[2])
    dataset.set_epoch(2)
    assert not torch.equal(epoch_of(dataset), first)
    dataset.set_epoch(1)
    assert torch.equal(epoch_of(dataset), first)
    other = CaseDataset(cases, noisy(), seed=1, **options)
    other.set_epoch(1)
    assert not torch.equal(epoch_of(other), first)
    plain = CaseDataset(cases, noisy(), cache="none")
    plain.set_epoch(1)
    assert torch.equal(epoch_of(plain), first)


def test_the_second_epoch_from_disk_keeps_affine_metadata_and_operations(tmp_path):
    """MONAI's PersistentDataset drops them, and spatial transforms after it then assume 1 mm."""
    cases = write_images(tmp_path, 1)
    spaced = MetaTensor(torch.rand(1, 8, 6), affine=torch.diag(torch.tensor([0.5, 2.0, 1.0, 1.0])))
    data = [{**cases[0], "spaced": spaced}]
    steps = [*load(), Identityd("spaced"), RandGaussianNoised("image", prob=0.0), Spacingd("spaced", pixdim=(1.0, 1.0))]
    dataset = CaseDataset(data, Compose(steps), cache="disk", cache_dir=tmp_path / "cache")
    first, second = dataset[0], dataset[0]
    assert first["spaced"].shape == second["spaced"].shape == (1, 4, 11)
    assert torch.equal(first["spaced"], second["spaced"])
    image = second["image"]
    assert isinstance(image, MetaTensor)
    assert torch.equal(image.affine, first["image"].affine)
    assert set(image.meta) == set(first["image"].meta)
    assert image.applied_operations == first["image"].applied_operations


def entries(folder) -> list:
    return sorted(folder.glob("*.pt"))


def test_a_damaged_entry_is_made_anew_with_a_notice(tmp_path, caplog):
    cases = write_images(tmp_path, 1)
    dataset = CaseDataset(cases, Compose(load()), cache="disk", cache_dir=tmp_path / "cache")
    right = dataset[0]["image"].as_tensor().clone()
    (entry,) = entries(tmp_path / "cache")
    whole = entry.read_bytes()
    shortened = [whole[:length] for length in (0, 10, len(whole) // 2, len(whole) - 1)]
    places = np.linspace(0, len(whole) - 1, 25).astype(int)
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places]
    for content in shortened + flipped:
        entry.write_bytes(content)
        caplog.clear()
        with caplog.at_level(logging.WARNING, "monai_mtl"):
            assert torch.equal(dataset[0]["image"].as_tensor(), right)
        assert "the entry of case 0 is made anew (damaged)" in caplog.text
        assert entry.read_bytes() == whole


def test_changed_files_transforms_and_labels_never_meet_an_old_entry(tmp_path):
    cases = write_images(tmp_path, 2)
    folder = tmp_path / "cache"

    def first(data=cases, high=255.0):
        return CaseDataset(data, Compose(load(high)), cache="disk", cache_dir=folder)[0]

    before = first()
    assert first()["image"].max() == before["image"].max()
    assert len(entries(folder)) == 1
    assert first(high=1.0)["image"].max() <= 1.0
    assert first([{**cases[0], "label_cls": 7}])["label_cls"] == 7
    Image.open(cases[1]["image"]).save(cases[0]["image"])
    after = first()
    assert not torch.equal(after["image"], before["image"])
    assert torch.equal(after["image"], CaseDataset(cases, Compose(load()), cache="none")[1]["image"])
    assert len(entries(folder)) == 4


def test_a_changed_file_of_several_masks_never_meets_an_old_entry(tmp_path):
    case = write_images(tmp_path, 1)[0]
    parts = [tmp_path / f"mask{i}.png" for i in range(2)]
    for part in parts:
        Image.fromarray(np.zeros((96, 80), np.uint8)).save(part)
    steps = [*load(), LoadMaskd(mask_key="label_seg", image_key="image")]

    def mask():
        data = [{**case, "label_seg": [str(part) for part in parts]}]
        return CaseDataset(data, Compose(steps), cache="disk", cache_dir=tmp_path / "cache")[0]["label_seg"]

    assert mask().sum() == 0
    assert len(entries(tmp_path / "cache")) == 1
    assert mask().sum() == 0
    assert len(entries(tmp_path / "cache")) == 1
    Image.fromarray(np.full((96, 80), 255, np.uint8)).save(parts[1])
    assert mask().sum() == 96 * 80


def test_plain_values_come_back_as_they_were(tmp_path):
    value = {
        "a": np.arange(3, dtype=np.int16),
        "b": np.float64(2.5),
        "c": (1, "x", None),
        "d": [torch.ones(2)],
        "e": True,
    }
    cache = DiskCache(tmp_path, lambda case: value)
    for _ in range(2):
        got = cache({"case_id": "x"})
        assert got["a"].dtype == np.int16
        assert got["a"].tolist() == [0, 1, 2]
        assert isinstance(got["b"], np.float64)
        assert got["b"] == 2.5
        assert got["c"] == (1, "x", None)
        assert torch.equal(got["d"][0], torch.ones(2))
        assert got["e"] is True


def test_a_full_disk_is_one_clear_error_and_leaves_no_half_entry(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        with pytest.raises(RunError, match="cannot write the cache"):
            DiskCache(tmp_path, lambda case: torch.ones(1000))({})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_no_cases_are_refused():
    with pytest.raises(DataError, match="there are no cases"):
        CaseDataset([], noisy())


def test_unknown_caches_are_refused():
    with pytest.raises(ConfigError, match="unknown cache 'ram'"):
        CaseDataset([], Compose([]), cache="ram")
    with pytest.raises(ConfigError, match="needs a folder"):
        CaseDataset([], Compose([]), cache="disk")


def test_equal_transforms_have_equal_digests_and_others_have_not():
    assert digest_of(noisy()) == digest_of(noisy())
    assert digest_of(noisy()) == digest_of(noisy().set_random_state(seed=3))
    used = Compose(Transposed("image", (0, 2, 1)))
    before = digest_of(used)
    used({"image": MetaTensor(torch.zeros(1, 2, 3))})
    assert digest_of(used) == before
    assert digest_of(Compose(load())) != digest_of(Compose(load(1.0)))
    assert digest_of(torch.nn.Conv2d(1, 1, 1)) != digest_of(torch.nn.Conv2d(1, 1, 1))
    assert digest_of({"a": [1, 2.0, None]}) != digest_of({"a": [1, 2.5, None]})
    loop: list = [1]
    loop.append(loop)
    assert digest_of(loop) == digest_of(loop)
