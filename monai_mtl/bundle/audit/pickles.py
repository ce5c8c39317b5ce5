"""Weights files: opcodes of pickles are read, never run; TorchScript is code."""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from typing import IO

from .archives import archive_faults
from .arrays import HEADER, array_faults, is_array
from .disguise import behind_faults
from .entries import Entry
from .finding import Finding
from .layout import layout_faults
from .tensors import onnx_faults, safetensors_faults

__all__ = ["looks_like_pickle", "weights_faults"]

ALLOWED = {
    *("collections OrderedDict", "collections Counter", "torch Size", "torch Tensor", "torch device"),
    *("torch.nn.parameter Parameter", "torch.serialization _get_layout", "_codecs encode"),
    *("builtins bytearray", "builtins set", "builtins complex", "__builtin__ set", "__builtin__ bytearray"),
    *("torch._tensor _rebuild_from_type_v2"),
    *(f"torch._utils _rebuild_{name}" for name in ("parameter", "parameter_with_state", "qtensor", "tensor")),
    *(f"torch._utils _rebuild_{name}" for name in ("tensor_v2", "tensor_v3", "sparse_tensor", "nested_tensor")),
    *(f"torch._utils _rebuild_{name}" for name in ("meta_tensor_no_storage", "device_tensor_from_cpu_tensor")),
    "torch.storage UntypedStorage",
    "torch.storage TypedStorage",
    *(f"torch {kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char")),
    *(
        f"torch {kind}Storage"
        for kind in ("Byte", "Bool", "ComplexFloat", "ComplexDouble", "QInt8", "QUInt8", "QInt32")
    ),
    *(f"torch {name}" for name in ("float16", "float32", "float64", "bfloat16", "int8", "int16", "int32", "int64")),
    *(f"torch {name}" for name in ("uint8", "uint16", "uint32", "uint64", "bool", "complex64", "complex128")),
    *(f"torch {name}" for name in ("qint8", "quint8", "qint32", "float8_e4m3fn", "float8_e5m2", "complex32")),
    *(f"torch {name}" for name in ("per_tensor_affine", "per_channel_affine")),
}
"""Globals that a state dict needs; what ``torch.load(..., weights_only=True)`` takes, less what none of ours has."""

REFUSED = {"INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID"}
TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"}
PART = re.compile(
    r"data/\d+|byteorder|version|\.format_version|\.storage_alignment|\.data/serialization_id|(code|extra)/.*|constants/\d+"
)
"""Parts of a file of ``torch.save`` that are no pickles, and of TorchScript, which is a finding as a whole."""
MEMO = {"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"}
RECALL = {"GET", "BINGET", "LONG_BINGET"}
MOST = 256 << 20
MOST_OPCODES = 5_000_000
MAGIC = 0x1950A86A20F9469CFC6C
"""First value of a file of ``torch.save`` before the zip format."""


def weights_faults(entry: Entry) -> list[Finding]:
    """What is wrong with a file that holds, or may hold, weights.

    Args:
        entry: The file.
    """
    head, name = entry.read(16), entry.name
    if name.lower().endswith(".safetensors"):
        return safetensors_faults(entry)
    if name.lower().endswith(".onnx"):
        return onnx_faults(entry)
    if head.startswith(b"PK"):
        return _archive(entry)
    if is_array(head):
        return array_faults(name, entry.read(HEADER))
    if head.startswith(b"\x7fELF"):
        return [Finding("code", name, "", "native code", "it runs when it is loaded")]
    with entry.opened() as file:
        found = pickle_faults(file, name)
    found += behind_faults(entry)
    if name.lower().endswith(".pth") and re.search(rb"^import[ \t]", entry.read(HEADER), re.MULTILINE):
        found.append(Finding("code", name, "", "lines of a site file", "Python runs them at each start"))
    return found


def looks_like_pickle(head: bytes) -> bool:
    """Whether a file begins as a pickle of protocol 2 or later does."""
    return len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def _archive(entry: Entry) -> list[Finding]:
    found = archive_faults(entry.opened(), entry.name) or layout_faults(entry.opened(), entry.name)
    if found:
        return found
    with entry.opened() as file, zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if any("/code/" in f"/{name}" for name in names) or any(name.endswith("constants.pkl") for name in names):
            why = "TorchScript: loading it runs its code"
            found.append(Finding("code", entry.name, "", "TorchScript", why + "; export it from the network yourself"))
        pickles = 0
        for name in names:
            with archive.open(name) as part:
                head = part.read(HEADER)
            if name.lower().endswith((".pkl", ".pickle")) or (looks_like_pickle(head) and "/data/" not in f"/{name}"):
                pickles += 1
                with archive.open(name) as part:
                    found += pickle_faults(io.BytesIO(part.read(MOST)), f"{entry.name}/{name}")
            elif name.endswith(".npy") or is_array(head):
                found += array_faults(f"{entry.name}/{name}", head)
            elif not PART.fullmatch(name.partition("/")[2]):
                found.append(
                    Finding("code", entry.name, "", name, "no part of weights, so code or data may stand there")
                )
        if not pickles and not all(name.endswith(".npy") for name in names):
            found.append(
                Finding("unknown", entry.name, "", "an archive without weights", "nobody knows what it is for")
            )
    return found


def pickle_faults(file: IO[bytes], name: str) -> list[Finding]:
    """Globals and opcodes of one pickle, or of the five of an old ``torch.save`` file, that are not allowed.

    Args:
        file: At the start of the pickle.
        name: As findings call it.
    """
    found: dict[Finding, None] = {}
    count = 1
    for i in range(5):
        first = None
        try:
            for where, text, value in _globals(file):
                first = value if first is None and text == "value" else first
                if text not in ("value", "stop") and text not in ALLOWED:
                    why = "loading the file calls or imports it"
                    found[Finding("pickle", name, f"byte {where}", text.replace(" ", "."), why)] = None
        except Exception as error:  # pickletools raises anything on bytes that are no pickle
            why = "what stands before the fault still runs"
            found[Finding("pickle", name, "", f"a pickle that breaks off: {error}"[:120], why)] = None
            return list(found)
        if i == 0:
            count = 5 if first == MAGIC else 1
        if i + 1 == count:
            break
    if count == 1 and file.read(1):
        found[Finding("pickle", name, "", "bytes after the pickle", "a second one may stand there")] = None
    return list(found)


def _globals(file: IO[bytes]) -> Iterator[tuple[int, str, object]]:
    """Position and name of each global and refused opcode of a pickle, and its plain values."""
    memo: dict[int, object] = {}
    last: list[object] = []  # what the latest opcodes put on the stack; None for anything but a text
    for count, (opcode, argument, position) in enumerate(pickletools.genops(file)):
        if count > MOST_OPCODES:
            yield position or 0, "more opcodes than a state dict has", None
            return
        kind, where = opcode.name, position or 0
        if kind == "GLOBAL":
            yield where, str(argument), None
            last.append(None)
        elif kind == "STACK_GLOBAL":
            module, attribute = [*last[-2:], None, None][:2]
            known = isinstance(module, str) and isinstance(attribute, str)
            yield where, f"{module} {attribute}" if known else "a name that is put together", None
            last.append(None)
        elif kind in REFUSED:
            yield where, f"opcode {kind} {argument or ''}".strip(), None
            last.append(None)
        elif kind in TEXTS:
            last.append(argument if isinstance(argument, str) else None)
        elif kind in MEMO:
            memo[len(memo) if kind == "MEMOIZE" else int(str(argument))] = last[-1] if last else None
        elif kind in RECALL:
            last.append(memo.get(int(str(argument))))
        elif kind == "LONG1" or kind.startswith("BININT"):
            yield where, "value", argument
            last.append(None)
        elif kind not in ("PROTO", "FRAME"):
            last.append(None)
        del last[:-8]
