//! The file: its rows, and what is wrong with them.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use porchlight_engine::Person;
use serde_json::{Value, json};
use uuid::Uuid;

use super::column::Column;
use super::person::{Attribute, Told};
use crate::exit::Failure;

/// What may stand between two cells: a comma, or what some programs write where that is the decimal sign.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// What a CSV file holds.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// Those that can be made something of.
    pub(super) rows: Vec<Row>,
    /// What is wrong with the others.
    pub(super) mistakes: Vec<Mistake>,
    /// The headings of columns that mean nothing here.
    pub(super) passed_over: Vec<String>,
}

/// What a row tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line that it begins in; the first one is 1.
    pub(super) line: u64,
    /// Who it is, if it says so.
    pub(super) id: Option<Uuid>,
    /// Without what its empty cells do not say; with a user principal name.
    pub(super) told: Told,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) line: u64,
    /// Number and heading of the column, the first one being 1; `None`: the row as a whole.
    pub(super) column: Option<(usize, String)>,
    pub(super) what: String,
}

/// Where rows begin in a file. The reader's own count is one too low behind `\r\n` and behind empty lines.
struct Lines<'b> {
    bytes: &'b [u8],
    /// The bytes that are counted already.
    passed: usize,
    line: u64,
}

/// The columns of a sheet, in their order.
struct Columns {
    headings: Vec<String>,
    meanings: Vec<Option<Column>>,
}

impl Sheet {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] when it cannot be read, or its first row names no user principal name.
    pub(super) fn read(path: &Path) -> Result<Sheet, Failure> {
        let shown = path.display();
        let bytes = std::fs::read(path);
        let bytes = bytes.map_err(|cause| Failure::usage(format!("cannot read {shown}: {cause}")))?;
        Sheet::parse(&bytes).map_err(|wrong| Failure::usage(format!("{shown}: {wrong}")))
    }

    fn parse(bytes: &[u8]) -> Result<Sheet, String> {
        let mut reader = ReaderBuilder::new();
        // A row with another number of cells is told like other mistakes.
        reader.has_headers(false).flexible(true).delimiter(delimiter(bytes));
        let mut reader = reader.from_reader(bytes);
        let mut records = reader.records();
        let header = loop {
            match records.next() {
                // What Entra ID's template begins with.
                Some(Ok(record))
                    if record.get(0).is_some_and(|cell| without_mark(cell).starts_with("version:")) => {}
                Some(Ok(record)) => break record,
                Some(Err(error)) => return Err(format!("its first row cannot be read: {error}")),
                None => return Err("it is empty: its first row must name the columns".to_owned()),
            }
        };
        let columns = Columns::of(&header)?;
        let mut sheet = Sheet { passed_over: columns.passed_over(), ..Sheet::default() };
        let mut known = Known::default();
        let mut lines = Lines { bytes, passed: 0, line: 1 };
        for record in records {
            let row = match record {
                Ok(record) => {
                    let row = columns.row(&record, lines.of(record.position()));
                    row.and_then(|row| row.map(|row| known.note(row)).transpose())
                }
                Err(error) => Err(vec![columns.unreadable(&error, lines.of(error.position()))]),
            };
            match row {
                Ok(row) => sheet.rows.extend(row),
                Err(mistakes) => sheet.mistakes.extend(mistakes),
            }
        }
        Ok(sheet)
    }
}

impl Lines<'_> {
    /// The line that a row begins in, the first one being 1. Rows are asked for in their order.
    fn of(&mut self, row: Option<&csv::Position>) -> u64 {
        let begin = row.and_then(|row| usize::try_from(row.byte()).ok()).unwrap_or_default();
        let begin = begin.clamp(self.passed, self.bytes.len());
        // The rest of the end of the row before, and lines that are none.
        let ends = self.bytes[begin..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = &self.bytes[self.passed..begin + ends];
        self.line += passed.split(|byte| *byte == b'\n').skip(1).count() as u64;
        self.passed = begin + ends;
        self.line
    }
}

/// What stands between the cells of the first row that has more than one.
fn delimiter(bytes: &[u8]) -> u8 {
    let count = |line: &[u8], delimiter: u8| line.split(|byte| *byte == delimiter).skip(1).count();
    let mut lines = bytes.split(|byte| *byte == b'\n').take(2);
    let of_line = |line: &[u8]| DELIMITERS.into_iter().rev().max_by_key(|delimiter| count(line, *delimiter));
    let line = lines.find(|line| DELIMITERS.iter().any(|delimiter| count(line, *delimiter) > 0));
    line.and_then(of_line).unwrap_or(b',')
}

/// A cell without the mark that some programs begin a file with.
fn without_mark(cell: &str) -> &str {
    cell.trim_start_matches('\u{feff}').trim()
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Columns, String> {
        let headings: Vec<String> = header.iter().map(|heading| without_mark(heading).to_owned()).collect();
        let meanings: Vec<Option<Column>> = headings.iter().map(|heading| Column::named(heading)).collect();
        for (place, meaning) in meanings.iter().enumerate().filter(|(_, meaning)| meaning.is_some()) {
            if let Some(first) = meanings[..place].iter().position(|other| other == meaning) {
                let (one, other) = (&headings[first], &headings[place]);
                return Err(format!("the columns '{one}' and '{other}' mean the same; leave one out"));
            }
        }
        if !meanings.contains(&Some(Column::Of(Attribute::UserName))) {
            let found = headings.join(", ");
            return Err(format!("no column is called userPrincipalName; its first row names {found:.200}"));
        }
        Ok(Columns { headings, meanings })
    }

    fn passed_over(&self) -> Vec<String> {
        let columns = self.headings.iter().zip(&self.meanings);
        let without_meaning = columns.filter(|(heading, meaning)| meaning.is_none() && !heading.is_empty());
        without_meaning.map(|(heading, _)| heading.clone()).collect()
    }

    /// What a record tells that begins in this line; nothing if all of its cells are empty.
    fn row(&self, record: &StringRecord, line: u64) -> Result<Option<Row>, Vec<Mistake>> {
        if record.iter().all(|cell| cell.trim().is_empty()) {
            return Ok(None);
        }
        if record.len() != self.headings.len() {
            let (cells, columns) = (record.len(), self.headings.len());
            let what = format!(
                "it has {cells} cells, and there are {columns} columns; put a text with a comma, a semicolon or a \
                 tab in quotes"
            );
            return Err(vec![Mistake { line, column: None, what }]);
        }
        let mut row = Row { line, id: None, told: Told::new() };
        let mut mistakes = Vec::new();
        for (place, (cell, meaning)) in record.iter().zip(&self.meanings).enumerate() {
            let Some(meaning) = meaning else { continue };
            if let Err(what) = row.take(*meaning, cell.trim()) {
                let column = Some((place + 1, self.headings[place].clone()));
                mistakes.push(Mistake { line, column, what });
            }
        }
        if mistakes.is_empty() { Ok(Some(row)) } else { Err(mistakes) }
    }

    fn unreadable(&self, error: &csv::Error, line: u64) -> Mistake {
        match error.kind() {
            ErrorKind::Utf8 { err, .. } => {
                let place = err.field();
                let column = self.headings.get(place).map(|heading| (place + 1, heading.clone()));
                Mistake { line, column, what: "it is not in UTF-8; save the file so".to_owned() }
            }
            _ => Mistake { line, column: None, what: error.to_string() },
        }
    }
}

impl Row {
    /// The user principal name.
    pub(super) fn name(&self) -> &str {
        self.told.get(&Attribute::UserName).and_then(Value::as_str).unwrap_or_default()
    }

    /// Takes what a cell says.
    fn take(&mut self, meaning: Column, cell: &str) -> Result<(), String> {
        if cell.is_empty() {
            let is_needed = meaning == Column::Of(Attribute::UserName);
            return if is_needed { Err("it is empty".to_owned()) } else { Ok(()) };
        }
        match meaning {
            Column::Id => {
                let id = Uuid::try_parse(cell).ok().filter(|id| !id.is_nil());
                self.id = Some(id.ok_or_else(|| format!("'{cell:.80}' is no GUID"))?);
            }
            Column::Of(Attribute::Enabled) => {
                self.told.insert(Attribute::Enabled, truth(cell)?.into());
            }
            Column::Blocked => {
                self.told.insert(Attribute::Enabled, (!truth(cell)?).into());
            }
            Column::Of(Attribute::UserName) if !Person::is_name(cell) => {
                return Err(format!("'{cell:.80}' is no user principal name such as mia@example.org"));
            }
            Column::Of(_) if !Person::is_text(cell) => {
                return Err("it must have at most 256 characters, and no control character".to_owned());
            }
            Column::Of(attribute) => {
                self.told.insert(attribute, cell.into());
            }
        }
        Ok(())
    }
}

fn truth(cell: &str) -> Result<bool, String> {
    let is = |words: [&str; 3]| words.iter().any(|word| word.eq_ignore_ascii_case(cell));
    match (is(["true", "yes", "1"]), is(["false", "no", "0"])) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(format!("'{cell:.80}' is neither true nor false")),
    }
}

/// Whom the rows so far are about.
#[derive(Default)]
struct Known {
    /// The line of each name, in lower case.
    names: HashMap<String, u64>,
    ids: HashMap<Uuid, u64>,
}

impl Known {
    /// Takes note of a row, unless an earlier one is about the same person.
    fn note(&mut self, row: Row) -> Result<Row, Vec<Mistake>> {
        let line = row.line;
        let name = row.name().to_ascii_lowercase();
        let twice = |first: u64, who: &str| {
            vec![Mistake { line, column: None, what: format!("{who} stands in line {first} already") }]
        };
        if let Some(first) = self.names.insert(name, line) {
            return Err(twice(first, row.name()));
        }
        if let Some((id, first)) = row.id.and_then(|id| Some((id, self.ids.insert(id, line)?))) {
            return Err(twice(first, &id.to_string()));
        }
        Ok(row)
    }
}

impl Mistake {
    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let column = self.column.as_ref();
        json!({
            "line": self.line,
            "column": column.map(|(place, _)| place),
            "heading": column.map(|(_, heading)| heading),
            "message": self.what,
        })
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { line, column, what } = self;
        match column {
            Some((place, heading)) => write!(formatter, "line {line}, column {place} ({heading}): {what}"),
            None => write!(formatter, "line {line}: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Sheet {
        Sheet::parse(text.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong}: {text}"))
    }

    #[test]
    fn a_row_tells_what_its_cells_say_and_nothing_for_empty_ones() {
        let sheet = parse(
            "\u{feff}userPrincipalName,Display name,objectId,usageLocation,accountEnabled\r\n\
             mia@example.org,\"Chen, Mia\",7a1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01,DE,False\r\n\
             ,,,,\r\n\
             noah@example.org,,,,\r\n",
        );
        assert_eq!(sheet.mistakes, []);
        assert_eq!(sheet.passed_over, ["usageLocation"]);
        let [mia, noah] = &sheet.rows[..] else { panic!("{sheet:?}") };
        assert_eq!(
            (mia.line, mia.name(), noah.line, noah.name()),
            (2, "mia@example.org", 4, "noah@example.org")
        );
        assert_eq!(mia.told[&Attribute::DisplayName], "Chen, Mia");
        assert_eq!(mia.told[&Attribute::Enabled], false);
        assert!(mia.id.is_some() && noah.id.is_none() && noah.told.len() == 1);
    }

    #[test]
    fn the_template_of_entra_id_is_understood_and_other_delimiters_too() {
        let sheet = parse(
            "version:v1.0\nName [displayName] Required;User name [userPrincipalName] Required;Block sign in (Yes/No) \
             [accountEnabled] Required\nMia Chen;mia@example.org;Yes\n",
        );
        assert_eq!(sheet.mistakes, []);
        assert_eq!(sheet.rows[0].told[&Attribute::Enabled], false);
        assert_eq!(parse("upn\tmail\tx\nmia@example.org\tm@example.org\t\n").rows.len(), 1);
        assert_eq!(parse("upn;mail\nmia@example.org;m@example.org\n").rows[0].told.len(), 2);
        assert_eq!(parse("upn\nmia@example.org\n").rows.len(), 1);
    }

    #[test]
    fn mistakes_are_told_with_line_and_column() {
        let long = "x".repeat(257);
        let sheet = parse(&format!(
            "upn,displayName,id,accountEnabled\n\
             mia,Mia,,\n\
             noah@example.org,Noah,7,perhaps\n\
             ,Zoe,,\n\
             zoe@example.org,{long},,\n\
             ada@example.org,Ada\n\
             Ben@example.org,,9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77,\n\
             ben@EXAMPLE.org,,,\n\
             eve@example.org,,9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77,\n"
        ));
        let said: Vec<String> = sheet.mistakes.iter().map(ToString::to_string).collect();
        let expected = [
            "line 2, column 1 (upn): 'mia' is no user principal name such as mia@example.org",
            "line 3, column 3 (id): '7' is no GUID",
            "line 3, column 4 (accountEnabled): 'perhaps' is neither true nor false",
            "line 4, column 1 (upn): it is empty",
            "line 5, column 2 (displayName): it must have at most 256 characters, and no control character",
            "line 6: it has 2 cells, and there are 4 columns; put a text with a comma, a semicolon or a tab in quotes",
            "line 8: ben@EXAMPLE.org stands in line 7 already",
            "line 9: 9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77 stands in line 7 already",
        ];
        assert_eq!(said, expected);
        assert_eq!(sheet.rows.len(), 1);
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        for end in ["\n", "\r\n"] {
            let lines =
                ["\u{feff}upn,displayName", "mia@x.example,\"Mia", "Chen\"", "", "zoe,Zoe", "noah,Noah"];
            let sheet = parse(&lines.join(end));
            let found: Vec<u64> = sheet.mistakes.iter().map(|mistake| mistake.line).collect();
            assert_eq!(found, [2, 5, 6], "{end:?}");
        }
    }

    #[test]
    fn a_cell_that_is_no_utf_8_is_told_and_the_next_row_is_read() {
        let sheet = Sheet::parse(b"upn,mail\nmia@x.example,\xff\nada@x.example,a@x.example\n").unwrap();
        let said: Vec<String> = sheet.mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["line 2, column 2 (mail): it is not in UTF-8; save the file so"]);
        assert_eq!(sheet.rows.len(), 1);
    }

    #[test]
    fn a_file_without_the_column_that_must_be_there_is_refused() {
        let refused = |text: &str| Sheet::parse(text.as_bytes()).err().unwrap_or_default();
        assert_eq!(refused(""), "it is empty: its first row must name the columns");
        let expected = "no column is called userPrincipalName; its first row names mail, x";
        assert_eq!(refused("mail,x\nmia@x,y\n"), expected);
        let expected = "the columns 'mail' and 'E-Mail' mean the same; leave one out";
        assert_eq!(refused("upn,mail,E-Mail\n"), expected);
    }
}
