"""Certificates of an authority of the tests' own, made by openssl."""

from collections.abc import Sequence
from pathlib import Path

from tools.shell import run

CONFIGURATION = """
[req]
distinguished_name = subject
prompt = no
[subject]
CN = quintet tests
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[member]
basicConstraints = CA:FALSE
subjectAltName = {names}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
NEW = ("req", "-x509", "-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def make(folder: Path, names: Sequence[str]) -> None:
    """Into the folder, as PEM: ca.crt, and tls.crt with tls.key for servers of those names (`DNS:redis`,
    `IP:127.0.0.1`), which serves a client too."""
    configuration = folder / "openssl.cnf"
    configuration.write_text(CONFIGURATION.format(names=", ".join(names)))
    authority, key = folder / "ca.crt", folder / "ca.key"
    how = (*NEW, "-config", str(configuration))
    run("openssl", *how, "-extensions", "authority", "-keyout", str(key), "-out", str(authority))
    by = ("-CA", str(authority), "-CAkey", str(key))
    written = ("-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"))
    run("openssl", *how, *by, "-extensions", "member", *written)
