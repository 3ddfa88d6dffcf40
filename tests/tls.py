"""TLS before servers of this machine that speak none, with certificates that are made for a test."""

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_POSTGRES_ASKS_FOR_TLS = (80877103).to_bytes(4, "big")


@dataclass(frozen=True)
class Certificate:
    """One that is its own authority."""

    certificate: Path
    key: Path


def make_certificate(folder: Path, host: str) -> Certificate:
    """For this host name, valid for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    found = Certificate(folder / "certificate.pem", folder / "key.pem")
    found.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    found.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return found


@contextmanager
def tls_before(server: Path, certificate: Certificate, *, postgres: bool = False) -> Iterator[int]:
    """The port on which what this socket serves is reached by TLS, as long as the context lasts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        arguments = (listener, server, context, postgres)
        thread = threading.Thread(target=_accept, args=arguments, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _accept(listener: socket.socket, server: Path, context: ssl.SSLContext, postgres: bool) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, server, context, postgres), daemon=True).start()


def _serve(client: socket.socket, server: Path, context: ssl.SSLContext, postgres: bool) -> None:
    with client, suppress(OSError):
        if postgres and client.recv(8)[4:] == _POSTGRES_ASKS_FOR_TLS:
            client.sendall(b"S")
        with context.wrap_socket(client, server_side=True) as safe, socket.socket(socket.AF_UNIX) as behind:
            behind.connect(str(server))
            _pass_on(safe, behind)


def _pass_on(safe: ssl.SSLSocket, behind: socket.socket) -> None:
    while True:
        readable = [safe] if safe.pending() else select.select([safe, behind], [], [])[0]
        for source, target in ((safe, behind), (behind, safe)):
            if source in readable:
                data = source.recv(65536)
                if not data:
                    return
                target.sendall(data)
