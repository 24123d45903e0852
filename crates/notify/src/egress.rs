//! Where requests may go. A notification URL is hostile input: whoever may subscribe could otherwise have this server
//! knock on doors that are closed to them. Source: subscriptions-and-auth 7.8.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::settings::Egress;

/// What is wrong with a URL, as far as it can be told without asking anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no absolute URL.
    #[error("it is no absolute URL")]
    Unreadable,
    /// Neither `https://` nor, where that is allowed, `http://`.
    #[error("its scheme must be https")]
    Scheme,
    /// It has a user or a password.
    #[error("it must not have a user name or password")]
    UserInfo,
    /// It has a fragment.
    #[error("it must not have a fragment")]
    Fragment,
    /// Its port is not allowed.
    #[error("its port is not allowed here")]
    Port,
    /// Its host is an address that is not allowed.
    #[error("its address is not allowed here")]
    Address,
}

/// Turns names into addresses.
pub trait Resolver: Send + Sync {
    /// The addresses of a name.
    fn resolve(&self, host: String, port: u16) -> Resolving;
}

/// The addresses of a name, as soon as they are known.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The system's own resolver.
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: String, port: u16) -> Resolving {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Makes connections to addresses that were vetted.
pub trait Dialer: Send + Sync {
    /// A connection to this address.
    fn dial(&self, address: SocketAddr) -> Dialing;
}

/// A connection, as soon as it has come about.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Line>>> + Send>>;

/// The bytes of a connection, both ways.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<L: AsyncRead + AsyncWrite + Send + Unpin> Line for L {}

/// The system's own connections.
pub(crate) struct SystemDialer;

impl Dialer for SystemDialer {
    fn dial(&self, address: SocketAddr) -> Dialing {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Line>)
        })
    }
}

impl Egress {
    /// The URL, if requests may go there as far as it says itself.
    ///
    /// # Errors
    ///
    /// See [`UrlError`].
    pub(crate) fn check(&self, url: &str) -> Result<Uri, UrlError> {
        if url.contains('#') {
            return Err(UrlError::Fragment);
        }
        let uri: Uri = url.parse().map_err(|_| UrlError::Unreadable)?;
        match uri.scheme_str() {
            None => return Err(UrlError::Unreadable),
            Some("https") => {}
            Some("http") if self.http => {}
            Some(_) => return Err(UrlError::Scheme),
        }
        let authority = uri.authority().ok_or(UrlError::Unreadable)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo);
        }
        if authority.host().is_empty() {
            return Err(UrlError::Unreadable);
        }
        let port = port(&uri).ok_or(UrlError::Port)?;
        if !self.ports.is_empty() && !self.ports.contains(&port) {
            return Err(UrlError::Port);
        }
        let is_allowed = match host(&uri).parse::<IpAddr>() {
            Ok(address) => self.allows(address),
            // An address in another spelling: which one it means would be the resolver's to say.
            Err(_) => !authority.host().starts_with('[') && !ends_in_a_number(host(&uri)),
        };
        if is_allowed { Ok(uri) } else { Err(UrlError::Address) }
    }

    /// Whether requests may go to this address.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        match Kind::of(address) {
            Kind::Public => true,
            Kind::Loopback => self.loopback,
            Kind::Private => self.private,
            Kind::Never => false,
        }
    }
}

/// The host without the brackets of an IPv6 address.
fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// Whether a host's last part is a number, which that of no name is: `127.1`, `0x7f000001`, `127.0.0.1.`. Source: WHATWG,
/// URL, "ends in a number checker".
fn ends_in_a_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    is_decimal || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The port, also one that is not written; `None` for one that is no port.
fn port(uri: &Uri) -> Option<u16> {
    let authority = uri.authority()?;
    let is_written = authority.as_str()[authority.host().len()..].starts_with(':');
    match authority.port_u16() {
        Some(0) => None,
        Some(port) => Some(port),
        None if is_written => None,
        None if uri.scheme_str() == Some("http") => Some(80),
        None => Some(443),
    }
}

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    Loopback,
    /// Somebody's own network.
    Private,
    /// Link-local, multicast, reserved, a cloud's metadata, or another address in disguise.
    Never,
}

/// Addresses outside the reserved blocks at which clouds answer their own machines.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

impl Kind {
    fn of(address: IpAddr) -> Kind {
        // An IPv4 address that was put into IPv6 is what it was.
        let address = address.to_canonical();
        if METADATA.contains(&address) {
            return Kind::Never;
        }
        match address {
            IpAddr::V4(address) => Kind::of_v4(address),
            IpAddr::V6(address) => Kind::of_v6(address),
        }
    }

    /// Source: IANA's IPv4 special-purpose address registry.
    fn of_v4(address: Ipv4Addr) -> Kind {
        match address.octets() {
            [127, ..] => Kind::Loopback,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Kind::Private,
            [0 | 224..=255, ..]
            | [169, 254, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _] => Kind::Never,
            _ => Kind::Public,
        }
    }

    /// Source: IANA's IPv6 special-purpose address registry.
    fn of_v6(address: Ipv6Addr) -> Kind {
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
            [0xfc00..=0xfdff, ..] => Kind::Private,
            // Teredo, 6to4 and others of that sort, documentation.
            [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => Kind::Never,
            // Only this block is given out; outside it lie link-local, multicast, and IPv4 translated.
            [0x2000..=0x3fff, ..] => Kind::Public,
            _ => Kind::Never,
        }
    }
}

/// Makes every connection that goes out: resolves once, and connects to what was vetted.
#[derive(Clone)]
pub(crate) struct Connector {
    egress: Arc<Egress>,
    /// How many connections were asked for, from addresses that were vetted.
    connects: Arc<AtomicU64>,
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the URL is not allowed: {0}")]
    Url(UrlError),
    #[error("the name cannot be resolved: {0}")]
    Name(io::Error),
    #[error("the address is not allowed")]
    Address,
    #[error("no connection: {0}")]
    Connection(io::Error),
}

impl Connector {
    pub(crate) fn new(egress: Arc<Egress>) -> Connector {
        Connector { egress, connects: Arc::default() }
    }

    /// How many connections have been asked for.
    pub(crate) fn connects(&self) -> u64 {
        self.connects.load(Ordering::Relaxed)
    }

    async fn connect(self, uri: Uri) -> Result<Dialed, ConnectError> {
        let uri = self.egress.check(&uri.to_string()).map_err(ConnectError::Url)?;
        let port = port(&uri).ok_or(ConnectError::Url(UrlError::Port))?;
        let addresses = if let Ok(address) = host(&uri).parse::<IpAddr>() {
            vec![SocketAddr::new(address, port)]
        } else {
            let resolved = self.egress.resolver.resolve(host(&uri).to_owned(), port).await;
            resolved.map_err(ConnectError::Name)?
        };
        // One address that is not allowed is enough: a name that means both is up to something.
        if addresses.iter().any(|address| !self.egress.allows(address.ip())) {
            return Err(ConnectError::Address);
        }
        let mut failed = io::Error::other("the name has no address");
        for address in addresses {
            self.connects.fetch_add(1, Ordering::Relaxed);
            match self.egress.dialer.dial(address).await {
                Ok(line) => return Ok(Dialed(line)),
                Err(error) => failed = error,
            }
        }
        Err(ConnectError::Connection(failed))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Dialed>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Dialed>, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(uri).await.map(TokioIo::new) })
    }
}

/// A connection that was dialed, as the client of HTTP wants it.
pub(crate) struct Dialed(Box<dyn Line>);

impl Connection for Dialed {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Dialed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Dialed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let table = [
            (
                Kind::Public,
                "8.8.8.8 1.1.1.1 172.32.0.1 192.0.1.1 2606:4700:4700::1111 2a00:1450::1 ::ffff:8.8.8.8",
            ),
            (Kind::Loopback, "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1"),
            (
                Kind::Private,
                "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 fd12:3456::1 ::ffff:10.0.0.1",
            ),
            (
                Kind::Never,
                "0.0.0.0 169.254.169.254 224.0.0.1 255.255.255.255 192.0.0.192 198.18.0.1 203.0.113.9 240.0.0.1 \
                 168.63.129.16 100.100.100.200 :: fe80::1 ff02::1 fd00:ec2::254 64:ff9b::7f00:1 64:ff9b:1::1 \
                 2002:7f00:1:: 2001:db8::1 2001:0:1::1 ::7f00:1 ::ffff:169.254.169.254 100::1 5f00::1",
            ),
        ];
        for (kind, addresses) in table {
            for address in addresses.split_whitespace() {
                assert_eq!(Kind::of(address.parse().unwrap()), kind, "{address}");
            }
        }
    }

    #[test]
    fn urls_are_refused_by_what_they_say() {
        let egress = Egress::default();
        let table = [
            ("https://hooks.example.org/x?y=z", None),
            ("https://hooks.example.org:8443/", None),
            ("https://[2606:4700:4700::1111]/", None),
            ("/x", Some(UrlError::Unreadable)),
            ("hooks.example.org", Some(UrlError::Unreadable)),
            ("https://", Some(UrlError::Unreadable)),
            ("https://a b/", Some(UrlError::Unreadable)),
            ("http://hooks.example.org/", Some(UrlError::Scheme)),
            ("ftp://hooks.example.org/", Some(UrlError::Scheme)),
            ("https://user:secret@hooks.example.org/", Some(UrlError::UserInfo)),
            ("https://hooks.example.org/#x", Some(UrlError::Fragment)),
            ("https://hooks.example.org:25/", Some(UrlError::Port)),
            ("https://hooks.example.org:0/", Some(UrlError::Port)),
            ("https://127.0.0.1/", Some(UrlError::Address)),
            ("https://[::ffff:127.0.0.1]/", Some(UrlError::Address)),
            ("https://169.254.169.254/", Some(UrlError::Address)),
            ("https://127.1/", Some(UrlError::Address)),
            ("https://127.0.0.1./", Some(UrlError::Address)),
            ("https://2130706433/", Some(UrlError::Address)),
            ("https://0X7F.0.0.0x1/", Some(UrlError::Address)),
            ("https://0177.0.0.1/", Some(UrlError::Address)),
            ("https://[::1%25lo]/", Some(UrlError::Address)),
            ("https://[]/", Some(UrlError::Address)),
            ("https://7.example.org/", None),
            ("https://0x7f.example/", None),
        ];
        for (url, error) in table {
            assert_eq!(egress.check(url).err(), error, "{url}");
        }
        let development = Egress::development();
        for url in ["http://127.0.0.1:4711/x", "http://[::1]:1/", "https://127.0.0.1:1/"] {
            assert_eq!(development.check(url).err(), None, "{url}");
        }
        assert_eq!(development.check("http://10.0.0.1/").err(), Some(UrlError::Address));
    }
}
