//! Reads by many users, each with a signed token of their own: what it takes to know who asks.
//!
//! Porchlight runs as in production and trusts an issuer in this process. No connection sees one token twice in a
//! row, so to remember the last caller of a connection is of no use here. The bare server gets the same requests and
//! does not look at their tokens.

use anyhow::{Result, ensure};

use crate::client::Client;
use crate::report::{Figure, Outcome};
use crate::requests::{Ask, user_id};
use crate::rows::Bench;
use crate::rows::compared::Comparison;
use crate::server::Server;
use crate::tokens::Tokens;
use crate::wrk::Kind;

const ROW: &str = "tokens";

/// Has every token used twice, and then compares reads with tokens that were used before.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let users = bench.scale.tokens;
    let folder = bench.folder()?;
    let (tokens, porchlight) = bench.start_with_tokens(folder.path(), users)?;

    let first = bench.runtime.block_on(cpu_micros(&porchlight, &tokens, users))?;
    let later = bench.runtime.block_on(cpu_micros(&porchlight, &tokens, users))?;
    let comparison = Comparison {
        name: ROW,
        title: format!("GET one presence, {users} RS256 tokens"),
        kind: Kind::Get,
        connections: 64,
        users,
        tokens: Some(&tokens),
        rate_min: Some(0.92),
        cpu_max: Some(1.15),
    };
    let mut outcome = comparison.compare(bench, folder.path(), &porchlight)?;
    porchlight.stop()?;

    let length = tokens.of(0).len();
    for compared in &mut outcome.compared {
        let used = format!("; {users} users, each with a token of {length} characters that was used before");
        compared.note.push_str(&used);
    }
    let title = "first use of a token, server CPU beyond that of a later one";
    let note = format!("{users} reads over one connection: {first:.1} µs each, the same again {later:.1} µs");
    outcome.figures.push(Figure::new(ROW, title, first - later, "µs").note(note));
    Ok(outcome)
}

/// The server's processor time for a read, when all users read their own presence one after another.
///
/// Not by the load generator: it stops when its time is over, and not when every token was used once.
async fn cpu_micros(server: &Server, tokens: &Tokens, users: u32) -> Result<f64> {
    let mut client = Client::connect(server.address()).await?;
    let before = server.cpu_seconds()?;
    for user in 0..users {
        let answer = client.send(&Ask::presence_with(tokens.of(user), user)).await?;
        let (presence, id) = (String::from_utf8_lossy(&answer.body), user_id(user));
        ensure!(presence.contains(&id), "the token of {id} was answered with {presence}");
    }
    Ok((server.cpu_seconds()? - before) * 1e6 / f64::from(users))
}
