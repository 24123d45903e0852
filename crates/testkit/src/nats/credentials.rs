//! Whom a NATS server lets in by credentials: an operator, whose account has a user.
//!
//! Source: NATS's documentation on JWT authentication, and `v2` of its library `jwt`.

use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::unsigned;

/// When all of it was issued, in Unix seconds. It is good for ever.
const ISSUED: i64 = 1_700_000_000;

/// An operator's keys and tokens, made anew for one server.
#[derive(Clone)]
pub(super) struct Credentials {
    operator: String,
    /// The account that servers speak to one another in; it has no user, and no JetStream.
    system: (String, String),
    /// The account of the user.
    account: (String, String),
    file: String,
}

impl Credentials {
    pub(super) fn generate() -> Credentials {
        let operator = KeyPair::new_operator();
        let (system, account, user) = (KeyPair::new_account(), KeyPair::new_account(), KeyPair::new_user());
        let user_says = json!({"type": "user", "subs": -1, "data": -1, "payload": -1});
        let user_token = token(&user, &account, &user_says);
        let seed = user.seed().expect("it was made with its seed");
        Credentials {
            operator: token(&operator, &operator, &json!({"type": "operator"})),
            system: (system.public_key(), account_token(&system, &operator, 0)),
            account: (account.public_key(), account_token(&account, &operator, -1)),
            file: credentials_file(&user_token, &seed),
        }
    }

    /// What a server is told, so that it lets the user in and nobody else.
    pub(super) fn configure(&self, configuration: &mut Value) {
        let accounts = [&self.system, &self.account];
        let accounts: serde_json::Map<String, Value> =
            accounts.into_iter().map(|(key, token)| (key.clone(), json!(token))).collect();
        configuration["operator"] = json!(self.operator);
        configuration["system_account"] = json!(self.system.0);
        configuration["resolver"] = json!("MEMORY");
        configuration["resolver_preload"] = json!(accounts);
    }

    /// The user's credentials, as NATS's tools write them.
    pub(super) fn file(&self) -> &str {
        &self.file
    }
}

/// An account that may do everything, and keep in JetStream as much as `stored` says: -1 for no limit.
fn account_token(account: &KeyPair, operator: &KeyPair, stored: i64) -> String {
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
        "leaf": -1, "mem_storage": stored, "disk_storage": stored, "streams": stored, "consumer": stored,
    });
    token(account, operator, &json!({"type": "account", "limits": limits}))
}

/// What `issuer` says of `subject`.
fn token(subject: &KeyPair, issuer: &KeyPair, says: &Value) -> String {
    let mut says = says.clone();
    says["version"] = json!(2);
    let claims = json!({
        "jti": subject.public_key(), "iat": ISSUED, "iss": issuer.public_key(), "sub": subject.public_key(),
        "name": "test", "nats": says,
    });
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    unsigned(&header, &claims, |message| issuer.sign(message).expect("it was made with its seed"))
}

fn credentials_file(token: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}
