//! Whether requests would get out: for whoever looks whether a configuration works, before anybody is to be told.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use tower_service::Service;

use crate::egress::Connector;
use crate::post::{PosterError, tls};
use crate::settings::Egress;

/// Connects as what goes out does, by the same rules, and sends nothing.
#[derive(Clone)]
pub struct Reach(HttpsConnector<Connector>);

/// Why nothing would go out at all: a file that the settings name is of no use.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReachError(PosterError);

impl Reach {
    /// By these rules.
    ///
    /// # Errors
    ///
    /// When a file that they name cannot be read or is of no use.
    pub fn new(egress: &Egress) -> Result<Reach, ReachError> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(egress).map_err(ReachError)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector::new(Arc::new(egress.clone())));
        Ok(Reach(connector))
    }

    /// Connects to where this URL leads, and shakes hands if it begins with `https://`. How long that may take is up to
    /// the caller.
    ///
    /// # Errors
    ///
    /// What is wrong: with the URL, its name, its address, the connection or the certificate there.
    pub async fn connect(&self, url: &str) -> Result<(), String> {
        let uri: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
        let mut connector = self.0.clone();
        poll_fn(|context| connector.poll_ready(context)).await.map_err(|error| in_full(&*error))?;
        connector.call(uri).await.map(drop).map_err(|error| in_full(&*error))
    }
}

/// An error and what caused it, as far as it does not quote that itself.
fn in_full(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_allowed_and_there_is_reached_and_all_else_is_named() {
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", there.local_addr().unwrap());
        let (development, production) =
            (Reach::new(&Egress::development()).unwrap(), Reach::new(&Egress::default()).unwrap());
        assert_eq!(development.connect(&url).await, Ok(()));
        let refused = production.connect(&url).await.unwrap_err();
        assert_eq!(refused, "the URL is not allowed: its scheme must be https");
        drop(there);
        let refused = development.connect(&url).await.unwrap_err();
        assert!(refused.starts_with("no connection: "), "{refused}");
        let refused = production.connect("https://127.0.0.1/").await.unwrap_err();
        assert_eq!(refused, "the URL is not allowed: its address is not allowed here");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let egress = Egress { ca: Some("/nowhere/ca.pem".into()), ..Egress::default() };
        let error = Reach::new(&egress).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.starts_with("cannot read /nowhere/ca.pem: ")));
    }
}
