//! A mail server for tests: `aiosmtpd`, which takes nothing but by STARTTLS from whom it knows, and keeps what it takes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::certificate::certificate;
use crate::{KillOnDrop, free_port, python, run_python, wait_for_port};

/// How long it may take to come up, with other tests on the same machine.
const UP_LIMIT: Duration = Duration::from_mins(2);

const SERVER: &str = r#"
import asyncio, os, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

folder, port, certificate, key, user, password = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
# The first message of all is not taken now, to be tried again.
taken = -1

class Keep:
    async def handle_DATA(self, server, session, envelope):
        global taken
        taken += 1
        if taken == 0:
            return "451 come again"
        path = f"{folder}/{taken:04}"
        with open(path + ".part", "wb") as file:
            file.write(envelope.content)
        os.rename(path + ".part", path + ".eml")
        return "250 taken"

def sign_in(server, session, envelope, mechanism, data):
    is_known = (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=is_known, handled=False)

async def serve():
    made = lambda: SMTP(Keep(), hostname="localhost", tls_context=context, require_starttls=True,
                        auth_required=True, authenticator=sign_in)
    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", int(port))
    await server.serve_forever()

asyncio.run(serve())
"#;

/// What was taken, as Python's reader of mail has it.
const READ: &str = r#"
import email, email.policy, glob, json, sys
def read(path):
    with open(path, "rb") as file:
        mail = email.message_from_binary_file(file, policy=email.policy.default)
    body = lambda kind: mail.get_body((kind,)).get_content()
    return {"headers": {name.lower(): str(value) for name, value in mail.items()},
            "plain": body("plain"), "html": body("html")}
print(json.dumps([read(path) for path in sorted(glob.glob(sys.argv[1] + "/*.eml"))]))
"#;

/// A running mail server; it is gone when this is dropped. The first message is refused for now (451).
#[derive(Debug)]
pub struct MailServer {
    /// Its port on `localhost`.
    pub port: u16,
    /// The certificate by which it is trusted.
    pub ca_file: PathBuf,
    mails: PathBuf,
    _server: KillOnDrop,
}

impl MailServer {
    /// Who may send.
    pub const USER: &str = "me";
    /// By which password.
    pub const PASSWORD: &str = "hunter2";

    /// Starts one with its files in `folder`.
    pub fn start(folder: &Path) -> Self {
        let (ca_file, key) = certificate(folder, "mail");
        let mails = folder.join("mails");
        std::fs::create_dir(&mails).unwrap_or_else(|error| panic!("mails: {error}"));
        let port = free_port();
        let mut command = Command::new(python());
        command.args(["-W", "ignore", "-c", SERVER]).arg(&mails).arg(port.to_string());
        command.arg(&ca_file).arg(&key).args([Self::USER, Self::PASSWORD]);
        let server = KillOnDrop::spawn(&mut command);
        wait_for_port(port, UP_LIMIT);
        Self { port, ca_file, mails, _server: server }
    }

    /// The mails that were taken, in their order, as JSON: `headers` by lower-case name, `plain` and `html`.
    pub fn mails(&self) -> String {
        run_python(READ, &[&self.mails.display().to_string()], &[])
    }
}
