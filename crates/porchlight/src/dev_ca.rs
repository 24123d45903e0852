//! Development's certificate authority: made once, kept in the data folder, trusted by the clients of one machine.
//!
//! It may sign for this machine's own names and nothing else (RFC 5280, 4.2.1.10), so that who gets hold of its key cannot
//! pass for anybody else with the clients that trust it. Production never looks at it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use porchlight_presence::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};
use x509_cert::ext::pkix::name::GeneralName;

use crate::config::host_name;
use crate::development::{self, Folder};
use crate::exit::{DATA, Failure, INTERNAL};

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the authority lasts.
const TEN_YEARS: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);
/// How long what it signs lasts; a start makes another.
const NINETY_DAYS: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A host, in lower case.
    Host(String),
    Address(IpAddr),
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Name, String> {
        if let Ok(address) = text.parse() {
            return Ok(Name::Address(address));
        }
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_allowed);
        if text.len() > 253 || !text.split('.').all(is_label) {
            return Err(format!("'{text}' is neither the name of a host nor an address"));
        }
        Ok(Name::Host(text.to_ascii_lowercase()))
    }
}

impl Name {
    /// As people write it.
    pub(crate) fn text(&self) -> String {
        match self {
            Name::Host(name) => name.clone(),
            Name::Address(address) => address.to_string(),
        }
    }
}

/// The authority.
pub(crate) struct DevCa {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    /// What it may sign for; empty: anything.
    permitted: Vec<GeneralName>,
}

/// Where the certificate of the authority is that is kept in this data folder.
pub(crate) fn file(data: &Path) -> PathBuf {
    development::path(data, CERTIFICATE)
}

impl DevCa {
    /// An authority that nobody keeps. It may sign for these names as well.
    ///
    /// # Errors
    ///
    /// [`INTERNAL`]
    pub(crate) fn in_memory(names: &[Name], now: Timestamp) -> Result<DevCa, Failure> {
        make(names, now)
            .and_then(|(certificate, key)| DevCa::read(certificate, &key))
            .map_err(|error| Failure::new(INTERNAL, error.context("cannot make a development CA")))
    }

    /// The authority that is kept in this folder, and made if there is none. Only then do these names matter.
    ///
    /// # Errors
    ///
    /// [`crate::exit::CANNOT_CREATE`] when it cannot be kept, [`DATA`] when what is kept is of no use.
    pub(crate) fn in_folder(folder: &Folder, names: &[Name], now: Timestamp) -> Result<DevCa, Failure> {
        if !folder.path(CERTIFICATE).exists() {
            let (certificate, key) = make(names, now)
                .map_err(|error| Failure::new(INTERNAL, error.context("cannot make a development CA")))?;
            // The certificate last: where it is, both are.
            folder.write(KEY, &key)?;
            folder.write(CERTIFICATE, &certificate)?;
        }
        let text = |name| fs::read_to_string(folder.path(name));
        let read = || DevCa::read(text(CERTIFICATE)?, &text(KEY)?);
        read().map_err(|error| {
            let what = format!(
                "the development CA in {} is of no use; remove that file to have another made",
                folder.path(CERTIFICATE).display()
            );
            Failure::new(DATA, error.context(what))
        })
    }

    fn read(pem: String, key: &str) -> anyhow::Result<DevCa> {
        let certificate = Certificate::from_pem(&pem)?;
        let certificate = certificate.tbs_certificate();
        let key = KeyPair::from_pem(key)?;
        let is_own = certificate.subject_public_key_info().to_der()? == key.subject_public_key_info();
        ensure!(is_own, "the key does not belong to the certificate");
        let name = certificate.subject().common_name()?.context("it has no name")?;
        let constraints = certificate.get_extension::<x509_cert::ext::pkix::NameConstraints>()?;
        let permitted = constraints.and_then(|(_, constraints)| constraints.permitted_subtrees);
        let permitted = permitted.unwrap_or_default().into_iter().map(|subtree| subtree.base).collect();
        Ok(DevCa { pem, issuer: Issuer::new(named(&name.value()), key), permitted })
    }

    /// Its certificate in PEM.
    pub(crate) fn into_pem(self) -> String {
        self.pem
    }

    /// A certificate for this machine and these names, and its key.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] for a name that it was not made for.
    pub(crate) fn certify(
        &self,
        names: &[Name],
        now: Timestamp,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failure> {
        if let Some(name) = names.iter().find(|name| !self.permits(name)) {
            return Err(Failure::usage(format!(
                "the development CA was not made for {}: remove development/ca.pem in the data folder to have another \
                 made, which clients have to be told to trust anew",
                name.text()
            )));
        }
        // A machine may get another name after the authority was made; then it goes without.
        let own = own_name().into_iter().filter(|name| self.permits(name));
        // Not *.localhost: some clients refuse a certificate with a wildcard right below the root, whatever they call.
        let mut all = Vec::from(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        for name in own.chain(names.iter().cloned()).map(|name| name.text()) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        self.sign(all, now).map_err(|error| Failure::new(INTERNAL, error))
    }

    fn sign(
        &self,
        names: Vec<String>,
        now: Timestamp,
    ) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = named("Porchlight development").distinguished_name;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, NINETY_DAYS);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((vec![certificate.into()], key.into()))
    }

    fn permits(&self, name: &Name) -> bool {
        self.permitted.is_empty() || self.permitted.iter().any(|permitted| covers(permitted, name))
    }
}

/// Whether a name lies below the one that is permitted.
fn covers(permitted: &GeneralName, name: &Name) -> bool {
    match (permitted, name) {
        (GeneralName::DnsName(permitted), Name::Host(name)) => {
            let rest = name.strip_suffix(permitted.to_string().as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
        // An address and a mask of the same length.
        (GeneralName::IpAddress(network), Name::Address(address)) => {
            let octets = match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            let (network, mask) = network.as_bytes().split_at(network.as_bytes().len() / 2);
            let mut bits = octets.iter().zip(network).zip(mask);
            octets.len() == network.len()
                && bits.all(|((octet, network), mask)| (octet ^ network) & mask == 0)
        }
        _ => false,
    }
}

/// A certificate and a key of an authority for this machine and these names, both in PEM.
fn make(names: &[Name], now: Timestamp) -> anyhow::Result<(String, String)> {
    let key = KeyPair::generate()?;
    // A name has at most 64 characters. Source: RFC 5280, A.1.
    let host: String = host_name().chars().take(32).collect();
    let mut params = named(&format!("Porchlight development CA ({host})"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let mut permitted = vec![
        GeneralSubtree::DnsName("localhost".to_owned()),
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(Ipv4Addr::LOCALHOST.into(), 8)),
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(Ipv6Addr::LOCALHOST.into(), 128)),
    ];
    permitted.extend(own_name().into_iter().chain(names.iter().cloned()).map(|name| match name {
        Name::Host(name) => GeneralSubtree::DnsName(name),
        Name::Address(address) => {
            let whole = if address.is_ipv4() { 32 } else { 128 };
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, whole))
        }
    }));
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
    set_validity(&mut params, now, TEN_YEARS);
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// What this machine calls itself, if that can stand in a certificate.
fn own_name() -> Option<Name> {
    host_name().parse().ok()
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// From a day ago, for clocks that are a little behind.
fn set_validity(params: &mut CertificateParams, now: Timestamp, how_long: Duration) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.minus(DAY).since(Timestamp::ZERO);
    params.not_after = epoch + now.plus(how_long).since(Timestamp::ZERO);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_165_200_000);

    fn names(texts: &[&str]) -> Vec<Name> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_name_is_a_host_or_an_address() {
        assert_eq!("Dev.Example".parse(), Ok(Name::Host("dev.example".to_owned())));
        assert_eq!("my_service".parse(), Ok(Name::Host("my_service".to_owned())));
        assert_eq!("192.0.2.7".parse(), Ok(Name::Address(Ipv4Addr::new(192, 0, 2, 7).into())));
        assert_eq!("::1".parse(), Ok(Name::Address(Ipv6Addr::LOCALHOST.into())));
        for wrong in ["", "a..b", ".", "*.example", "a b", "https://a", "ä.example", &"a".repeat(64)] {
            let error = format!("'{wrong}' is neither the name of a host nor an address");
            assert_eq!(wrong.parse::<Name>(), Err(error));
        }
    }

    #[test]
    fn it_may_sign_for_this_machine_and_for_what_it_was_made_for() {
        let ca = DevCa::in_memory(&names(&["dev.example", "192.0.2.7"]), NOW).unwrap();
        let permitted =
            ["localhost", "a.localhost", "127.9.9.9", "::1", "dev.example", "a.dev.example", "192.0.2.7"];
        for name in names(&permitted) {
            assert!(ca.permits(&name), "{name:?}");
        }
        for name in names(&["example", "mydev.example", "192.0.2.8", "126.0.0.1", "::2"]) {
            assert!(!ca.permits(&name), "{name:?}");
        }
        let refused = ca.certify(&names(&["graph.microsoft.com"]), NOW).unwrap_err();
        assert_eq!(refused.code, crate::exit::USAGE);
        assert!(
            refused.cause.to_string().starts_with("the development CA was not made for graph.microsoft.com")
        );
    }

    #[test]
    fn clients_that_look_at_every_name_of_a_certificate_trust_it() {
        let ca = DevCa::in_memory(&names(&["dev.example"]), NOW).unwrap();
        let (chain, _) = ca.certify(&names(&["dev.example"]), NOW).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.into_pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let now = UnixTime::since_unix_epoch(NOW.since(Timestamp::ZERO));
        for name in ["localhost", "127.0.0.1", "::1", "dev.example"] {
            let name = ServerName::try_from(name).unwrap();
            let checked = verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now);
            assert!(checked.is_ok(), "{name:?}: {checked:?}");
        }
    }

    #[test]
    fn it_is_made_once_and_its_key_is_for_nobody_else_to_read() {
        let data = tempfile::tempdir().unwrap();
        let first = DevCa::in_folder(&Folder::of(data.path()).unwrap(), &[], NOW).unwrap().into_pem();
        let again = DevCa::in_folder(&Folder::of(data.path()).unwrap(), &names(&["dev.example"]), NOW)
            .unwrap()
            .into_pem();
        assert_eq!(first, again);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = data.path().join("development");
        assert_eq!((mode(&folder), mode(&folder.join("ca.key"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn what_is_damaged_is_named_and_left_alone() {
        let data = tempfile::tempdir().unwrap();
        DevCa::in_folder(&Folder::of(data.path()).unwrap(), &[], NOW).unwrap();
        let key = data.path().join("development/ca.key");
        fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let Err(failure) = DevCa::in_folder(&Folder::of(data.path()).unwrap(), &[], NOW) else {
            panic!("another's key was taken")
        };
        assert_eq!(failure.code, DATA);
        assert!(format!("{:#}", failure.cause).ends_with("the key does not belong to the certificate"));
        fs::remove_file(&key).unwrap();
        assert!(DevCa::in_folder(&Folder::of(data.path()).unwrap(), &[], NOW).is_err());
        assert!(file(data.path()).exists());
    }
}
