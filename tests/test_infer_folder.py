"""A folder of images with broken ones among them, through the command."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .commands import command
from .conftest import ROOT
from .faults.generate import mammogram, write_dicom
from .trained import SMALL, random_weights

BUNDLE = ROOT / "bundles" / "hds_inbreast"
BROKEN = {
    "case02": lambda path: path.write_bytes(b""),
    "case05": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "case11": lambda path: path.write_text("<html>404 not found</html>"),
}
COUNT = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Twelve mammograms, three of which were spoilt, and weights."""
    place = tmp_path_factory.mktemp("smith")
    (place / "images").mkdir()
    sources = sorted((BUNDLE / "sample_data" / "images").glob("*.jpg"))
    for i, source in zip(range(COUNT), sources, strict=False):
        shutil.copy(source, place / "images" / f"case{i:02}.jpg")
    for name, spoil in BROKEN.items():
        spoil(place / "images" / f"{name}.jpg")
    random_weights(BUNDLE, place / "model.pt", **SMALL)
    return place


@pytest.fixture
def infer(folder, capsys, monkeypatch):
    """Runs the command on images of the folder; its exit code and what it printed."""
    monkeypatch.chdir(ROOT)

    def run(images: object, output: Path, *words: str, **settings) -> tuple[int, str, str]:
        options = {"weights": folder / "model.pt", "image_size": [128, 128], **SMALL, **settings}
        given = [word for name, value in options.items() for word in (f"--{name}", value)]
        return command(capsys, "infer", "hds_inbreast", "--input", images, "--output", output, *given, *words)

    return run


def test_broken_images_are_named_and_stop_no_other(folder, infer, tmp_path):
    code, out, err = infer(folder / "images", tmp_path / "out", "--json")
    assert code == 1
    told = json.loads(out)  # nothing else reaches stdout
    assert told["done"] == COUNT - len(BROKEN)
    assert {one["case_id"] for one in told["failed"]} == set(BROKEN)
    assert all(one["reason"].startswith("cannot read case") for one in told["failed"])
    assert all(Path(file).is_file() for file in told["files"].values())
    summary = json.loads(Path(told["files"]["results.json"]).read_text())
    assert summary["failed"] == told["failed"]
    names = {f"case{i:02}" for i in range(COUNT)} - set(BROKEN)
    assert {one["case_id"] for one in summary["results"]} == names
    masks = {path.name.removesuffix("_mask.png") for path in (tmp_path / "out").glob("*_mask.png")}
    assert masks == names
    assert "Traceback" not in err


def test_the_report_shows_the_images_and_names_the_broken_ones(folder, infer, tmp_path):
    infer(folder / "images", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (content["images"], content["done"]) == (COUNT, COUNT - len(BROKEN))
    assert page.count('<img loading="lazy"') == COUNT - len(BROKEN)
    for one in content["failed"]:
        assert one["case_id"] in BROKEN
        assert f"<td>{one['case_id']}</td>" in page
    assert sum(content["classes"].values()) == content["done"]
    assert "monai-mtl infer hds_inbreast --input DATA --output out" in content["ran"]["command"]
    assert "--image_size &#34;[128, 128]&#34;" in page
    assert "smith" not in page
    assert str(tmp_path) not in page
    assert content["ran"]["bundle"]["name"] == "hds_inbreast"
    assert content["ran"]["device"] in page
    assert len(content["ran"]["data_sha256"]) == 64


def test_an_image_alone_ends_with_0_and_a_command_that_names_no_folder(folder, infer, tmp_path):
    images = [folder / "images" / f"case0{i}.jpg" for i in (0, 1)]
    code, out, _ = infer(f"['{images[0]}','{images[1]}']", tmp_path / "out", "--json")
    assert code == 0
    assert json.loads(out)["failed"] == []
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "--input DATA" in content["ran"]["command"]
    assert "No image failed." in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize("name", ["report", "Results"])
def test_an_image_that_is_called_as_a_file_of_the_run_is_refused(folder, infer, tmp_path, name):
    (tmp_path / "images").mkdir()
    for i, new in enumerate((name, "other")):
        shutil.copy(folder / "images" / f"case0{i}.jpg", tmp_path / "images" / f"{new}.jpg")
    code, out, _ = infer(tmp_path / "images", tmp_path / "out", "--json")
    assert code == 1
    assert [one["case_id"] for one in json.loads(out)["failed"]] == [name]
    assert f"would be {name}.json" in json.loads(out)["failed"][0]["reason"]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["done"] == 1
    assert (tmp_path / "out" / "other.json").is_file()
    assert not (tmp_path / "out" / f"{name}_mask.png").exists()


def test_in_a_process_of_its_own_stdout_is_json_alone(folder, tmp_path):
    """MONAI's loggers write to what was stdout when they were made, which other tests have done here."""
    settings = {"weights": folder / "model.pt", "image_size": [128, 128], **SMALL}
    words = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
    image = str(folder / "images" / "case00.jpg")
    command = [sys.executable, "-m", "monai_mtl", "infer", "hds_inbreast", "--input", image, "--output", str(tmp_path)]
    done = subprocess.run([*command, "--json", *words], capture_output=True, text=True, cwd=ROOT, timeout=250)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["done"] == 1


def test_a_failed_image_is_told_with_what_helps(folder, infer, tmp_path, caplog):
    (tmp_path / "images").mkdir()
    write_dicom(tmp_path / "images" / "scan.dcm", mammogram(Modality="CT"))
    shutil.copy(folder / "images" / "case00.jpg", tmp_path / "images")
    code, out, _ = infer(tmp_path / "images", tmp_path / "out", "--json")
    assert code == 1
    (told,) = json.loads(out)["failed"]
    assert told["case_id"] == "scan"
    assert (told["reason"], told["expected"]) == ("scan.dcm is of modality CT", "MG")
    assert "add its modality to modalities" in told["fix"]
    assert str(tmp_path) not in json.dumps(told)
    assert f"scan: {told['reason']}; expected: MG; fix: {told['fix']}" in caplog.text
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"<td>{html.escape(told['expected'])}</td><td>{html.escape(told['fix'])}</td>" in page


def test_where_no_image_can_be_used_json_is_the_error(folder, infer, tmp_path):
    code, out, _ = infer(folder / "images" / "case02.jpg", tmp_path / "out", "--json")
    assert code == 1
    (told,) = json.loads(out)["error"]["where"]
    assert told == "case02: cannot read case02.jpg: it is empty; fix: save the image as PNG, JPEG, TIFF, DICOM or NIfTI"
    assert not (tmp_path / "out").exists()
