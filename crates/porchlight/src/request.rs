//! A request to a server over plain http, by hand: one line, a few headers and one answer need no HTTP library.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::Value;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that is read of an answer, in bytes.
pub(crate) const ANSWER_MAX: u64 = 64 * 1024;

/// A server that can be asked.
pub(crate) struct Server {
    /// Host and port, as the URL names them.
    pub(crate) host: String,
    address: SocketAddr,
}

/// What a server has answered.
pub(crate) struct Answer {
    /// `None`: what answered does not speak HTTP.
    pub(crate) status: Option<u16>,
    pub(crate) body: String,
}

impl Server {
    /// The server of a URL; the URL's path is passed over.
    pub(crate) fn at(url: &str) -> anyhow::Result<Server> {
        let host = url.strip_prefix("http://").ok_or_else(|| anyhow!("the url must begin with http://"))?;
        let host = host.split('/').next().unwrap_or(host);
        let authority = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let address = authority.to_socket_addrs().context("cannot resolve the host")?.next();
        let address = address.ok_or_else(|| anyhow!("the host {host} has no address"))?;
        Ok(Server { host: host.to_owned(), address })
    }

    /// GET. In the words of HTTP/1.0: an answer to them never comes in chunks, and this connection ends with it.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(&format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.host))
    }

    /// POST of a form with these members.
    pub(crate) fn post(&self, path: &str, members: &[(&str, String)]) -> anyhow::Result<Answer> {
        let pairs = members.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.host,
            body.len()
        ))
    }

    fn send(&self, request: &str) -> anyhow::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)
            .with_context(|| format!("no server answers on {}", self.host))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer).context("the server does not answer")?;
        let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok(Answer { status, body: body.to_owned() })
    }
}

impl Answer {
    /// Why the server is not ready, to be put behind that; empty if it does not say.
    pub(crate) fn reason(&self) -> String {
        let said: Option<Value> = serde_json::from_str(&self.body).ok();
        let reason = said.as_ref().and_then(|said| said["reason"].as_str());
        reason.map_or_else(String::new, |reason| format!(": {reason}"))
    }
}

/// A name or value of a form.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let letters = text
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded_byte_by_byte() {
        assert_eq!(encode("a-z._~09"), "a-z._~09");
        assert_eq!(encode("a b+c&d=ä"), "a%20b%2Bc%26d%3D%C3%A4");
    }
}
