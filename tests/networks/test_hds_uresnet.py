"""HDSUResNet against the authors' outputs, the published counts and its own contract."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from monai_mtl.networks import HDSUResNet, convert_authors_state_dict

from ..conftest import DATA

TINY = {"widths": (4, 8, 8, 8, 8), "bottom_width": 8, "cls_max_width": 8}


def golden_state(keys_file: str) -> dict[str, torch.Tensor]:
    """Weights that tests/data/README.md defines for each of the authors' names."""
    state = {}
    for key, shape in json.loads((DATA / keys_file).read_text()).items():
        x = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
        if key.endswith("num_batches_tracked"):
            x = np.zeros(shape)
        elif key.endswith("running_var"):
            x = 1 + 0.2 * np.abs(x)
        elif len(shape) >= 2:
            x = x * np.sqrt(2 / np.prod(shape[1:]))
        elif key.endswith("weight"):
            x = 1 + 0.1 * x
        else:
            x = 0.1 * x
        state[key] = torch.from_numpy(np.asarray(x, dtype=np.float32))
    return state


def relative_error(value: torch.Tensor, reference: np.ndarray) -> float:
    return float(np.abs(value.numpy() - reference).max() / np.abs(reference).max())


def test_matches_the_authors_outputs():
    golden = np.load(DATA / "hds_eval.npz")
    net = HDSUResNet().eval()
    net.load_state_dict(convert_authors_state_dict(golden_state("hds_state_keys.json"), 0.0, 1.0))
    image = torch.from_numpy(golden["input"])
    with torch.inference_mode():
        levels, main = net.forward_levels(image), net(image)
    assert relative_error(levels["seg_levels"][-1], golden["seg_last"]) < 1e-4
    assert relative_error(levels["seg_levels"][..., ::8, ::8], golden["seg_strided"]) < 1e-4
    assert relative_error(levels["cls_levels"], golden["cls"]) < 1e-4
    assert torch.equal(main["seg"], levels["seg_levels"][-1])
    assert torch.equal(main["cls_map"], levels["cls_levels"][-1])


def test_key_map_refuses_a_foreign_name_and_drops_the_wrapper():
    state = convert_authors_state_dict({"module.trunk.inconv.weight": torch.ones(1)})
    assert set(state) == {"image_mean", "image_std", "stem.weight"}
    with pytest.raises(ValueError, match=r"'conv9\.weight' is not a name"):
        convert_authors_state_dict({"conv9.weight": torch.ones(1)})


@pytest.mark.parametrize(("options", "parameters"), [({}, 7_278_248), ({"upsample": "deconv"}, 7_442_388)])
def test_parameters_equal_the_published_count(options, parameters):
    net = HDSUResNet(**options)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_parameters_of_each_part_and_the_45_convolutions_of_the_trunk():
    net = HDSUResNet()
    size = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert size["seg_paths"] == 985_484
    assert size["cls_paths"] == 2_849_580
    assert sum(size.values()) - size["seg_paths"] - size["cls_paths"] == 3_443_184
    heads = {*net.seg_paths.modules(), *net.cls_paths.modules()}
    trunk = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3) and m not in heads]
    assert len(trunk) == 45


def gmac(options: dict, levels: bool) -> float:
    with torch.device("meta"):
        net = HDSUResNet(**options).eval()
        image = torch.empty(1, 1, 1024, 512)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        _ = net.forward_levels(image) if levels else net(image)
    return counter.get_total_flops() / 2e9


@pytest.mark.parametrize(
    ("options", "levels", "expected"), [({}, True, 69.06), ({}, False, 51.40), ({"upsample": "deconv"}, True, 69.85)]
)
def test_multiplications_equal_the_published_count(options, levels, expected):
    assert gmac(options, levels) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("options", "shape", "levels", "map_shape"),
    [
        ({}, (2, 1, 128, 256), 6, (1, 2)),
        ({"upsample": "deconv", "fuse": "sum"}, (1, 1, 256, 128), 6, (2, 1)),
        ({"mil_stride": 256, "levels": 2}, (1, 1, 256, 512), 2, (1, 2)),
        ({"in_channels": 3, "seg_classes": 4, "cls_classes": 3, "levels": 1}, (2, 3, 256, 128), 1, (2, 1)),
        ({"widths": (4, 8), "mil_stride": 16, "depths": (1, 2, 3), "dropout": 0.1}, (2, 1, 32, 48), 3, (2, 3)),
    ],
)
def test_shapes_with_every_option(options, shape, levels, map_shape):
    options = {**TINY, **options}
    net, (b, _, *size) = HDSUResNet(**options), shape
    k_seg, k_cls = options.get("seg_classes", 2), options.get("cls_classes", 2)
    out = net.train()(torch.randn(shape))
    assert out["seg_levels"].shape == (levels, b, k_seg, *size)
    assert out["cls_levels"].shape == (levels, b, k_cls, *map_shape)
    out = net.eval()(torch.randn(shape))
    assert {name: tuple(v.shape) for name, v in out.items()} == {
        "seg": (b, k_seg, *size), "cls": (b, k_cls), "cls_map": (b, k_cls, *map_shape)
    }  # fmt: skip


def test_eval_mode_computes_the_main_level_only():
    net = HDSUResNet(**TINY).eval()
    reached = []
    for name in ("seg_paths", "cls_paths"):
        for i, path in enumerate(getattr(net, name)):
            path.register_forward_hook(lambda *_, at=(name, i): reached.append(at))
    net(torch.randn(1, 1, 128, 128))
    assert reached == [("seg_paths", 5), ("cls_paths", 5)]


def test_image_statistics_standardise_the_image():
    net = HDSUResNet(**TINY).eval()
    image = 255 * torch.rand(1, 1, 128, 128)
    expected = net((image - 80.0) / 40.0)["seg"]
    net.image_mean.fill_(80.0)
    net.image_std.fill_(40.0)
    torch.testing.assert_close(net(image)["seg"], expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"in_channels": 0}, {"seg_classes": 1}, {"widths": (0, 8)}, {"dropout": 1.0}, {"dropout": (0.1, 0.1)},
        {"depths": 0}, {"upsample": "nearest"}, {"fuse": "mul"}, {"mil_select": "mean"}, {"levels": 7},
        {"mil_stride": 64}, {"mil_stride": 192},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="HDSUResNet expects"):
        HDSUResNet(**wrong)


def test_a_size_that_the_network_cannot_halve_is_refused():
    with pytest.raises(ValueError, match="multiples of 128"):
        HDSUResNet(**TINY)(torch.zeros(1, 1, 128, 100))
