"""Packed bundles in MONAI Label's own server, asked by HTTP; see README.md. One line a check; exit code 1 if one fails.

``python run.py PACKER``: PACKER is the Python of the collection's environment, which packs. This one has MONAI Label
and nothing of the collection.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checking import attempt, check, exit_code, tell
from monai.metrics import compute_dice
from PIL import Image
from server import HERE, Answer, Server, environment
from space import check_space
from studies import BUNDLES, ROOT, Sample, broken_files, real_mammograms, write_studies

LABELS = {"hds_inbreast": {"mass": 1}, "acsnet_busi": {"lesion": 1}, "ynet_biopsy": {"gland": 1}}
CLASS_BRANCH = {"acsnet_busi": "classifier.", "ynet_biopsy": "diagnosis."}
"""Where a mask tells no class, names of what only a class teaches begin so."""


def pack(packer: str, folder: Path) -> list[Path]:
    """Pack each bundle in the collection's environment."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name in BUNDLES:
        words = ["-m", "monai_mtl", "pack", name, "--out", str(folder / name)]
        if not (ROOT / "bundles" / name / "models" / "model.safetensors").is_file():
            tell(f"note  {name} ships no weights: packed with random ones, whose masks mean nothing")
            file = str(folder / "random.pt")
            made = [packer, "-W", "ignore", str(HERE / "random_weights.py"), f"bundles/{name}", file]
            subprocess.run(made, check=True, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL)
            words += ["--weights", file]
        subprocess.run([packer, "-W", "ignore", *words], check=True, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL)
    return [folder / name for name in BUNDLES]


def reference(bundle: Path, image: Path) -> np.ndarray:
    """Mask that ``monai.bundle run`` writes of the same image with the same folder and packages."""
    with tempfile.TemporaryDirectory() as folder:
        (images := Path(folder) / "images").mkdir()
        shutil.copy(image, images)
        command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--config_file"]
        command += ["configs/inference.json", "--dataset_dir", str(images), "--output_dir", f"{folder}/out"]
        command += ["--device", "cpu"]
        done = subprocess.run(command, cwd=bundle, env=environment(Path(folder)), capture_output=True, text=True)
        masks = sorted(Path(folder, "out").rglob("*_mask.png"))
        if not masks:
            raise RuntimeError(done.stderr[-600:])
        return np.asarray(Image.open(masks[0]))


def check_info(server: Server) -> None:
    """Models, trainers and labels, as a viewer asks first."""
    info = server.call("get", "/info/").json()
    for name in BUNDLES:
        model = info["models"].get(name, {})
        found = {key: model.get(key) for key in ("type", "labels", "dimension")}
        wanted = {"type": "segmentation", "labels": LABELS[name], "dimension": 2}
        check(f"{name}: /info has a 2D segmentation, labels {LABELS[name]}", found == wanted, found)
        check(f"{name}: /info has a trainer", name in info["trainers"], list(info["trainers"]))
    names = [label for labels in LABELS.values() for label in labels]
    check(f"/info labels: {names}", info["labels"] == names, info["labels"])


def ask(server: Server, model: str, image: str, size: tuple[int, int] | None = None, **params: Any) -> Answer:
    """Infer; check what must hold of any reply with a PNG."""
    reply = server.infer(model, image, **params)
    what = f"{model}, {image}"
    if reply.status != 200:
        check(f"{what}: infer", False, f"{reply.status} {reply.params}")
        return reply
    mask, known = reply.mask, max(LABELS[model].values())
    if size is not None:
        check(f"{what}: mask on the image's grid, {size[0]}x{size[1]}", mask.shape == size[::-1], mask.shape)
    check(f"{what}: mask uint8, 0..{known}", mask.dtype == np.uint8 and mask.max() <= known, np.unique(mask))
    result = reply.params.get("classification", {})
    chances = result.get("probabilities", {})
    told = result.get("label") in chances and abs(sum(chances.values()) - 1) < 1e-4
    check(f"{what}: params hold the class: {result.get('label')}", told, reply.params)
    return reply


def compare(reply: Answer, model: str, bundle: Path, image: Path) -> None:
    """The server's mask and that of MONAI's own run."""
    wanted, mask = reference(bundle, image), reply.mask
    levels = wanted // max(1, wanted.max() // max(1, mask.max()))  # ours writes one lesion as 255
    # bundle run lays the weights out for speed, so the last bits of the logits differ.
    told = f"{model}: the mask is that of monai.bundle run ({(mask > 0).mean():.3f} of the image)"
    if levels.shape != mask.shape:
        check(told, False, f"{mask.shape}, not {levels.shape}")
        return
    ours, theirs = (torch.as_tensor(one > 0)[None, None] for one in (levels, mask))
    dice = float(compute_dice(theirs, ours, ignore_empty=False))
    check(f"{told}, Dice {dice:.4f}", dice > 0.99)


def check_formats(server: Server, model: str, sample: Sample, bundle: Path) -> None:
    """PNG against MONAI's own run; NIfTI and DICOM of the same pixels against PNG."""
    path = server.studies / f"{sample.png}.png"
    reply = ask(server, model, sample.png, Image.open(path).size)
    attempt(f"{model}: monai.bundle run", compare, reply, model, bundle, path)
    for other in sample.others:
        same = ask(server, model, other)
        equal = same.status == reply.status == 200 and np.array_equal(same.mask, reply.mask)
        check(f"{model}, {other}: the mask of the same pixels in PNG", equal)
        check(f"{model}, {other}: and their class", same.params["classification"] == reply.params["classification"])
        check_space(server, model, other)
    sent = server.infer(model, file=path)
    equal = sent.status == 200 and np.array_equal(sent.mask, reply.mask)
    check(f"{model}: a file that is sent along gets the same mask", equal, sent.params)


def check_batch(server: Server, model: str, sample: Sample) -> None:
    """Several images in one request; the masks are then in the datastore."""
    images = [sample.png, *sample.labelled]
    reply = server.batch(model, images)
    told = [reply.params.get(name, {}).get("params", {}).get("classification", {}).get("label") for name in images]
    check(f"{model}: batch of {len(images)} images: {', '.join(map(str, told))}", all(told), reply.params)
    saved = [server.call("get", f"/datastore/label?label={name}&tag=original") for name in images]
    check(f"{model}: the masks of the batch are saved", all(one.status_code == 200 for one in saved))
    for name in images:
        server.remove_label(name, "original")


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Of models/model.pt, as packed or as trained."""
    content = torch.load(path, weights_only=True)
    return content.get("model", content)


def check_training(server: Server, model: str, sample: Sample) -> None:
    """Two trainings on pictures with masks and nothing else; each must leave other weights, which are then used."""
    weights, path = server.models / model / "models" / "model.pt", server.studies / f"{sample.png}.png"
    for name, mask in sample.labelled.items():
        server.save_label(name, mask)
    before, reply = read_weights(weights), server.infer(model, sample.png)
    for run, wait in (("first", True), ("second", False)):
        kind = "" if wait else ", as a process of its own"
        trained = server.train(model, wait)
        check(f"{model}: {run} training of one epoch{kind}", trained.status == 200, trained.params)
        after = read_weights(weights)
        weighed = {name for name in before if name.endswith("weight")}
        branch = {name for name in weighed if name.startswith(CLASS_BRANCH.get(model, ()))}
        kept = {name for name in weighed if torch.equal(before[name], after[name])}
        count = f"{len(weighed - branch)} weights, and none of the {len(branch)} that only a class teaches"
        check(f"{model}: {run} training changes all {count}", kept == branch, sorted(kept ^ branch))
        # Batch normalisation counts its batches: a training that began anew would count from 0.
        counters = [name for name in before if name.endswith("num_batches_tracked")]
        anew = [name for name in counters if int(after[name]) <= int(before[name])]
        told = f"{model}: {run} training goes on from model.pt, as {len(counters)} counters of batches tell"
        check(told, bool(counters) and not anew, anew)
        again = server.infer(model, sample.png)
        old, new = (one.params.get("classification", {}).get("probabilities") for one in (reply, again))
        check(f"{model}: the new weights answer: {new}", again.status == 200 and new != old, again.params)
        before, reply = after, again
    attempt(f"{model}: monai.bundle run", compare, reply, model, server.models / model, path)
    for name in sample.labelled:
        server.remove_label(name)


def check_errors(server: Server, folder: Path, sample: Sample, colours: str) -> None:
    """Each error says why, and the server answers afterwards."""
    before = server.infer("hds_inbreast", sample.png)
    nowhere = server.infer("hds_inbreast", "nowhere")
    asked = {
        "an image that is not there": (nowhere, 404, "no image of this name"),
        "a model that is not there": (server.infer("nothing", sample.png), 404, "no model 'nothing'"),
    }
    for what, (model, file, reason) in broken_files(folder).items():
        asked[what] = (server.infer(model, file=file), 422, reason)
    for what, (reply, status, reason) in asked.items():
        text = str(reply.params.get("detail"))
        first = text.splitlines()[0] if text else ""
        check(f"{what}: {status}, {first[-110:]}", reply.status == status and reason in text, (reply.status, text))
    mixed = server.batch("hds_inbreast", [sample.png, colours])
    text = str(mixed.params.get("detail"))
    check(f"a batch with such a picture: {mixed.status}", mixed.status == 422 and "colour" in text, text)
    empty = server.train("hds_inbreast", True)
    text = str(empty.params.get("detail"))
    check(f"training without a mask: {empty.status}, {text[:60]!r}", empty.status == 422 and "no cases" in text, text)
    check("the server is alive", server.alive())
    after = server.infer("hds_inbreast", sample.png)
    check("and answers as before", after.status == 200 and after.file == before.file, after.params)


def main() -> int:
    """Pack, start, ask, stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("packer", help="Python of the environment that has monai_mtl")
    packer = os.path.abspath(parser.parse_args().packer)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (studies := folder / "studies").mkdir()
        (packed := folder / "packed").mkdir()
        bundles, samples, real = pack(packer, packed), write_studies(studies), real_mammograms(studies)
        mammogram, colours = samples["hds_inbreast"], samples["ynet_biopsy"].png
        found = subprocess.run(
            [sys.executable, "-c", "import monai_mtl"], env=environment(folder), cwd=folder, stderr=subprocess.DEVNULL
        )
        check("monai_mtl is not importable in the server's environment", found.returncode != 0)
        with Server(folder, bundles, studies) as server:
            try:
                check_info(server)
                for bundle in bundles:
                    attempt(f"{bundle.name}: formats", check_formats, server, bundle.name, samples[bundle.name], bundle)
                for image in real:
                    attempt(f"real mammogram {image}", ask_real, server, image)
                if not real:
                    tell("note  no real mammograms: MONAI_MTL_DATA names no folder with cbis_ddsm_dicom_mg")
                attempt("errors", check_errors, server, folder / "broken", mammogram, colours)
                for model, sample in samples.items():
                    attempt(f"{model}: batch", check_batch, server, model, sample)
                    attempt(f"{model}: training", check_training, server, model, sample)
                attempt("errors after training", check_errors, server, folder / "again", mammogram, colours)
            finally:
                kept = shutil.copy(folder / "server.log", Path(tempfile.gettempdir()) / "monailabel_server.log")
                tell(f"note  the server's log: {kept}")
        check("the server is stopped", not server.alive())
    return exit_code()


def ask_real(server: Server, image: str) -> None:
    """A mammogram as a hospital has it."""
    import pydicom

    header = pydicom.dcmread(server.studies / f"{image}.dcm", stop_before_pixels=True)
    ask(server, "hds_inbreast", image, (header.Columns, header.Rows))
    check_space(server, "hds_inbreast", image)


if __name__ == "__main__":
    sys.exit(main())
