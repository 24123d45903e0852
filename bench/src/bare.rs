//! The bare server: the least that any server in this language has to do.
//!
//! hyper on one current-thread runtime per core, connections handed out in turn. It reads a request to its end and
//! answers it with a constant: one for GET, one for POST. It looks at nothing else, keeps nothing and knows no time,
//! so what another server takes longer is what that server does for its callers.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, available_parallelism};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc;

use crate::client::Answer;

/// Connections on their way to one core; beyond it the acceptor waits.
const HANDED_OUT_MAX: usize = 1024;

/// The description of a bare server whose answers have the sizes and header lines of these.
pub(crate) fn describe(get: Option<&Answer>, post: Option<&Answer>) -> Value {
    let constant = |answer: &Answer| {
        let headers: Vec<_> = answer
            .headers
            .iter()
            .filter(|(name, _)| !is_written_by_hyper(name))
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        json!({ "status": answer.status.as_u16(), "headers": headers, "body_bytes": answer.body.len() })
    };
    json!({ "GET": get.map(constant), "POST": post.map(constant) })
}

fn is_written_by_hyper(name: &HeaderName) -> bool {
    matches!(name.as_str(), "connection" | "content-length" | "date" | "transfer-encoding")
}

/// Serves until the process is killed. Says where on standard output.
pub(crate) fn serve(description: &Path) -> Result<()> {
    let text = fs::read_to_string(description)
        .with_context(|| format!("failed to read {}", description.display()))?;
    let description: Value = serde_json::from_str(&text).context("failed to parse the description")?;
    let cores = available_parallelism().context("failed to count the cores")?.get();
    let mut hands = Vec::with_capacity(cores);
    for _ in 0..cores {
        // Made once for each core: clones of shared bytes would move a counter between the cores at every answer.
        let answers = Answers::new(&description).context("the description does not read as expected")?;
        let runtime = one_thread()?;
        let (hand, connections) = mpsc::channel(HANDED_OUT_MAX);
        hands.push(hand);
        thread::spawn(move || runtime.block_on(serve_handed_out(answers, connections)));
    }
    one_thread()?.block_on(accept(&hands))
}

fn one_thread() -> Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build().context("failed to start a runtime")
}

/// Hands connections to the cores in turn.
async fn accept(hands: &[mpsc::Sender<std::net::TcpStream>]) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("failed to listen")?;
    println!("listening on http://{}", listener.local_addr()?);
    for hand in hands.iter().cycle() {
        let (stream, _) = listener.accept().await.context("failed to accept a connection")?;
        // From one runtime's reactor to another's.
        hand.send(stream.into_std()?).await.context("a core has died")?;
    }
    Ok(())
}

/// One core: serves whatever it is handed.
async fn serve_handed_out(answers: Answers, mut connections: mpsc::Receiver<std::net::TcpStream>) {
    let answers = Arc::new(answers);
    while let Some(stream) = connections.recv().await {
        tokio::spawn(connection(stream, Arc::clone(&answers)));
    }
}

async fn connection(stream: std::net::TcpStream, answers: Arc<Answers>) -> Result<()> {
    let stream = TcpStream::from_std(stream)?;
    stream.set_nodelay(true)?;
    let service = service_fn(move |request| answer(request, Arc::clone(&answers)));
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?;
    Ok(())
}

/// Reads the request to its end and answers it.
async fn answer(
    request: Request<Incoming>,
    answers: Arc<Answers>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let get = request.method() == Method::GET;
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(if get { answers.get.response() } else { answers.post.response() })
}

/// What is answered to each method.
struct Answers {
    get: Constant,
    post: Constant,
}

/// An answer that is always the same.
struct Constant {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answers {
    /// `None` when the description is not one.
    fn new(description: &Value) -> Option<Answers> {
        Some(Answers { get: Constant::new(&description["GET"])?, post: Constant::new(&description["POST"])? })
    }
}

impl Constant {
    /// A method without a description is refused.
    fn new(description: &Value) -> Option<Constant> {
        if description.is_null() {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Some(Constant { status, headers: HeaderMap::new(), body: Bytes::new() });
        }
        let status = StatusCode::from_u16(description["status"].as_u64()?.try_into().ok()?).ok()?;
        let mut headers = HeaderMap::new();
        for header in description["headers"].as_array()? {
            let name = HeaderName::from_bytes(header[0].as_str()?.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_str(header[1].as_str()?).ok()?);
        }
        let bytes = usize::try_from(description["body_bytes"].as_u64()?).ok()?;
        Some(Constant { status, headers, body: vec![b'x'; bytes].into() })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        response
    }
}
