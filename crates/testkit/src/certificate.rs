//! Certificates for tests: real ones, which sign themselves, made by Python's `cryptography`, which MLflow needs.

use std::path::{Path, PathBuf};

use crate::run_python;

const MAKE: &str = r#"
import datetime, ipaddress, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

certificate_file, key_file, name = sys.argv[1:]
key = ec.generate_private_key(ec.SECP256R1())
subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
now = datetime.datetime.now(datetime.timezone.utc)
hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
certificate = (
    x509.CertificateBuilder()
    .subject_name(subject)
    .issuer_name(subject)
    .public_key(key.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=30))
    .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    .sign(key, hashes.SHA256())
)
pem = serialization.Encoding.PEM
with open(certificate_file, "wb") as file:
    file.write(certificate.public_bytes(pem))
with open(key_file, "wb") as file:
    plain = serialization.NoEncryption()
    file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
"#;

/// A certificate of this name for 127.0.0.1 and localhost, and its key: files in `folder`.
pub fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let files = [folder.join(format!("{name}.crt")), folder.join(format!("{name}.key"))];
    let [certificate, key] = files.each_ref().map(|file| file.display().to_string());
    run_python(MAKE, &[&certificate, &key, name], &[]);
    let [certificate, key] = files;
    (certificate, key)
}

const SIGN: &str = r#"
import datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

authority_file, certificate_file, key_file, name = sys.argv[1:]
now = datetime.datetime.now(datetime.timezone.utc)

def named(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

def made(subject, key, issuer, issuer_key, is_authority):
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        use = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(use, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())

authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
issuer = f"authority of {name}"
pem = serialization.Encoding.PEM
for path, certificate in [
    (authority_file, made(issuer, authority_key, issuer, authority_key, True)),
    (certificate_file, made(name, key, issuer, authority_key, False)),
]:
    with open(path, "wb") as file:
        file.write(certificate.public_bytes(pem))
with open(key_file, "wb") as file:
    plain = serialization.NoEncryption()
    file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
"#;

/// A client's certificate, and who signed it.
#[derive(Debug)]
pub struct Signed {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A certificate of this name for a client, by an authority of its own: files in `folder`.
pub fn client_certificate(folder: &Path, name: &str) -> Signed {
    let file = |ending: &str| folder.join(format!("{name}.{ending}"));
    let signed = Signed { authority: file("ca.crt"), certificate: file("crt"), key: file("key") };
    let Signed { authority, certificate, key } = &signed;
    let shown = [authority, certificate, key].map(|file| file.display().to_string());
    run_python(SIGN, &[&shown[0], &shown[1], &shown[2], name], &[]);
    signed
}
