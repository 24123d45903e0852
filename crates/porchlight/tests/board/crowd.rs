//! Ten thousand people, two hundred of whom change each second, on one page.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use porchlight_testkit::TENANT;

use crate::browser::Script;
use crate::support::{Program, in_memory, text};

const PEOPLE: usize = 10_000;

const FIRST_NAMES: [&str; 10] =
    ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Grace", "Hugo", "Iris", "Jonas"];
const DEPARTMENTS: [&str; 7] =
    ["Design", "Engineering", "Finance", "Marketing", "Operations", "Sales", "Support"];

/// Writes a seed file with everybody.
fn seed_file(folder: &Path) -> PathBuf {
    let mut seed = format!("tenants:\n  - id: {TENANT}\n    users:\n");
    for n in 0..PEOPLE {
        let (first, department) = (FIRST_NAMES[n % FIRST_NAMES.len()], DEPARTMENTS[n % DEPARTMENTS.len()]);
        writeln!(
            seed,
            "      - {{id: 00000000-0000-4000-8000-{n:012}, userPrincipalName: person{n}@porchlight.example, \
             displayName: {first} Number {n}, department: {department}, jobTitle: Somebody}}"
        )
        .expect("a string takes any text");
    }
    let file = folder.join("everybody.yaml");
    std::fs::write(&file, seed).expect("the file can be written");
    file
}

/// For a minute, or as many seconds as `PORCHLIGHT_BOARD_SECONDS` says.
#[test]
fn ten_thousand_people_change_without_a_frame_lost_and_without_memory_growing() {
    let seconds = std::env::var("PORCHLIGHT_BOARD_SECONDS").unwrap_or_else(|_| "60".to_owned());
    let whole = Duration::from_secs(seconds.parse().expect("PORCHLIGHT_BOARD_SECONDS is a number"));
    let place = tempfile::tempdir().expect("a folder");
    let seed = seed_file(place.path());
    let mut command = in_memory();
    command.args(["--seed", text(&seed), "--access-log", "false"]).env("PORCHLIGHT_LOG", "warn");
    let server = Program::start(&mut command);
    let people = PEOPLE.to_string();
    Script::start("crowd.mjs", &[&server.url(), &people, &seconds]).passes(whole + Duration::from_secs(120));
}
