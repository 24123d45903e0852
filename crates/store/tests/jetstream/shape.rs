//! Streams that are not as they must be: the log is not opened, and nothing is changed.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use futures_util::TryStreamExt;
use porchlight_store::contract::Recorder;
use porchlight_store::{JetStream, JetStreamError, JetStreamOptions, Log};
use porchlight_testkit::Nats;

use crate::support::{beside, open, options, stream};

/// What is wrong with a stream, and how it comes to be so.
type Wrong = (&'static str, fn(&mut Config));

/// Everything that a stream can be told and must not have been told.
const WRONG: [Wrong; 10] = [
    ("subjects", |config| config.subjects = vec![format!("{}.elsewhere.>", config.name)]),
    ("max_msgs_per_subject", |config| config.max_messages_per_subject = 2),
    ("retention", |config| config.retention = RetentionPolicy::WorkQueue),
    ("storage", |config| config.storage = StorageType::Memory),
    ("discard", |config| config.discard = DiscardPolicy::Old),
    ("max_msgs", |config| config.max_messages = 1_000_000),
    ("max_bytes", |config| config.max_bytes = 1 << 30),
    ("max_age", |config| config.max_age = Duration::from_secs(86_400)),
    ("duplicate_window", |config| config.duplicate_window = Duration::from_secs(30)),
    ("allow_direct", |config| config.allow_direct = false),
];

fn refused(options: &JetStreamOptions) -> JetStreamError {
    let opened = JetStream::open(options.clone(), Recorder::new());
    opened.map(drop).expect_err("the log cannot be opened")
}

/// The one problem of the one stream that the log is refused for.
fn problem(options: &JetStreamOptions) -> String {
    let error = refused(options);
    let JetStreamError::WrongShape { stream, problems } = &error else { panic!("not its shape: {error}") };
    assert_eq!(*stream, format!("{}-0", options.prefix));
    let [problem] = problems.as_slice() else { panic!("not one problem: {error}") };
    let text = error.to_string();
    assert!(text.contains(stream) && text.contains(problem), "{text}");
    problem.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_of_the_wrong_shape_is_refused_and_left_as_it_is() {
    let nats = Nats::start();
    let (_, log) = open(&options(&nats));
    log.close();
    let context = beside(&nats).await;
    let right = stream(&context, "porchlight-0").await.config;
    for (number, (field, spoil)) in WRONG.into_iter().enumerate() {
        let prefix = format!("wrong-{number}");
        let mut wrong = right.clone();
        wrong.name = format!("{prefix}-0");
        wrong.subjects = vec![format!("{prefix}.0.>")];
        spoil(&mut wrong);
        context.create_stream(wrong.clone()).await.unwrap();
        let before = stream(&context, &wrong.name).await.config;
        let names: Vec<String> = context.stream_names().try_collect().await.unwrap();

        let problem = problem(&JetStreamOptions { prefix, ..options(&nats) });
        assert!(problem.starts_with(&format!("{field} is ")), "{field}: {problem}");
        assert!(problem.contains(" must be "), "{field}: {problem}");
        let can_be_mended = problem.contains(&format!("nats stream edit {}", wrong.name));
        assert!(can_be_mended || problem.contains("remove the stream"), "{field}: {problem}");
        assert_eq!(stream(&context, &wrong.name).await.config, before, "{field}");
        let names_after: Vec<String> = context.stream_names().try_collect().await.unwrap();
        assert_eq!(names_after, names, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_on_fewer_servers_than_asked_for_is_refused() {
    let nats = Nats::start();
    let (_, log) = open(&options(&nats));
    log.close();
    let problem = problem(&JetStreamOptions { replicas: 3, ..options(&nats) });
    assert!(problem.starts_with("replicas is 1 and must be 3"), "{problem}");
    assert_eq!(stream(&beside(&nats).await, "porchlight-0").await.config.num_replicas, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_that_somebody_else_made_is_refused() {
    let nats = Nats::start();
    let (_, log) = open(&options(&nats));
    log.close();
    let context = beside(&nats).await;
    let mut theirs = stream(&context, "porchlight-0").await.config;
    theirs.name = "other-0".to_owned();
    theirs.subjects = vec!["other.0.>".to_owned()];
    theirs.metadata.retain(|name, _| !name.starts_with("porchlight"));
    context.create_stream(theirs).await.unwrap();
    let error = refused(&JetStreamOptions { prefix: "other".to_owned(), ..options(&nats) });
    assert!(matches!(&error, JetStreamError::WrongShape { stream, .. } if stream == "other-0"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_of_cells_is_refused() {
    let nats = Nats::start();
    let (_, log) = open(&JetStreamOptions { cells: 2, ..options(&nats) });
    log.close();
    for wanted in [1, 3] {
        let error = refused(&JetStreamOptions { cells: wanted, ..options(&nats) });
        assert_eq!(error, JetStreamError::OtherCells { found: "2".to_owned(), wanted });
        assert!(error.to_string().contains("cells=2"), "{error}");
    }
    assert!(beside(&nats).await.get_stream("porchlight-2").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_that_is_not_there_is_not_made_for_who_only_looks() {
    let nats = Nats::start();
    let error = refused(&JetStreamOptions { create: false, ..options(&nats) });
    assert_eq!(error, JetStreamError::Missing { prefix: "porchlight".to_owned() });
    let names: Vec<String> = beside(&nats).await.stream_names().try_collect().await.unwrap();
    assert!(names.is_empty(), "{names:?}");
}
