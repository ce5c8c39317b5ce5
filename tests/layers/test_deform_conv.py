"""Deformable convolution against its definition, onnxruntime's own, plain convolution, and the clock."""

from __future__ import annotations

import sys
import time
from itertools import product
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_mtl.layers import DeformConv2d, deform_conv2d
from monai_mtl.layers.deform_conv import torchvision_operator

from ..conftest import DATA

OWN = ("rows", "grid")
GEOMETRIES = [
    {"padding": 1},
    {"kernel": (1, 1)},
    {"kernel": (2, 3), "stride": (2, 1), "padding": (0, 2)},
    {"kernel": (3, 3), "stride": 2, "padding": (3, 2), "dilation": (2, 3)},
    {"groups": 2, "padding": 1, "masked": False},
    {"deformable_groups": 3, "padding": 1},
    {"groups": 3, "deformable_groups": 2, "stride": 2, "dilation": 2, "padding": 2},
]


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def problem(
    size=(2, 6, 7, 6), kernel=(3, 3), stride=1, padding=0, dilation=1, groups=1, deformable_groups=1, masked=True
) -> tuple[dict[str, Tensor], dict]:
    """Random tensors, offsets that leave the image among them, and the options."""
    x = torch.randn(size, dtype=torch.float64)
    weight = torch.randn(6, 6 // groups, *kernel, dtype=torch.float64)
    out = F.conv2d(x[:, : 6 // groups], weight, None, stride, padding, dilation).shape[2:]
    points = deformable_groups * kernel[0] * kernel[1]
    tensors = {
        "x": x,
        "offset": 3 * torch.randn(size[0], 2 * points, *out, dtype=torch.float64),
        "weight": weight,
        "bias": torch.randn(6, dtype=torch.float64),
    }
    if masked:
        tensors["mask"] = torch.rand(size[0], points, *out, dtype=torch.float64)
    return tensors, {"stride": stride, "padding": padding, "dilation": dilation}


def value_at(plane: np.ndarray, y: float, x: float) -> float:
    """Bilinear, zero outside, pixel by pixel."""
    top, left = int(np.floor(y)), int(np.floor(x))
    total = 0.0
    for row, column in product((top, top + 1), (left, left + 1)):
        if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
            total += plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def by_definition(tensors: dict[str, Tensor], options: dict) -> Tensor:
    x, offset, weight, bias = (tensors[name].numpy() for name in ("x", "offset", "weight", "bias"))
    (step_y, step_x), (pad_y, pad_x), (gap_y, gap_x) = (pair(options[n]) for n in ("stride", "padding", "dilation"))
    outputs, width, kernel_h, kernel_w = weight.shape
    points = kernel_h * kernel_w
    per_group, per_deformable = outputs // (x.shape[1] // width), x.shape[1] // (offset.shape[1] // (2 * points))
    y = np.zeros((x.shape[0], outputs, *offset.shape[2:]))
    for b, o, i, j in np.ndindex(y.shape):
        y[b, o, i, j] = bias[o]
        for c, p in product(range(width), range(points)):
            channel = o // per_group * width + c
            place = channel // per_deformable * points + p
            down, right = offset[b, 2 * place, i, j], offset[b, 2 * place + 1, i, j]
            at_y = i * step_y - pad_y + p // kernel_w * gap_y + down
            at_x = j * step_x - pad_x + p % kernel_w * gap_x + right
            factor = tensors["mask"][b, place, i, j].item() if "mask" in tensors else 1.0
            value = value_at(x[b, channel], at_y, at_x)
            y[b, o, i, j] += weight[o, c, p // kernel_w, p % kernel_w] * factor * value
    return torch.from_numpy(y)


def moving(conv: DeformConv2d, spread: float = 0.3) -> DeformConv2d:
    """A convolution whose offsets depend on the image."""
    nn.init.normal_(conv.offset_conv.weight, std=spread)
    return conv


@pytest.mark.parametrize("form", OWN)
def test_matches_the_reference_values(form):
    golden = {name: torch.from_numpy(value) for name, value in np.load(DATA / "deform_conv.npz").items() if value.ndim}
    y = deform_conv2d(
        golden["x"], golden["offset_interleaved"], golden["weight"], padding=1, mask=golden["mask"], form=form
    )
    assert float((y - golden["y"]).abs().max() / golden["y"].abs().max()) < 1e-5


@pytest.mark.parametrize("form", OWN)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_equals_its_definition_pixel_by_pixel(geometry, form):
    tensors, options = problem(**geometry)
    torch.testing.assert_close(deform_conv2d(**tensors, **options, form=form), by_definition(tensors, options))


@pytest.mark.parametrize("form", OWN)
@pytest.mark.parametrize("geometry", GEOMETRIES[2:])
def test_gradients_equal_differences(geometry, form):
    tensors, options = problem(size=(1, 6, 5, 4), **geometry)
    values = [value.requires_grad_() for value in tensors.values()]

    def convolve(*values: Tensor) -> Tensor:
        return deform_conv2d(**dict(zip(tensors, values, strict=True)), **options, form=form)

    assert torch.autograd.gradcheck(convolve, values, fast_mode=geometry.get("groups") != 3)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_offsets_of_zero_are_a_plain_convolution(geometry):
    tensors, options = problem(**geometry)
    plain = F.conv2d(tensors["x"], tensors["weight"], tensors["bias"], groups=geometry.get("groups", 1), **options)
    tensors.pop("mask", None)
    tensors["offset"].zero_()
    for form in OWN:
        torch.testing.assert_close(deform_conv2d(**tensors, **options, form=form), plain)


def test_whole_offsets_look_elsewhere_and_outside_is_zero():
    x = torch.arange(12.0).view(1, 1, 3, 4)
    offset = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 3, 4)
    expected = F.pad(x, (2, 0, 0, 1))[:, :, 1:, :4]
    for form in OWN:
        torch.testing.assert_close(deform_conv2d(x, offset, torch.ones(1, 1, 1, 1), form=form), expected)
        away = deform_conv2d(x, torch.full_like(offset, 1e9), torch.ones(1, 1, 1, 1), form=form)
        assert not away.any()


def test_a_move_that_is_not_a_number_shows_in_the_output():
    tensors, options = problem(padding=1)
    tensors["offset"][0, 4, 2, 3] = torch.nan
    y = deform_conv2d(**tensors, **options, form="rows")
    assert y[0, :, 2, 3].isnan().all()
    assert int(y.isnan().sum()) == y.shape[1]


@pytest.mark.parametrize(("channels", "width"), [(8, 320), (64, 80)])
def test_large_maps_are_done_piece_by_piece_with_the_same_result(channels, width):
    conv, x = moving(DeformConv2d(channels, 8, 3, padding=1), 0.1), torch.randn(2, channels, 96, width)
    whole = {}
    for conv.form in OWN:
        whole[conv.form] = conv(x).detach()
        with torch.no_grad():
            torch.testing.assert_close(conv(x), whole[conv.form])
    torch.testing.assert_close(whole["rows"], whole["grid"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("channels", "grad", "chosen"), [(8, False, "grid"), (16, False, "rows"), (16, True, "grid"), (32, True, "rows")]
)
def test_the_quicker_form_is_chosen(channels, grad, chosen):
    conv, x = moving(DeformConv2d(channels, 4, 3, padding=1)), torch.randn(1, channels, 20, 20)
    with torch.set_grad_enabled(grad):
        auto, conv.form = conv(x), chosen
        assert torch.equal(auto, conv(x))
        conv.form = OWN[1 - OWN.index(chosen)]
        assert not torch.equal(auto, conv(x))


def test_deterministic_algorithms_choose_the_form_with_a_deterministic_backward_pass():
    conv, x = moving(DeformConv2d(8, 4, 3, padding=1)), torch.randn(2, 8, 20, 20, requires_grad=True)
    torch.use_deterministic_algorithms(True)
    try:
        auto = conv(x)
        gradients = [torch.autograd.grad(conv(x).square().sum(), [x, *conv.parameters()]) for _ in range(2)]
    finally:
        torch.use_deterministic_algorithms(False)
    conv.form = "rows"
    assert torch.equal(auto, conv(x))
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.gpu
def test_on_a_gpu_forms_agree_and_the_deterministic_one_repeats_itself():
    conv, x = moving(DeformConv2d(64, 64, 3, padding=1)).cuda(), torch.randn(2, 64, 40, 40, device="cuda")
    reference = conv.cpu()(x.cpu())
    conv.cuda()
    for conv.form in ("auto", *OWN):
        torch.testing.assert_close(conv(x).cpu(), reference, rtol=1e-3, atol=1e-4)
    conv.form = "auto"
    torch.use_deterministic_algorithms(True)
    try:
        parameters = list(conv.parameters())
        gradients = [torch.autograd.grad(conv(x).square().sum(), parameters) for _ in range(2)]
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_a_new_module_is_half_a_convolution_with_a_fixed_small_move():
    conv, x = DeformConv2d(6, 4, 3, padding=1, bias=False), torch.randn(1, 6, 9, 8)
    assert not conv.offset_conv.weight.any()
    assert 0 < float(conv.offset_conv.bias.detach().abs().max()) <= 1 / np.sqrt(6 * 9)
    nn.init.zeros_(conv.offset_conv.bias)
    torch.testing.assert_close(conv(x), 0.5 * F.conv2d(x, conv.weight, padding=1))
    plain = DeformConv2d(6, 4, (3, 1), padding=[1, 0], modulated=False)
    nn.init.zeros_(plain.offset_conv.bias)
    torch.testing.assert_close(plain(x), F.conv2d(x, plain.weight, plain.bias, padding=(1, 0)))
    assert (plain.offset_conv.out_channels, conv.offset_conv.out_channels) == (6, 27)
    assert "padding=(1, 0)" in repr(plain)


@pytest.mark.parametrize("form", OWN)
def test_bfloat16_inside_keeps_coordinates_exact(form):
    conv, x = DeformConv2d(16, 8, 3, padding=1, form=form), torch.randn(1, 16, 300, 20)
    nn.init.constant_(conv.offset_conv.bias, 0.25)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        low = conv(x)
        assert conv.bfloat16()(x.bfloat16()).dtype == torch.bfloat16
    reference = conv.float()(x).detach()
    assert low.dtype == torch.bfloat16
    assert float((low - reference).abs().max() / reference.abs().max()) < 0.02


def test_the_order_in_memory_is_that_of_the_input():
    conv, x = moving(DeformConv2d(32, 8, 3, padding=1)), torch.randn(2, 32, 9, 8)
    y = conv(x)
    assert y.is_contiguous()
    last = conv.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, y)


@pytest.mark.parametrize("channels", [8, 32])
def test_scripts(channels):
    first = moving(DeformConv2d(channels, 8, 3, padding=1))
    second = moving(DeformConv2d(8, 6, (3, 1), 2, (1, 0), groups=2, deformable_groups=2, modulated=False, bias=False))
    net = nn.Sequential(first, second)
    scripted = torch.jit.script(net)
    for size in ((9, 8), (16, 16)):
        x = torch.randn(2, channels, *size)
        torch.testing.assert_close(scripted(x), net(x))


def test_the_function_scripts():
    tensors, options = problem(padding=1)
    torch.testing.assert_close(
        torch.jit.script(deform_conv2d)(**tensors, **options), deform_conv2d(**tensors, **options)
    )


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("opset", "dynamo"), [(19, True), (20, True), (19, False)])
def test_onnx_holds_the_operator_and_onnxruntime_computes_the_same(tmp_path, opset, dynamo):
    first = moving(DeformConv2d(4, 8, 3, padding=1))
    options = {"stride": 2, "padding": 2, "dilation": 2, "groups": 2, "deformable_groups": 2}
    net = nn.Sequential(first, moving(DeformConv2d(8, 6, 3, **options, modulated=False, bias=False))).eval()
    path = str(tmp_path / "net.onnx")
    free = {"dynamic_axes": {"x": {0: "batch", 2: "height", 3: "width"}}, "input_names": ["x"]}
    if dynamo:
        free = {"dynamic_shapes": (dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC),)}
    example = (torch.randn(2, 4, 16, 20),)
    torch.onnx.export(net, example, path, opset_version=opset, dynamo=dynamo, verbose=False, **free)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node].count("DeformConv") == 2
    session = onnxruntime.InferenceSession(path)
    for size in ((2, 16, 20), (1, 9, 33), (3, 40, 12)):
        x = torch.randn(size[0], 4, *size[1:])
        (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(y), net(x).detach(), rtol=1e-4, atol=1e-5)


@pytest.fixture
def _fresh_probe():
    torchvision_operator.cache_clear()
    yield
    torchvision_operator.cache_clear()


def put_torchvision(monkeypatch: pytest.MonkeyPatch, operator) -> None:
    package, ops = ModuleType("torchvision"), ModuleType("torchvision.ops")
    package.ops, ops.deform_conv2d = ops, operator
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.ops", ops)


@pytest.mark.usefixtures("_fresh_probe")
def test_torchvision_is_used_where_it_loads(monkeypatch):
    tensors, options = problem(**GEOMETRIES[-1])
    expected = deform_conv2d(**tensors, **options)
    calls = []

    def operator(x, offset, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), mask=None):
        calls.append((stride, padding, dilation))
        return deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask)

    put_torchvision(monkeypatch, operator)
    torch.testing.assert_close(deform_conv2d(**tensors, **options, form="torchvision"), expected)
    assert calls[-1] == ((2, 2), (2, 2), (2, 2))


@pytest.mark.usefixtures("_fresh_probe")
@pytest.mark.parametrize("fault", ["absent", "does not load", "fails when called"])
def test_a_torchvision_that_does_not_work_is_as_good_as_none(monkeypatch, tmp_path, fault):
    if fault == "absent":
        monkeypatch.setitem(sys.modules, "torchvision", None)
    elif fault == "does not load":
        (tmp_path / "torchvision").mkdir()
        raising = "raise RuntimeError('operator torchvision::nms does not exist')"
        (tmp_path / "torchvision" / "__init__.py").write_text(raising)
        monkeypatch.syspath_prepend(tmp_path)
    else:

        def operator(*_):
            raise RuntimeError("Couldn't load custom C++ ops")

        put_torchvision(monkeypatch, operator)
    tensors, options = problem(padding=1)
    assert torchvision_operator() is None
    deform_conv2d(**tensors, **options)
    with pytest.raises(RuntimeError, match="torchvision's operator is not available"):
        deform_conv2d(**tensors, **options, form="torchvision")


@pytest.mark.parametrize(("size", "limit"), [(64, 6.0), (128, 8.0)])
def test_it_costs_a_few_plain_convolutions(size, limit):
    plain, x = nn.Conv2d(64, 64, 3, padding=1), torch.randn(1, 64, size, size)
    conv = moving(DeformConv2d(64, 64, 3, padding=1), 0.05)
    seconds: dict[nn.Module, float] = {}
    with torch.inference_mode():
        for _ in range(9):
            for net in (plain, conv):
                start = time.thread_time()
                net(x)
                seconds[net] = min(time.thread_time() - start, seconds.get(net, np.inf))
    assert seconds[conv] < limit * seconds[plain], f"{seconds[conv] / seconds[plain]:.1f} times"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"form": "fast"}, "unknown form 'fast'"),
        ({"weight": torch.ones(6, 4, 3, 3, dtype=torch.float64)}, "does not fit 6 channels"),
        ({"offset": torch.zeros(2, 17, 7, 6)}, "17 offset channels are not 2 \\* 9"),
        ({"offset": torch.zeros(2, 18, 7, 7)}, "offset must be"),
        ({"mask": torch.zeros(2, 8, 7, 6)}, "mask must be"),
        ({"padding": 0, "dilation": 4}, "would be empty"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, message):
    tensors, options = problem(padding=1)
    with pytest.raises(ValueError, match=message):
        deform_conv2d(**{**tensors, **options, **wrong})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "channels and groups >= 1"),
        ({"groups": 4}, "do not split"),
        ({"deformable_groups": 4}, "do not split"),
        ({"stride": 0}, "stride, dilation >= 1"),
        ({"padding": -1}, "padding >= 0"),
        ({"form": "fast"}, "form must be one of"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DeformConv2d(**{"in_channels": 6, "out_channels": 12, "kernel_size": 3, **arguments})
