//! Paths and keys: presence-api 3, 21.1.

use porchlight_testkit::{ADA, APP_A, TestServer};

use crate::support::{
    EXPLAIN, ME, PRESENCES, STANDING_PAIRS, ada, add_person, ben, pair, presence_of, refused, state,
    unknown_user,
};

const ONEILL: &str = "77777777-0000-4000-8000-000000000007";

/// Every way to write the path of Ada's presence, for Ada.
fn own_paths() -> Vec<String> {
    vec![
        "/v1.0/me/presence".to_owned(),
        "/v1.0/me/presence/".to_owned(),
        "/V1.0/ME/Presence".to_owned(),
        "/v1.0/users/me/presence".to_owned(),
        "/v1.0/users/me-token-to-replace/presence".to_owned(),
        "/v1.0/users('me')/presence".to_owned(),
        format!("/v1.0/users/{ADA}/presence"),
        format!("/v1.0/users/{ADA}/presence/"),
        format!("/v1.0/USERS/{}/PRESENCE", ADA.to_uppercase()),
        format!("/v1.0/users('{ADA}')/presence"),
        format!("/v1.0/users(%27{ADA}%27)/presence"),
        "/v1.0/users/ada@porchlight.example/presence".to_owned(),
        "/v1.0/users/ada%40porchlight.example/presence".to_owned(),
        "/v1.0/users/ADA@Porchlight.EXAMPLE/presence".to_owned(),
        "/v1.0/users('ada@porchlight.example')/presence".to_owned(),
        "/v1.0/users/ada.lovelace@porchlight.example/presence".to_owned(),
        format!("/v1.0/communications/presences/{ADA}"),
        format!("/v1.0/Communications/Presences/{ADA}/"),
        format!("/v1.0/communications/presences('{ADA}')"),
        "/v1.0/communications/presences/ada@porchlight.example".to_owned(),
    ]
}

#[tokio::test]
async fn a_presence_is_found_by_every_form_of_its_path() {
    let server = TestServer::start().await;
    for path in own_paths() {
        let answer = ada(&server).get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json()["id"], ADA, "{path}");
    }
}

#[tokio::test]
async fn a_presence_is_patched_by_every_form_of_its_path() {
    let server = TestServer::start().await;
    for (at, path) in own_paths().into_iter().enumerate() {
        let standing = STANDING_PAIRS[at % STANDING_PAIRS.len()];
        assert_eq!(ada(&server).patch(&path, &state(standing, "")).await.pair(), standing, "{path}");
        assert_eq!(pair(&server).await, standing, "{path}");
    }
}

/// presence-api 21.1: GUIDs only in the 8-4-4-4-12 form.
#[tokio::test]
async fn other_forms_of_a_guid_are_no_keys() {
    let server = TestServer::start().await;
    let bare = ADA.replace('-', "");
    for key in [bare.clone(), format!("%7B{ADA}%7D"), format!("urn:uuid:{ADA}")] {
        let answer = ben(&server).get(&presence_of(&key)).await;
        let named = key.replace("%7B", "{").replace("%7D", "}");
        refused(&answer, &unknown_user(&named));
    }
}

/// presence-api 21.1
#[tokio::test]
async fn a_quote_in_a_key_is_doubled_in_parentheses() {
    let server = TestServer::start().await;
    add_person(&server, ONEILL, "o'neill@porchlight.example", None).await;
    for path in [
        "/v1.0/users('o''neill@porchlight.example')/presence",
        "/v1.0/users(%27o%27%27neill%40porchlight.example%27)/presence",
        "/v1.0/users/o'neill@porchlight.example/presence",
        "/v1.0/communications/presences('o''neill@porchlight.example')",
    ] {
        let answer = ben(&server).get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json()["id"], ONEILL);
    }
    let single = ben(&server).get("/v1.0/users('o'neill@porchlight.example')/presence").await;
    assert_eq!(single.status, 400, "{single:?}");
}

/// presence-api 21.1
#[tokio::test]
async fn literals_beat_keys() {
    let server = TestServer::start().await;
    for (n, name) in ["$count", "delta", "delta()", "microsoft.graph.delta()"].into_iter().enumerate() {
        let id = format!("77777777-0000-4000-8000-{n:012}");
        add_person(&server, &id, name, None).await;
        let answer = ben(&server).get(&format!("{PRESENCES}/{name}")).await;
        assert_ne!(answer.json()["id"], id, "{name} is no key: {answer:?}");
        assert_ne!(answer.status, 404, "{name} is no key: {answer:?}");
    }
    assert_eq!(ben(&server).get(&format!("{PRESENCES}/$count")).await.body, "16");
    assert_eq!(ben(&server).get(&format!("{PRESENCES}/$COUNT/")).await.body, "16");
}

/// presence-api 3: percent-encoding is decoded once.
#[tokio::test]
async fn keys_are_decoded_once() {
    let server = TestServer::start().await;
    let answer = ben(&server).get(&presence_of("ada%2540porchlight.example")).await;
    refused(&answer, &unknown_user("ada%40porchlight.example"));
}

#[tokio::test]
async fn what_is_no_path_is_a_bad_request() {
    let server = TestServer::start().await;
    let paths = [
        "/v1.0/users('x/presence",
        "/v1.0/users(x)/presence",
        "/v1.0/users('')/presence",
        "/v1.0/users//presence",
        "/v1.0/users/%zz/presence",
        "/v1.0/users/%ff/presence",
    ];
    for path in paths {
        let answer = ada(&server).get(path).await;
        assert!(answer.error().starts_with("400 BadRequest "), "{path}: {answer:?}");
    }
}

/// presence-api 3: the documents of the service need no token.
#[tokio::test]
async fn the_service_describes_itself_to_anybody() {
    let server = TestServer::start().await;
    for path in ["/v1.0", "/v1.0/", "/beta/", "/v1.0/$metadata", "/beta/$metadata"] {
        assert_eq!(server.anonymous().get(path).await.status, 200, "{path}");
    }
    let metadata = server.anonymous().get("/v1.0/$metadata").await;
    assert!(
        metadata.header("content-type").starts_with("application/xml"),
        "{}",
        metadata.header("content-type")
    );
}

/// presence-api 3: there is no prefix that names a tenant.
#[tokio::test]
async fn a_tenant_is_no_part_of_a_path() {
    let server = TestServer::start().await;
    let tenant = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";
    let answer = ada(&server).get(&format!("/{tenant}/v1.0/me/presence")).await;
    refused(&answer, &format!("400 BadRequest Invalid version: {tenant}."));
}

/// presence-api 21.1
#[tokio::test]
async fn head_works_wherever_get_does() {
    let server = TestServer::start().await;
    let client = server.client(&format!("ada@{APP_A}:"));
    let paths = [
        "/v1.0".to_owned(),
        "/v1.0/$metadata".to_owned(),
        "/v1.0/me".to_owned(),
        "/v1.0/users?$top=3".to_owned(),
        ME.to_owned(),
        presence_of(ADA),
        EXPLAIN.to_owned(),
        PRESENCES.to_owned(),
        format!("{PRESENCES}/{ADA}"),
        format!("{PRESENCES}/$count"),
        "/porchlight/health".to_owned(),
        "/porchlight/limits".to_owned(),
        "/porchlight/dev/clock".to_owned(),
    ];
    for path in paths {
        let get = client.get(&path).await;
        let head = client.call(http::Method::HEAD, &path, None::<&[u8]>).await;
        assert_eq!((head.status, head.status.as_u16()), (get.status, 200), "{path}");
        assert!(head.body.is_empty(), "{path}: {head:?}");
        for header in ["content-type", "content-length", "odata-version"] {
            assert_eq!(head.header(header), get.header(header), "{path} {header}");
        }
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
    }
}
