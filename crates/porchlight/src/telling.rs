//! The configuration of subscriptions and of what goes out for them.

use std::path::PathBuf;
use std::time::Duration;

use porchlight_http::ODataTypeCase;
use porchlight_notify::{Egress, Settings};
use serde::Deserialize;

use crate::config::Iso;
use crate::exit::Failure;

/// `[subscriptions]`: see `GET /porchlight/limits`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SubscriptionsSection {
    users: Option<usize>,
    per_owner: Option<usize>,
    lifetime_max: Option<Iso>,
    validation_time: Option<Iso>,
    delivery_time: Option<Iso>,
    retry_time: Option<Iso>,
    underway_per_endpoint: Option<usize>,
    items_per_delivery: Option<usize>,
}

/// `[egress]`: where requests may go.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EgressSection {
    http: Option<bool>,
    loopback: Option<bool>,
    private: Option<bool>,
    ports: Option<Vec<u16>>,
    ca: Option<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_key: Option<PathBuf>,
}

/// `[wire]`: where documents and observations of the original differ. Source: subscriptions-and-auth 13.3.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WireSection {
    basic_includes_presence: Option<bool>,
    odata_type_case: Option<Case>,
}

/// How `@odata.type` of a notification is spelled.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Case {
    Documented,
    Observed,
}

impl WireSection {
    pub(crate) fn odata_type_case(&self) -> ODataTypeCase {
        match self.odata_type_case {
            None | Some(Case::Documented) => ODataTypeCase::Documented,
            Some(Case::Observed) => ODataTypeCase::Observed,
        }
    }
}

/// The settings of subscriptions; development mode changes what is usual for `[egress]`.
///
/// # Errors
///
/// [`crate::exit::USAGE`], naming the key.
pub(crate) fn settings(
    subscriptions: &SubscriptionsSection,
    egress: &EgressSection,
    wire: &WireSection,
    strict: bool,
    dev: bool,
) -> Result<Settings, Failure> {
    let usual = if strict { Settings::default().into_strict() } else { Settings::default() };
    let time = |iso: Option<Iso>, usual: Duration| iso.map_or(usual, |iso| iso.0);
    let times = [subscriptions.validation_time, subscriptions.delivery_time, subscriptions.retry_time];
    if times.into_iter().flatten().any(|time| time.0.is_zero()) {
        return Err(Failure::usage(
            "subscriptions.validation_time, subscriptions.delivery_time and subscriptions.retry_time must be more than zero",
        ));
    }
    let lifetime_max = time(subscriptions.lifetime_max, usual.lifetime_max);
    let minute = Duration::from_secs(60);
    if !(minute..=4320 * minute).contains(&lifetime_max) {
        return Err(Failure::usage("subscriptions.lifetime_max must be from PT1M to P3D"));
    }
    let is_kept = subscriptions.users.is_some()
        || subscriptions.per_owner.is_some()
        || subscriptions.lifetime_max.is_some();
    if strict && is_kept {
        return Err(Failure::usage(
            "subscriptions.users, subscriptions.per_owner and subscriptions.lifetime_max are the original's in the profile strict",
        ));
    }
    Ok(Settings {
        users_max: subscriptions.users.unwrap_or(usual.users_max).max(1),
        per_owner_max: subscriptions.per_owner.unwrap_or(usual.per_owner_max).max(1),
        lifetime_max,
        validation_timeout: time(subscriptions.validation_time, usual.validation_timeout),
        first_timeout: time(subscriptions.delivery_time, usual.first_timeout),
        retry_timeout: time(subscriptions.retry_time, usual.retry_timeout),
        underway_max: subscriptions.underway_per_endpoint.unwrap_or(usual.underway_max).max(1),
        items_max: subscriptions.items_per_delivery.unwrap_or(usual.items_max).clamp(1, 1000),
        plain_presence: wire.basic_includes_presence.unwrap_or(usual.plain_presence),
        egress: self::egress(egress, dev)?,
        ..usual
    })
}

fn egress(section: &EgressSection, dev: bool) -> Result<Egress, Failure> {
    let usual = if dev { Egress::development() } else { Egress::default() };
    let client_certificate = match (&section.client_certificate, &section.client_key) {
        (None, None) => None,
        (Some(chain), Some(key)) => Some((chain.clone(), key.clone())),
        _ => {
            return Err(Failure::usage("egress.client_certificate and egress.client_key go together"));
        }
    };
    Ok(Egress {
        http: section.http.unwrap_or(usual.http),
        loopback: section.loopback.unwrap_or(usual.loopback),
        private: section.private.unwrap_or(usual.private),
        ports: section.ports.clone().unwrap_or(usual.ports),
        ca: section.ca.clone(),
        client_certificate,
        resolver: usual.resolver,
        dialer: usual.dialer,
    })
}
