"""Makes the certificates that the tests of HTTP destinations meet: python3 make.py, with the package cryptography.

They are valid for a hundred years, and the private keys guard nothing.
"""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE = pathlib.Path(__file__).parent
YEAR = datetime.timedelta(days=365)
START = datetime.datetime(2020, 1, 1)


def name(text):
    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, end, *extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def write(file, made):
    (HERE / file).write_bytes(made.public_bytes(serialization.Encoding.PEM))


authority_key = ec.generate_private_key(ec.SECP256R1())
key = ec.generate_private_key(ec.SECP256R1())
authority = "Cloud Export test authority"
write(
    "authority.pem",
    certificate(
        authority,
        authority_key,
        authority,
        authority_key,
        START + 100 * YEAR,
        (x509.BasicConstraints(ca=True, path_length=0), True),
    ),
)
local = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
for file, names, end in [
    ("good.pem", local, START + 100 * YEAR),
    ("other-name.pem", [x509.DNSName("receiver.example.com")], START + 100 * YEAR),
    ("expired.pem", local, START + YEAR),
]:
    extensions = [
        (x509.SubjectAlternativeName(names), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ]
    write(file, certificate("receiver", key, authority, authority_key, end, *extensions))
(HERE / "key.pem").write_bytes(
    key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
)
