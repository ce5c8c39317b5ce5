"""The predictor writes what a run of the config writes, whatever it meets, in memory that does not grow."""

from __future__ import annotations

import json
import resource
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_mtl import predictor as module
from monai_mtl.bundle.opening import open_bundle
from monai_mtl.errors import ConfigError, DataError, MissingError, RunError
from monai_mtl.predictor import Predictor

from .every_bundle import BUNDLES
from .factories import breast
from .fresh import fresh
from .trained import random_weights, tiny


@pytest.fixture(scope="module", params=BUNDLES, ids=lambda bundle: bundle.name)
def bundle(request) -> Path:
    return request.param.folder


@pytest.fixture(scope="module")
def weights(bundle, tmp_path_factory) -> Path:
    return random_weights(bundle, tmp_path_factory.mktemp("weights") / "model.pt", **tiny(bundle))


@pytest.fixture(scope="module")
def predictor(bundle, weights) -> Predictor:
    return Predictor(bundle, weights, **tiny(bundle))


@pytest.fixture
def images(bundle, tmp_path) -> Path:
    """Two images of the sample data and between them, by name, a broken file."""
    folder, sample = tmp_path / "images", sorted((bundle / "sample_data" / "images").iterdir())
    (folder / "more").mkdir(parents=True)
    for source, name in ((sample[0], "a.png"), (sample[-1], "more/c.png")):
        with Image.open(source) as picture:
            picture.save(folder / name)
    (folder / "b.png").write_bytes(b"\x89PNG\r\n")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_files_are_those_of_a_run_of_the_config(bundle, images, weights, predictor, tmp_path, caplog):
    places = {"dataset_dir": str(images), "output_dir": str(tmp_path / "run"), "checkpoint": str(weights)}
    parser = open_bundle(bundle, ["inference.json"], {**places, **tiny(bundle)})
    with pytest.raises(RunError, match="1 of 3 images could not be used") as raised:
        parser.get_parsed_content("evaluator").run()
    summary = predictor.run(images, tmp_path / "own")
    expected, found = files(tmp_path / "run"), files(tmp_path / "own")
    assert len(expected) == 4 + 2 * 4
    # The report says when, how long and with which command; two quick runs may say the same.
    assert {name for name in expected if expected[name] != found.get(name)} - {"report.html", "report.json"} == set()
    one, other = (json.loads(place["report.json"]) for place in (expected, found))
    assert one.pop("ran")["data_sha256"] == other.pop("ran")["data_sha256"]
    assert one == other
    assert set(found) == set(expected)
    assert summary == json.loads(found["results.json"])
    assert [one["case_id"] for one in summary["failed"]] == ["b"]
    assert str(raised.value) in caplog.text


def test_it_runs_again_from_one_file_several_and_a_folder(images, predictor, tmp_path):
    whole = predictor.run(images, tmp_path / "1")["results"]
    single = predictor.run(images / "a.png", tmp_path / "2")["results"]
    several = predictor.run([images / "more" / "c.png", images / "a.png"], tmp_path / "3")["results"]
    assert single == whole[:1]
    assert several == whole[::-1]
    assert (tmp_path / "3" / "more" / "c_mask.png").is_file()


def test_results_keep_the_order_of_the_images_whoever_is_ready_first(bundle, weights, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(6):
        Image.fromarray(breast(seed=i)[0]).save(folder / f"{i}.png")
    predictor = Predictor(bundle, weights, **tiny(bundle), readers=3)
    prepare, first_waits = predictor._preprocessing, threading.Event()

    def slow_for_even(case):
        if case["case_id"] in "024":
            first_waits.wait(0.3)
        return prepare(case)

    predictor._preprocessing = slow_for_even
    results = predictor.run(folder, tmp_path / "out")["results"]
    assert [one["case_id"] for one in results] == list("012345")


def test_reading_the_network_and_writing_overlap(predictor, tmp_path, monkeypatch):
    """Each of the three waits for one of the others to be at work; in turns, all would wait in vain."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(4):
        Image.fromarray(breast(seed=i)[0]).save(folder / f"{i}.png")
    second_is_read, writing_began, in_network = (threading.Event() for _ in range(3))
    prepare, write, answer = predictor._preprocessing, predictor._writer.write, predictor._inferer
    met, asked = [], []

    def reading(case):
        if case["case_id"] == "1":
            second_is_read.set()
        return prepare(case)

    def network(image, net):
        asked.append(1)
        if len(asked) == 1:
            met.append(second_is_read.wait(20))  # the second image is read while the first is in the network
        if len(asked) == 2:
            met.append(writing_began.wait(20))  # the first is being written while the second is in the network
            in_network.set()
        return answer(image, net)

    def writing(case, output):
        if case["case_id"] == "0":
            writing_began.set()
            met.append(in_network.wait(20))
        write(case, output)

    monkeypatch.setattr(predictor, "_preprocessing", reading)
    monkeypatch.setattr(predictor, "_inferer", network)
    monkeypatch.setattr(predictor._writer, "write", writing)
    predictor.run(folder, tmp_path / "out")
    assert met == [True] * 3


def test_a_fault_while_writing_stops_no_other(images, predictor, tmp_path, monkeypatch):
    write = predictor._writer.write

    def failing(case, output):
        if case["case_id"] == "a":
            raise DataError(f"{images / 'a.png'} is gone")
        write(case, output)

    monkeypatch.setattr(predictor._writer, "write", failing)
    summary = predictor.run(images, tmp_path / "out")
    assert [one["case_id"] for one in summary["results"]] == ["more/c"]
    assert [one["case_id"] for one in summary["failed"]] == ["a", "b"]
    assert summary["failed"][0]["reason"] == "a.png is gone"


def test_a_fault_of_the_program_is_no_bad_image(images, predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "_inferer", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predictor.run(images, tmp_path / "out")
    monkeypatch.setattr(predictor, "_preprocessing", lambda case: [][1] or case)
    with pytest.raises(IndexError):
        predictor.run(images, tmp_path / "out")
    monkeypatch.setattr(predictor, "_preprocessing", lambda case: int("x") or case)
    with pytest.raises(ValueError, match="invalid literal"):
        predictor.run(images, tmp_path / "out")


def test_where_no_image_can_be_used_nothing_is_written(images, predictor, tmp_path):
    with pytest.raises(RunError, match="1 of 1 images could not be used"):
        predictor.run(images / "b.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_does_not_exist_is_refused(bundle, weights, tmp_path):
    settings = tiny(bundle)
    with pytest.raises(ConfigError, match="unknown backend 'abacus'"):
        Predictor(bundle, weights, backend="abacus")
    with pytest.raises(ConfigError, match="0 readers"):
        Predictor(bundle, weights, readers=0)
    with pytest.raises(ConfigError, match="did you mean image_size"):
        Predictor(bundle, weights, image_sizes=[64, 64])
    with pytest.raises(MissingError, match="is no bundle"):
        Predictor(tmp_path, weights)
    with pytest.raises(MissingError, match="no weights at"):
        Predictor(bundle, tmp_path / "none.pt")
    with pytest.raises(ConfigError, match="does not fit the network"):
        Predictor(bundle, weights, **{**settings, "image_size": [100, 100]})
    with pytest.raises(MissingError, match="no judged export at"):
        Predictor(bundle, weights, backend="onnx", **settings)
    shutil.copytree(bundle / "configs", tmp_path / "configs")
    path = tmp_path / "configs" / "inference.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "handlers": content["handlers"][:1]}))
    with pytest.raises(ConfigError, match="0 handlers of"):
        Predictor(tmp_path, weights)


def test_a_list_of_files_must_be_one_of_existing_files(images, predictor, tmp_path):
    with pytest.raises(MissingError, match="1 of 2 files do not exist"):
        predictor.run([images / "a.png", images / "z.png"], tmp_path / "out")
    with pytest.raises(DataError, match="no file is named"):
        predictor.run([], tmp_path / "out")


def predict_and_measure(bundle: Path, weights: Path, images: Path, out: Path, leak: bool) -> None:
    """Prints the number of images and by how many megabytes the process grew after a quarter of them."""

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

    predictor = Predictor(bundle, weights, **tiny(bundle))
    seen, kept, write = [], [], predictor._writer.write

    def watched(case, output):
        write(case, output)
        if leak:
            kept.append(torch.ones(1_000_000))
        seen.append(resident())

    predictor._writer.write = watched
    predictor.run(images, out)
    sys.stdout.write(f"{len(seen)} {max(seen[len(seen) // 2 :]) - max(seen[: len(seen) // 4])}\n")


GROWTH = 40
"""Megabytes that 36 more images may add; a tensor of 4 MB kept for each would be 144."""


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads Linux's table of memory")
@pytest.mark.parametrize("leak", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["no leak", "leak"])
def test_memory_stays_flat_over_many_images(bundle, weights, tmp_path, leak):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(48):
        Image.fromarray(np.asarray(breast(seed=i)[0])).save(folder / f"{i:02}.png")
    done = fresh(predict_and_measure, bundle, weights, folder, tmp_path / "out", leak)
    assert done.returncode == 0, done.stderr
    count, growth = done.stdout.split()[-2:]
    assert int(count) == 48
    assert (float(growth) < GROWTH) != leak, growth


def test_the_network_runs_without_a_graph(predictor, images, tmp_path, monkeypatch):
    answer, seen = predictor._inferer, []

    def watched(image, net):
        seen.append(torch.is_inference_mode_enabled())
        return answer(image, net)

    monkeypatch.setattr(predictor, "_inferer", watched)
    predictor.run(images / "a.png", tmp_path / "out")
    assert seen == [True]
    assert module.WRITES_WAITING == 2
