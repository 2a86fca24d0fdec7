"""Fetching a token: certificates are checked, log-in pages are told, and no secret of the address is."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.modules.gridd_token import fetch
from tests.unit.gridd_tokens import issue

TOKEN = issue()


def certificate(folder):
    """A file with a certificate of this address, and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "licence service's stand-in")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    authority = folder / "ca.pem"
    authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return pem, authority


class Server(http.server.ThreadingHTTPServer):
    plain = ""  # address of the same without TLS


class Answers(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        path = self.path.split("?")[0]
        if path in ("/portal", "/plain"):
            self.send_response(302)
            self.send_header("Location", "/login" if path == "/portal" else self.server.plain)
            self.end_headers()
            return
        self.send_response(403 if path == "/closed" else 200)
        self.end_headers()
        self.wfile.write(TOKEN if path == "/token" else b"<html>Sign in</html>")

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    pem, authority = certificate(tmp_path_factory.mktemp("service"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    servers = [Server(("127.0.0.1", 0), Answers) for _number in range(2)]
    servers[0].socket = context.wrap_socket(servers[0].socket, server_side=True)
    servers[0].plain = f"http://127.0.0.1:{servers[1].server_port}/token"
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{servers[0].server_port}", str(authority)
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_token_comes_byte_by_byte_from_a_service_whose_authority_is_known(service):
    address, authority = service
    assert fetch(f"https://{address}/token", authority, 10) == TOKEN


def refusal(address, ca_path):
    with pytest.raises(NvidiaError) as failure:
        fetch(address, ca_path, 10)
    told = str(failure.value)
    assert "hidden" not in told and "Nothing was changed." in told
    return told


def test_an_unknown_authority_is_refused_with_the_way_out(service):
    address, _authority = service
    assert "ca_path" in refusal(f"https://user:hidden@{address}/token?key=hidden", None)


def test_a_redirection_to_a_log_in_page_is_told(service):
    address, authority = service
    told = refusal(f"https://{address}/portal?key=hidden", authority)
    assert f"https://{address}/portal leads to https://{address}/login" in told and "log in" in told


def test_a_redirection_away_from_https_is_refused(service):
    address, authority = service
    assert "no https address" in refusal(f"https://{address}/plain", authority)


def test_a_closed_door_is_told(service):
    address, authority = service
    told = refusal(f"https://user:hidden@{address}/closed", authority)
    assert "403" in told and "log-in" in told


def test_a_service_that_does_not_answer_is_told():
    assert "127.0.0.1:9/t.tok" in refusal("https://user:hidden@127.0.0.1:9/t.tok?hidden", None)
