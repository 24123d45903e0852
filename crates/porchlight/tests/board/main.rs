//! The board as people have it before them: the program as it is built, and Debian's Chromium, driven by Playwright.
//!
//! A test here starts a server and a script of Node.js in this folder; the script has one browser, plays its scenes
//! in it one after the other, each in a context of its own, and says what came of each. Pictures of the board, and of
//! whatever failed, are left in `target/board`.
//!
//! | module | what is in it |
//! |---|---|
//! | `browser` | scripts, and where their pictures go |
//! | `scenes` | what people see and do; looks, in both themes; coming back after the server was away |
//! | `crowd` | ten thousand people, two hundred of whom change each second |
//! | `sign_in` | signing in with a provider that is not ours |
//! | `start` | how soon a server is there |
//! | `modules` | the tests that the board's modules have of their own |

mod browser;
mod crowd;
mod modules;
mod scenes;
mod sign_in;
mod start;

#[path = "../oidc/provider.rs"]
mod provider;
#[expect(dead_code, reason = "shared with the tests of the program, which need more of it")]
#[path = "../program/support.rs"]
mod support;
#[path = "../program/tools.rs"]
mod tools;
