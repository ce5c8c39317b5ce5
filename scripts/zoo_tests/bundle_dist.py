"""Unit test of a packed bundle in two processes, as the model zoo's runner takes it; see ``bundle.py``."""

import os
import shutil
import tempfile
import unittest

import torch
from utils import export_config_and_run_mgpu_cmd

NAME = ""
SMALL: dict = {}
ON_A_CPU = {
    "device": "cpu",
    "backend": "gloo",
    "network": {"_target_": "torch.nn.parallel.DistributedDataParallel", "module": "@network_def"},
}


class TestBundleInTwoProcesses(unittest.TestCase):
    """Train."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.folder)

    def test_train(self):
        root = os.path.join("models", NAME)
        models = os.path.join(self.folder, "models")
        override = {**SMALL, "bundle_root": root, "ckpt_dir": models, "max_epochs": 1, "val_interval": 1}
        override["output_dir"] = os.path.join(self.folder, "eval")
        gpus = torch.cuda.device_count()
        if gpus < 2:
            override.update(ON_A_CPU)
        export_config_and_run_mgpu_cmd(
            config_file=[os.path.join(root, "configs", f"{name}.json") for name in ("train", "multi_gpu_train")],
            meta_file=os.path.join(root, "configs", "metadata.json"),
            logging_file=os.path.join(root, "configs", "logging.conf"),
            override_dict=override,
            output_path=os.path.join(self.folder, "train.json"),
            ngpu=max(2, gpus),
        )
        self.assertTrue(os.path.isfile(os.path.join(models, "model.pt")))


if __name__ == "__main__":
    unittest.main()
