//! The files of the board. A new one is served when it has a line here.

use std::sync::LazyLock;

use bytes::Bytes;

use super::asset::Asset;

/// The page itself, which is at `/`.
pub(super) const INDEX: &str = "index.html";

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Name, content type and bytes of a file of `assets/`.
macro_rules! file {
    ($name:literal, $content_type:expr) => {
        ($name, $content_type, include_bytes!(concat!("assets/", $name)).as_slice())
    };
}

/// All of them.
const FILES: &[(&str, &str, &[u8])] = &[
    file!("index.html", HTML),
    file!("favicon.svg", SVG),
    file!("board.css", CSS),
    file!("views.css", CSS),
    file!("theme.js", JAVASCRIPT),
    file!("api.js", JAVASCRIPT),
    file!("bar-development.js", JAVASCRIPT),
    file!("call-log.js", JAVASCRIPT),
    file!("clock.js", JAVASCRIPT),
    file!("copy.js", JAVASCRIPT),
    file!("curl.js", JAVASCRIPT),
    file!("dom.js", JAVASCRIPT),
    file!("duration.js", JAVASCRIPT),
    file!("end-dialog.js", JAVASCRIPT),
    file!("events.js", JAVASCRIPT),
    file!("explained.js", JAVASCRIPT),
    file!("explanation.js", JAVASCRIPT),
    file!("face.js", JAVASCRIPT),
    file!("listing.js", JAVASCRIPT),
    file!("main.js", JAVASCRIPT),
    file!("people.js", JAVASCRIPT),
    file!("person-row.js", JAVASCRIPT),
    file!("presence.js", JAVASCRIPT),
    file!("problem.js", JAVASCRIPT),
    file!("session.js", JAVASCRIPT),
    file!("sign-in.js", JAVASCRIPT),
    file!("subscription.js", JAVASCRIPT),
    file!("subscription-row.js", JAVASCRIPT),
    file!("times.js", JAVASCRIPT),
    file!("upcoming.js", JAVASCRIPT),
    file!("view-me.js", JAVASCRIPT),
    file!("view-people.js", JAVASCRIPT),
    file!("view-person.js", JAVASCRIPT),
    file!("view-sign-in.js", JAVASCRIPT),
    file!("view-subscriptions.js", JAVASCRIPT),
];

/// Ready to be sent; made when somebody asks for the first time, since most who start a server never do.
pub(super) static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let ready = |&(name, content_type, bytes)| Asset::new(name, content_type, Bytes::from_static(bytes));
    FILES.iter().map(ready).collect()
});
