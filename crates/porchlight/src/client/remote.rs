//! The server at the other end.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Http, Error as HttpError};
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use porchlight_engine::Clock;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use super::refusal;
use super::url::{Base, query};
use crate::exit::{Failure, UNAVAILABLE};

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long an answer may take, to its end: longer than a server waits for its disk and for its fellows.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The most that is read of an answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many pages in a row may hold nothing though there are more: where a filter is applied page by page some do.
const EMPTY_PAGES_MAX: usize = 100;

/// What every request says of who sends it.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("Porchlight/", env!("CARGO_PKG_VERSION")));

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const EVENTS: &str = "text/event-stream";

/// A server that can be asked, as somebody or as nobody. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: Arc<Base>,
    token: Option<Token>,
}

#[derive(Clone, Debug)]
struct Token {
    /// `Bearer` and the token; hidden where headers are shown.
    header: HeaderValue,
    /// What `--as` says.
    who: Option<Arc<str>>,
}

/// What a server has answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    headers: HeaderMap,
}

/// What a collection holds, page after page.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) items: Vec<Value>,
    /// Whether there are more than were asked for.
    pub(crate) is_cut: bool,
}

impl Remote {
    /// The server at this URL, asked as nobody.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] for a URL or a file that is of no use.
    pub(super) fn at(url: &str, ca: Option<&Path>) -> Result<Remote, Failure> {
        let base = Base::parse(url).map_err(Failure::usage)?;
        // What the system trusts is read only for whoever needs it: that takes longer than most answers.
        let roots = if base.is_https || ca.is_some() {
            porchlight_notify::trusted_roots(ca).map_err(|error| Failure::usage(error.to_string()))?
        } else {
            RootCertStore::empty()
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has what the default versions need")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = Http::builder(TokioExecutor::new()).build(https);
        Ok(Remote { http, base: Arc::new(base), token: None })
    }

    /// From now on requests carry this token. `who`: whom it was made up for.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] for one that cannot stand in a header.
    pub(super) fn authorize(&mut self, token: &str, who: Option<&str>) -> Result<(), Failure> {
        let mut header = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Failure::usage("the token has characters that no token can have"))?;
        header.set_sensitive(true);
        self.token = Some(Token { header, who: who.map(Arc::from) });
        Ok(())
    }

    /// Host and port, as the URL names them.
    pub(crate) fn host(&self) -> &str {
        &self.base.host
    }

    /// Whether the server is on this machine.
    pub(super) fn is_here(&self) -> bool {
        self.base.is_here
    }

    /// The person or application that the token was made up for, of a development server.
    pub(crate) fn made_up_for(&self) -> Option<&str> {
        self.token.as_ref()?.who.as_deref()
    }

    /// The token.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_ref()?.header.to_str().ok()?.strip_prefix("Bearer ")
    }

    /// Asks for something, and takes nothing but a success for an answer. Paths are below Graph's version, but for those
    /// that begin with `/porchlight/` or `/common/`; they are percent-encoded, see [`super::segment`] and
    /// [`super::query`].
    ///
    /// # Errors
    ///
    /// [`UNAVAILABLE`] when nobody answers in time, or the server cannot; else the exit code of what was refused, with
    /// what the server says of it.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        self.expect_success(self.ask(method, path, body).await?)
    }

    /// The same with whatever status the answer has.
    ///
    /// # Errors
    ///
    /// [`UNAVAILABLE`] when nobody answers in time.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let body = body.map(|body| (JSON, body.to_string()));
        let request = self.request(method, path, JSON, body)?;
        self.in_time(async { self.read(self.send(request).await?).await }).await
    }

    /// Posts a form with these members, and answers with whatever status comes back.
    ///
    /// # Errors
    ///
    /// [`UNAVAILABLE`] when nobody answers in time.
    pub(crate) async fn post_form(&self, path: &str, members: &[(&str, &str)]) -> Result<Answer, Failure> {
        let request = self.request(Method::POST, path, JSON, Some((FORM, query(members))))?;
        self.in_time(async { self.read(self.send(request).await?).await }).await
    }

    /// What the collection at this path holds, `max` elements at most.
    ///
    /// # Errors
    ///
    /// As with [`Remote::call`]; [`UNAVAILABLE`] also when page after page holds nothing.
    pub(crate) async fn pages(&self, path: &str, max: usize) -> Result<Items, Failure> {
        let mut found = Items::default();
        let (mut path, mut empty_pages) = (path.to_owned(), 0);
        loop {
            let mut page = self.call(Method::GET, &path, None).await?.json()?;
            let Some(items) = page.get_mut("value").and_then(Value::as_array_mut) else {
                return Err(unavailable(anyhow!("{} has answered without a list", self.host())));
            };
            empty_pages = if items.is_empty() { empty_pages + 1 } else { 0 };
            found.items.append(items);
            let next = page["@odata.nextLink"].as_str().and_then(Base::path_of);
            if found.items.len() > max || (found.items.len() == max && next.is_some()) {
                found.items.truncate(max);
                found.is_cut = true;
                return Ok(found);
            }
            let Some(next) = next else { return Ok(found) };
            if empty_pages == EMPTY_PAGES_MAX {
                let host = self.host();
                return Err(unavailable(anyhow!(
                    "{host} has answered with {EMPTY_PAGES_MAX} pages in a row that hold nothing, \
                     and says that there are more"
                )));
            }
            next.clone_into(&mut path);
        }
    }

    /// What time it is for the server, which development can move; else by this machine.
    pub(crate) async fn now(&self) -> Timestamp {
        if self.made_up_for().is_some()
            && let Ok(answer) = self.call(Method::GET, "/porchlight/dev/clock", None).await
            && let Ok(clock) = answer.json()
            && let Some(now) = clock["now"].as_str().and_then(|now| now.parse().ok())
        {
            return now;
        }
        here_now()
    }

    /// Opens a stream of server-sent events, `after` the last id that came of it.
    ///
    /// # Errors
    ///
    /// [`UNAVAILABLE`] when nobody answers in time.
    pub(super) async fn open(&self, path: &str, after: Option<&str>) -> Result<Response<Incoming>, Failure> {
        let mut request = self.request(Method::GET, path, EVENTS, None)?;
        if let Some(id) = after.and_then(|id| HeaderValue::try_from(id).ok()) {
            request.headers_mut().insert("last-event-id", id);
        }
        self.in_time(self.send(request)).await
    }

    /// Makes an answer of what has come back.
    ///
    /// # Errors
    ///
    /// [`UNAVAILABLE`] when it breaks off or is too long.
    pub(super) async fn read(&self, response: Response<Incoming>) -> Result<Answer, Failure> {
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| {
            let host = self.host();
            unavailable(if error.is::<LengthLimitError>() {
                anyhow!("{host} has answered with more than {ANSWER_BYTES_MAX} bytes")
            } else {
                anyhow!("the answer of {host} broke off: {}", innermost(&*error))
            })
        })?;
        Ok(Answer { status: parts.status, body: body.to_bytes(), headers: parts.headers })
    }

    /// Takes nothing but a success.
    ///
    /// # Errors
    ///
    /// What the server has refused, and what to do.
    pub(crate) fn expect_success(&self, answer: Answer) -> Result<Answer, Failure> {
        if answer.status.is_success() { Ok(answer) } else { Err(refusal::failure(&answer, self)) }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Option<(&'static str, String)>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let url = self.base.url(path);
        let mut request = Request::new(Full::default());
        *request.method_mut() = method;
        // What a server calls its next page may be no URL, and a long one is none.
        *request.uri_mut() = url.parse().map_err(|_| Failure::usage(format!("this is no URL: {url}")))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(USER_AGENT, AGENT);
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.header.clone());
        }
        if path.contains("$search=") {
            // The original does not search without; Porchlight does.
            headers.insert("consistencylevel", HeaderValue::from_static("eventual"));
        }
        if let Some((kind, body)) = body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            *request.body_mut() = Full::from(body);
        }
        Ok(request)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        self.http.request(request).await.map_err(|error| unavailable(self.why(&error)))
    }

    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout(ANSWER_MAX, asked).await.unwrap_or_else(|_| {
            let seconds = ANSWER_MAX.as_secs();
            Err(unavailable(anyhow!("{} has not answered within {seconds} s", self.host())))
        })
    }

    /// What became of a request that was not answered.
    fn why(&self, error: &HttpError) -> anyhow::Error {
        const TRUST: &str = "trust who has signed for it by --ca; \
                             development's authority is development/ca.pem in the data folder";
        let host = self.host();
        let cause = innermost(error);
        match causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(_)) => {
                return anyhow!("{host} is not trusted: {cause}\n  {TRUST}");
            }
            Some(_) => return anyhow!("https with {host} does not come about: {cause}"),
            None if error.is_connect() => return anyhow!("no server answers on {host}: {cause}"),
            None => {}
        }
        match error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>()) {
            Some(error) if error.is_parse() => anyhow!("what answers on {host} is no porchlight"),
            _ => anyhow!("the connection to {host} broke: {cause}"),
        }
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// [`UNAVAILABLE`]: what answers is no server of Graph's kind.
    pub(crate) fn json(&self) -> Result<Value, Failure> {
        let read = serde_json::from_slice(&self.body).context("what answers there does not answer in JSON");
        read.map_err(|error| Failure::new(UNAVAILABLE, error))
    }

    /// A header, if it is there and a text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn unavailable(why: anyhow::Error) -> Failure {
    Failure::new(UNAVAILABLE, why)
}

/// This machine's time.
fn here_now() -> Timestamp {
    let now = Clock::system().now().as_millis();
    Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// An error, and what lies below it, down to the bottom.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // An I/O error is not caused by what it carries: it is that.
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        carried.map(|carried| carried as &(dyn Error + 'static)).or(error.source())
    })
}

/// What lies at the bottom of an error.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::scripted::Scripted;

    /// A page with this in it, and one behind it.
    fn page(items: &str) -> String {
        format!(r#"{{"value": [{items}], "@odata.nextLink": "https://x.example/v1.0/users?$skiptoken=a"}}"#)
    }

    #[tokio::test]
    async fn pages_that_hold_nothing_do_not_go_on_for_ever() {
        let server = Scripted::start().await;
        let remote = server.remote();
        let answers = async {
            for _ in 1..EMPTY_PAGES_MAX {
                server.answer(JSON, &page("")).await;
            }
            server.answer(JSON, &page("1")).await;
            for _ in 0..EMPTY_PAGES_MAX {
                server.answer(JSON, &page("")).await;
            }
        };
        let (found, ()) = tokio::join!(remote.pages("/users", 10), answers);
        let failure = found.unwrap_err();
        assert_eq!(failure.code, UNAVAILABLE);
        let expected = "has answered with 100 pages in a row that hold nothing, and says that there are more";
        assert_eq!(failure.to_string(), format!("{} {expected}", remote.host()));
    }
}
