//! What the program says of itself: help, version, and the answer of `healthcheck`.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};

use crate::support::{Program, in_memory, porchlight, refusal, run};

/// What these arguments print, without the spaces at the ends of lines.
fn said(arguments: &[&str]) -> String {
    let answer = run(&mut porchlight(arguments)).answer();
    answer.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[test]
fn the_version_is_one_line() {
    let version = format!("porchlight {}", env!("CARGO_PKG_VERSION"));
    for arguments in [["version"], ["--version"], ["-V"]] {
        assert_eq!(said(&arguments), version);
    }
}

#[test]
fn help_lists_the_commands() {
    insta::assert_snapshot!(said(&["--help"]), @r"
    A presence server that speaks the Microsoft Graph presence API

    Usage: porchlight <COMMAND>

    Commands:
      serve        Runs the server
      healthcheck  Asks a running server whether it is ready; exit code 0: it is, 1: it is not
      status       Asks a running server who is in its cluster; exit code 0: it is ready, 1: it is not
      doctor       Looks at a data folder and says what is wrong with it; with --repair it puts it right
      backup       Writes everything that a log holds to a file
      restore      Fills an empty log with everything that is in a backup
      api-key      Makes a key for a script or a device, of which the configuration file keeps a hash
      token        Prints a token of a running development server
      trust        Prints how each platform and SDK is told to accept development's https
      version      Prints the version
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version
    ");
}

#[test]
fn help_of_healthcheck_tells_what_its_exit_codes_mean() {
    insta::assert_snapshot!(said(&["healthcheck", "--help"]), @r"
    Asks a running server whether it is ready; exit code 0: it is, 1: it is not

    Usage: porchlight healthcheck [OPTIONS]

    Options:
          --url <URL>  The server to ask; plain http [env: PORCHLIGHT_URL=] [default:
                       http://127.0.0.1:8080]
      -h, --help       Print help
    ");
}

#[test]
fn help_of_doctor_tells_what_its_flags_do() {
    insta::assert_snapshot!(said(&["doctor", "--help"]), @r"
    Looks at a data folder and says what is wrong with it; with --repair it puts it right

    Usage: porchlight doctor [OPTIONS]

    Options:
          --data <FOLDER>  The data folder to look at. No server may be using it [env: PORCHLIGHT_DATA=]
                           [default: porchlight-data]
          --repair         Cut off what a crash has torn at the end of the journal, after copying it
                           aside
          --compact        Write everything anew, so that the files hold nothing any more of what was
                           overwritten, or deleted more than seven days ago
      -h, --help           Print help
    ");
}

#[test]
fn help_of_status_tells_what_its_exit_codes_mean() {
    insta::assert_snapshot!(said(&["status", "--help"]), @r"
    Asks a running server who is in its cluster; exit code 0: it is ready, 1: it is not

    Usage: porchlight status [OPTIONS]

    Options:
          --url <URL>  The server to ask; plain http [env: PORCHLIGHT_URL=] [default:
                       http://127.0.0.1:8080]
          --json       Print the server's answer as it is, in JSON
      -h, --help       Print help
    ");
}

#[test]
fn help_of_backup_tells_of_which_log_and_what_can_go_wrong() {
    insta::assert_snapshot!(said(&["backup", "--help"]), @r"
    Writes everything that a log holds to a file

    Usage: porchlight backup [OPTIONS] <FILE>

    Arguments:
      <FILE>  The file to write, for nobody else to read: there are secrets in it

    Options:
          --data <FOLDER>  The data folder. No server may be using it [default: porchlight-data] [env:
                           PORCHLIGHT_DATA=]
          --log <URL>      The log in NATS JetStream, as `serve --log` takes it [env:
                           PORCHLIGHT_LOG_URL]
          --force          Replace the file if it is there
      -h, --help           Print help

    Examples:
      porchlight backup --data /var/lib/porchlight monday.porchlight
      porchlight backup --log 'jetstream://nats-1,nats-2,nats-3/?replicas=3' monday.porchlight

    Exit codes:
      0 done, 64 wrong flag, or the file is there, 65 data damaged, or streams in NATS not as they must
      be, 69 NATS not there, 73 no such log, or the file cannot be written, 75 data folder in use by
      another process
    ");
}

#[test]
fn help_of_restore_tells_into_which_log_and_what_can_go_wrong() {
    insta::assert_snapshot!(said(&["restore", "--help"]), @r"
    Fills an empty log with everything that is in a backup

    Usage: porchlight restore [OPTIONS] <FILE>

    Arguments:
      <FILE>  A file that `porchlight backup` has written

    Options:
          --data <FOLDER>  The data folder. No server may be using it [default: porchlight-data] [env:
                           PORCHLIGHT_DATA=]
          --log <URL>      The log in NATS JetStream, as `serve --log` takes it [env:
                           PORCHLIGHT_LOG_URL]
      -h, --help           Print help

    Examples:
      porchlight restore --data /var/lib/porchlight monday.porchlight
      porchlight restore --log 'jetstream://nats-1,nats-2,nats-3/?replicas=3' monday.porchlight

    Exit codes:
      0 done, 64 wrong flag, or no such file, 65 backup damaged, or streams in NATS not as they must be,
      69 NATS not there, 73 the log is not empty, or cannot be written, 75 data folder in use by another
      process
    ");
}

#[test]
fn help_of_trust_tells_where_the_authority_may_be() {
    insta::assert_snapshot!(said(&["trust", "--help"]), @r"
    Prints how each platform and SDK is told to accept development's https

    Usage: porchlight trust [OPTIONS]

    Options:
          --data <FOLDER>  The data folder whose development CA is to be trusted [env: PORCHLIGHT_DATA=]
                           [default: porchlight-data]
          --url <URL>      A running server to fetch the CA from instead, such as one that keeps
                           nothing; plain http
      -h, --help           Print help
    ");
}

#[test]
fn help_of_token_tells_for_whom_and_for_what() {
    insta::assert_snapshot!(said(&["token", "--help"]), @r#"
    Prints a token of a running development server

    Usage: porchlight token [OPTIONS]

    Options:
          --user <WHO>          The person whom the token is for: an id, a user principal name, or what
                                stands before its @
          --scp <PERMISSIONS>   The person's permissions, in one argument [default: all that a person
                                can have]
          --app <GUID>          The application (client) id; without --user the token is for the
                                application itself [default: the demo application]
          --role <PERMISSIONS>  The application's permissions, in one argument [default: all that an
                                application can have]
          --ttl <DURATION>      How long the token is good for, up to a day: 90s, 30m, 1h, or ISO 8601
                                such as PT1H [default: 1h]
          --url <URL>           The server to ask; plain http [env: PORCHLIGHT_URL=] [default:
                                http://127.0.0.1:8080]
          --data <FOLDER>       The data folder of the server to ask, instead of its URL
      -h, --help                Print help

    Examples:
      porchlight token --user ada
      porchlight token --user ada --scp 'Presence.Read.All Presence.ReadWrite' --ttl 30m
      porchlight token --app 5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21 --role Presence.ReadWrite.All
      curl -H "Authorization: Bearer $(porchlight token --user ada)" http://127.0.0.1:8080/v1.0/me

    Exit codes:
      0 done, 64 wrong flag or refused by the server, 69 no development server answers
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "as long as the help")]
fn help_of_serve_lists_flags_variables_examples_and_exit_codes() {
    insta::assert_snapshot!(said(&["serve", "--help"]), @r"
    Runs the server

    Usage: porchlight serve [OPTIONS]

    Options:
          --dev [<BOOL>]
              Development mode: a demo tenant with a dozen people, tokens like `dev:ada:`, a clock that
              can be moved

              [env: PORCHLIGHT_DEV=]
              [possible values: true, false]

          --dev-allow-remote [<BOOL>]
              Let development mode listen on an address that others can reach. Whoever reaches it may do
              anything

              [env: PORCHLIGHT_DEV_ALLOW_REMOTE=]
              [possible values: true, false]

          --dev-skip-validation [<BOOL>]
              In development mode, make subscriptions without asking their endpoints for a proof

              [env: PORCHLIGHT_DEV_SKIP_VALIDATION=]
              [possible values: true, false]

          --listen <LISTEN>
              Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]

              [env: PORCHLIGHT_LISTEN=]

          --https-listen <ADDRESS>
              Address and port for https, or `none` [default: in development mode and with a certificate
              the IP address of --listen and port 8443, or a free one if that of --listen is]

              [env: PORCHLIGHT_HTTPS_LISTEN=]

          --https-certificate <FILE>
              The certificate for https and its chain, in PEM; taken anew whenever it changes [default:
              in development mode one that is made at every start]

              [env: PORCHLIGHT_HTTPS_CERTIFICATE=]

          --https-key <FILE>
              The key of that certificate, in PEM

              [env: PORCHLIGHT_HTTPS_KEY=]

          --https-name <NAME>
              A name or address that development's certificate is for, besides this machine's; may be
              repeated

              [env: PORCHLIGHT_HTTPS_NAMES=]

          --data <FOLDER>
              The folder that keeps everything; made if it is not there [default: porchlight-data]

              [env: PORCHLIGHT_DATA=]

          --log <URL>
              Keep everything in NATS JetStream, together with every other node that is given the same:
              `jetstream://HOST:PORT,HOST:PORT/?NAME=VALUE&NAME=VALUE`, see docs/CONFIGURATION.md. What
              development mode keeps for itself goes to the folder of --data, if one is given

              [env: PORCHLIGHT_LOG_URL]

          --node-name <NAME>
              What this node is called where nodes are listed [default: the name of this machine]

              [env: PORCHLIGHT_NODE_NAME=]

          --ephemeral [<BOOL>]
              Keep everything in memory and lose it at the end

              [env: PORCHLIGHT_EPHEMERAL=]
              [possible values: true, false]

          --durability <DURABILITY>
              What an answered write survives [default: full]

              Possible values:
              - full:    The disk has confirmed it: nothing acknowledged is lost, not even when the
                power fails
              - relaxed: The disk confirms every 100 ms. Faster; when the machine (not just the process)
                dies, the last 100 ms of acknowledged writes may be gone

              [env: PORCHLIGHT_DURABILITY=]

          --seed <FILE>
              A YAML file of tenants and people to put into the directory

              [env: PORCHLIGHT_SEED=]

          --profile <PROFILE>
              How closely to keep to the original [default: open]

              Possible values:
              - open:   Every valid request of the original works, its needless limits are relaxed
              - strict: The original's limits and refusals too, for testing clients that will run
                against it

              [env: PORCHLIGHT_PROFILE=]

          --config <FILE>
              A TOML file with any of these settings and more

              [env: PORCHLIGHT_CONFIG=]

          --access-log [<BOOL>]
              Write a log line for every request [default: on in development mode]

              [env: PORCHLIGHT_ACCESS_LOG=]
              [possible values: true, false]

          --log-format <LOG_FORMAT>
              How log lines look; they go to standard error [default: text in development mode, else
              json]

              Possible values:
              - text: For people
              - json: One JSON object a line

              [env: PORCHLIGHT_LOG_FORMAT=]

          --threads <THREADS>
              Threads that serve requests [default: one per core]

              [env: PORCHLIGHT_THREADS=]

          --public-url <URL>
              URL under which clients reach the server, when it is not the one they send

              [env: PORCHLIGHT_PUBLIC_URL=]

          --cors-origin <ORIGIN>
              An origin that browsers may call from, or `*`; may be repeated [default: * in development
              mode]

              [env: PORCHLIGHT_CORS_ORIGINS=]

          --traces-endpoint <URL>
              Where a collector takes traces, by OpenTelemetry's protocol over HTTP [default: nothing is
              traced]

              [env: PORCHLIGHT_TRACES_ENDPOINT=]

          --accept-clock [<BOOL>]
              Start although the newest write in the data lies more than five minutes in the future

              [env: PORCHLIGHT_ACCEPT_CLOCK=]
              [possible values: true, false]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      porchlight serve --dev                        on http://127.0.0.1:8080, https://127.0.0.1:8443
      porchlight serve --dev --ephemeral --listen 127.0.0.1:0
      porchlight serve --config /etc/porchlight.toml
      PORCHLIGHT_LISTEN=0.0.0.0:8080 porchlight serve --data /var/lib/porchlight
      porchlight serve --log 'jetstream://nats-1,nats-2,nats-3/?replicas=3'

    Log lines go to standard error; PORCHLIGHT_LOG=info,porchlight::write=warn leaves out those of
    writes.

    Exit codes:
      0 done, 64 wrong flag or configuration, 65 data damaged or ahead of the clock, or streams in NATS
      not as they must be, 69 address in use, or NATS not there, 70 internal error, 73 data folder or
      audit file cannot be used, 75 data folder in use by another process
    ");
}

#[tokio::test]
async fn healthcheck_says_that_a_server_is_ready() {
    let server = Program::start(&mut in_memory());
    for url in [server.url(), format!("{}/", server.url())] {
        assert_eq!(run(&mut porchlight(&["healthcheck", "--url", &url])).answer(), "ready");
    }
    let by_variable = run(porchlight(&["healthcheck"]).env("PORCHLIGHT_URL", server.url()));
    assert_eq!(by_variable.answer(), "ready");
}

#[test]
fn healthcheck_says_what_keeps_it_from_saying_ready() {
    // A port that programs do not take unless they are told to.
    let nobody = "127.0.0.1:1";
    let not_ready = answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    let has_a_reason =
        answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 21\r\n\r\n{\"reason\":\"it rests\"}");
    let another = answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    let no_http = answering("220 mail.example ESMTP\r\n");
    let table = [
        (
            format!("http://{nobody}"),
            format!("no server answers on {nobody}: Connection refused (os error 111)"),
        ),
        (format!("http://{not_ready}"), format!("the server on {not_ready} is not ready")),
        (format!("http://{has_a_reason}"), format!("the server on {has_a_reason} is not ready: it rests")),
        (format!("http://{another}"), format!("what answers on {another} is no porchlight")),
        (format!("http://{no_http}"), format!("what answers on {no_http} is no porchlight")),
        (
            format!("https://{nobody}"),
            format!("no server answers on {nobody}: Connection refused (os error 111)"),
        ),
        (format!("ftp://{nobody}"), "the url must begin with http:// or https://".to_owned()),
    ];
    for (url, expected) in table {
        assert_eq!(refusal(&run(&mut porchlight(&["healthcheck", "--url", &url])), 1), expected);
    }
}

/// A server that answers its first request with this.
fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody asks");
        let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        assert!(head.count() > 0, "a request has a head");
        (&stream).write_all(answer.as_bytes()).expect("they listen");
    });
    address
}
