//! Colour, for terminals alone.

use std::io::IsTerminal;
use std::sync::LazyLock;

use anstyle::Style;

/// Whether what is printed may have colour: to a terminal, unless `NO_COLOR` (<https://no-color.org>) or a terminal
/// without any says otherwise. Tests look at texts alone.
pub(crate) fn is_wanted() -> bool {
    static WANTED: LazyLock<bool> = LazyLock::new(|| {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        !cfg!(test) && std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
    });
    *WANTED
}

/// A text in this style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A text in this style, if colour is wanted.
pub(crate) fn painted(style: Style, text: &str) -> String {
    if is_wanted() { paint(style, text) } else { text.to_owned() }
}
