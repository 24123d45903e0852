//! Signing in to the board with a provider that is not ours, `oidc-provider`, as in production.

use std::time::Duration;

use crate::browser::Script;
use crate::provider::Provider;
use crate::support::{Program, serve, text};

const TENANT: &str = "6a1d3c52-7b0e-4f8a-9c46-2e5b8d7f1a90";

/// How long all scenes may take.
const WHOLE: Duration = Duration::from_secs(60);

/// The program in production, with Ada and Ben in its directory, who sign in with the provider; `board` is what the
/// configuration says of the board.
fn trusting(provider: &Provider, board: &str) -> Program {
    let folder = tempfile::tempdir().expect("a folder");
    let (seed, config) = (folder.path().join("people.yaml"), folder.path().join("porchlight.toml"));
    let (seed_path, issuer) = (text(&seed), &provider.issuer);
    let (ada, ben) = (provider.id_of("ada"), provider.id_of("ben"));
    let people = format!(
        "tenants:
  - id: {TENANT}
    users:
      - id: {ada}
        userPrincipalName: ada@example.org
        displayName: Ada Lovelace
      - id: {ben}
        userPrincipalName: ben@example.org
        displayName: Ben Okafor
"
    );
    let settings = format!(
        r#"
seed = "{seed_path}"

{board}

[[auth.issuer]]
issuer = "{issuer}"
audiences = ["api://porchlight"]
tenant = "{TENANT}"
clock_skew_seconds = 0
claims = {{ user = "sub", app = "client_id", scopes = "scope", roles = "scope" }}
"#
    );
    std::fs::write(&seed, people).expect("the file can be written");
    std::fs::write(&config, settings).expect("the file can be written");
    Program::start(&mut serve(&["--ephemeral", "--access-log", "false", "--config", text(&config)]))
}

/// What the configuration says of the board, which asks for these permissions.
fn board(permissions: &str) -> String {
    format!(
        r#"
[board]
client_id = "board"
scopes = "openid profile {permissions}"
parameters = {{ resource = "api://porchlight/board" }}
"#
    )
}

#[test]
fn people_sign_in_with_a_provider_stay_signed_in_and_sign_out() {
    let provider = Provider::start();
    let server = trusting(&provider, &board("Presence.Read.All Presence.ReadWrite"));
    let limited = trusting(&provider, &board("Presence.Read"));
    let unconfigured = trusting(&provider, "");
    let urls = [&server, &limited, &unconfigured].map(Program::url);
    let [server_url, limited_url, unconfigured_url] = urls.each_ref().map(String::as_str);
    let arguments = [server_url, provider.issuer.as_str(), limited_url, unconfigured_url];
    Script::start("sign-in.mjs", &arguments).passes(WHOLE);
}
