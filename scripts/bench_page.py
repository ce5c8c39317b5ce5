"""docs/benchmarks.md from docs/benchmarks.json. Called by bench.py; alone it writes the page again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from format_json import render

__all__ = ["page", "write_page"]

DOCS = Path(__file__).parents[1] / "docs"
HEAD = """# Benchmarks
`make bench` runs several ways to do the same thing in turns and compares them round by round. Seconds depend on the
machine and on what else it does; ratios hardly do. `scripts/bench.py` writes this page from
[benchmarks.json](benchmarks.json).

## Reading
After both were shown to give the same numbers. Above 1 is quicker than plain MONAI. The picture is a mammogram of the
sample data enlarged to 4084 x 3328, with noise, 12 bits in 16, uncompressed DICOM.
"""
WHY = """
Pixels are mapped where they lie in the file and become floating point once; resizing is one weighted sum of rows and
one of columns, which makes no pixel that the result does not need.
"""
WHAT = {
    "loading": "file to a 1024 x 512 float tensor, area averaging: `LoadImage(PydicomReader)` and `Resize`",
    "hds_preprocessing": "preprocessing of `hds_inbreast`: MONAI's reader and `Resized`, the rest the same",
}
LAYER, DETECTOR = "deform_conv", "lesion_rcnn"
PARTS = {
    "eval": "Evaluation of an image {shape}",
    "step": "Training step of a batch {shape}",
    "path": "{images} files to masks, overlays and JSON",
}


def write_page(measured: dict[str, Any] | None = None) -> None:
    """Put new measurements among the old ones and write the page.

    Args:
        measured: ``setting`` and ``results`` of a run.
    """
    path = DOCS / "benchmarks.json"
    content = json.loads(path.read_text())
    if measured is not None:
        for name, result in measured["results"].items():
            content[name] = {"setting": measured["setting"], **result}
        path.write_text(render(content) + "\n")
    (DOCS / "benchmarks.md").write_text(page(content))


def page(content: dict[str, Any]) -> str:
    """The page.

    Args:
        content: Of the JSON.
    """
    lines = [HEAD]
    reading = {name: content[name] for name in WHAT if name in content}
    if reading:
        lines.append(told(next(iter(reading.values()))))
        lines += [
            "",
            "| what | plain MONAI, s | here, s | ratio of medians | half of the rounds |",
            "|---|---|---|---|---|",
        ]
        for name, row in reading.items():
            numbers = f"{row['theirs_s']:.3f} | {row['ours_s']:.3f} | {row['ratio_of_medians']:.1f}"
            lines.append(f"| {WHAT[name]} | {numbers} | {row['lower_quartile']:.1f} to {row['upper_quartile']:.1f} |")
        lines.append(WHY)
    if LAYER in content:
        lines += _layer(content[LAYER])
    if DETECTOR in content:
        lines += _detector(content[DETECTOR])
    for name in sorted(set(content) - {*WHAT, LAYER, DETECTOR}):
        lines += [f"## The network of {name}", told(content[name])]
        for part, title in PARTS.items():
            lines += table(title.format(**content[name][part]), content[name][part])
        lines += ["", "| peak memory | MiB above the imports |", "|---|---|"]
        for row, values in content[name]["memory"]["rows"].items():
            grown = f", of these {values['grown_mib']:.0f} after the first tenth" if "grown_mib" in values else ""
            lines.append(f"| {row} | {values['above_imports_mib']:.0f}{grown} |")
    return "\n".join(lines).rstrip() + "\n"


def _layer(content: dict[str, Any]) -> list[str]:
    """Times the seconds of a plain convolution: here less is better."""
    title = f"3x3, {content['channels']} to {content['channels']} channels, batch of 1, {content['rounds']} rounds"
    lines = ["## The deformable convolution", told(content), ""]
    lines += [f"| {title} | ms | times a plain one | half of the rounds | at most |", "|---|---|---|---|---|"]
    for side, row in content["rows"].items():
        for form, one in row["forms"].items():
            spread = f"{one['lower_quartile']:.2f} to {one['upper_quartile']:.2f}"
            most = f"{row['at_most']:.0f}" if form == "deformable" else ""
            lines.append(
                f"| {side}, {form} | {one['median_s'] * 1e3:.2f} | {one['times_plain']:.2f} | {spread} | {most} |"
            )
    return [*lines, ""]


def _detector(content: dict[str, Any]) -> list[str]:
    """The lesion R-CNN as a whole, and what its operators take of it."""
    seconds, most, side = content["median_s"], content["at_most"], content["side"]
    spread = f"{content['lower_quartile']:.2f} to {content['upper_quartile']:.2f}"
    title = f"ResNet-50, an image of {side} x {side}, random weights, {content['rounds']} rounds"
    lines = ["## The lesion R-CNN", told(content), "", f"| {title} | measured | at most |", "|---|---|---|"]
    lines += [f"| {name}, s | {value:.2f} | |" for name, value in seconds.items()]
    times = f"{content['times_backbone']:.2f} (half of the rounds {spread})"
    lines.append(f"| whole, times backbone and pyramid | {times} | {most['times_backbone']} |")
    share = f"{100 * content['operators_share']:.1f} | {100 * most['operators_share']:.0f}"
    lines.append(f"| anchors, proposals, ROI align and pasting, % of the whole | {share} |")
    for name, peak in content["peak_mib"].items():
        lines.append(f"| peak of a process, {name}, MiB | {peak:.0f} | {most['peak_mib']:.0f} |")
    return [*lines, ""]


def told(entry: dict[str, Any]) -> str:
    """Where it was measured."""
    where = entry["setting"]
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    busy = f" Measured beside other work: {where['busy']}." if where["busy"] else ""
    load = f"; load average before {where['load']}" if "load" in where else ""
    threads = f"{where['threads']} thread{'' if where['threads'] == 1 else 's'}"
    return f"{where['processor']}; {threads}; {versions}{load}.{busy}"


def table(title: str, part: dict[str, Any]) -> list[str]:
    """Rows of one comparison; the first is what the others are compared with."""
    lines = ["", f"| {title}, {part['rounds']} rounds | s | times as quick | half of the rounds |", "|---|---|---|---|"]
    for name, row in part["rows"].items():
        spread = f"{row['lower_quartile']:.2f} to {row['upper_quartile']:.2f}"
        lines.append(f"| {name} | {row['median_s']:.3f} | {row['median_ratio']:.2f} | {spread} |")
    return lines


if __name__ == "__main__":
    write_page()
