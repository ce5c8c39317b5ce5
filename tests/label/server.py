"""MONAI Label's own server as a process on this machine, and what a viewer asks it by HTTP."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import requests
from PIL import Image
from requests_toolbelt.multipart import decoder

__all__ = ["Answer", "Server", "environment"]

HERE = Path(__file__).resolve().parent
LONG = 900
"""Seconds: a training, or the first request of a server, on a busy machine."""
EXTENSIONS = ["*.png", "*.jpg", "*.nii.gz", "*.dcm"]
"""The server's own default leaves DICOM out."""


def environment(folder: Path) -> dict[str, str]:
    """Variables of a process that finds the stand-ins, and nothing of this collection."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {
        "PYTHONPATH": os.pathsep.join(str(HERE / name) for name in ("stand_in", "plugin")),
        "MONAI_LABEL_DATASTORE_FILE_EXT": json.dumps(EXTENSIONS),
        "MONAI_LABEL_SESSION_PATH": str(folder / "sessions"),
    }


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: Of HTTP.
        params: JSON part; of an error its text under ``detail``.
        file: The mask as a file's content.
    """

    status: int
    params: dict[str, Any] = field(default_factory=dict)
    file: bytes = b""

    @property
    def mask(self) -> np.ndarray:
        """Of a PNG, rows first."""
        with Image.open(BytesIO(self.file)) as picture:
            return np.asarray(picture)


class Server:
    """The stock ``monaibundle`` app with bundles in its ``model/``; a context manager.

    Args:
        folder: For the app, its log and sessions.
        bundles: Packed bundles; each is copied into the app.
        studies: Folder of the datastore.
    """

    def __init__(self, folder: Path, bundles: list[Path], studies: Path) -> None:
        self.folder, self.bundles, self.studies = folder, bundles, studies
        self.models = folder / "apps" / "monaibundle" / "model"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen | None = None
        self.log: IO[bytes] | None = None

    def __enter__(self) -> Server:
        """Copy app and bundles, start, and wait until it answers."""
        self._monailabel("apps", "--download", "--name", "monaibundle", "--output", str(self.folder / "apps")).wait()
        for bundle in self.bundles:
            shutil.copytree(bundle, self.models / bundle.name)
        conf = {"models": ",".join(bundle.name for bundle in self.bundles), "zoo_source": "local", "sam2": "false"}
        options = [word for pair in conf.items() for word in ("--conf", *pair)]
        options += ["--app", str(self.models.parent), "--studies", str(self.studies)]
        options += ["-i", "127.0.0.1", "-p", str(self.port), "--uvicorn_app", "readable_errors:app"]
        self.process = self._monailabel("start_server", *options)
        end = time.monotonic() + LONG
        while time.monotonic() < end and self.process.poll() is None:
            if self.alive():
                return self
            time.sleep(1)
        self.__exit__()
        raise RuntimeError(f"the server did not start; see {self.folder / 'server.log'}")

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.log is not None:
            self.log.close()

    def _monailabel(self, *words: str) -> subprocess.Popen:
        self.log = self.log or (self.folder / "server.log").open("ab")
        # Not the command "monailabel", which puts the folder around its environment on the path of imports.
        command = [sys.executable, "-W", "ignore", "-m", "monailabel.main", *words]
        where = {"cwd": self.folder, "env": environment(self.folder)}
        return subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, **where)

    def alive(self) -> bool:
        """Whether it answers."""
        try:
            return self.call("get", "/info/", timeout=30).status_code == 200
        except requests.ConnectionError:
            return False

    def call(self, method: str, path: str, timeout: float = LONG, **options: Any) -> requests.Response:
        """Any request."""
        return requests.request(method, f"http://127.0.0.1:{self.port}{path}", timeout=timeout, **options)

    def infer(self, model: str, image: str = "", file: Path | None = None, **params: Any) -> Answer:
        """Mask and params of an image of the datastore, or of a file that is sent along."""
        query = f"/infer/{model}?image={image}&output=all"
        files = {"file": (file.name, file.read_bytes())} if file else None
        reply = self.call("post", query, data={"params": json.dumps({"device": "cpu", **params})}, files=files)
        if reply.status_code != 200:
            return Answer(reply.status_code, _json(reply))
        parts = {_name(part): part.content for part in decoder.MultipartDecoder.from_response(reply).parts}
        return Answer(200, json.loads(parts["params"]), parts["image"])

    def batch(self, model: str, images: list[str]) -> Answer:
        """Masks of several images, saved in the datastore."""
        params = {"device": "cpu", "multi_gpu": False, "max_workers": 1, "images": images}
        reply = self.call("post", f"/batch/infer/{model}?run_sync=true", json=params)
        return Answer(reply.status_code, _json(reply))

    def train(self, model: str, wait: bool, **params: Any) -> Answer:
        """Train; as a process of its own unless ``wait``, as viewers ask for it."""
        params = {"device": "cpu", "multi_gpu": False, "max_epochs": 1, "val_split": 0.5, **params}
        reply = self.call("post", f"/train/{model}?run_sync={str(wait).lower()}", json=params)
        end = time.monotonic() + LONG
        while not wait and reply.status_code == 200 and time.monotonic() < end:
            state = _json(self.call("get", "/train/"))
            if state["status"] not in ("SUBMITTED", "RUNNING"):
                return Answer(200 if state["status"] == "DONE" else 500, state)
            time.sleep(2)
        return Answer(reply.status_code, _json(reply))

    def save_label(self, image: str, mask: Path) -> None:
        """What an annotator's viewer sends."""
        with mask.open("rb") as file:
            self.call("put", f"/datastore/label?image={image}&tag=final", files={"label": file}).raise_for_status()

    def remove_label(self, image: str, tag: str = "final") -> None:
        """Take a mask out of the datastore."""
        self.call("delete", f"/datastore/label?id={image}&tag={tag}").raise_for_status()


def _json(reply: requests.Response) -> dict[str, Any]:
    try:
        return reply.json() or {}
    except ValueError:
        return {"detail": reply.text}


def _name(part: Any) -> str:
    return part.headers[b"Content-Disposition"].decode().split('name="')[1].split('"')[0]
