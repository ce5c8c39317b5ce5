"""A signature of another key, of another manifest or of a damaged file is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from monai_mtl.bundle.manifest import MANIFEST, SIGNATURE, check_manifest, write_manifest
from monai_mtl.bundle.signing import sign_manifest, signature_faults
from monai_mtl.bundle.verify import verify_bundle
from monai_mtl.errors import ConfigError, MissingError

from ..commands import command
from ..conftest import ROOT

ELLIPTIC = ("SECP256R1", "SECP384R1", "SECP521R1")


@pytest.fixture
def library():
    pytest.importorskip("model_signing")


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "packed" / "configs").mkdir(parents=True)
    (tmp_path / "packed" / "configs" / "train.json").write_text("{}")
    write_manifest(tmp_path / "packed")
    return tmp_path / "packed"


def keys(folder: Path, name: str = "key", curve: str = "SECP256R1") -> tuple[Path, Path]:
    """Private and public key."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(getattr(ec, curve)())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption())
    )
    public.write_bytes(key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.mark.parametrize("curve", ELLIPTIC)
def test_what_was_signed_is_known_and_nothing_else(library, folder, tmp_path, curve):
    private, public = keys(tmp_path, curve=curve)
    assert signature_faults(folder, public) == [f"{SIGNATURE} is missing"]
    sign_manifest(folder, private)
    before = (folder / SIGNATURE).read_bytes()
    assert check_manifest(folder) == []
    assert signature_faults(folder, public) == []
    other = keys(tmp_path, "other", curve)[1]
    assert f"is not that of {other.name}" in signature_faults(folder, other)[0]
    (folder / "configs" / "train.json").write_text('{"x": 1}')
    write_manifest(folder)
    assert len(signature_faults(folder, public)) == 1
    (folder / "configs" / "train.json").write_text("{}")
    write_manifest(folder)
    assert signature_faults(folder, public) == []
    for damaged in (b"", b"{}", before[:-20], before.replace(b"payload", b"Payload", 1)):
        (folder / SIGNATURE).write_bytes(damaged)
        assert len(signature_faults(folder, public)) == 1, damaged
    (folder / MANIFEST).unlink()
    assert signature_faults(folder, public)[0] == f"{MANIFEST} is missing"


def test_keys_that_cannot_be(library, folder, tmp_path):
    with pytest.raises(MissingError, match="no private key"):
        sign_manifest(folder, tmp_path / "none.pem")
    with pytest.raises(MissingError, match="no public key"):
        signature_faults(folder, tmp_path / "none.pub")
    (tmp_path / "text.pem").write_text("no key")
    with pytest.raises(ConfigError, match="does not sign"):
        sign_manifest(folder, tmp_path / "text.pem")
    private, _ = keys(tmp_path)
    sign_manifest(folder, private)
    assert len(signature_faults(folder, tmp_path / "text.pem")) == 1


def test_without_the_library_it_says_what_to_install(folder, tmp_path, monkeypatch):
    for name in ("model_signing", "model_signing.signing", "model_signing.verifying"):
        monkeypatch.setitem(sys.modules, name, None)
    for step in (sign_manifest, signature_faults):
        with pytest.raises(ConfigError, match="need the package model-signing") as raised:
            step(folder, tmp_path / "key")
        assert raised.value.fix == "pip install 'monai-mtl[sign]'"


def test_pack_signs_and_verify_runs_nothing_of_another_hand(library, tmp_path, capsys):
    private, public = keys(tmp_path)
    other = keys(tmp_path, "other")[1]
    packed = tmp_path / "packed"
    bundle = ROOT / "bundles" / "acsnet_busi"
    for wrong in (tmp_path / "none.pem", public):
        assert command(capsys, "pack", bundle, "--out", packed, "--sign", wrong)[0] == 2
        assert not packed.exists(), "nothing is written that would be left unsigned"
    assert command(capsys, "pack", bundle, "--out", packed, "--sign", private)[0] == 0
    assert (packed / SIGNATURE).is_file()
    code, told, _ = command(capsys, "verify", packed, "--key", other)
    assert code == 1
    assert "FAILS signature" in told
    assert "nothing is run" in told
    checks = {one.name: one for one in verify_bundle(packed, run=False, key=public)}
    assert checks["signature"].faults == []
    assert "metrics" in checks
    notes = {one.name: one.note for one in verify_bundle(packed, run=False)}
    assert "give --key" in notes["signature"]
