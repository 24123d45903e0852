//! Clients go away while their writes wait for the disk.

use std::net::SocketAddr;

use tokio::task::{JoinSet, yield_now};

use crate::connection::Connection;
use crate::load::{Dice, Group, check, everybody, seed, seed_file};
use crate::support::{Program, in_folder, text};

const ROUNDS: usize = 8;
/// How many writes each client begins in a round.
const WRITES: usize = 20;

/// After every write, answered or not, its client reads over another connection: never less than what it knows of
/// already. After every round everybody is written to and read once more, and nothing stands in the way of that.
#[tokio::test]
async fn a_client_that_goes_away_leaves_no_stale_read_and_no_lasting_conflict() {
    let seed = seed();
    eprintln!("PORCHLIGHT_TEST_SEED={seed}");
    let mut dice = Dice::new(seed);
    let place = tempfile::tempdir().expect("a folder");
    let (data, people) = (place.path().join("data"), seed_file(place.path()));
    let start = || Program::start(in_folder(&data).args(["--seed", text(&people), "--access-log", "false"]));
    let server = start();
    let address = server.address();
    let (mut groups, mut unanswered) = (everybody(), 0);
    for _ in 0..ROUNDS {
        let clients: JoinSet<(Group, usize)> =
            groups.into_iter().map(|group| write_and_leave(address, group, dice.another())).collect();
        let (done, counts): (Vec<Group>, Vec<usize>) = clients.join_all().await.into_iter().unzip();
        unanswered += counts.into_iter().sum::<usize>();
        groups = check(address, done).await;
    }
    eprintln!("{unanswered} writes were not answered");
    assert!(unanswered > 0, "nobody went away in time");
    server.kill();
    let server = start();
    check(server.address(), groups).await;
}

/// Writes, and goes away from two of three writes before they are answered, if it can; counts those.
async fn write_and_leave(address: SocketAddr, mut group: Group, mut dice: Dice) -> (Group, usize) {
    let mut unanswered = 0;
    let people = group.len();
    for turn in 0..WRITES {
        let somebody = &mut group[turn % people];
        let (path, body) = (somebody.path(), somebody.next_write());
        let mut writer = Connection::open(address).await.expect("the server listens");
        writer.send("PATCH", &path, &body).await.expect("the server reads");
        let answer = if dice.below(3) == 0 {
            Some(writer.receive().await.expect("a write is answered"))
        } else {
            // Every turn of all the others takes a while: with luck, about as long as a write does.
            for _ in 0..dice.below(6) {
                yield_now().await;
            }
            writer.leave().await
        };
        match answer {
            Some(answer) => somebody.answered(&answer),
            None => unanswered += 1,
        }
        let mut reader = Connection::open(address).await.expect("the server listens");
        somebody.is_read(&reader.call("GET", &path, "").await.expect("a read is answered"));
    }
    (group, unanswered)
}
