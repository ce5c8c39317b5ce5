"""A config made ready outside of MONAI's command line tells its faults in our words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_mtl.bundle.opening import component, open_bundle, start_handlers
from monai_mtl.errors import ConfigError, MissingError

START = {"_target_": "monai_mtl.bundle.startup.start", "multiple": 2}


@pytest.fixture
def bundle(tmp_path) -> Path:
    (tmp_path / "configs").mkdir()
    config = {
        "scale": 2,
        "twice": "$@scale * 2",
        "missing": {"_target_": "monai_mtl.handlers.WeightsLoader", "path": "nowhere.pt", "network": None},
        "foreign": {"_target_": "torch.zeros", "size": "many"},
        "initialize": [
            {"_target_": "monai_mtl.bundle.startup.start", "sizes": {"scale": ["@scale", 8]}, "multiple": 2}
        ],
    }
    (tmp_path / "configs" / "one.json").write_text(json.dumps(config))
    (tmp_path / "configs" / "metadata.json").write_text(json.dumps({"version": "1"}))
    return tmp_path


def test_components_are_made_once_with_overrides(bundle):
    parser = open_bundle(bundle, ["one.json"], {"scale": 4})
    assert component(parser, "twice") == 8
    assert component(parser, "_meta_#version") == "1"
    assert component(parser, "bundle_root") == str(bundle)


def test_faults_of_ours_come_without_their_wrapping(bundle):
    parser = open_bundle(bundle, ["one.json"], {})
    with pytest.raises(MissingError, match=r"no weights at nowhere\.pt"):
        component(parser, "missing")
    with pytest.raises(RuntimeError, match=r"torch\.zeros"):
        component(parser, "foreign")
    with pytest.raises(ConfigError, match=r"scale .* does not fit"):
        open_bundle(bundle, ["one.json"], {"scale": 3})


def test_what_is_no_bundle_is_refused(bundle):
    with pytest.raises(MissingError, match="is no bundle") as raised:
        open_bundle(bundle, ["two.json", "one.json"], {})
    assert raised.value.where == [str(bundle / "configs" / "two.json")]
    with pytest.raises(ConfigError, match="has no recipe on") as misspelt:
        open_bundle(bundle, ["one.json", "on.json"], {})
    assert misspelt.value.fix == "did you mean one?"
    with pytest.raises(ConfigError, match="did you mean scale"):
        open_bundle(bundle, ["one.json"], {"scales": 3})


def test_handlers_start_once():
    calls = []

    class Handler:
        def attach(self, engine):
            from ignite.engine import Events

            engine.add_event_handler(Events.STARTED, lambda: calls.append("started"))

    start_handlers([Handler(), Handler()])
    assert calls == ["started"] * 2
