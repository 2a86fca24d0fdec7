"""The lookup of keys and certificates: a variable may hold them, or name their file."""

from __future__ import annotations

import base64

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.gpufleet.nvidia.plugins.lookup.key_material import LookupModule

PEM = "-----BEGIN PRIVATE KEY-----\nTUlJ\n-----END PRIVATE KEY-----\n"
DER = bytes(range(256)) * 2


@pytest.fixture
def loader():
    loader = DataLoader()
    loader.set_vault_secrets([("default", VaultSecret(b"vault"))])
    return loader


@pytest.fixture
def look(loader):
    return lambda term: LookupModule(loader=loader).run([term], {})[0]


@pytest.mark.parametrize("content", [PEM, base64.b64encode(DER).decode()], ids=["PEM", "DER in base64"])
def test_content_is_given_back_as_it_is(look, content):
    assert look(content) == content


@pytest.mark.parametrize(
    ("data", "expected"), [(PEM.encode(), PEM), (DER, base64.b64encode(DER).decode())], ids=["PEM", "DER"]
)
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_file_is_read_and_decrypted_without_a_trace(look, loader, tmp_path, monkeypatch, data, expected, encrypted):
    if encrypted:
        data = VaultLib([("default", VaultSecret(b"vault"))]).encrypt(data)
    path, folder = tmp_path / "site.key", tmp_path / "decrypted"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    path.write_bytes(data)
    assert look(str(path)) == expected
    assert list(folder.iterdir()) == [] and not loader._tempfiles


def test_a_file_that_is_not_there_is_named(look, tmp_path):
    with pytest.raises(AnsibleError, match=r"site\.key is not on the controller"):
        look(str(tmp_path / "site.key"))
