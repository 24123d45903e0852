//! The streams of a log: made as they must be, or checked; never changed.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, ErrorCode};
use uuid::Uuid;

use super::{JetStreamError, JetStreamOptions, subject};
use crate::LogId;

/// How long a stream knows an append again that comes a second time.
const DUPLICATES: Duration = Duration::from_secs(120);

/// Under which name a stream says which log it is of.
const LOG: &str = "porchlight-log";

/// Under which name a stream says over how many the log is spread.
const CELLS: &str = "porchlight-cells";

/// Under which name the first stream says that all others were made: one that is missing then was removed, and what it
/// held is lost.
const COMPLETE: &str = "porchlight-complete";

/// Sees that all streams of the log are there and as they must be; returns whose they are.
///
/// Several processes may do this at once: whoever makes the first stream names the log.
pub(super) async fn open(
    context: &jetstream::Context,
    options: &JetStreamOptions,
) -> Result<LogId, JetStreamError> {
    let first = config(options, 0, LogId(Uuid::new_v4()));
    let first = open_one(context, options, first).await?;
    let id = log_id(&first)?;
    let found = first.metadata.get(CELLS).cloned().unwrap_or_default();
    if found != options.cells.to_string() {
        return Err(JetStreamError::OtherCells { found, wanted: options.cells });
    }
    let is_complete = first.metadata.contains_key(COMPLETE);
    let making = &JetStreamOptions { create: options.create && !is_complete, ..options.clone() };
    let others = (1..options.cells).map(|cell| async move {
        let wanted = config(options, cell, id);
        let stream = wanted.name.clone();
        open_one(context, making, wanted).await.map_err(|error| match error {
            JetStreamError::Missing { .. } if is_complete => lost(stream),
            error => error,
        })
    });
    for found in futures_util::future::try_join_all(others).await? {
        if log_id(&found)? != id {
            let problem = "it is of another log than the first stream: remove what is left of that one, or take another prefix";
            return Err(JetStreamError::WrongShape {
                stream: found.name,
                problems: vec![problem.to_owned()],
            });
        }
    }
    if !is_complete && options.create {
        let mut first = first;
        first.metadata.insert(COMPLETE.to_owned(), "true".to_owned());
        context.update_stream(first).await.map_err(JetStreamError::nats)?;
    }
    Ok(id)
}

/// A stream of a log that was complete is not there any more.
fn lost(stream: String) -> JetStreamError {
    let problem = "it was removed, and with it what it held; restore a backup into another prefix";
    JetStreamError::WrongShape { stream, problems: vec![problem.to_owned()] }
}

/// The one stream, as it is now.
async fn open_one(
    context: &jetstream::Context,
    options: &JetStreamOptions,
    wanted: Config,
) -> Result<Config, JetStreamError> {
    let found = match context.get_stream(&wanted.name).await {
        Ok(stream) => stream.cached_info().config.clone(),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                make(context, options, &wanted).await?
            }
            _ => return Err(JetStreamError::nats(error)),
        },
    };
    log_id(&found)?;
    let problems = problems(&found, &wanted);
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(JetStreamError::WrongShape { stream: wanted.name, problems })
    }
}

async fn make(
    context: &jetstream::Context,
    options: &JetStreamOptions,
    wanted: &Config,
) -> Result<Config, JetStreamError> {
    if !options.create {
        return Err(JetStreamError::Missing { prefix: options.prefix.clone() });
    }
    let error = match context.create_stream(wanted.clone()).await {
        Ok(made) => return Ok(made.cached_info().config.clone()),
        Err(error) => error,
    };
    let code = match error.kind() {
        CreateStreamErrorKind::JetStream(cause) => Some(cause.error_code()),
        _ => None,
    };
    let mend = match code {
        // Somebody else was quicker, and named the log.
        Some(ErrorCode::STREAM_NAME_EXIST) => {
            let stream = context.get_stream(&wanted.name).await.map_err(JetStreamError::nats)?;
            return Ok(stream.cached_info().config.clone());
        }
        Some(ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED) => {
            "see to replicas= in the log's URL, which takes a cluster of as many servers"
        }
        Some(ErrorCode::STREAM_SUBJECT_OVERLAP) => "take another prefix, or remove that stream",
        _ => return Err(JetStreamError::Nats(format!("the stream {} cannot be made: {error}", wanted.name))),
    };
    let problem = format!("it cannot be made: {error}; {mend}");
    Err(JetStreamError::WrongShape { stream: wanted.name.clone(), problems: vec![problem] })
}

/// What a stream of the log is like.
fn config(options: &JetStreamOptions, cell: u16, log: LogId) -> Config {
    let metadata = [(LOG, log.0.to_string()), (CELLS, options.cells.to_string())];
    Config {
        name: subject::stream(&options.prefix, cell),
        subjects: vec![subject::all(&options.prefix, cell)],
        description: Some("Porchlight's log: the newest entry of every key".to_owned()),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        max_messages_per_subject: 1,
        max_messages: -1,
        max_bytes: -1,
        max_age: Duration::ZERO,
        max_message_size: -1,
        max_consumers: -1,
        num_replicas: options.replicas,
        duplicate_window: DUPLICATES,
        allow_direct: true,
        allow_rollup: false,
        metadata: HashMap::from(metadata.map(|(name, value)| (name.to_owned(), value))),
        ..Config::default()
    }
}

fn log_id(found: &Config) -> Result<LogId, JetStreamError> {
    let id = found.metadata.get(LOG).and_then(|id| Uuid::try_parse(id).ok());
    id.map(LogId).ok_or_else(|| JetStreamError::WrongShape {
        stream: found.name.clone(),
        problems: vec![format!(
            "its metadata has no {LOG}: it was not made by Porchlight; remove it, or take another prefix"
        )],
    })
}

/// What is not as it must be, and how to mend it.
fn problems(found: &Config, wanted: &Config) -> Vec<String> {
    let mut check = Check { stream: &wanted.name, problems: Vec::new() };
    let (subjects, replicas) = (wanted.subjects.join(","), wanted.num_replicas);
    check.must(found.subjects == wanted.subjects, "subjects", &found.subjects, &subjects, "--subjects");
    let per_subject = found.max_messages_per_subject;
    check.must(per_subject == 1, "max_msgs_per_subject", &per_subject, "1", "--max-msgs-per-subject");
    check.must(found.retention == wanted.retention, "retention", &found.retention, "limits", ANEW);
    check.must(found.storage == wanted.storage, "storage", &found.storage, "file", ANEW);
    check.must(found.discard == wanted.discard, "discard", &found.discard, "new", "--discard");
    check.must(!found.discard_new_per_subject, "discard_new_per_subject", &true, "false", ANEW);
    check.must(found.max_messages <= 0, "max_msgs", &found.max_messages, "-1", "--max-msgs");
    check.must(found.max_bytes <= 0, "max_bytes", &found.max_bytes, "-1", "--max-bytes");
    check.must(found.max_age.is_zero(), "max_age", &found.max_age, "0s", "--max-age");
    let window = found.duplicate_window;
    check.must(window >= DUPLICATES, "duplicate_window", &window, "2m", "--dupe-window");
    let copies = found.num_replicas;
    check.must(copies >= replicas, "replicas", &copies, &replicas.to_string(), "--replicas");
    check.must(found.allow_direct, "allow_direct", &false, "true", "--allow-direct");
    check.must(!found.allow_rollup, "allow_rollup_hdrs", &true, "false", ANEW);
    let is_fixed = found.sealed || found.deny_purge || found.deny_delete;
    check.must(!is_fixed, "sealed, deny_purge or deny_delete", &true, "false", ANEW);
    let is_fed = found.mirror.is_some() || found.sources.as_ref().is_some_and(|sources| !sources.is_empty());
    check.must(!is_fed, "mirror or sources", &true, "none", ANEW);
    check.problems
}

/// In place of a flag, for what NATS does not change.
const ANEW: &str = "";

struct Check<'c> {
    stream: &'c str,
    problems: Vec<String>,
}

impl Check<'_> {
    /// Notes what is wrong, unless it is right; `flag` changes it.
    fn must(&mut self, is_right: bool, what: &str, is: &dyn Debug, must: &str, flag: &str) {
        if is_right {
            return;
        }
        let mend = match flag {
            ANEW => "NATS cannot change that: back the log up, remove the stream, restore".to_owned(),
            // The command line of NATS takes such a flag without a value.
            flag if must == "true" => format!("mend it with 'nats stream edit {} {flag}'", self.stream),
            flag => format!("mend it with 'nats stream edit {} {flag}={must}'", self.stream),
        };
        self.problems.push(format!("{what} is {is:?} and must be {must}; {mend}"));
    }
}
