//! SCIM: users put in, read, replaced and deleted. RFC 7644 3.3 to 3.6; what describes the server: 4.

use porchlight_testkit::{ADA, APP_A, BEN, TestServer};
use serde_json::json;
use uuid::Uuid;

use crate::scim_support::{
    ENTERPRISE, SCIM, USER, USERS, create, filter, jensen, listed, provider, put, refused, user, user_of,
};
use crate::support::{NOBODY, ben, members, presence_of};

#[tokio::test]
async fn a_user_is_put_in_and_read_back() {
    let server = TestServer::start().await;
    let created = create(&server, &jensen()).await;
    let user = created.json();
    let id = user["id"].as_str().expect("an id");
    let location = format!("{}{USERS}/{id}", server.url());
    assert_eq!(Uuid::try_parse(id).expect("a GUID").get_version_num(), 4, "made by the server");
    assert_eq!(created.header("location"), location);
    assert_eq!(
        user["meta"],
        json!({
            "resourceType": "User", "location": location, "version": created.header("etag"),
        })
    );
    for (name, value) in jensen().as_object().expect("an object") {
        assert_eq!(&user[name], value, "{name}");
    }
    let read = provider(&server).get(&user_of(&created)).await;
    assert_eq!((read.status.as_u16(), read.header("content-type")), (200, "application/scim+json"));
    assert_eq!((read.json(), read.header("etag")), (user.clone(), created.header("etag")));
    // And everybody else sees a person of Graph.
    let graph = ben(&server).get("/v1.0/users/bjensen@example.com").await.json();
    let expected = [
        ("id", id),
        ("displayName", "Babs Jensen"),
        ("givenName", "Barbara"),
        ("surname", "Jensen"),
        ("mail", "bjensen@example.com"),
        ("jobTitle", "Tour Guide"),
        ("department", "Tour Operations"),
    ];
    for (name, value) in expected {
        assert_eq!(graph[name], value, "{name}");
    }
    assert_eq!(ben(&server).get(&presence_of(id)).await.pair(), "Offline/Offline");
}

#[tokio::test]
async fn what_has_no_place_is_accepted_and_not_kept() {
    let server = TestServer::start().await;
    let mut full = jensen();
    full["nickName"] = "Babs".into();
    full["password"] = "t1meMa$heen".into();
    full["groups"] = json!([]);
    full["id"] = NOBODY.into();
    full["meta"] = json!({"resourceType": "Nothing"});
    full["name"]["middleName"] = "Jane".into();
    full[ENTERPRISE]["manager"] = json!({"value": "26118915"});
    let user = create(&server, &full).await.json();
    let sent = [
        "schemas",
        "id",
        "externalId",
        "meta",
        "userName",
        "displayName",
        "active",
        "name",
        "emails",
        "title",
    ];
    assert_eq!(members(&user), sent.into_iter().chain([ENTERPRISE]).collect::<Vec<_>>());
    assert_ne!(user["id"], NOBODY, "the server gives the id");
    assert_eq!(user["name"], jensen()["name"]);
    assert_eq!(user[ENTERPRISE], jensen()[ENTERPRISE]);
}

/// What nobody said is made of what was: see the schema.
#[tokio::test]
async fn a_name_is_enough() {
    let server = TestServer::start().await;
    let user = create(&server, &json!({"userName": "mia@example.com"})).await.json();
    assert_eq!((&user["displayName"], &user["active"]), (&json!("mia@example.com"), &json!(true)));
    assert_eq!(members(&user), ["schemas", "id", "meta", "userName", "displayName", "active"]);
    assert_eq!(user["schemas"], json!([USER]));
    let named = json!({"userName": "noah@example.com", "name": {"formatted": "Noah Z."}});
    assert_eq!(create(&server, &named).await.json()["displayName"], "Noah Z.");
}

#[tokio::test]
async fn a_name_belongs_to_one_person() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let detail = "The userName 'ADA@porchlight.example' is somebody else's.";
    let twin = json!({"userName": "ADA@porchlight.example"});
    refused(&provider.post(USERS, &twin).await, 409, "uniqueness", detail);
    refused(&put(&provider, &user(BEN), &twin).await, 409, "uniqueness", detail);
    assert_eq!(provider.get(&user(BEN)).await.json()["userName"], "ben@porchlight.example");
}

/// Tokens name a person by their id at the identity provider; so does the server, where that is a GUID.
#[tokio::test]
async fn an_external_id_that_is_a_guid_becomes_the_id() {
    let server = TestServer::start().await;
    let mut mia = json!({"userName": "mia@example.com", "externalId": NOBODY.to_uppercase()});
    let created = create(&server, &mia).await.json();
    assert_eq!((&created["id"], &created["externalId"]), (&json!(NOBODY), &json!(NOBODY.to_uppercase())));
    let signed_in = server.client(&format!("{NOBODY}:")).get("/v1.0/me/presence").await;
    assert_eq!(signed_in.json()["id"], NOBODY, "{signed_in:?}");
    // One that is taken does not, nor does one that is given later.
    mia["userName"] = "mia.two@example.com".into();
    let second = create(&server, &mia).await;
    assert_ne!(second.json()["id"], NOBODY);
    mia["externalId"] = APP_A.into();
    let replaced = put(&provider(&server), &user_of(&second), &mia).await.json();
    assert_eq!((&replaced["id"], &replaced["externalId"]), (&second.json()["id"], &json!(APP_A)));
}

#[tokio::test]
async fn put_replaces_all_that_a_user_has() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let path = user_of(&create(&server, &jensen()).await);
    let less =
        json!({"schemas": [USER], "userName": "babs@example.com", "displayName": "Babs", "active": false});
    let replaced = put(&provider, &path, &less).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    let user = replaced.json();
    assert_eq!(members(&user), ["schemas", "id", "meta", "userName", "displayName", "active"]);
    assert_eq!(provider.get(&path).await.json(), user);
    let silent = json!({"userName": "babs@example.com", "displayName": "Babs"});
    assert_eq!(
        put(&provider, &path, &silent).await.json()["active"],
        false,
        "nobody is enabled by saying nothing"
    );
    let old = provider.get(&format!("{USERS}?{}", filter(r#"userName eq "bjensen@example.com""#))).await;
    assert_eq!(listed(&old), (0, vec![]), "the name is free again");
}

#[tokio::test]
async fn a_user_is_deleted() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let path = user_of(&create(&server, &jensen()).await);
    let deleted = provider.delete(&path).await;
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0), "{deleted:?}");
    let id = path.rsplit('/').next().expect("an id");
    let detail = format!("There is no user '{id}'.");
    refused(&provider.get(&path).await, 404, "", &detail);
    refused(&provider.delete(&path).await, 404, "", &detail);
    refused(&put(&provider, &path, &jensen()).await, 404, "", &detail);
    assert_eq!(ben(&server).get(&presence_of(id)).await.status, 404);
    create(&server, &jensen()).await;
}

/// RFC 7644 3.14
#[tokio::test]
async fn a_version_says_whether_a_user_has_changed() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let created = create(&server, &jensen()).await;
    let (path, first) = (user_of(&created), created.header("etag").to_owned());
    let known = provider.header("if-none-match", &first);
    let unchanged = known.get(&path).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0), "{unchanged:?}");
    let mut changed = jensen();
    changed["title"] = "Guide".into();
    let wants_first = provider.header("if-match", &first);
    let second = put(&wants_first, &path, &changed).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(second.header("etag"), second.json()["meta"]["version"]);
    assert_eq!(known.get(&path).await.json(), second.json());
    let detail = "The user has changed since the version that If-Match names.";
    refused(&put(&wants_first, &path, &jensen()).await, 412, "", detail);
    refused(&wants_first.delete(&path).await, 412, "", detail);
    assert_eq!(provider.get(&path).await.json()["title"], "Guide");
    assert_eq!(provider.header("if-match", "*").delete(&path).await.status, 204);
}

#[tokio::test]
async fn whoever_may_read_people_reads_users_and_writes_none() {
    let server = TestServer::start().await;
    for token in ["ben:User.Read.All".to_owned(), format!("{APP_A}:User.Read.All")] {
        let reader = server.client(&token);
        assert_eq!(reader.get(&user(ADA)).await.json()["userName"], "ada@porchlight.example");
        assert_eq!(listed(&reader.get(USERS).await).0, 12);
        let lacks = "The token lacks a permission this call needs. Any one of: User.ReadWrite.All.";
        refused(&reader.post(USERS, &jensen()).await, 403, "", lacks);
        refused(&put(&reader, &user(ADA), &jensen()).await, 403, "", lacks);
        refused(&reader.patch(&user(ADA), &json!({})).await, 403, "", lacks);
        refused(&reader.delete(&user(ADA)).await, 403, "", lacks);
    }
    let stranger = server.client(&format!("{APP_A}:User.ReadBasic.All,Presence.ReadWrite.All"));
    let lacks =
        "The token lacks a permission this call needs. Any one of: User.Read.All, User.ReadWrite.All.";
    refused(&stranger.get(&user(ADA)).await, 403, "", lacks);
    refused(&stranger.get(USERS).await, 403, "", lacks);
    refused(&stranger.post(&format!("{SCIM}/.search"), &json!({})).await, 403, "", lacks);
    assert_eq!(stranger.get(&format!("{SCIM}/ServiceProviderConfig")).await.status, 200);
}

/// RFC 7643 5 to 7
#[tokio::test]
async fn the_server_describes_itself() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let config = provider.get(&format!("{SCIM}/ServiceProviderConfig")).await.json();
    for (name, supported) in [
        ("patch", true),
        ("filter", true),
        ("etag", true),
        ("bulk", false),
        ("sort", false),
        ("changePassword", false),
    ] {
        assert_eq!(config[name]["supported"], supported, "{name}");
    }
    let types = provider.get(&format!("{SCIM}/ResourceTypes")).await;
    assert_eq!(listed(&types).0, 1);
    let user_type = types.json()["Resources"][0].clone();
    assert_eq!((&user_type["endpoint"], &user_type["schema"]), (&json!("/Users"), &json!(USER)));
    let schemas = provider.get(&format!("{SCIM}/Schemas")).await;
    assert_eq!(listed(&schemas).0, 2);
    // Each is where it says that it is.
    let mut described = schemas.json()["Resources"].as_array().expect("a list").clone();
    described.extend([user_type, config]);
    for one in described {
        let location = one["meta"]["location"].as_str().expect("a location");
        let path = location.strip_prefix(&server.url()).expect("this server's");
        assert_eq!(provider.get(path).await.json(), one);
    }
}
