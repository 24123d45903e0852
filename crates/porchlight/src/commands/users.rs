//! `porchlight users`: who is in the directory.

use serde_json::Value;

use super::{people, say_json};
use crate::cli::UsersFlags;
use crate::client::{Client, query};
use crate::exit::Failure;
use crate::table::Table;
use crate::{complain, say};

/// How many people a page is asked for: the most that there may be.
const PAGE: usize = 999;

/// Shows everybody, or whom a search finds.
pub(crate) fn run(flags: &UsersFlags) -> Result<(), Failure> {
    let client = Client::of(&flags.server)?;
    let top = flags.limit.clamp(1, PAGE).to_string();
    let members = format!("{},jobTitle,department", people::MEMBERS);
    let mut options = vec![("$select", members.as_str()), ("$top", top.as_str())];
    let search = flags.search.as_deref().map(search);
    options.extend(search.as_deref().map(|search| ("$search", search)));
    let found = client.pages(&format!("/users?{}", query(&options)), flags.limit)?;
    if flags.server.json {
        say_json(&Value::Array(found.items));
    } else if found.items.is_empty() && !found.is_cut {
        say("nobody is found");
    } else {
        say(&table(&found.items));
    }
    if found.is_cut {
        complain(&format!("there are more than {}: search, or say --limit", flags.limit));
    }
    Ok(())
}

/// People whose name, account or address has words that begin like this.
fn search(text: &str) -> String {
    // What would end the clause.
    let text = text.replace(['"', '\\'], " ");
    ["displayName", "userPrincipalName", "mail"].map(|member| format!("\"{member}:{text}\"")).join(" OR ")
}

fn table(users: &[Value]) -> String {
    let mut table = Table::new(["name", "account", "job", "department", "id"]);
    for user in users {
        let members = ["displayName", "userPrincipalName", "jobTitle", "department", "id"];
        table.row(members.map(|member| user[member].as_str().unwrap_or_default().into()));
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_looks_at_names_accounts_and_addresses() {
        let expected = r#""displayName:ada l" OR "userPrincipalName:ada l" OR "mail:ada l""#;
        assert_eq!(search("ada l"), expected);
        assert_eq!(search("a\"b\\").matches('"').count(), 6);
    }
}
