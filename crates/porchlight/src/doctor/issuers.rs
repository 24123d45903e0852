//! Whether the keys can be had that tokens are checked with.

use porchlight_http::{IssuerAnswer, TrustedIssuer, ask_issuer};
use tokio::task::JoinSet;

use super::finding::Finding;
use super::{clock, in_time, wait};
use crate::config::Config;

const CHECK: &str = "issuer";

/// Asks every issuer that the configuration names.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let auth = &config.settings.auth;
    if auth.issuers.is_empty() {
        return Vec::new();
    }
    wait(CHECK, async {
        let mut asking = JoinSet::new();
        for (place, issuer) in auth.issuers.iter().cloned().enumerate() {
            let ca = auth.ca.clone();
            asking.spawn(async move {
                let answer = in_time(ask_issuer(&issuer, ca.as_deref())).await;
                (place, findings(&issuer, answer))
            });
        }
        let mut found = asking.join_all().await;
        found.sort_by_key(|(place, _)| *place);
        found.into_iter().flat_map(|(_, findings)| findings).collect()
    })
}

fn findings(issuer: &TrustedIssuer, answer: Result<IssuerAnswer, String>) -> Vec<Finding> {
    let name = &issuer.issuer;
    match answer {
        Ok(IssuerAnswer { keys, date }) => {
            let noun = if keys == 1 { "key" } else { "keys" };
            let good = Finding::good(CHECK, format!("{name} has {keys} {noun} to check tokens with"));
            let clock = date.and_then(|date| clock::of_date(name, &date, issuer.clock_skew));
            [Some(good), clock].into_iter().flatten().collect()
        }
        Err(why) => {
            let advice = advice(&why, issuer);
            vec![Finding::wrong(CHECK, format!("the keys of {name} cannot be had: {why}")).advise(advice)]
        }
    }
}

/// What to do about it, by what is wrong.
fn advice(why: &str, issuer: &TrustedIssuer) -> String {
    if why.contains("it is the document of the issuer") {
        "make auth.issuer.issuer what the document says, to the letter, or metadata that of the right issuer"
            .to_owned()
    } else if why.contains("certificate") {
        "if its certificate is of an authority of your own, name that by auth.ca".to_owned()
    } else if why.contains("answered with") || why.contains("it is no discovery document") {
        "see to auth.issuer.issuer, or name the place of its discovery document by auth.issuer.metadata"
            .to_owned()
    } else {
        format!("until then its tokens are refused; from this machine: curl -v {}", issuer.metadata)
    }
}
