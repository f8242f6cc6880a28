"""Which file of TLS is said to be unusable, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tidings.backends.postgres.certificates import unusable


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the certificate `db.pem`, its key `db.key`, another's `other.key`, and `text`."""
    for name in ("db", "other"):
        key = ec.generate_private_key(ec.SECP256R1())
        called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begins = datetime(2026, 1, 1, tzinfo=UTC)
        issued = (
            x509.CertificateBuilder(called, called, key.public_key(), 1, begins, begins + timedelta(days=1))
            .sign(key, hashes.SHA256())
            .public_bytes(forms.Encoding.PEM)
        )
        (tmp_path / f"{name}.pem").write_bytes(issued)
        plain = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        (tmp_path / f"{name}.key").write_bytes(plain)
    (tmp_path / "text").write_text("no certificate")
    return tmp_path


@pytest.mark.parametrize(
    ("cert", "key", "told"),
    [
        ("db.pem", "db.key", None),
        ("text", "db.key", "text holds no certificate in PEM form (sslcert= in the URL)"),
        ("gone", "db.key", "gone is not there (sslcert= in the URL)"),
        ("db.pem", "text", "text holds no key of"),
        ("db.pem", "other.key", "other.key holds no key of"),
        ("db.pem", "gone", "gone is not there (sslkey= in the URL)"),
    ],
)
def test_a_certificate_and_its_key_are_tried(files: Path, cert: str, key: str, told: str | None) -> None:
    said = unusable(f"postgresql://h/d?sslcert={files / cert}&sslkey={files / key}", {})
    assert (said is None) if told is None else (said is not None and told in said), said


def test_a_key_without_a_certificate_is_only_read(files: Path) -> None:
    assert unusable("postgresql://h/d", {"PGSSLKEY": str(files / "text")}) is None


def test_nobody_is_asked_for_the_password_of_a_key(files: Path) -> None:
    key = forms.load_pem_private_key((files / "db.key").read_bytes(), None)
    sealed = key.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(b"hush-hush")
    )
    (files / "db.key").write_bytes(sealed)
    url = f"postgresql://h/d?sslcert={files / 'db.pem'}&sslkey={files / 'db.key'}"
    said = unusable(url, {})
    assert said is not None
    assert "sslpassword" in said
    assert unusable(f"{url}&sslpassword=hush-hush", {}) is None
