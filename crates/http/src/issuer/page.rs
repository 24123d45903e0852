//! The pages that the issuer shows: plain HTML and CSS, nothing from elsewhere, and every text escaped.

use std::borrow::Cow;

use http::StatusCode;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use porchlight_presence::ApplicationId;

use super::refusal::Refusal;
use crate::reply::Reply;
use crate::settings::Development;

/// The content type of a page.
pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Nothing but what stands in the page, which no other page shows in a frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

/// The same for a page with a form, and with the script that sends it off, by its digest. Where a form may go is left
/// open: browsers hold the whole chain of redirects against that, and how it goes on is the application's business.
const FORM_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// The script of that page. Without scripts there is a button.
const SUBMIT: &str = "document.forms[0].submit()";

/// What is on the page that asks who signs in.
pub(super) struct SignIn<'s> {
    pub(super) application: ApplicationId,
    pub(super) permissions: &'s [&'s str],
    pub(super) choices: &'s [Choice<'s>],
    /// Whether there are people who are not shown.
    pub(super) others: bool,
    /// Where it leads to pick nobody.
    pub(super) decline: String,
}

/// A person who can be picked.
pub(super) struct Choice<'s> {
    pub(super) name: &'s str,
    pub(super) account: &'s str,
    pub(super) job: Option<&'s str>,
    /// Where it leads to pick them.
    pub(super) link: String,
}

/// The page that asks who signs in. It has links instead of a form: a browser would hold the application's redirect
/// against the policy for forms.
pub(super) fn sign_in(page: &SignIn<'_>) -> Reply {
    let kind = if page.application == Development::APPLICATION { "demo application" } else { "application" };
    let application = page.application;
    let rights: String = page.permissions.iter().copied().map(right).collect();
    let people: String = page.choices.iter().map(entry).collect();
    let others = if page.others { OTHERS } else { "" };
    let decline = escape(&page.decline);
    let body = format!(
        "<h1>Who is signing in?</h1>\n<p>The {kind} <code>{application}</code> asks for</p>\n\
         <ul class=\"rights\">\n{rights}</ul>\n<ul class=\"people\">\n{people}</ul>\n{others}\
         <footer>This is a development server: nobody is asked for a password. \
         <a href=\"{decline}\">Decline</a></footer>\n"
    );
    document("Sign in", &body, POLICY)
}

/// What is said when not everybody is on the page.
const OTHERS: &str = "<p>These are not all. Whoever is missing is shown when the request names them in \
                      <code>login_hint</code>.</p>\n";

fn right(name: &str) -> String {
    format!("<li>{}</li>\n", escape(name))
}

fn entry(choice: &Choice<'_>) -> String {
    let (link, hue, letters) = (escape(&choice.link), hue(choice.account), initials(choice.name));
    let (name, account) = (escape(choice.name), escape(choice.account));
    let (letters, job) = (escape(&letters), escape(choice.job.unwrap_or_default()));
    format!(
        "<li><a href=\"{link}\"><span class=\"face\" style=\"--hue:{hue}\" aria-hidden=\"true\">{letters}</span>\
         <span><strong>{name}</strong><small>{job}</small><small>{account}</small></span></a></li>\n"
    )
}

/// The page that posts members to an application. Source: OAuth 2.0 Form Post Response Mode.
pub(super) fn form_post(uri: &str, members: &[(&str, &str)]) -> Reply {
    let (action, fields) = (escape(uri), members.iter().map(field).collect::<String>());
    let body = format!(
        "<h1>Back to the application</h1>\n<form method=\"post\" action=\"{action}\">\n{fields}\
         <button>Go on</button>\n</form>\n<script>{SUBMIT}</script>\n"
    );
    document("Back to the application", &body, FORM_POLICY)
}

fn field((name, value): &(&str, &str)) -> String {
    format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", escape(name), escape(value))
}

/// A page that says one thing.
pub(super) fn notice(title: &str, text: &str) -> Reply {
    document(title, &format!("<h1>{}</h1>\n<p>{}</p>\n", escape(title), escape(text)), POLICY)
}

/// The page for what no application can be told.
pub(super) fn refusal(refusal: &Refusal) -> Reply {
    let page = notice("This request cannot be answered", &refusal.description());
    Reply { status: StatusCode::BAD_REQUEST, ..page }
}

fn document(title: &str, body: &str, policy: HeaderValue) -> Reply {
    let title = escape(title);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – Porchlight</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <p class=\"mark\">Porchlight <span>development</span></p>\n{body}</main>\n</body>\n</html>\n"
    );
    Reply::ok(HTML, page)
        .with(CONTENT_SECURITY_POLICY, policy)
        .with(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"))
}

/// A text as it stands in HTML, also within an attribute.
fn escape(text: &str) -> Cow<'_, str> {
    const SPECIAL: [char; 5] = ['&', '<', '>', '"', '\''];
    if !text.contains(SPECIAL) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// The first letters of the first and the last word of a name.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let letters =
        [words.next(), words.next_back()].into_iter().flatten().filter_map(|word| word.chars().next());
    letters.flat_map(char::to_uppercase).collect()
}

/// A colour for somebody, the same whenever they are shown: an angle on the circle of colours.
fn hue(account: &str) -> u32 {
    account.bytes().fold(0, |hue, byte| (hue * 31 + u32::from(byte)) % 360)
}

const STYLE: &str = r"
:root { color-scheme: light dark; --ground: #f6f4ef; --card: #fff; --ink: #1f2328; --soft: #626a73; --line: #e3dfd6;
  --light: #b7791f; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14161a; --card: #1d2026; --ink: #e9e6df; --soft: #9aa2ac; --line: #30343c; --light: #f0b95b; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 44rem; padding: clamp(1.25rem, 5vw, 2.5rem); background: var(--card);
  border: 1px solid var(--line); border-radius: 1rem; overflow-wrap: anywhere; }
.mark { margin: 0 0 1.5rem; font-weight: 650; letter-spacing: .01em; }
.mark::before { content: ''; display: inline-block; width: .7em; height: .7em; margin-right: .55em; border-radius: 50%;
  background: var(--light); box-shadow: 0 0 .8em var(--light); }
.mark span { color: var(--soft); font-weight: 400; }
h1 { margin: 0 0 .5rem; font-size: 1.6rem; line-height: 1.25; letter-spacing: -.01em; }
p { margin: .5rem 0; color: var(--soft); }
code { font: .875em ui-monospace, monospace; color: var(--ink); }
ul { list-style: none; margin: 0; padding: 0; }
.rights { display: flex; flex-wrap: wrap; gap: .4rem; margin: .5rem 0 1.75rem; }
.rights li { padding: .1rem .65rem; border: 1px solid var(--line); border-radius: 1rem; font-size: .85rem; }
.people { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .5rem; }
.people a { display: flex; align-items: center; gap: .85rem; height: 100%; padding: .65rem .8rem; color: inherit;
  text-decoration: none; border: 1px solid var(--line); border-radius: .75rem; }
.people a:hover { border-color: var(--light); }
a:focus-visible, button:focus-visible { outline: 2px solid var(--light); outline-offset: 2px; }
.face { flex: none; width: 2.6rem; height: 2.6rem; display: grid; place-items: center; border-radius: 50%;
  background: hsl(var(--hue) 45% 38%); color: #fff; font-size: .9rem; font-weight: 600; }
strong, small { display: block; }
strong { font-weight: 600; }
small { color: var(--soft); font-size: .82rem; line-height: 1.35; }
footer { margin-top: 1.75rem; color: var(--soft); font-size: .85rem; }
footer a { color: inherit; }
button { padding: .55rem 1.4rem; font: inherit; color: #fff; background: hsl(35 75% 32%); border: 0;
  border-radius: .6rem; cursor: pointer; }
";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn texts_cannot_leave_their_place() {
        assert_eq!(escape("Ada"), "Ada");
        assert_eq!(escape(r#"<a href="x" id='y'>&"#), "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;");
    }

    #[test]
    fn the_policy_knows_the_script_by_its_digest() {
        let digest = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(SUBMIT)));
        assert!(FORM_POLICY.to_str().unwrap().contains(&digest), "{digest}");
    }

    #[test]
    fn a_face_has_the_first_letters_of_a_name() {
        let table =
            [("Ada Lovelace", "AL"), ("ada@x", "A"), ("Ana de la Cruz", "AC"), ("ßeta", "SS"), ("", "")];
        for (name, expected) in table {
            assert_eq!(initials(name), expected, "{name}");
        }
    }
}
