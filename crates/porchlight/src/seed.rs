//! Seed files: tenants and their people, in YAML.

use std::path::Path;

use porchlight_engine::{Person, Seed};
use porchlight_presence::{TenantId, UserId};
use serde::Deserialize;
use uuid::Uuid;

use crate::exit::Failure;

/// The longest user principal name, in characters.
const NAME_CHARS_MAX: usize = 256;

/// The longest user principal name, in bytes of UTF-8: a key of the log has room for it beside its tenant.
const NAME_BYTES_MAX: usize = 960;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tenants: Vec<Tenant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tenant {
    id: Uuid,
    users: Vec<User>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "Graph calls it a user principal name")]
struct User {
    /// Without one: the `UUIDv5` of the user principal name in the tenant.
    id: Option<Uuid>,
    user_principal_name: String,
    display_name: Option<String>,
    mail: Option<String>,
    given_name: Option<String>,
    surname: Option<String>,
    job_title: Option<String>,
    department: Option<String>,
    account_enabled: Option<bool>,
}

/// Reads a seed file.
///
/// # Errors
///
/// [`crate::exit::USAGE`], saying where in the file.
pub(crate) fn read(path: &Path) -> Result<Vec<Seed>, Failure> {
    let wrong = |cause: String| Failure::usage(format!("{}: {cause}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    // The file is the operator's own, so the parser's guards against hostile documents would only be in the way.
    let options = serde_saphyr::options! { budget: None };
    let file: File =
        serde_saphyr::from_str_with_options(&text, options).map_err(|error| wrong(error.to_string()))?;
    for user in file.tenants.iter().flat_map(|tenant| &tenant.users) {
        let name = &user.user_principal_name;
        if name.trim().is_empty()
            || name.chars().count() > NAME_CHARS_MAX
            || name.chars().any(char::is_control)
        {
            return Err(wrong(format!(
                "the userPrincipalName '{name:.80}' must have 1 to {NAME_CHARS_MAX} characters"
            )));
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(wrong(format!(
                "the userPrincipalName '{name:.80}' must have at most {NAME_BYTES_MAX} bytes"
            )));
        }
    }
    Ok(file.tenants.into_iter().map(seed).collect())
}

fn seed(tenant: Tenant) -> Seed {
    let people =
        tenant.users.into_iter().map(|user| Person {
            id: UserId(user.id.unwrap_or_else(|| {
                Uuid::new_v5(&tenant.id, user.user_principal_name.to_lowercase().as_bytes())
            })),
            display_name: user.display_name.unwrap_or_else(|| user.user_principal_name.clone()),
            user_principal_name: user.user_principal_name,
            mail: user.mail,
            given_name: user.given_name,
            surname: user.surname,
            job_title: user.job_title,
            department: user.department,
            account_enabled: user.account_enabled.unwrap_or(true),
            external_id: None,
        });
    Seed { tenant: TenantId(tenant.id), people: people.collect() }
}
