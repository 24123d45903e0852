//! The files of the board: what they are, what the page may do, and what it is told beforehand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use http::Method;
use porchlight_http::SignIn;
use porchlight_testkit::{ADA, Answer, Client, DEMO, Issuer, TestServer};
use serde_json::{Value, json};

/// All files together weigh no more than this on their way, in bytes.
const SENT_MAX: usize = 150 * 1024;

const SETTINGS: &str = "/porchlight/board/settings.json";

fn file(name: &str) -> String {
    format!("/porchlight/board/{name}")
}

fn text(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    String::from_utf8(answer.body.to_vec()).expect("the file is text")
}

/// What stands between `before` and the next quote, everywhere in a text.
fn named<'t>(text: &'t str, before: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

/// The page's files: those that it names, those that these import, and so on.
async fn files(client: &Client) -> BTreeMap<String, Answer> {
    let page = text(&client.get("/").await);
    let mut wanted: Vec<String> = named(&page, "\"/porchlight/board/").map(str::to_owned).collect();
    let mut found = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let answer = client.get(&file(&name)).await;
        assert_eq!(answer.status, 200, "{name} is named, but not there");
        if Path::new(&name).extension().is_some_and(|kind| kind == "js") {
            wanted.extend(named(&text(&answer), "from \"./").map(str::to_owned));
            wanted.extend(named(&text(&answer), "import(\"./").map(str::to_owned));
            wanted.extend(named(&text(&answer), "tag: \"").map(|tag| format!("{tag}.js")));
            wanted.extend(named(&text(&answer), "made(\"").map(|tag| format!("{tag}.js")));
        }
        found.insert(name, answer);
    }
    found
}

/// A production server at which people sign in like this.
async fn signing_in(issuer: &Issuer, sign_in: impl FnOnce(&mut SignIn)) -> TestServer {
    let trusted = issuer.trusted();
    let mut wanted = SignIn {
        issuer: trusted.issuer,
        metadata: trusted.metadata,
        client_id: "board".to_owned(),
        scopes: "openid profile".to_owned(),
        parameters: BTreeMap::new(),
        connect: Vec::new(),
    };
    sign_in(&mut wanted);
    let builder = TestServer::builder().production().trust(issuer);
    builder.settings(|settings| settings.board.sign_in = Some(wanted)).start().await
}

#[tokio::test]
async fn whatever_the_page_and_its_modules_name_is_there_with_its_content_type() {
    let server = TestServer::start().await;
    let files = files(&server.anonymous()).await;
    assert!(files.len() > 10, "{:?}", files.keys());
    for (name, answer) in &files {
        let expected = match name.rsplit('.').next().unwrap_or_default() {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("{name}: what is {other}?"),
        };
        assert_eq!(answer.header("content-type"), expected, "{name}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{name}");
        assert_eq!(answer.header("cache-control"), "no-cache", "{name}");
    }
    let page = server.anonymous().get("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!((page.header("referrer-policy"), page.header("cache-control")), ("no-referrer", "no-cache"));
}

#[tokio::test]
async fn the_page_is_only_what_its_policy_lets_it_be() {
    let server = TestServer::start().await;
    let answer = server.anonymous().get("/").await;
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    assert_eq!(answer.header("content-security-policy"), policy);
    let page = text(&answer);
    for forbidden in ["<style", "style=", "<script>", "javascript:", "http://", "https://"] {
        assert!(!page.contains(forbidden), "{forbidden} in the page");
    }
    let scripts = page.matches("<script").count();
    assert_eq!(
        scripts,
        named(&page, "script src=\"").chain(named(&page, "module\" src=\"")).count(),
        "{page}"
    );
    let listener = |word: &str| word.starts_with("on") && word.contains('=');
    assert!(!page.split_ascii_whitespace().any(listener), "an inline listener in the page");
}

#[tokio::test]
async fn nothing_comes_from_another_origin() {
    let server = TestServer::start().await;
    let files = files(&server.anonymous()).await;
    for (name, answer) in
        files.iter().filter(|(name, _)| Path::new(name).extension().is_some_and(|kind| kind != "svg"))
    {
        let text = text(answer);
        let urls: BTreeSet<&str> =
            text.split("://").skip(1).filter_map(|rest| rest.split('/').next()).collect();
        // The name of SVG is no place.
        let is_name = |url: &&str| *url == "www.w3.org" && name == "dom.js";
        assert!(urls.iter().all(is_name), "{name}: {urls:?}");
    }
}

#[tokio::test]
async fn all_files_together_are_small() {
    let server = TestServer::start().await;
    let client = server.anonymous();
    let files = files(&client).await;
    let mut sent = 0;
    for name in files.keys() {
        sent += client.header("accept-encoding", "gzip").get(&file(name)).await.body.len();
    }
    assert!((1..SENT_MAX).contains(&sent), "{sent} bytes");
}

#[tokio::test]
async fn a_browser_that_has_a_file_is_not_sent_it_again() {
    let server = TestServer::start().await;
    let plain = server.anonymous();
    let small = plain.header("accept-encoding", "br, gzip");
    for path in ["/".to_owned(), file("main.js"), SETTINGS.to_owned()] {
        let (whole, packed) = (plain.get(&path).await, small.get(&path).await);
        assert_eq!(
            (whole.header("content-encoding"), packed.header("content-encoding")),
            ("", "gzip"),
            "{path}"
        );
        let mut unpacked = Vec::new();
        GzDecoder::new(packed.body.as_ref()).read_to_end(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, whole.body, "{path}");
        let tags = [whole.header("etag"), packed.header("etag")];
        assert!(tags[0] != tags[1] && tags.iter().all(|tag| tag.starts_with('"')), "{path}: {tags:?}");
        for (client, answer) in [(&plain, &whole), (&small, &packed)] {
            assert_eq!(answer.header("vary"), "Accept-Encoding", "{path}");
            let again = client.header("if-none-match", answer.header("etag")).get(&path).await;
            assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
            assert_eq!(again.header("etag"), answer.header("etag"), "{path}");
            let other = client.header("if-none-match", "\"other\"").get(&path).await;
            assert_eq!((other.status.as_u16(), &other.body), (200, &answer.body), "{path}");
            let head = client.call(Method::HEAD, &path, None::<&[u8]>).await;
            assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
            assert_eq!(head.header("content-length"), answer.body.len().to_string(), "{path}");
        }
    }
}

#[tokio::test]
async fn the_board_is_only_read() {
    let server = TestServer::start().await;
    for path in ["/".to_owned(), file("main.js"), SETTINGS.to_owned()] {
        let answer = server.anonymous().post(&path, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET, HEAD"), "{path}");
    }
    for name in ["nothing.js", "index.html", "", "../main.js", "main.js/", "%6dain.js"] {
        assert_eq!(server.anonymous().get(&file(name)).await.status, 404, "{name}");
    }
}

#[tokio::test]
async fn in_development_the_page_is_told_whose_token_finds_people() {
    let issuer = Issuer::start().await;
    let server = TestServer::builder().trust(&issuer).start().await;
    let answer = server.anonymous().get(SETTINGS).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "development": true,
        "demoApplication": DEMO,
        "firstPerson": ADA,
        "streamSilenceSeconds": 30,
        "signIn": null,
    });
    assert_eq!(answer.json(), expected);
    let people = server.client(&format!("{DEMO}:")).get("/v1.0/users?$select=id,displayName&$top=999").await;
    assert_eq!(people.json()["value"].as_array().map(Vec::len), Some(12));
}

#[tokio::test]
async fn in_production_the_page_is_told_where_people_sign_in() {
    let issuer = Issuer::start().await;
    let server = signing_in(&issuer, |sign_in| {
        sign_in.parameters.insert("resource".to_owned(), "api://porchlight".to_owned());
        sign_in.connect.push("https://tokens.example.org".to_owned());
    })
    .await;
    let settings = server.anonymous().get(SETTINGS).await.json();
    let url = issuer.url();
    let expected = json!({
        "issuer": format!("{url}/{{tenantid}}/v2.0"),
        "metadata": format!("{url}/common/v2.0/.well-known/openid-configuration"),
        "clientId": "board",
        "scopes": "openid profile",
        "parameters": {"resource": "api://porchlight"},
    });
    assert_eq!((&settings["development"], &settings["signIn"]), (&json!(false), &expected));
    assert!(settings.get("demoApplication").is_none(), "{settings}");
    let page = server.anonymous().get("/").await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("connect-src 'self' {url} https://tokens.example.org; ")), "{policy}");
}

#[tokio::test]
async fn where_nobody_can_sign_in_the_page_is_told_so() {
    let server = TestServer::builder().production().start().await;
    let settings = server.anonymous().get(SETTINGS).await.json();
    assert_eq!((&settings["development"], &settings["signIn"]), (&json!(false), &Value::Null));
    assert_eq!(server.anonymous().get("/").await.status, 200);
}

#[tokio::test]
async fn without_the_board_its_paths_lead_nowhere() {
    let server = TestServer::builder().settings(|settings| settings.board.enabled = false).start().await;
    for path in ["/".to_owned(), file("main.js"), SETTINGS.to_owned()] {
        let answer = server.anonymous().get(&path).await;
        assert!(answer.status.is_client_error() && answer.status != 401, "{path}: {answer:?}");
        assert_eq!(answer.header("content-security-policy"), "", "{path}");
    }
}

#[tokio::test]
async fn requests_for_the_board_are_counted_by_themselves() {
    let server = TestServer::start().await;
    server.anonymous().get("/").await;
    server.anonymous().get(&file("main.js")).await;
    let metrics = server.anonymous().get("/porchlight/metrics").await;
    let metrics = text(&metrics);
    let line = r#"porchlight_requests_total{route="board",status="200"} 2"#;
    assert!(metrics.contains(line), "{metrics}");
}
