"""Unit tests of a packed bundle, as the model zoo's runner takes them; ``scripts/zoo.py`` fills in the two names."""

import os
import shutil
import sys
import tempfile
import unittest

from monai.bundle import ConfigWorkflow

NAME = ""
SMALL: dict = {}
sys.path.insert(0, os.path.abspath(os.path.join("models", NAME)))  # as verify_bundle.py does


def workflow(configs, kind="train", **settings):
    """Initialised; its properties are complete."""
    root = os.path.join("models", NAME)
    made = ConfigWorkflow(
        config_file=[os.path.join(root, "configs", f"{name}.json") for name in configs],
        meta_file=os.path.join(root, "configs", "metadata.json"),
        logging_file=os.path.join(root, "configs", "logging.conf"),
        workflow_type=kind,
        bundle_root=root,
        **settings,
    )
    made.initialize()
    missing = made.check_properties()
    if missing:
        raise ValueError(f"properties are missing: {missing}")
    return made


class TestBundle(unittest.TestCase):
    """Train, evaluate and infer."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.folder)

    def run_workflow(self, *arguments, **settings):
        made = workflow(*arguments, **settings)
        made.run()
        made.finalize()

    def test_train_and_evaluate_on_the_sample_data(self):
        places = {"ckpt_dir": os.path.join(self.folder, "models"), "output_dir": os.path.join(self.folder, "eval")}
        short = {**SMALL, **places, "max_epochs": 1, "val_interval": 1, "interval_draws": 10}
        self.run_workflow(["train"], **short)
        self.assertTrue(os.path.isfile(os.path.join(places["ckpt_dir"], "model.pt")))
        self.run_workflow(["train", "evaluate"], **short)
        self.assertTrue(os.path.isfile(os.path.join(places["output_dir"], "metrics.json")))

    def test_inference_with_the_shipped_weights(self):
        images = os.path.join(self.folder, "images")
        source = os.path.join("models", NAME, "sample_data", "images")
        os.makedirs(images)
        for name in sorted(os.listdir(source))[:2]:
            shutil.copy(os.path.join(source, name), images)
        output = os.path.join(self.folder, "predictions")
        self.run_workflow(["inference"], "infer", dataset_dir=images, output_dir=output)
        self.assertTrue(os.path.isfile(os.path.join(output, "results.json")))


if __name__ == "__main__":
    unittest.main()
