//! What the table in a terminal shows, and what keys do to it. Nothing here touches a terminal.

use anstyle::{AnsiColor, Style};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Zoned;

use super::crowd::{Crowd, Somebody};
use super::poll::EVERY;
use crate::colour::painted;
use crate::commands::look::{RANKS, look};
use crate::commands::when;
use crate::table::fitted;

/// The lines that are not people: the head above them, and the foot.
const OTHER_LINES: usize = 3;

/// The columns and how wide they are; what people say takes the rest.
const COLUMNS: [(&str, usize); 5] =
    [("name", 18), ("availability", 16), ("activity", 20), ("since", 18), ("says", usize::MAX)];

/// How a list looks that somebody has scrolled and filtered.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// What is typed behind `/`.
    filter: String,
    is_typing: bool,
    /// How many people are above the first line.
    above: usize,
    pub(super) connection: Connection,
    /// Whether the server is asked again and again.
    pub(super) is_polling: bool,
}

/// Whether what is shown is what is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Connection {
    /// Not everything has come yet.
    #[default]
    Coming,
    Live,
    /// And why.
    Away(String),
}

/// What is to be done after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Do {
    Go,
    Quit,
}

impl Screen {
    /// Takes a key; `lines`: how many the terminal has.
    pub(super) fn press(&mut self, key: KeyEvent, lines: usize) -> Do {
        let page = people_lines(lines);
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Do::Quit,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Up => self.above = self.above.saturating_sub(1),
            KeyCode::Down => self.above = self.above.saturating_add(1),
            KeyCode::PageUp => self.above = self.above.saturating_sub(page),
            KeyCode::PageDown => self.above = self.above.saturating_add(page),
            KeyCode::Home => self.above = 0,
            KeyCode::End => self.above = usize::MAX - page,
            KeyCode::Backspace if self.is_typing => {
                self.filter.pop();
            }
            KeyCode::Char(c) if self.is_typing => {
                self.filter.push(c);
                self.above = 0;
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('q') => return Do::Quit,
            _ => {}
        }
        Do::Go
    }

    /// What the terminal is to show: at most `height` lines, none of them wider than `width` columns.
    pub(super) fn lines(
        &mut self,
        crowd: &Crowd,
        host: &str,
        now: &Zoned,
        (width, height): (usize, usize),
    ) -> Vec<String> {
        let people = crowd.sorted(&self.filter);
        let room = people_lines(height);
        self.above = self.above.min(people.len().saturating_sub(room));
        let mut lines = vec![head(crowd, host, width), columns(width)];
        lines.extend(people.iter().skip(self.above).take(room).map(|one| row(one, now, width)));
        lines.resize(height.saturating_sub(1), String::new());
        lines.push(self.foot(people.len(), room, width));
        lines.truncate(height);
        lines
    }

    fn foot(&self, people: usize, room: usize, width: usize) -> String {
        let (text, style) = match &self.connection {
            Connection::Away(why) => (format!("reconnecting… {why}"), AnsiColor::Yellow.on_default()),
            _ if self.is_typing => {
                (format!("/{}▏  enter keeps it, esc takes it back", self.filter), Style::new())
            }
            Connection::Coming => ("waiting for the server…".to_owned(), Style::new().dimmed()),
            Connection::Live => (self.hints(people, room), Style::new().dimmed()),
        };
        painted(style, fitted(&text, width).trim_end())
    }

    fn hints(&self, people: usize, room: usize) -> String {
        let last = (self.above + room).min(people);
        let mut hints = vec!["q quits  / filters  ↑↓ scroll".to_owned()];
        if people > room {
            hints.push(format!("{} to {last} of {people}", self.above + 1));
        }
        if !self.filter.is_empty() {
            hints.push(format!("only /{} (esc shows all)", self.filter));
        }
        if self.is_polling {
            hints.push(format!("the server has no streams: it is asked every {} s", EVERY.as_secs()));
        }
        hints.join("  ·  ")
    }
}

/// How many lines are left for people.
fn people_lines(height: usize) -> usize {
    height.saturating_sub(OTHER_LINES)
}

/// Where the people are, and how many of each kind there are.
fn head(crowd: &Crowd, host: &str, width: usize) -> String {
    let counts = crowd.counts();
    let all: usize = counts.iter().sum();
    let people = if all == 1 { "person" } else { "people" };
    let mut cells = vec![(format!("{host}  {all} {people}"), Style::new().bold())];
    cells.extend(samples().zip(counts).filter(|(_, count)| *count > 0).map(|(name, count)| {
        let look = look(name, "");
        (format!("{} {count}", look.mark), look.style)
    }));
    line(cells.iter().map(|(text, style)| (text.as_str(), usize::MAX, *style)), width)
}

/// An availability of each rank.
fn samples() -> impl Iterator<Item = &'static str> {
    let names: [&str; RANKS] = [
        "Available",
        "AvailableIdle",
        "Busy",
        "BusyIdle",
        "DoNotDisturb",
        "BeRightBack",
        "Away",
        "Offline",
        "PresenceUnknown",
    ];
    names.into_iter()
}

fn columns(width: usize) -> String {
    line(COLUMNS.map(|(name, wide)| (name, wide, Style::new().dimmed())).into_iter(), width)
}

fn row(somebody: &Somebody, now: &Zoned, width: usize) -> String {
    let availability = format!("{} {}", somebody.look.mark, somebody.availability);
    // Said once is enough.
    let activity = if somebody.activity == somebody.availability { "" } else { &somebody.activity };
    let since = somebody.since.map(|since| when::at(since, now)).unwrap_or_default();
    let texts: [&str; 5] = [&somebody.name, &availability, activity, &since, &somebody.says];
    let styles = [Style::new(), somebody.look.style, Style::new(), Style::new().dimmed(), Style::new()];
    let cells = texts.into_iter().zip(COLUMNS).zip(styles);
    line(cells.map(|((text, (_, wide)), style)| (text, wide, style)), width)
}

/// Cells beside each other, each in so many columns of the terminal at most, as far as there is room. One that may be as
/// wide as it likes is as wide as its text.
fn line<'a>(cells: impl Iterator<Item = (&'a str, usize, Style)>, width: usize) -> String {
    const GAP: usize = 2;
    let mut line = String::new();
    let mut room = width;
    for (text, wide, style) in cells {
        if room == 0 {
            break;
        }
        let wide = if wide == usize::MAX { unicode_width::UnicodeWidthStr::width(text) } else { wide };
        let wide = wide.min(room);
        line.push_str(&painted(style, &fitted(text, wide)));
        room -= wide;
        let gap = GAP.min(room);
        line.push_str(&" ".repeat(gap));
        room -= gap;
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::super::crowd::tests::{crowd, event, presence};
    use super::*;

    fn now() -> Zoned {
        "2026-11-27T18:29:18Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC)
    }

    /// What the terminal shows.
    fn shown(screen: &mut Screen, crowd: &Crowd, size: (usize, usize)) -> String {
        let lines = screen.lines(crowd, "127.0.0.1:8080", &now(), size);
        lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
    }

    fn press(screen: &mut Screen, code: KeyCode) -> Do {
        screen.press(KeyEvent::new(code, KeyModifiers::NONE), 8)
    }

    fn live() -> Screen {
        Screen { connection: Connection::Live, ..Screen::default() }
    }

    #[test]
    fn people_stand_below_their_counts_in_the_order_in_which_they_can_be_reached() {
        let text = shown(&mut live(), &crowd(), (100, 8));
        insta::assert_snapshot!(text, @r"
        127.0.0.1:8080  3 people  ● 1  ■ 1  ○ 1
        name                availability      activity              since               says
        Ben Okafor          ● Available                             18:24 (5 min ago)
        Ada Lovelace        ■ Busy            In a call             18:24 (5 min ago)
        3                   ○ Offline                               18:24 (5 min ago)


        q quits  / filters  ↑↓ scroll
        ");
    }

    #[test]
    fn whatever_the_size_it_fits() {
        let mut crowd = crowd();
        let mut loud = presence("4", "DoNotDisturb", "UrgentInterruptionsOnly", 1);
        loud["statusMessage"] = json!({"message": {"content": "陳".repeat(200)}});
        crowd.take(&event("presence", &loud));
        crowd.name(HashMap::from([("4".to_owned(), "a name that is longer than its column".to_owned())]));
        for (width, height) in [(0, 0), (1, 1), (20, 2), (40, 3), (80, 4), (81, 24), (300, 100)] {
            let mut screen = live();
            let text = shown(&mut screen, &crowd, (width, height));
            assert!(text.split('\n').count() <= height.max(1), "{height}: {text}");
            for line in text.lines() {
                assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_filter_is_typed_behind_a_slash() {
        let (mut screen, crowd) = (live(), crowd());
        for c in "/QUI".chars() {
            assert_eq!(press(&mut screen, KeyCode::Char(c)), Do::Go);
        }
        press(&mut screen, KeyCode::Backspace);
        press(&mut screen, KeyCode::Backspace);
        press(&mut screen, KeyCode::Backspace);
        for c in "call".chars() {
            press(&mut screen, KeyCode::Char(c));
        }
        let text = shown(&mut screen, &crowd, (100, 8));
        assert!(text.contains("Ada") && !text.contains("Ben"), "{text}");
        assert!(text.ends_with("/call▏  enter keeps it, esc takes it back"), "{text}");
        press(&mut screen, KeyCode::Enter);
        let text = shown(&mut screen, &crowd, (100, 8));
        assert!(text.ends_with("only /call (esc shows all)") && !text.contains("Ben"), "{text}");
        press(&mut screen, KeyCode::Esc);
        assert!(shown(&mut screen, &crowd, (100, 8)).contains("Ben"));
        assert_eq!(press(&mut screen, KeyCode::Char('q')), Do::Quit);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(screen.press(control_c, 8), Do::Quit);
    }

    #[test]
    fn it_scrolls_as_far_as_there_are_people() {
        let (mut screen, crowd) = (live(), crowd());
        let names = |screen: &mut Screen| {
            let text = shown(screen, &crowd, (100, 5));
            let names = text.lines().skip(2).take(2).map(|line| line.split("  ").next().unwrap_or_default());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names(&mut screen), ["Ben Okafor", "Ada Lovelace"]);
        press(&mut screen, KeyCode::Down);
        assert_eq!(names(&mut screen), ["Ada Lovelace", "3"]);
        press(&mut screen, KeyCode::PageDown);
        press(&mut screen, KeyCode::End);
        assert_eq!(names(&mut screen), ["Ada Lovelace", "3"]);
        assert!(shown(&mut screen, &crowd, (100, 5)).ends_with("2 to 3 of 3"));
        press(&mut screen, KeyCode::Up);
        press(&mut screen, KeyCode::Up);
        assert_eq!(names(&mut screen), ["Ben Okafor", "Ada Lovelace"]);
    }

    #[test]
    fn who_is_away_says_so() {
        let away = Connection::Away("no server answers".to_owned());
        let text = shown(&mut Screen { connection: away, ..Screen::default() }, &crowd(), (100, 8));
        assert!(text.ends_with("reconnecting… no server answers"), "{text}");
        assert!(text.contains("Ada Lovelace"), "what was known stays: {text}");
        let polling = shown(&mut Screen { is_polling: true, ..live() }, &crowd(), (120, 8));
        assert!(polling.ends_with("the server has no streams: it is asked every 15 s"), "{polling}");
        assert!(
            shown(&mut Screen::default(), &Crowd::default(), (100, 8)).ends_with("waiting for the server…")
        );
    }
}
