//! Signed tokens, as users bring them: one for each of the first users, and the issuer that has signed them.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::{self, available_parallelism};

use anyhow::{Context, Result};
use porchlight_testkit::{AUDIENCE, Issuer};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::requests::{APPLICATION, TENANT, user_id};
use crate::stopwatch;

/// How long the tokens are good for, in seconds.
const GOOD_FOR: i64 = 2 * 60 * 60;

/// A token for each of some users, from the first one on.
pub(crate) struct Tokens {
    /// Shows its keys whenever the runtime runs that it was started on.
    issuer: Issuer,
    all: Vec<String>,
    file: PathBuf,
}

impl Tokens {
    /// Starts an issuer, has it sign tokens on all cores, and writes them into `file`, one a line.
    pub(crate) fn issue(runtime: &Runtime, users: u32, file: PathBuf) -> Result<Tokens> {
        let issuer = runtime.block_on(Issuer::start());
        let (key, name) = (issuer.key(), issuer_name(&issuer));
        let now = stopwatch::wall().as_millis() / 1000;
        let sign = &|user: u32| key.token(&claims(&name, user, now));
        let cores = available_parallelism().context("failed to count the cores")?.get() as u32;
        let tokens: Vec<String> = thread::scope(|scope| {
            let signing: Vec<_> = shares(users, cores)
                .map(|share| scope.spawn(move || share.map(sign).collect::<Vec<String>>()))
                .collect();
            signing.into_iter().flat_map(|signed| signed.join().expect("a good key signs")).collect()
        });
        fs::write(&file, tokens.join("\n")).with_context(|| format!("failed to write {}", file.display()))?;
        Ok(Tokens { issuer, all: tokens, file })
    }

    /// The token of the user of this index.
    pub(crate) fn of(&self, user: u32) -> &str {
        &self.all[user as usize]
    }

    /// Where they all are.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What a server's configuration file has to say for these tokens to be taken.
    pub(crate) fn config(&self) -> String {
        let trusted = self.issuer.trusted();
        // The texts are plain ASCII, for which Rust's quoting is TOML's too.
        format!(
            "[[auth.issuer]]\nissuer = {:?}\nmetadata = {:?}\naudiences = [{AUDIENCE:?}]\n",
            trusted.issuer, trusted.metadata
        )
    }

    /// What another server has to know to take them: the issuer, the audience and the key.
    pub(crate) fn trust(&self) -> Value {
        json!({
            "issuer": issuer_name(&self.issuer),
            "audience": AUDIENCE,
            "jwk": self.issuer.key().jwk(),
        })
    }
}

/// What it calls itself in tokens of the tenant.
fn issuer_name(issuer: &Issuer) -> String {
    format!("{}/{TENANT}/v2.0", issuer.url())
}

/// The users whose tokens each core signs: all of them, in their order.
fn shares(users: u32, cores: u32) -> impl Iterator<Item = Range<u32>> {
    let size = users.div_ceil(cores);
    (0..cores).map(move |core| (core * size).min(users)..((core + 1) * size).min(users))
}

/// What Entra ID writes into an access token of version 2.0 that lets an application read and set its user's
/// presence. What only its issuer can read is random here, and as long as there: the length of a token counts.
fn claims(issuer: &str, user: u32, now: i64) -> Value {
    json!({
        "aud": AUDIENCE,
        "iss": issuer,
        "iat": now,
        "nbf": now,
        "exp": now + GOOD_FOR,
        "aio": opaque(112),
        "azp": APPLICATION,
        "azpacr": "0",
        "name": format!("User {user:07}"),
        "oid": user_id(user),
        "preferred_username": format!("user{user:07}@bench.example"),
        "rh": opaque(62),
        "scp": "Presence.ReadWrite",
        "sub": opaque(43),
        "tid": TENANT,
        "uti": opaque(22),
        "ver": "2.0",
        "xms_ftd": opaque(64),
    })
}

/// So many characters that mean nothing to anybody else.
fn opaque(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text += &Uuid::new_v4().simple().to_string();
    }
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use porchlight_testkit::IssuerKey;

    use super::*;

    #[test]
    fn the_cores_share_all_users_in_their_order() {
        for (users, cores) in [(10, 3), (10, 1), (3, 4), (1_000, 2)] {
            let shared: Vec<u32> = shares(users, cores).flatten().collect();
            assert_eq!(shared, (0..users).collect::<Vec<u32>>(), "{users} users, {cores} cores");
        }
    }

    #[test]
    fn a_token_is_as_long_as_a_real_one_and_like_no_other() {
        let key = IssuerKey::generate();
        let issuer = format!("http://127.0.0.1:40000/{TENANT}/v2.0");
        let token = || key.token(&claims(&issuer, 7, 1_790_000_000));
        let (one, other) = (token(), token());
        assert!((1_200..=1_500).contains(&one.len()), "{} characters", one.len());
        assert_ne!(one, other);
    }
}
