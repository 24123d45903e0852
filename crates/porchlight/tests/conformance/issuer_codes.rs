//! Signing in with a browser: the page, codes and their redemption.
//!
//! Source: subscriptions-and-auth 25, RFC 6749 4.1, RFC 7636.

use http::Method;
use porchlight_testkit::{ADA, APP_A, APP_B, BEN, DEMO, TestServer};

use crate::issuer_support::{
    AUTHORIZE, CALLBACK, CHALLENGE, VERIFIER, authorize, code, query, redeem, redirected, refusal, text,
    token,
};
use crate::support::{add_person, change_ada, minutes};

const S256: [(&str, &str); 2] = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];

/// The body of the page at this path.
async fn page(server: &TestServer, path: &str, status: u16) -> String {
    let answer = server.anonymous().get(path).await;
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{answer:?}");
    String::from_utf8(answer.body.to_vec()).expect("a page is text")
}

/// Where the links of a page lead, in their order.
fn links(page: &str) -> Vec<String> {
    let found = page.split("<a href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    found.map(|link| link.replace("&amp;", "&")).collect()
}

#[tokio::test]
async fn a_person_is_picked_on_the_page_and_the_application_gets_their_token() {
    let server = TestServer::start().await;
    let scope = ("scope", "openid Presence.Read");
    let page = page(&server, &authorize(&[scope, S256[0], S256[1], ("nonce", "n-1")]), 200).await;
    for shown in
        [APP_A, "<li>Presence.Read</li>", "Ada Lovelace", "Head of Operations", "leo@porchlight.example"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("<script"), "{page}");
    let links = links(&page);
    assert_eq!(links.len(), 13, "a dozen people, and nobody: {links:?}");
    let ben = links.iter().find(|link| link.ends_with(BEN)).expect("Ben can be picked");
    let answer = server.anonymous().get(&format!("{AUTHORIZE}{ben}")).await;
    assert_eq!(redirected(&answer, "state"), "s%20%26%3D1");
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = redeem(&server, &redirected(&answer, "code"), &[("code_verifier", VERIFIER)]).await;
    let claims = token(&server, &answer, "access_token").await.claims;
    assert_eq!((text(&claims, "oid"), text(&claims, "scp")), (BEN, "Presence.Read"));
    let claims = token(&server, &answer, "id_token").await.claims;
    assert_eq!((text(&claims, "aud"), text(&claims, "nonce")), (APP_A, "n-1"));
}

#[tokio::test]
async fn whoever_picks_nobody_declines() {
    let server = TestServer::start().await;
    let page = page(&server, &authorize(&[]), 200).await;
    let decline = links(&page).pop().expect("there is a link to decline");
    let answer = server.anonymous().get(&format!("{AUTHORIZE}{decline}")).await;
    assert_eq!(redirected(&answer, "error"), "access_denied");
    assert_eq!(
        (redirected(&answer, "state"), redirected(&answer, "code")),
        ("s%20%26%3D1".to_owned(), String::new())
    );
}

#[tokio::test]
async fn nothing_that_others_have_written_is_markup_on_the_page() {
    let server = TestServer::start().await;
    let hostile = "<script>alert('x')</script>\"&";
    add_person(&server, DEMO, "mal<b>@x.example", None).await;
    change_ada(&server, |ada| {
        ada.display_name = hostile.to_owned();
        ada.job_title = Some(hostile.to_owned());
    })
    .await;
    for path in [
        authorize(&[("scope", hostile), ("state", hostile), ("login_hint", hostile), ("nonce", hostile)]),
        authorize(&[("redirect_uri", hostile)]),
        format!("{AUTHORIZE}?{}", query(&[("client_id", hostile)])),
        format!("/<script>{}?{}", &AUTHORIZE["/common".len()..], query(&[("client_id", APP_A)])),
    ] {
        let path = path.replace('<', "%3C").replace('>', "%3E").replace('"', "%22");
        let answer = server.anonymous().get(&path).await;
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{path}: {answer:?}");
        let page = String::from_utf8(answer.body.to_vec()).expect("a page is text");
        assert!(!page.contains("<script") && !page.contains("<b>"), "{path}: {page}");
    }
    let page = page(&server, &authorize(&[]), 200).await;
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"), "{page}");
    assert!(page.contains("mal&lt;b&gt;@x.example"), "{page}");
}

#[tokio::test]
async fn who_is_hinted_at_comes_first_and_who_is_disabled_is_not_there() {
    let server = TestServer::start().await;
    let hinted = page(&server, &authorize(&[("login_hint", "leo")]), 200).await;
    assert!(hinted.find("leo@porchlight.example") < hinted.find("ada@porchlight.example"), "{hinted}");
    change_ada(&server, |ada| ada.account_enabled = false).await;
    let without = page(&server, &authorize(&[]), 200).await;
    assert!(!without.contains("ada@porchlight.example"), "{without}");
    let picked = server.anonymous().get(&authorize(&[("porchlight_person", ADA)])).await;
    assert_eq!(redirected(&picked, "error"), "invalid_grant");
}

#[tokio::test]
async fn without_a_page_only_who_is_hinted_at_can_sign_in() {
    let server = TestServer::start().await;
    let code = code(&server, &[("client_info", "1")]).await;
    let claims = token(&server, &redeem(&server, &code, &[]).await, "access_token").await.claims;
    assert_eq!(text(&claims, "oid"), ADA);
    for hint in ["", "nobody"] {
        let path = authorize(&[("prompt", "none"), ("login_hint", hint)]);
        let answer = server.anonymous().get(&path).await;
        assert_eq!(redirected(&answer, "error"), "login_required", "{hint}");
        assert!(redirected(&answer, "error_description").starts_with("AADSTS50058%3A%20"), "{answer:?}");
        assert_eq!(redirected(&answer, "state"), "s%20%26%3D1");
    }
}

#[tokio::test]
async fn answers_travel_in_the_query_the_fragment_or_a_form() {
    let server = TestServer::start().await;
    let usual = [("prompt", "none"), ("login_hint", "ada"), ("client_info", "1")];
    let nobody = server.anonymous();
    for (mode, separator) in [("query", "&"), ("fragment", "#")] {
        let members = [usual[0], usual[1], usual[2], ("response_mode", mode)];
        let answer = nobody.get(&authorize(&members)).await;
        assert!(answer.header("location").starts_with(&format!("{CALLBACK}{separator}code=")), "{answer:?}");
        assert!(!redirected(&answer, "client_info").is_empty(), "{answer:?}");
    }
    let members = [usual[0], usual[1], ("response_mode", "form_post")];
    let form = page(&server, &authorize(&members), 200).await;
    assert!(form.contains(&format!("<form method=\"post\" action=\"{CALLBACK}\">")), "{form}");
    assert!(form.contains("<input type=\"hidden\" name=\"state\" value=\"s &amp;=1\">"), "{form}");
    let code = form.split("name=\"code\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    token(&server, &redeem(&server, code.expect("a code"), &[]).await, "access_token").await;

    // The request itself may come as a form, too.
    let members = [
        ("client_id", APP_A),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("prompt", "none"),
        ("login_hint", "ada"),
    ];
    let posted = nobody.post_form(AUTHORIZE, &members).await;
    assert!(!redirected(&posted, "code").is_empty(), "{posted:?}");
}

#[tokio::test]
async fn a_code_needs_the_verifier_of_its_challenge() {
    /// Parameters that are sent, one that is left out, and what is answered.
    type Row<'r> = (&'r [(&'r str, &'r str)], Option<&'r str>, &'r str);
    let server = TestServer::start().await;
    let plain = [("code_challenge", VERIFIER), ("code_challenge_method", "plain")];
    let unnamed = [("code_challenge", VERIFIER)];
    let refused = "400 invalid_grant 501481";
    let table: [Row<'_>; 10] = [
        (&S256, Some(VERIFIER), "200"),
        (&S256, Some(CHALLENGE), refused),
        (&S256, Some("x"), refused),
        (&S256, None, refused),
        (&plain, Some(VERIFIER), "200"),
        (&plain, Some(CHALLENGE), refused),
        (&unnamed, Some(VERIFIER), "200"),
        (&unnamed, None, refused),
        (&[], None, "200"),
        (&[], Some(VERIFIER), refused),
    ];
    for (challenge, verifier, expected) in table {
        let code = code(&server, challenge).await;
        let verifier: Vec<(&str, &str)> = verifier.map(|text| ("code_verifier", text)).into_iter().collect();
        let answer = redeem(&server, &code, &verifier).await;
        let found = if answer.status == 200 { "200".to_owned() } else { refusal(&answer) };
        assert_eq!(found, expected, "{challenge:?} {verifier:?}");
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_ten_minutes_for_its_application_and_its_uri() {
    let server = TestServer::start().await;
    let invalid = "400 invalid_grant 70008";
    let once = code(&server, &[]).await;
    token(&server, &redeem(&server, &once, &[]).await, "access_token").await;
    assert_eq!(refusal(&redeem(&server, &once, &[]).await), invalid, "once");

    let elsewhere = code(&server, &[]).await;
    let other = [("redirect_uri", "http://localhost:3000/callback")];
    assert_eq!(refusal(&redeem(&server, &elsewhere, &other).await), "400 invalid_grant 500112");
    assert_eq!(refusal(&redeem(&server, &elsewhere, &[]).await), invalid, "it was presented");

    let another = code(&server, &[("client_id", APP_B)]).await;
    assert_eq!(refusal(&redeem(&server, &another, &[]).await), "400 invalid_grant 70000");

    let late = code(&server, &[]).await;
    server.advance(minutes(10));
    assert_eq!(refusal(&redeem(&server, &late, &[]).await), invalid, "too late");
    assert_eq!(refusal(&redeem(&server, "nonsense", &[]).await), invalid);
}

#[tokio::test]
async fn what_the_application_has_wrong_it_is_told() {
    let server = TestServer::start().await;
    let table: [(&[(&str, &str)], &str); 7] = [
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "web_message")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge", CHALLENGE), ("code_challenge_method", "S512")], "invalid_request"),
        (&[("porchlight_person", "nobody")], "invalid_grant"),
    ];
    for (members, expected) in table {
        let answer = server.anonymous().get(&authorize(members)).await;
        assert_eq!(redirected(&answer, "error"), expected, "{members:?}");
        assert_eq!(redirected(&answer, "state"), "s%20%26%3D1");
    }
}

#[tokio::test]
async fn without_a_place_for_an_answer_there_is_a_page() {
    let server = TestServer::start().await;
    let table = [
        (authorize(&[("client_id", "")]), "client_id"),
        (authorize(&[("client_id", "porchlight")]), "AADSTS700016"),
        (authorize(&[("redirect_uri", "")]), "redirect_uri"),
        (authorize(&[("redirect_uri", "/callback")]), "AADSTS50011"),
        (authorize(&[("redirect_uri", "javascript:alert(1)")]), "AADSTS50011"),
        (authorize(&[("redirect_uri", "data:text/html,x")]), "AADSTS50011"),
        (authorize(&[("redirect_uri", "http://localhost/#x")]), "AADSTS50011"),
        (authorize(&[]).replace("common", "other.example"), "AADSTS90002"),
        (authorize(&[]) + "&state=again", "AADSTS9000411"),
    ];
    for (path, expected) in table {
        let page = page(&server, &path, 400).await;
        assert!(page.contains(expected), "{path}: {page}");
    }
    let answer = server.anonymous().call(Method::DELETE, AUTHORIZE, None::<&[u8]>).await;
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn signing_out_goes_on_to_where_the_application_wants() {
    let server = TestServer::start().await;
    let path = |members: &[(&str, &str)]| format!("/common/oauth2/v2.0/logout?{}", query(members));
    let nobody = server.anonymous();
    for (state, expected) in [("", CALLBACK.to_owned()), ("a b", format!("{CALLBACK}&state=a%20b"))] {
        let answer = nobody.get(&path(&[("post_logout_redirect_uri", CALLBACK), ("state", state)])).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (302, expected.as_str()));
    }
    assert!(page(&server, &path(&[]), 200).await.contains("Signed out"));
    let hostile = path(&[("post_logout_redirect_uri", "javascript:alert(1)")]);
    assert!(page(&server, &hostile, 400).await.contains("AADSTS50011"));
}
