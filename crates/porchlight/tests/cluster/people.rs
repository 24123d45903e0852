//! Whose presence it is: people who are in the directory before anything happens.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use porchlight_http::Development;

/// How many there are.
pub(crate) const PEOPLE: usize = 40;

/// The id of one of them.
pub(crate) fn id(person: usize) -> String {
    format!("00000000-0000-4000-8000-{person:012}")
}

/// The ids of all.
pub(crate) fn ids() -> Vec<String> {
    (0..PEOPLE).map(id).collect()
}

/// `/v1.0/users/{id}/presence`
pub(crate) fn presence_of(person: usize) -> String {
    format!("/v1.0/users/{}/presence", id(person))
}

/// `/v1.0/users/{id}/presence/porchlight.explain`
pub(crate) fn explanation_of(person: usize) -> String {
    format!("{}/porchlight.explain", presence_of(person))
}

/// Writes a seed file with everybody.
pub(crate) fn seed_file(folder: &Path) -> PathBuf {
    let mut seed = format!("tenants:\n  - id: {}\n    users:\n", Development::TENANT);
    for person in 0..PEOPLE {
        let id = id(person);
        writeln!(seed, "      - {{id: {id}, userPrincipalName: person{person}@porchlight.example}}")
            .expect("a string takes any text");
    }
    let file = folder.join("people.yaml");
    std::fs::write(&file, seed).expect("the file can be written");
    file
}
