//! An OpenID Connect provider that is not ours, as a child process: `provider.mjs`.

use std::path::Path;
use std::process::Command;

use uuid::Uuid;

use crate::support::Process;
use crate::tools::test_tools;

/// A running provider. Killed when dropped.
pub(crate) struct Provider {
    _process: Process,
    pub(crate) issuer: String,
}

impl Provider {
    /// Starts one, and returns when it listens.
    pub(crate) fn start() -> Provider {
        let process = Process::spawn(&mut script("provider.mjs"));
        let issuer = |line: &String| line.strip_prefix("listening on ").map(str::to_owned);
        let issuer = process.out.find(|lines| lines.iter().find_map(issuer));
        let issuer = issuer.unwrap_or_else(|| panic!("it did not listen: {:?}", process.err.lines()));
        Provider { _process: process, issuer }
    }

    /// Whom the directory knows the person as. Source: subscriptions-and-auth 22.1.
    pub(crate) fn id_of(&self, person: &str) -> String {
        let issuer = Uuid::new_v5(&Uuid::NAMESPACE_URL, self.issuer.as_bytes());
        Uuid::new_v5(&issuer, person.as_bytes()).to_string()
    }
}

/// A script of `tests/oidc`.
pub(crate) fn script(name: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc").join(name));
    node.env("NODE_PATH", test_tools().join("node_modules"));
    node
}
