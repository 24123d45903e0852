//! Who may read what nobody but the server should.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::config::{Config, LogPlace};
use crate::https::Https;

const CHECK: &str = "secrets";

/// Looks at the rights of every file with a secret in it that the configuration names.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let files = files(config);
    let readable: Vec<Finding> = files.iter().filter_map(|(what, file)| look(what, file)).collect();
    if readable.is_empty() && !files.is_empty() {
        return vec![Finding::good(CHECK, "nobody else can read the keys")];
    }
    readable
}

/// What each file is, and where.
fn files(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let mut files = Vec::new();
    let https = config.https.as_ref().and_then(Https::files);
    files.extend(https.map(|(_, key)| ("https.key", key.to_owned())));
    let client = config.telling.egress.client_certificate.as_ref();
    files.extend(client.map(|(_, key)| ("egress.client_key", key.clone())));
    if let LogPlace::JetStream(url) = &config.log {
        let (key, credentials) = (&url.options.client_certificate, &url.options.credentials);
        files.extend(key.as_ref().map(|(_, key)| ("the key of the log's URL", key.clone())));
        files.extend(credentials.as_ref().map(|file| ("the credentials of the log's URL", file.clone())));
    }
    files
}

/// Whether others can read a file. One that is not there is another check's business.
fn look(what: &str, file: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    let shown = file.display();
    let (whose, advice) = match (mode & 0o007, mode & 0o070) {
        (0, 0) => return None,
        (0, _) => ("its whole group", format!("chmod 600 {shown}, unless that group is the server's own")),
        _ => ("everybody on this machine", format!("chmod 600 {shown}")),
    };
    let warning = Finding::warning(CHECK, format!("{what}, {shown}, can be read by {whose} (mode {mode:o})"));
    Some(warning.advise(advice))
}
