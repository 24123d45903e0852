//! Tables for people: columns that stand below each other, whatever is written in them.

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::colour::{self, paint};

/// Between columns.
const GAP: &str = "  ";

/// What stands in one place of a table. Whatever could move the cursor is left out of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

/// Rows below a head.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Cell {
    /// A text in a colour, where there is any.
    pub(crate) fn styled(text: &str, style: Style) -> Cell {
        Cell { text: harmless(text), style }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::styled(text, Style::new())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::from(text.as_str())
    }
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new<const N: usize>(heads: [&str; N]) -> Table {
        let style = Style::new().dimmed();
        Table { rows: vec![heads.map(|head| Cell::styled(head, style)).into()] }
    }

    /// Puts a row below the others, with a cell for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// The lines, joined; in colour if that is wanted.
    pub(crate) fn text(&self) -> String {
        self.lines(colour::is_wanted()).join("\n")
    }

    fn lines(&self, in_colour: bool) -> Vec<String> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| self.rows.iter().map(|row| row[column].text.width()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        let line = |row: &Vec<Cell>| {
            let last = row.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
            let cells = row[..last].iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
                let text = if in_colour { paint(cell.style, &cell.text) } else { cell.text.clone() };
                let gap = if at + 1 == last { 0 } else { width.saturating_sub(cell.text.width()) };
                text + &" ".repeat(gap)
            });
            cells.collect::<Vec<_>>().join(GAP)
        };
        self.rows.iter().map(line).collect()
    }
}

/// A text without what could move a terminal's cursor, or turn what stands around it.
pub(crate) fn harmless(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !turns(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text of several lines, each of them harmless.
pub(crate) fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// A harmless text in exactly so many columns of a terminal: cut off with `…`, or filled up with spaces.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    let text = harmless(text);
    if text.width() <= width {
        return format!("{text}{}", " ".repeat(width - text.width()));
    }
    let mut cut = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let wide = c.width().unwrap_or_default();
        if wide > room {
            break;
        }
        room -= wide;
        cut.push(c);
    }
    if width > 0 {
        cut.push('…');
    }
    // Before a wide character that does not fit.
    format!("{cut}{}", " ".repeat(room))
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;

    use super::*;

    #[test]
    fn columns_stand_below_each_other_however_wide_their_letters_are() {
        let mut table = Table::new(["name", "is", "says"]);
        table.row(["Ada".into(), "Busy".into(), "".into()]);
        table.row(["陳美".into(), "".into(), "back at 3".into()]);
        table.row(["Zoë".into(), "".into(), "".into()]);
        let expected = ["name  is    says", "Ada   Busy", "陳美        back at 3", "Zoë"];
        assert_eq!(table.lines(false), expected);
    }

    #[test]
    fn colour_takes_no_room() {
        let mut table = Table::new(["a", "b"]);
        table.row([Cell::styled("x", AnsiColor::Red.on_default()), "y".into()]);
        assert_eq!(table.lines(true)[1], "\u{1b}[31mx\u{1b}[0m  y");
    }

    #[test]
    fn nothing_that_somebody_writes_moves_the_cursor() {
        let mut table = Table::new(["says"]);
        table.row(["\u{1b}[2J\r\nlunch\u{202e}\u{9b}1m".into()]);
        assert_eq!(table.lines(false)[1], " [2J  lunch 1m");
        assert_eq!(harmless_lines("one\u{1b}[2J\r\ntwo\u{7}\n"), "one [2J\ntwo ");
    }

    #[test]
    fn a_text_fits_exactly() {
        for (text, width, expected) in [
            ("Ada", 5, "Ada  "),
            ("Ada", 3, "Ada"),
            ("Ada Lovelace", 5, "Ada …"),
            ("陳美玲", 4, "陳… "),
            ("陳美玲", 5, "陳美…"),
            ("Ada", 0, ""),
            ("a\nb", 4, "a b "),
        ] {
            assert_eq!(fitted(text, width), expected, "{text} {width}");
        }
    }
}
