"""The acceptance of the check: 2000 files, 12 faults of 12 kinds, all found in one pass and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from monai_mtl.data import facts as facts_module
from monai_mtl.data import load_datalist
from monai_mtl.errors import DataError

CLASSES = {"seg": ["background", "lesion"], "cls": ["benign", "malignant", "normal"]}
COUNTS = {"benign": 560, "malignant": 270, "normal": 170}
PATIENT_IMAGES = 2
ROWS, COLUMNS = 64, 80
SPLITS = ("training", "training", "training", "validation", "test")


def speckle(seed: int) -> np.ndarray:
    random = np.random.RandomState(seed)
    field = gaussian_filter(random.rand(ROWS, COLUMNS), 2) * 4 + 0.3 * gaussian_filter(random.rand(ROWS, COLUMNS), 0.7)
    return np.uint8(255 * (field - field.min()) / np.ptp(field))


def lesion(name: str) -> np.ndarray:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return np.uint8(255 * ((name != "normal") & ((y - 30) ** 2 + (x - 40) ** 2 < 100)))


def sound_tree(folder: Path) -> None:
    rows = ["image,patient_id,split"]
    seed = 0
    for name, count in COUNTS.items():
        (folder / name).mkdir()
        mask = Image.fromarray(lesion(name))
        for i in range(1, count + 1):
            Image.fromarray(speckle(seed)).save(folder / name / f"{name} ({i}).png", compress_level=1)
            mask.save(folder / name / f"{name} ({i})_mask.png", compress_level=1)
            patient = (i - 1) // PATIENT_IMAGES
            rows.append(f"{name} ({i}),{name}-patient{patient},{SPLITS[patient % len(SPLITS)]}")
            seed += 1
    (folder / "cases.csv").write_text("\n".join(rows) + "\n")


def plant(folder: Path) -> set[tuple[str, str]]:
    """Spoil 12 files; what must be found."""
    benign, malignant = folder / "benign", folder / "malignant"
    (benign / "benign (11).png").write_bytes((benign / "benign (11).png").read_bytes()[:900])
    (benign / "benign (12)_mask.png").unlink()
    Image.fromarray(lesion("benign")[:-4]).save(benign / "benign (13)_mask.png")
    Image.fromarray(lesion("benign") // 255 * 7).save(benign / "benign (14)_mask.png")
    (benign / "benign (15).png").unlink()
    broken = speckle(5015).astype(np.float32)
    broken[3, 4] = np.nan
    Image.fromarray(broken).save(benign / "benign (15).tif")
    Image.fromarray(lesion("normal")).save(malignant / "malignant (16)_mask.png")
    (benign / "benign (17)_mask.png").unlink()
    Image.fromarray(lesion("benign")).save(benign / "benign (17)_mask.jpg", quality=60)
    (malignant / "malignant (18).png").write_bytes((benign / "benign (18).png").read_bytes())
    table = folder / "cases.csv"
    table.write_text(
        table.read_text().replace("benign (20),benign-patient9,test", "benign (20),benign-patient9,training")
    )
    frames = [Image.fromarray(speckle(i)) for i in (5021, 5022)]
    frames[0].save(benign / "benign (21).png", save_all=True, append_images=frames[1:])
    Image.fromarray(speckle(5023)).save(benign / "benign (23).png", format="JPEG", quality=95)
    (folder / "notes").mkdir()
    Image.fromarray(speckle(5024)).save(folder / "notes" / "scan.png")
    return {
        ("unreadable", "benign (11)"),
        ("missing_mask", "benign (12)"),
        ("mask_size", "benign (13)"),
        ("values", "benign (14)"),
        ("non_finite", "benign (15)"),
        ("empty_mask", "malignant (16)"),
        ("lossy", "benign (17)"),
        *(("duplicate", name) for name in ("benign (18)", "malignant (18)")),
        *(("patient_split", name) for name in ("benign (19)", "benign (20)")),
        ("frames", "benign (21)"),
        ("name", "benign (23)"),
        ("unused", "notes/scan.png"),
    }


@pytest.fixture
def decoded(monkeypatch) -> list[Path]:
    """Images that were decoded, in any order."""
    seen: list[Path] = []

    class Counting(facts_module.MedicalReader):
        def get_data(self, img):
            seen.extend(img)
            return super().get_data(img)

    monkeypatch.setattr(facts_module, "MedicalReader", Counting)
    return seen


def test_twelve_faults_in_two_thousand_files_are_found_in_one_pass_and_nothing_else(tmp_path, decoded):
    data = tmp_path / "data"
    data.mkdir()
    sound_tree(data)
    planted = plant(data)
    assert len({kind for kind, _ in planted}) == 12
    out = tmp_path / "out"
    with pytest.raises(DataError, match="11 kinds of faults") as raised:
        load_datalist(data, CLASSES, output_dir=out)
    assert len(decoded) == len(set(decoded)) == sum(COUNTS.values())
    content = json.loads((out / "check.json").read_text())
    assert {(one["kind"], case) for one in content["findings"] for case in one["cases"]} == planted
    text = str(raised.value)
    for one in content["findings"]:
        assert one["severity"] == ("warning" if one["kind"] == "unused" else "error")
        assert one["severity"] == "warning" or one["what"] in text
    assert text.endswith(f"  details: {out / 'check.json'}")
    assert "patient9" not in (out / "check.json").read_text() + text
    assert str(tmp_path) not in (out / "check.json").read_text()
    with Image.open(out / "check.png") as sheet:
        assert sheet.width > 1000
