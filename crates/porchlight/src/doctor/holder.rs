//! Who listens on a port.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use http::Method;

use crate::client::Client;

/// How long whoever has a port may take to say that they are a porchlight.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the kernel writes that a socket is listened on. Source: Linux, `include/net/tcp_states.h`.
const LISTENS: &str = "0A";

/// A program, as far as it can be known: of others' processes only root learns which sockets they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Program { name: String, process: u32 },
    Unknown,
}

impl Holder {
    /// Who listens on this port of this machine.
    pub(super) fn of(port: u16) -> Holder {
        let tables =
            ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
        let sockets: Vec<String> = tables.iter().flat_map(|table| listening(table, port)).collect();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut holders = processes.filter_map(|process| {
            let number: u32 = process.file_name().to_str()?.parse().ok()?;
            has_one_of(&process.path(), &sockets).then_some(number)
        });
        let Some(process) = holders.next() else { return Holder::Unknown };
        let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        Holder::Program { name: name.trim().to_owned(), process }
    }

    /// Whether who listens on this address speaks plain http and says that they are a porchlight.
    pub(super) fn is_porchlight(address: SocketAddr) -> bool {
        let address = match address {
            SocketAddr::V4(four) if four.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, four.port()).into(),
            SocketAddr::V6(six) if six.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, six.port()).into(),
            other => other,
        };
        if address.port() == 0 {
            return false;
        }
        let Ok(client) = Client::at(&format!("http://{address}"), None) else { return false };
        let asked = client.wait(async {
            let health = client.remote().ask(Method::GET, "/porchlight/health", None);
            tokio::time::timeout(PATIENCE, health).await
        });
        let answer = asked.ok().and_then(Result::ok).and_then(|answer| answer.json().ok());
        answer.is_some_and(|health| health["ready"].is_boolean() && health["version"].is_string())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Program { name, process } => write!(formatter, "{name} (process {process})"),
            Holder::Unknown => formatter.write_str("another program"),
        }
    }
}

/// The sockets of a table of the kernel's that are listened on at this port, by the names that they have among the files
/// of a process. Source: Linux, `Documentation/networking/proc_net_tcp.rst`.
fn listening(table: &str, port: u16) -> Vec<String> {
    let here = format!(":{port:04X}");
    let sockets = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_here = fields.get(1)?.ends_with(&here) && *fields.get(3)? == LISTENS;
        if is_here { Some(format!("socket:[{}]", fields.get(9)?)) } else { None }
    });
    sockets.collect()
}

/// Whether a process has one of these sockets.
fn has_one_of(process: &Path, sockets: &[String]) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
    links.any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn sockets_that_are_listened_on_are_found_in_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n\
                     \x20  1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n";
        assert_eq!(listening(table, 8080), ["socket:[4711]"]);
        assert!(listening(table, 80).is_empty());
    }

    #[test]
    fn who_listens_is_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = Holder::of(socket.local_addr().unwrap().port());
        assert!(
            matches!(holder, Holder::Program { process, .. } if process == std::process::id()),
            "{holder}"
        );
    }
}
