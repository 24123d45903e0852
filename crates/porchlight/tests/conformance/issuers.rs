//! Issuers that are down, slow, or somebody else: subscriptions-and-auth 22.4. How often keys are fetched over the hours is
//! held by the tests of the key ring itself, on a clock that a test moves.

use std::time::Duration;

use porchlight_testkit::{Answer, Issuer, Mood, TestServer};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;

use crate::support::ME;
use crate::tokens::trusting;

async fn ask(server: &TestServer, issuer: &Issuer) -> Answer {
    server.anonymous().bearer(&issuer.token(&issuer.claims())).get(ME).await
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_is_taken_up_when_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    let issuer = Issuer::on(listener).await;
    let (trusted, token) = (issuer.trusted(), issuer.token(&issuer.claims()));
    drop(issuer);
    // Until nobody listens there any more.
    while TcpSocket::new_v4().expect("a socket").connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let builder = TestServer::builder().production();
    let server = builder.settings(|settings| settings.auth.issuers.push(trusted)).start().await;
    let answer = server.anonymous().bearer(&token).get(ME).await;
    assert!(answer.error().starts_with("503 ServiceUnavailable The token cannot be checked"), "{answer:?}");
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(
        server.client("ada:").get(ME).await.status,
        401,
        "what is no token of an issuer is still told so"
    );

    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("it can be set");
    socket.bind(address).expect("the port is free again");
    let issuer = Issuer::on(socket.listen(16).expect("it listens")).await;
    let began = Instant::now();
    while ask(&server, &issuer).await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(10), "it is asked again within seconds");
        tokio::task::yield_now().await;
    }
}

/// Both are trusted, and no key of the one makes anybody of the other, by whichever name it is called.
#[tokio::test]
async fn a_key_of_one_issuer_is_nothing_to_another() {
    let (one, other) = (Issuer::start().await, Issuer::start().await);
    let server = TestServer::builder().production().trust(&one).trust(&other).start().await;
    for issuer in [&one, &other] {
        assert_eq!(ask(&server, issuer).await.status, 200);
    }
    for (signer, named) in [(&one, &other), (&other, &one)] {
        let (own, others) = (signer.key().id().to_owned(), named.key().id().to_owned());
        for (kid, claims) in [(&own, named.claims()), (&others, named.claims()), (&others, signer.claims())] {
            let header = json!({"alg": "RS256", "typ": "JWT", "kid": kid});
            let token = signer.key().sign(&header, &claims);
            let answer = server.anonymous().bearer(&token).get(ME).await;
            assert_eq!(answer.status, 401, "{header} {claims}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_issuer_that_goes_down_later_costs_nobody_anything() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer).await;
    assert_eq!(ask(&server, &issuer).await.status, 200);
    issuer.answer(Mood::Status(500));
    let token = issuer.token_with(&json!({"jti": "another token"}));
    assert_eq!(server.anonymous().bearer(&token).get(ME).await.status, 200);
    // An unknown key has it asked, in vain; the keys of before stay.
    issuer.rotate();
    assert_eq!(ask(&server, &issuer).await.status, 401);
    assert_eq!(server.anonymous().bearer(&token).get(ME).await.status, 200);
}

#[tokio::test]
async fn whoever_comes_while_a_slow_issuer_is_asked_waits_and_others_do_not() {
    let (slow, quick) = (Issuer::start().await, Issuer::start().await);
    slow.answer(Mood::Slow(Duration::from_millis(300)));
    let server = TestServer::builder().production().trust(&slow).trust(&quick).start().await;
    let began = Instant::now();
    let (of_slow, of_quick) = tokio::join!(ask(&server, &slow), async {
        let answer = ask(&server, &quick).await;
        (answer, began.elapsed())
    });
    assert_eq!((of_slow.status.as_u16(), of_quick.0.status.as_u16()), (200, 200));
    assert!(of_quick.1 < Duration::from_millis(300), "{:?}", of_quick.1);
    assert!(began.elapsed() >= Duration::from_millis(600), "the document, then the keys");
    assert_eq!(slow.fetches(), 1);
}

#[tokio::test]
async fn what_is_no_key_set_is_not_taken_for_one() {
    let elsewhere = Issuer::start().await;
    let moods = [
        Mood::Keys("<html>".into()),
        Mood::Keys(r#"{"keys":[]}"#.into()),
        Mood::Keys("x".repeat(2 * 1024 * 1024).into()),
        Mood::Status(404),
        Mood::Elsewhere(format!("{}/common/discovery/v2.0/keys", elsewhere.url())),
    ];
    for mood in moods {
        let issuer = Issuer::start().await;
        issuer.answer(mood.clone());
        let server = trusting(&issuer).await;
        assert_eq!(ask(&server, &issuer).await.status, 503, "{mood:?}");
    }
    assert!(elsewhere.requests().is_empty(), "redirects are not followed");
}

#[tokio::test]
async fn a_document_of_another_issuer_is_not_taken() {
    let issuer = Issuer::start().await;
    issuer.call_itself("https://login.example/{tenantid}/v2.0");
    let server = trusting(&issuer).await;
    assert_eq!(ask(&server, &issuer).await.status, 503);
    assert_eq!(issuer.fetches(), 0, "its keys were not even asked for");
}
