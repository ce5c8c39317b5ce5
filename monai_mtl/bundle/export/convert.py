"""Files that other programs run: ONNX from a network, OpenVINO from ONNX.

Shapes: B batch, C channels, H W pixels.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.config import PathLike
from torch import Tensor, nn

from ...errors import RunError
from .extras import need
from .runners import ExportedNetwork, require_precision

__all__ = ["export_onnx", "export_openvino"]

OPSET = 19
"""The first that has the operator ``DeformConv``."""
LARGEST_DIFFERENCE = 1e-3
"""Between the file and the network, as a share of the largest value of an output."""


def export_onnx(network: nn.Module, path: PathLike, example: Tensor) -> Path:
    """Write a network as one ONNX file, weights included, for images of any number and size.

    The input is ``image``; outputs have the names of the network's dictionary in eval mode. The network is
    traced at the example's size and run again for two images on their side.

    Args:
        network: Network, on the CPU; it is left in eval mode.
        path: File to write, ``.onnx``.
        example: Image ``(1, C, H, W)`` of a size that the network takes, also with its sides exchanged.

    Returns:
        The file.

    Raises:
        RunError: If the file and the network differ; it is then removed.
        ConfigError: If the extra ``onnx`` is not installed.
    """
    need("onnx")
    path = Path(path)
    network.eval()
    with torch.inference_mode():
        names = list(network(example))
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Of checks that a network makes of an image's size, and of the tracer's age. The newer exporter takes
        # twenty times as long for the same graph.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            network,
            (example,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=names,
            dynamic_axes={"image": {0: "batch", 2: "height", 3: "width"}},
        )
    try:
        _compare(network, ExportedNetwork(path), example)
    except RunError:
        path.unlink()
        raise
    return path


def _compare(network: nn.Module, exported: Callable[[Tensor], dict[str, Tensor]], example: Tensor) -> None:
    """Raise unless both agree on the example and on two others with its sides exchanged; a square is doubled."""
    generator = torch.Generator().manual_seed(0)
    square = example.shape[2] == example.shape[3]
    other = (example.repeat(1, 1, 2, 1) if square else example.transpose(2, 3)).repeat(2, 1, 1, 1)
    other = other + torch.rand(other.shape, generator=generator) * other.std()
    for image in (example, other):
        with torch.inference_mode():
            expected, found = network(image), exported(image)
        for name, value in expected.items():
            size = f"for images {tuple(image.shape)}, {name}"
            if found[name].shape != value.shape:
                raise RunError(f"the export is not the network: {size} has shape {tuple(found[name].shape)}")
            difference = float((found[name] - value).abs().max() / value.abs().max().clamp(min=1e-6))
            if not difference <= LARGEST_DIFFERENCE:
                raise RunError(
                    f"the export is not the network: {size} differs by {difference:.1e} of its largest value"
                )


def export_openvino(
    onnx: PathLike, path: PathLike, precision: str = "fp32", calibration: Sequence[Tensor] = ()
) -> Path:
    """Write an ONNX file in the form of OpenVINO, two files: ``.xml`` and ``.bin``.

    Args:
        onnx: From :func:`export_onnx`.
        path: File to write, ``.xml``.
        precision: ``"fp32"``; ``"bf16"``, the same file, since the types inside are chosen when it runs; ``"int8"``.
        calibration: Real images ``(1, C, H, W)`` as the network sees them, from which int8 learns the range of each
            layer; not those that the export is judged on.

    Returns:
        The file.

    Raises:
        ConfigError: If the precision does not exist here, or the extra ``openvino`` is not installed.
        RunError: If int8 has no image to learn from.
    """
    require_precision("openvino", precision)
    openvino = need("openvino")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    core = openvino.Core()
    core.add_extension(need("openvino.frontend.onnx").ConversionExtension("DeformConv", _deformable))
    model = core.read_model(Path(onnx))
    if precision == "int8":
        if not calibration:
            raise RunError("int8 needs images to calibrate with", fix="give some that the export is not judged on")
        nncf = need("nncf")
        nncf.set_log_level(logging.WARNING)
        images = nncf.Dataset(list(calibration), lambda image: image.numpy())
        model = nncf.quantize(model, images, subset_size=len(calibration))
    openvino.save_model(model, path, compress_to_fp16=False)
    return path


def _deformable(node: Any) -> list[Any]:
    """OpenVINO's operator for ONNX's ``DeformConv`` without bias, which its own reader of ONNX does not know."""
    image, weight, offset, *rest = (node.get_input(i) for i in range(node.get_input_size()))
    stride, pads, dilation = (list(node.get_attribute(name)) for name in ("strides", "pads", "dilations"))
    made = need("openvino").opset8.deformable_convolution(
        image,
        offset,
        weight,
        stride,
        pads[:2],
        pads[2:],
        dilation,
        mask=rest[1] if rest else None,
        group=node.get_attribute("group"),
        deformable_group=node.get_attribute("offset_group"),
        bilinear_interpolation_pad=True,
    )
    return made.outputs()
