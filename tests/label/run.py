"""Packed bundles in MONAI Label's own server, asked by HTTP; see README.md. One line a check; exit code 1 if one fails.

``python run.py PACKER``: PACKER is the Python of the collection's environment, which packs. This one has MONAI Label
and nothing of the collection.
"""

from __future__ import annotations

import argparse
import json
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
from known import BOXES, CLASS_BRANCH, LABELS
from monai.metrics import compute_dice
from packing import pack, reference
from PIL import Image
from refusals import check_errors
from server import Answer, Server, environment
from space import check_space
from studies import Sample, real_mammograms, write_studies


def check_info(server: Server) -> None:
    """Models, trainers and labels, as a viewer asks first."""
    info = server.call("get", "/info/").json()
    for name in LABELS:
        model = info["models"].get(name, {})
        found = {key: model.get(key) for key in ("type", "labels", "dimension")}
        wanted = {"type": "segmentation", "labels": LABELS[name], "dimension": 2}
        check(f"{name}: /info has a 2D segmentation, labels {LABELS[name]}", found == wanted, found)
        check(f"{name}: /info has a trainer", name in info["trainers"], list(info["trainers"]))
    names = list(dict.fromkeys(label for labels in LABELS.values() for label in labels))
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
    if model in BOXES:
        check_box(what, reply)
    return reply


def check_box(what: str, reply: Answer) -> None:
    """One lesion: its box lies in the image and around its mask, or nothing was found and both are empty."""
    found, mask = reply.params.get("detection", {}), reply.mask
    box, score = found.get("box_xyxy"), found.get("score", -1)
    told = f"{what}: params hold the box {box}, score {score}"
    if box is None:
        check(told, score == 0 and not mask.any(), reply.params)
        return
    rows, columns = np.nonzero(mask)
    room = max(mask.shape) / 50  # a pixel or two of the network's image
    first, last = np.array(box[:2]), np.array(box[2:])
    fits = rows.size > 0 and score > 0 and (first >= 0).all() and (last <= mask.shape[::-1]).all()
    fits = fits and (first <= np.array([columns.min(), rows.min()]) + room).all()
    fits = fits and (last >= np.array([columns.max(), rows.max()]) - room).all()
    check(f"{told}, around the mask", bool(fits), reply.params)


def compare(reply: Answer, model: str, bundle: Path, image: Path) -> None:
    """The server's answer and that of MONAI's own run."""
    (wanted, result), mask = reference(bundle, image), reply.mask
    values = list(LABELS[model].values())
    levels = wanted if len(values) > 1 else (wanted > 0).astype(np.uint8)  # ours writes one lesion as 255
    # bundle run lays the weights out for speed, so the last bits of the logits differ.
    shares = " and ".join(f"{(mask == value).mean():.3f}" for value in values)
    told = f"{model}: the mask is that of monai.bundle run ({shares} of the image)"
    if levels.shape != mask.shape:
        check(told, False, f"{mask.shape}, not {levels.shape}")
        return
    ours, theirs = (torch.as_tensor(np.stack([one == value for value in values]))[None] for one in (levels, mask))
    dice = float(compute_dice(theirs, ours, ignore_empty=False).min())
    check(f"{told}, Dice {dice:.4f}", dice > 0.99)
    numbers, wanted_numbers = np.array(_numbers(reply.params)), np.array(_numbers(result))
    same = numbers.shape == wanted_numbers.shape and np.allclose(numbers, wanted_numbers, atol=0.01)
    check(f"{model}: and so are the numbers beside it", same, (numbers, wanted_numbers))


def _numbers(result: dict[str, Any]) -> list[float]:
    """Probabilities of the classes and, where there is one, the box in fractions of 1000 pixels."""
    box = result.get("detection", {}).get("box_xyxy") or []
    return [*result["classification"]["probabilities"].values(), *(value / 1000 for value in box)]


def check_formats(server: Server, model: str, sample: Sample, bundle: Path) -> None:
    """PNG against MONAI's own run; NIfTI and DICOM of the same pixels against PNG."""
    path = server.studies / f"{sample.png}.png"
    reply = ask(server, model, sample.png, Image.open(path).size)
    attempt(f"{model}: monai.bundle run", compare, reply, model, bundle, path)
    for other in sample.others:
        same = ask(server, model, other)
        equal = same.status == reply.status == 200 and np.array_equal(same.mask, reply.mask)
        check(f"{model}, {other}: the mask of the same pixels in PNG", equal)
        told = [{key: one.params.get(key) for key in ("classification", "detection")} for one in (same, reply)]
        check(f"{model}, {other}: and what is told beside it", told[0] == told[1], told)
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
    phases = json.loads((server.models / model / "configs" / "train.json").read_text()).get("phases", [{}])
    resting = (*CLASS_BRANCH.get(model, ()), *phases[0].get("frozen", ()))
    for run, wait in (("first", True), ("second", False)):
        kind = "" if wait else ", as a process of its own"
        trained = server.train(model, wait)
        check(f"{model}: {run} training of one epoch{kind}", trained.status == 200, trained.params)
        after = read_weights(weights)
        weighed = {name for name in before if name.endswith("weight")}
        branch = {name for name in weighed if name.startswith(resting)}
        kept = {name for name in weighed if torch.equal(before[name], after[name])}
        count = (
            f"{len(weighed - branch)} weights, and none of the {len(branch)} that only a class or a later phase teaches"
        )
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
        found = subprocess.run(
            [sys.executable, "-c", "import monai_mtl"], env=environment(folder), cwd=folder, stderr=subprocess.DEVNULL
        )
        check("monai_mtl is not importable in the server's environment", found.returncode != 0)
        with Server(folder, bundles, studies) as server:
            try:
                check_info(server)
                for bundle in bundles:
                    attempt(f"{bundle.name}: formats", check_formats, server, bundle.name, samples[bundle.name], bundle)
                for model, image in zip(("hds_inbreast", "hds_inbreast", "fcn_ddsm"), [*real, *real], strict=False):
                    attempt(f"{model}: real mammogram {image}", ask_real, server, model, image)
                if not real:
                    tell("note  no real mammograms: MONAI_MTL_DATA names no folder with cbis_ddsm_dicom_mg")
                attempt("errors", check_errors, server, folder / "broken", samples)
                for model, sample in samples.items():
                    attempt(f"{model}: batch", check_batch, server, model, sample)
                    attempt(f"{model}: training", check_training, server, model, sample)
                attempt("errors after training", check_errors, server, folder / "again", samples)
            finally:
                kept = shutil.copy(folder / "server.log", Path(tempfile.gettempdir()) / "monailabel_server.log")
                tell(f"note  the server's log: {kept}")
        check("the server is stopped", not server.alive())
    return exit_code()


def ask_real(server: Server, model: str, image: str) -> None:
    """A mammogram as a hospital has it."""
    import pydicom

    header = pydicom.dcmread(server.studies / f"{image}.dcm", stop_before_pixels=True)
    ask(server, model, image, (header.Columns, header.Rows))
    check_space(server, model, image)


if __name__ == "__main__":
    sys.exit(main())
