//! https as operators and developers meet it: files that are replaced, development's own authority, and `trust`.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use http::Method;
use porchlight_testkit::{Authority, Certified, Client};
use serde_json::Value;

use crate::support::{
    Ended, ME, PATIENCE, Process, Program, in_folder, in_memory, porchlight, refusal, run, serve, text, until,
};

const HEALTH: &str = "/porchlight/health";
const CA: &str = "/porchlight/dev/ca";
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// A command of this machine's, on this side of whatever proxy it has.
fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("no_proxy", "localhost,127.0.0.1,dev.test");
    for variable in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"] {
        command.env_remove(variable);
    }
    command
}

/// What curl makes of this address, when it trusts `ca` or, without it, what the system trusts.
fn curl(ca: Option<&Path>, more: &[&str], url: &str) -> Ended {
    let mut command = tool("curl");
    command.args(["--silent", "--show-error", "--max-time", "20"]).args(more).arg(url);
    if let Some(ca) = ca {
        command.arg("--cacert").arg(ca);
    }
    run(&mut command)
}

fn health(host: &str, server: &Program) -> String {
    format!("https://{host}:{}{HEALTH}", server.https_address().port())
}

/// Holds an answer to what a server says of its health.
fn assert_is_healthy(ended: &Ended) {
    assert!(ended.code == Some(0) && ended.out.concat().contains(r#""ready":true"#), "{ended:?}");
}

/// Holds curl to its refusal: it cannot verify the certificate, or has nobody to trust at all.
fn assert_is_distrusted(ended: &Ended) {
    assert!(matches!(ended.code, Some(60 | 77)), "{ended:?}");
}

fn authority_of(data: &Path) -> PathBuf {
    data.join("development/ca.pem")
}

/// Files with this certificate and key.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new(folder: &Path, certified: &Certified) -> Files {
        let files = Files { certificate: folder.join("server.pem"), key: folder.join("server.key") };
        files.write(&certified.pem(), &certified.key_pem());
        files
    }

    fn write(&self, certificate: &str, key: &str) {
        fs::write(&self.certificate, certificate).expect("it can be written");
        fs::write(&self.key, key).expect("it can be written");
    }

    fn flags(&self) -> [&str; 4] {
        ["--https-certificate", text(&self.certificate), "--https-key", text(&self.key)]
    }
}

/// Whether somebody who trusts this authority gets an answer.
async fn is_trusted(address: SocketAddr, authority: &Authority) -> bool {
    let client = Client::secure(address, authority.trusting(&[]));
    let answer = client.try_call(Method::GET, HEALTH, None::<&[u8]>).await;
    answer.is_ok_and(|answer| answer.status == 200)
}

/// Lines of a log in JSON with this message.
fn messages(log: &[String], message: &str) -> Vec<Value> {
    let lines = log.iter().filter_map(|line| serde_json::from_str(line).ok());
    lines.filter(|line: &Value| line["message"] == message).collect()
}

#[tokio::test]
async fn a_certificate_is_replaced_while_the_server_runs() {
    const KEEPS: &str = "https goes on with the certificate that it has";
    let place = tempfile::tempdir().expect("a folder");
    let (first, other) = (Authority::default(), Authority::default());
    let (certified, next) = (first.certify(&NAMES, 2100), other.certify(&NAMES, 2101));
    let files = Files::new(place.path(), &certified);
    let server = Program::start(serve(&["--ephemeral"]).args(files.flags()));
    let address = server.https_address();
    let secure = Client::secure(address, first.trusting(&[]));
    let answer = secure.get(HEALTH).await;
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{answer:?}");
    let ends = server.metrics().await.of("porchlight_certificate_expires_timestamp_seconds");
    assert_eq!(ends, 4_133_894_400, "2100-12-31");

    let kept = |times: usize| move |lines: &[String]| (messages(lines, KEEPS).len() == times).then_some(());
    files.write(&next.pem(), &certified.key_pem());
    assert!(server.err().find(kept(1)).is_some(), "a key of another certificate: {:?}", server.err());
    assert!(is_trusted(address, &first).await);
    fs::remove_file(&files.key).expect("it is there");
    assert!(server.err().find(kept(2)).is_some(), "no key at all: {:?}", server.err());
    assert!(is_trusted(address, &first).await);

    files.write(&next.pem(), &next.key_pem());
    until("the other certificate is shown", async || is_trusted(address, &other).await).await;
    assert!(!is_trusted(address, &first).await);
    let ends = server.metrics().await.of("porchlight_certificate_expires_timestamp_seconds");
    assert_eq!(ends, 4_165_430_400, "2101-12-31");

    let log = server.stop().err;
    let complaints = messages(&log, KEEPS);
    let said: Vec<&str> = complaints.iter().filter_map(|line| line["error"].as_str()).collect();
    assert_eq!(said.len(), 2, "each of them once: {log:#?}");
    assert!(said[0].ends_with("the key does not belong to the certificate"), "{said:?}");
    assert!(said[0].starts_with(text(&files.certificate)), "{said:?}");
    assert!(said[1].starts_with(text(&files.key)), "{said:?}");
    for (message, end) in [
        ("https shows this certificate", "2100-12-31T00:00:00Z"),
        ("https shows another certificate from now on", "2101-12-31T00:00:00Z"),
    ] {
        let lines = messages(&log, message);
        let [line] = lines.as_slice() else { panic!("not once {message}: {log:#?}") };
        assert_eq!((line["names"].as_str(), line["end"].as_str()), (Some("localhost, 127.0.0.1"), Some(end)));
    }
}

#[test]
fn a_certificate_that_has_ended_is_warned_of_once() {
    let place = tempfile::tempdir().expect("a folder");
    let files = Files::new(place.path(), &Authority::default().certify(&NAMES, 2020));
    let server = Program::start(serve(&["--ephemeral"]).args(files.flags()));
    let message = "the certificate of https ends soon, or has ended";
    let warned = server.err().find(|lines| messages(lines, message).first().cloned());
    assert_eq!(warned.expect("it is warned of")["end"], "2020-12-31T00:00:00Z");
    assert_eq!(messages(&server.stop().err, message).len(), 1);
}

#[test]
fn what_cannot_be_is_refused_with_what_to_give() {
    let place = tempfile::tempdir().expect("a folder");
    let certified = Authority::default().certify(&NAMES, 2100);
    let files = Files::new(place.path(), &certified);
    let (certificate, key) = (text(&files.certificate), text(&files.key));
    let other = place.path().join("other.key");
    fs::write(&other, Authority::default().certify(&NAMES, 2100).key_pem()).expect("it can be written");
    let missing = text(place.path()).to_owned() + "/missing.pem";
    let pair = "https.certificate and https.key go together: give both --https-certificate and --https-key";
    let names = "https.names is for the certificate that development mode makes: the names of another one stand in it";
    let table: [(&[&str], String); 9] = [
        (&["--https-certificate", certificate], pair.to_owned()),
        (&["--dev", "--https-key", key], pair.to_owned()),
        (
            &["--https-listen", "127.0.0.1:0"],
            "https.listen needs a certificate: give --https-certificate and --https-key".to_owned(),
        ),
        (&["--https-name", "a.test"], names.to_owned()),
        (
            &["--dev", "--https-name", "a.test", "--https-certificate", certificate, "--https-key", key],
            names.to_owned(),
        ),
        (
            &["--dev", "--https-name", "https://a.test"],
            "https.names: 'https://a.test' is neither the name of a host nor an address".to_owned(),
        ),
        (
            &["--https-certificate", &missing, "--https-key", key],
            format!("{missing}: No such file or directory (os error 2)"),
        ),
        (
            &["--https-certificate", certificate, "--https-key", certificate],
            format!("{certificate}: there is no key in PEM in it that is not encrypted"),
        ),
        (
            &["--https-certificate", certificate, "--https-key", text(&other)],
            format!("{certificate} and {}: the key does not belong to the certificate", other.display()),
        ),
    ];
    for (flags, expected) in table {
        assert_eq!(refusal(&run(serve(&["--ephemeral"]).args(flags)), 64), expected, "{flags:?}");
    }
    let wrong = run(&mut serve(&["--https-listen", "here"]));
    let line = wrong.complaint(64).first().cloned().unwrap_or_default();
    let expected = "error: invalid value 'here' for '--https-listen <ADDRESS>': neither an address with a port nor 'none'";
    assert_eq!(line, expected);
    let remote = run(&mut serve(&["--dev", "--ephemeral", "--https-listen", "0.0.0.0:0"]));
    assert!(refusal(&remote, 64).contains("0.0.0.0:0 can be reached by others"), "{remote:?}");
    let same = ["serve", "--dev", "--ephemeral", "--listen", "127.0.0.1:8443"];
    let same = refusal(&run(&mut porchlight(&same)), 64);
    assert_eq!(
        same,
        "http and https cannot both listen on 127.0.0.1:8443: choose another with --https-listen"
    );
}

#[test]
fn what_is_wrong_in_the_file_is_named() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    for (config, wrong) in [
        ("[https]\nlisten = \"here\"", "'here' is neither an address with a port nor 'none'"),
        ("[https]\ncertificates = 1", "unknown field `certificates`"),
    ] {
        fs::write(&file, config).expect("it can be written");
        let ended = run(&mut serve(&["--config", text(&file)]));
        assert!(ended.complaint(64).iter().any(|line| line.contains(wrong)), "{wrong}: {ended:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_its_own_flag_and_the_data_is_not_touched() {
    let place = tempfile::tempdir().expect("a folder");
    let data = place.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has an address").to_string();
    let ended = run(in_folder(&data).args(["--https-listen", &address]));
    let expected = format!(
        "cannot listen on {address}: another program does; stop it or choose another with --https-listen"
    );
    assert_eq!(refusal(&ended, 69), expected);
    assert!(!data.exists(), "the ports are tried first");
}

#[tokio::test]
async fn https_is_spoken_where_it_is_asked_for() {
    let place = tempfile::tempdir().expect("a folder");
    let files = Files::new(place.path(), &Authority::default().certify(&NAMES, 2100));
    let file = place.path().join("porchlight.toml");
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let config =
        format!("[https]\nlisten = \"127.0.0.1:0\"\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n");
    fs::write(&file, config).expect("it can be written");
    let from_file = ["--ephemeral", "--config", text(&file)];
    let table: [(&[&str], bool); 5] = [
        (&["--ephemeral"], false),
        (&["--ephemeral", "--dev"], true),
        (&["--ephemeral", "--dev", "--https-listen", "none"], false),
        (&from_file, true),
        (&["--ephemeral", "--config", text(&file), "--https-listen", "none"], false),
    ];
    for (flags, expected) in table {
        let server = Program::start(&mut serve(flags));
        assert_eq!(server.has_https(), expected, "{flags:?}");
        let production = !flags.contains(&"--dev");
        let ca = server.anonymous().get(CA).await;
        assert_eq!(ca.status.as_u16(), if expected && !production { 200 } else { 404 }, "{flags:?}");
    }
    let by_variable = Program::start(in_memory().env("PORCHLIGHT_HTTPS_LISTEN", "none"));
    assert!(!by_variable.has_https());
}

const PYTHON: &str = "
import os, ssl, sys, urllib.request
context = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])
context.verify_flags |= ssl.VERIFY_X509_STRICT
print(urllib.request.urlopen(sys.argv[1], context=context).read().decode())
";

const NODE: &str = "
require('https').get(process.argv[1], (answer) => answer.pipe(process.stdout));
";

#[test]
fn clients_that_trust_the_authority_of_development_accept_it_and_others_do_not() {
    let place = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(place.path()));
    let ca = authority_of(place.path());
    let ways: [&[&str]; 4] = [&[], &["--http1.1"], &["--tls-max", "1.2"], &["--tlsv1.3"]];
    for host in NAMES {
        let url = health(host, &server);
        for more in ways {
            assert_is_healthy(&curl(Some(&ca), more, &url));
        }
        assert_is_healthy(&run(tool("python3").args(["-c", PYTHON, &url]).env("SSL_CERT_FILE", &ca)));
        assert_is_healthy(&run(tool("node").args(["-e", NODE, &url]).env("NODE_EXTRA_CA_CERTS", &ca)));
        assert_is_distrusted(&curl(None, &[], &url));
    }
    // A name that it is not for.
    let resolve = format!("other.test:{}:127.0.0.1", server.https_address().port());
    let ended = curl(Some(&ca), &["--resolve", &resolve, "--noproxy", "*"], &health("other.test", &server));
    assert_is_distrusted(&ended);
}

#[test]
fn the_authority_is_made_once_and_kept_to_its_owner() {
    let place = tempfile::tempdir().expect("a folder");
    let ca = authority_of(place.path());
    Program::start(&mut in_folder(place.path())).stop();
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let folder = place.path().join("development");
    assert_eq!((mode(&folder), mode(&folder.join("ca.key"))), (0o700, 0o600));
    let first = fs::read(&ca).expect("it can be read");
    let trusted = place.path().join("development/trusted.pem");
    fs::write(&trusted, &first).expect("it can be written");

    let again = Program::start(&mut in_folder(place.path()));
    assert_eq!(fs::read(&ca).expect("it can be read"), first);
    assert_is_healthy(&curl(Some(&trusted), &[], &health("localhost", &again)));
    again.stop();
    fs::write(folder.join("ca.key"), "rubbish").expect("it can be written");
    let message = refusal(&run(&mut in_folder(place.path())), 65);
    let expected = format!(
        "the development CA in {} is of no use; remove that file to have another made: ",
        folder.join("ca.pem").display()
    );
    assert!(message.starts_with(&expected), "{message}");
    assert_eq!(fs::read(&ca).expect("it can be read"), first, "it is left alone");
}

#[tokio::test]
async fn production_never_looks_at_what_development_has_left() {
    let place = tempfile::tempdir().expect("a folder");
    Program::start(&mut in_folder(place.path())).stop();
    let folder = place.path().join("development");
    fs::write(folder.join("ca.key"), "rubbish").expect("it can be written");
    fs::write(folder.join("ca.pem"), "rubbish").expect("it can be written");
    let server = Program::start(&mut serve(&["--data", text(place.path())]));
    assert!(!server.has_https());
    assert_eq!(server.anonymous().get(CA).await.status, 404);
}

#[tokio::test]
async fn a_server_that_keeps_nothing_hands_out_its_authority() {
    let place = tempfile::tempdir().expect("a folder");
    let server = Program::start(in_memory().current_dir(place.path()));
    let answer = server.anonymous().get(CA).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(fs::read_dir(place.path()).expect("the folder is there").count(), 0);
    let ca = place.path().join("ca.pem");
    fs::write(&ca, &answer.body).expect("it can be written");
    assert_is_healthy(&curl(Some(&ca), &[], &health("localhost", &server)));
}

#[test]
fn with_a_folder_of_its_own_even_such_a_server_keeps_its_authority() {
    let place = tempfile::tempdir().expect("a folder");
    let mut command = in_memory();
    Program::start(command.args(["--data", text(place.path())])).stop();
    let ca = fs::read(authority_of(place.path())).expect("it is kept");
    assert_eq!(fs::read_dir(place.path()).expect("the folder is there").count(), 1, "and nothing else is");
    // The folder is still one that a log can be made in.
    Program::start(&mut in_folder(place.path())).stop();
    assert_eq!(fs::read(authority_of(place.path())).expect("it is kept"), ca);
}

#[test]
fn development_is_also_known_by_names_that_are_given() {
    let place = tempfile::tempdir().expect("a folder");
    let named = |name: &str| {
        let mut command = in_folder(place.path());
        command.args(["--https-name", name]);
        command
    };
    let server = Program::start(&mut named("dev.test"));
    let resolve = format!("dev.test:{}:127.0.0.1", server.https_address().port());
    let ca = authority_of(place.path());
    let more = ["--resolve", resolve.as_str(), "--noproxy", "*"];
    assert_is_healthy(&curl(Some(&ca), &more, &health("dev.test", &server)));
    server.stop();
    Program::start(&mut named("api.dev.test")).stop();
    let message = refusal(&run(&mut named("other.test")), 64);
    assert!(
        message.starts_with("the development CA was not made for other.test: remove development/ca.pem"),
        "{message}"
    );
}

#[test]
fn a_client_that_does_not_shake_hands_does_not_keep_the_server_from_stopping() {
    let server = Program::start(&mut in_memory());
    let silent = TcpStream::connect(server.https_address()).expect("the server listens");
    let ended = server.stop();
    assert!(!ended.err.iter().any(|line| line.contains("did not finish in time")), "{ended:?}");
    drop(silent);
}

#[tokio::test]
async fn links_lead_back_to_https() {
    let place = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(place.path()));
    let ca = authority_of(place.path());
    let url = format!("https://localhost:{}{ME}", server.https_address().port());
    let answer = curl(Some(&ca), &["--header", "Authorization: Bearer dev:ada:"], &url).answer();
    let expected = format!("https://localhost:{}/v1.0/$metadata#", server.https_address().port());
    assert!(answer.contains(&expected), "{answer}");
}

#[test]
fn trust_says_that_there_is_nothing_to_trust_yet() {
    let place = tempfile::tempdir().expect("a folder");
    let data = text(place.path());
    let expected = format!(
        "there is no development CA in {data}: start porchlight serve --dev once with this data folder, which makes one, \
         or name a running server by --url"
    );
    assert_eq!(refusal(&run(&mut porchlight(&["trust", "--data", data])), 64), expected);
    let wrong = refusal(&run(&mut porchlight(&["trust", "--url", "localhost:8080"])), 64);
    assert_eq!(wrong, "the url must begin with http://");
}

#[test]
fn trust_names_a_running_server() {
    let place = tempfile::tempdir().expect("a folder");
    let mut command = porchlight(&["trust", "--url", "http://localhost:8080/"]);
    let said = run(command.current_dir(place.path())).answer();
    let file = place.path().canonicalize().expect("it is there").join("porchlight-ca.pem");
    let begin = format!(
        "Fetch the development CA, on the machine that the server runs on:\n\n  \
         curl -o porchlight-ca.pem http://localhost:8080/porchlight/dev/ca\n\nThen it is in\n\n  {}\n\n",
        file.display()
    );
    assert!(said.starts_with(&begin), "{said}");
    assert!(said.contains(&format!("export NODE_EXTRA_CA_CERTS={}", file.display())), "{said}");
    assert_eq!(fs::read_dir(place.path()).expect("the folder is there").count(), 0, "it changes nothing");
}

#[test]
fn trust_says_how_each_platform_and_sdk_is_told() {
    let place = tempfile::tempdir().expect("a folder");
    Program::start(&mut in_folder(place.path())).stop();
    let said = run(&mut porchlight(&["trust", "--data", text(place.path())])).answer();
    insta::assert_snapshot!(said.replace(text(place.path()), "/data"), @r"
    The development CA is in

      /data/development/ca.pem

    It can vouch for localhost, this machine's name and the names of --https-name, and for nobody else.
    Paste what fits; what takes it back stands below each.

    curl
      curl --cacert /data/development/ca.pem https://localhost:8443/porchlight/health

    Debian, Ubuntu
      sudo cp /data/development/ca.pem /usr/local/share/ca-certificates/porchlight-development.crt
      sudo update-ca-certificates
    undo:
      sudo rm /usr/local/share/ca-certificates/porchlight-development.crt
      sudo update-ca-certificates --fresh

    Fedora, Red Hat
      sudo cp /data/development/ca.pem /etc/pki/ca-trust/source/anchors/porchlight-development.pem
      sudo update-ca-trust
    undo:
      sudo rm /etc/pki/ca-trust/source/anchors/porchlight-development.pem
      sudo update-ca-trust

    macOS
      sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain /data/development/ca.pem
    undo:
      sudo security remove-trusted-cert -d /data/development/ca.pem

    Windows, for the user who types it in PowerShell; first copy the file there as porchlight-ca.pem
      certutil -user -addstore Root porchlight-ca.pem
    undo:
      Get-ChildItem Cert:\CurrentUser\Root | Where-Object Subject -like '*Porchlight development CA*' | Remove-Item

    Firefox
      Settings, Privacy & Security, View Certificates, Authorities, Import
    undo:
      the same list: Porchlight development CA, Delete or Distrust

    Chrome and Chromium on Linux (certutil is in libnss3-tools or nss-tools)
      certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n porchlight-development -i /data/development/ca.pem
    undo:
      certutil -d sql:$HOME/.pki/nssdb -D -n porchlight-development

    Docker: as in a line for its SDK below, with the file in the container
      docker run -v /data/development/ca.pem:/porchlight-ca.pem:ro -e SSL_CERT_FILE=/porchlight-ca.pem …

    Node.js
      export NODE_EXTRA_CA_CERTS=/data/development/ca.pem
    undo:
      unset NODE_EXTRA_CA_CERTS

    Python: httpx, which msgraph-sdk uses, and requests. Nobody else is trusted meanwhile
      export SSL_CERT_FILE=/data/development/ca.pem REQUESTS_CA_BUNDLE=/data/development/ca.pem
    undo:
      unset SSL_CERT_FILE REQUESTS_CA_BUNDLE

    Go; and .NET and PowerShell on Linux. On macOS and Windows they go by the system's store, see above
      export SSL_CERT_FILE=/data/development/ca.pem
    undo:
      unset SSL_CERT_FILE

    Java
      keytool -importcert -noprompt -cacerts -storepass changeit -alias porchlight-development -file /data/development/ca.pem
    undo:
      keytool -delete -cacerts -storepass changeit -alias porchlight-development
    ");
}

/// The lines for Node.js, as they stand there, in a shell.
#[test]
fn what_trust_prints_works_as_it_stands() {
    let place = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(place.path()));
    let said = run(&mut porchlight(&["trust", "--data", text(place.path())])).answer();
    let line = |begin: &str| {
        let line = said.lines().find(|line| line.trim_start().starts_with(begin));
        line.unwrap_or_else(|| panic!("no {begin}: {said}")).trim().to_owned()
    };
    let url = health("localhost", &server);
    let usual = format!("https://localhost:8443{HEALTH}");
    let python = format!("{}\npython3 -c \"{PYTHON}\" {url}", line("export SSL_CERT_FILE"));
    let node = format!("{}\nnode -e \"{NODE}\" {url}", line("export NODE_EXTRA_CA_CERTS"));
    for script in [line("curl --cacert").replace(&usual, &url), python, node] {
        assert_is_healthy(&run(tool("sh").args(["-c", &script])));
    }
    let undone = format!(
        "{}\n{}\nexec curl --silent {url}",
        line("export SSL_CERT_FILE"),
        line("unset SSL_CERT_FILE")
    );
    let ended = Process::spawn(tool("sh").args(["-c", &undone])).end(PATIENCE);
    assert_is_distrusted(&ended);
}
