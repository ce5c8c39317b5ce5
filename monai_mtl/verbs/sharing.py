"""The verbs around sharing: audit, pack, verify. Starts without torch."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path

__all__ = ["audit", "pack", "verify"]


def audit(path: str, json: bool = False, allow: str | None = None) -> int:
    """Look into a bundle of somebody else's without running any of it.

    Args:
        path: Folder, zip or tar archive of a bundle, or a single file.
        json: Print the findings as JSON.
        allow: JSON file with what is allowed besides: {"callables": [], "members": [], "imports": [], "code": []}.

    Returns:
        Exit code: 1 if there are findings.

    Raises:
        MissingError: If there is nothing at ``path``.
        ConfigError: If ``allow`` is no such file.
    """
    from ..bundle.audit import audit as scan

    found = scan(str(path), allow)
    if json:
        _write(json_format.dumps({"findings": [one.to_json() for one in found]}, indent=4))
    else:
        _write(*(one.text() for one in found), f"{path}: {len(found)} findings")
    return 1 if found else 0


def pack(
    bundle: str,
    out: str,
    weights: str | None = None,
    weights_url: str | None = None,
    sign: str | None = None,
    json: bool = False,
) -> int:
    """Write a bundle as a folder of its own, with its code, for the model zoo and MONAI Label.

    Args:
        bundle: Name or folder of a bundle.
        out: Folder to write.
        weights: Weights to bring; by default those of the bundle's models/ that ship with it.
        weights_url: Address at which large files will be found, for large_files.yml.
        sign: Private key (elliptic curve, PEM) to sign the manifest with.
        json: Print the result as JSON.

    Returns:
        Exit code.

    Raises:
        ConfigError: If it cannot be packed.
        MissingError: If there are no such weights or no such key.
    """
    from ..bundle.pack import pack_bundle
    from ..cli_settings import bundle_folder

    given = Path(weights) if weights else None
    key = Path(sign) if sign else None
    notes = pack_bundle(bundle_folder(str(bundle)), Path(str(out)), given, weights_url, key)
    if json:
        _write(json_format.dumps({"packed": str(out), "notes": list(notes)}, indent=4))
    else:
        _write(*(f"note: {note}" for note in notes), str(out))
    return 0


def verify(bundle: str, json: bool = False, key: str | None = None) -> int:
    """Check that a bundle, packed or not, is what its metadata says and what MONAI and the model zoo ask for.

    Args:
        bundle: Name or folder of a bundle.
        json: Print the result as JSON.
        key: Public key (PEM) of the one who must have signed it.

    Returns:
        Exit code: 1 if a check fails.

    Raises:
        ConfigError: If there is no such bundle, or a key is given and the package model-signing is missing.
        MissingError: If there is no such key.
    """
    from ..bundle.verify import verify_bundle
    from ..cli_settings import bundle_folder

    checks = verify_bundle(bundle_folder(str(bundle)), key=Path(str(key)) if key else None)
    if json:
        _write(json_format.dumps({"checks": [one.to_json() for one in checks]}, indent=4))
    else:
        _write(*(one.text() for one in checks))
    return 1 if any(one.faults for one in checks) else 0


def _write(*lines: str) -> None:
    sys.stdout.write("".join(line + "\n" for line in lines))
