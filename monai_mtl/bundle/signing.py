"""The signature of a packed bundle's manifest, in the format of OpenSSF Model Signing, with a key of one's own.

What is signed is ``MANIFEST.sha256``, so the signature stands for every file that was packed; of a bundle that was
trained further it still holds. Nothing is asked of or sent to a server.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ..errors import ConfigError, MissingError
from .manifest import MANIFEST, SIGNATURE

__all__ = ["sign_manifest", "signature_faults", "signer"]


def signer(key: Path) -> Any:
    """What signs with a key, made ready, so that a wrong key is told before anything is written.

    Args:
        key: Private key of an elliptic curve (P-256, P-384 or P-521), PEM without a password.

    Raises:
        MissingError: If there is no such key.
        ConfigError: If the library is missing, or the file is no such key.
    """
    signing = _library("signing")
    if not key.is_file():
        raise MissingError(f"no private key at {key}", fix="openssl ecparam -name prime256v1 -genkey -noout -out KEY")
    try:
        return signing.Config().use_elliptic_key_signer(private_key=key)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{key} does not sign: {error}", fix="name a private key of an elliptic curve, PEM"
        ) from error


def sign_manifest(folder: Path, key: Path) -> Path:
    """Write the signature beside the manifest.

    Args:
        folder: Of a packed bundle.
        key: As :func:`signer` takes it.

    Returns:
        The signature.

    Raises:
        MissingError: If there is no such key.
        ConfigError: If the library is missing, or the file is no such key.
    """
    signer(key).sign(folder / MANIFEST, folder / SIGNATURE)
    return folder / SIGNATURE


def signature_faults(folder: Path, key: Path) -> list[str]:
    """Why a bundle's manifest is not what the owner of a key has signed; empty if it is.

    Args:
        folder: Of a packed bundle.
        key: Public key, PEM.

    Raises:
        MissingError: If there is no such key.
        ConfigError: If the library is missing.
    """
    verifying = _library("verifying")
    if not key.is_file():
        raise MissingError(f"no public key at {key}", fix="openssl ec -in PRIVATE -pubout -out KEY")
    missing = [f"{name} is missing" for name in (MANIFEST, SIGNATURE) if not (folder / name).is_file()]
    if missing:
        return missing
    try:
        verifying.Config().use_elliptic_key_verifier(public_key=key).verify(folder / MANIFEST, folder / SIGNATURE)
    except Exception as error:  # of whatever the library makes of a damaged signature; none of them is a yes
        return [f"{SIGNATURE} is not that of {key.name}: {type(error).__name__}: {str(error)[:200]}".rstrip(": ")]
    return []


def _library(name: str) -> Any:
    try:
        return importlib.import_module(f"model_signing.{name}")
    except ImportError as error:
        raise ConfigError("signatures need the package model-signing", fix="pip install 'monai-mtl[sign]'") from error
