//! The server is killed in the midst of writing, again and again, on one folder.

use std::path::Path;

use tokio::time::sleep;

use crate::load::{Dice, Group, check, each, everybody, progress, seed, seed_file, write_until_gone};
use crate::support::{Process, Program, in_folder, porchlight, run, text};

/// How many times the server is killed, unless `PORCHLIGHT_KILL_ROUNDS` says otherwise.
const ROUNDS: usize = 20;

#[tokio::test]
async fn whatever_was_answered_before_a_kill_is_there_after_it() {
    let seed = seed();
    eprintln!("PORCHLIGHT_TEST_SEED={seed}");
    let rounds = std::env::var("PORCHLIGHT_KILL_ROUNDS")
        .map_or(ROUNDS, |rounds| rounds.parse().expect("PORCHLIGHT_KILL_ROUNDS is a number"));
    let mut dice = Dice::new(seed);
    let place = tempfile::tempdir().expect("a folder");
    let (data, people) = (place.path().join("data"), seed_file(place.path()));
    let (mut groups, mut written) = (everybody(), 0);
    for round in 0..rounds {
        if round > 0 && dice.below(4) == 0 {
            kill_while_starting(&data, &people, &mut dice).await;
        }
        // What is answered survives the death of the process at either durability.
        let server = start(&data, &people, ["full", "relaxed"][round % 2]);
        groups = check(server.address(), groups).await;
        let before = progress(&groups);
        groups = write_until_killed(server, groups, &mut dice).await;
        written += progress(&groups) - before;
    }
    eprintln!("{written} writes were answered before the kills");
    assert!(written > 0, "the server was always killed before it wrote anything");
    let server = start(&data, &people, "full");
    check(server.address(), groups).await;
    server.kill();
    let said = run(&mut porchlight(&["doctor", "--data", text(&data)])).answer();
    assert!(said.contains(": sound; "), "{said}");
}

fn start(data: &Path, people: &Path, durability: &str) -> Program {
    let mut command = in_folder(data);
    command.args(["--seed", text(people), "--durability", durability, "--access-log", "false"]);
    Program::start(command.args(["--log-format", "json"]))
}

async fn write_until_killed(server: Program, groups: Vec<Group>, dice: &mut Dice) -> Vec<Group> {
    let address = server.address();
    let writing = each(groups, move |group| write_until_gone(address, group));
    sleep(dice.millis(50, 400)).await;
    server.kill();
    writing.join_all().await
}

/// A kill does no harm either while the log is opened and the people are put in.
async fn kill_while_starting(data: &Path, people: &Path, dice: &mut Dice) {
    let starting = Process::spawn(in_folder(data).args(["--seed", text(people)]));
    sleep(dice.millis(0, 100)).await;
    drop(starting);
}
