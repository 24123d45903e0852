//! What came out: a table for people, JSON for programs.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::machine::Machine;
use crate::scale::Scale;
use crate::spread::{Spread, percentile, sorted};

/// Everything that a run of the benchmark found.
pub(crate) struct Report {
    machine: Machine,
    scale: Scale,
    compared: Vec<Compared>,
    figures: Vec<Figure>,
    failures: Vec<Failure>,
    /// How long the run took.
    pub(crate) took: Duration,
}

/// What one row, or group of rows, found.
pub(crate) struct Outcome {
    pub(crate) compared: Vec<Compared>,
    pub(crate) figures: Vec<Figure>,
}

/// Whom a row is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The bare server.
    Bare,
    /// The raw publisher.
    Raw,
    /// A program on Node.js, with Fastify and Redis.
    Fastify,
    /// Matrix's homeserver.
    Synapse,
    /// A server of XMPP.
    Xmpp,
}

/// A row with a peer.
pub(crate) struct Compared {
    pub(crate) row: &'static str,
    pub(crate) title: String,
    pub(crate) peer: Peer,
    pub(crate) pairs: Vec<Pair>,
    /// For the ratio of requests per second.
    pub(crate) rate: Option<Bound>,
    /// For the ratio of processor time per request.
    pub(crate) cpu: Option<Bound>,
    pub(crate) note: String,
}

/// One run of each, one right after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) peer: Sample,
    pub(crate) porchlight: Sample,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The processor time per request: of the server with all its processes, or of those who write and of NATS
    /// together.
    pub(crate) cpu_micros: f64,
}

/// A row without a peer.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    row: &'static str,
    title: String,
    value: f64,
    unit: &'static str,
    target: Option<Bound>,
    note: String,
}

/// A target.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

struct Failure {
    row: &'static str,
    why: String,
}

/// One measure of a row with a peer: medians of all runs, and the ratios of the pairs.
struct Line {
    measure: &'static str,
    peer: f64,
    porchlight: f64,
    ratio: Spread,
    target: Option<Bound>,
}

impl Report {
    /// Nothing measured yet.
    pub(crate) fn new(machine: Machine, scale: Scale) -> Report {
        Report { machine, scale, compared: vec![], figures: vec![], failures: vec![], took: Duration::ZERO }
    }

    /// Adds what a row found, or why it found nothing.
    pub(crate) fn add(&mut self, row: &'static str, outcome: Result<Outcome>) {
        match outcome {
            Ok(outcome) => {
                self.compared.extend(outcome.compared);
                self.figures.extend(outcome.figures);
            }
            Err(error) => self.failures.push(Failure { row, why: format!("{error:#}") }),
        }
    }

    /// Whether any row found nothing. A missed target is not a failure.
    pub(crate) fn failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "machine": self.machine.json(),
            "quick": self.scale.quick,
            "runs": self.scale.runs,
            "seconds_per_run": self.scale.seconds,
            "compared": self.compared.iter().map(Compared::json).collect::<Vec<_>>(),
            "figures": self.figures.iter().map(Figure::json).collect::<Vec<_>>(),
            "failures": self.failures.iter().map(Failure::json).collect::<Vec<_>>(),
            "took_seconds": self.took.as_secs_f64(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.machine.line())?;
        if self.scale.quick {
            writeln!(formatter, "A quick look: too small and too short for figures to quote.")?;
        }
        for peer in Peer::ALL {
            let rows: Vec<&Compared> = self.compared.iter().filter(|row| row.peer == peer).collect();
            if rows.is_empty() {
                continue;
            }
            writeln!(formatter, "\n{}\n", peer.introduction(&self.scale))?;
            write!(formatter, "{}", peer.table(&rows))?;
            for compared in rows {
                writeln!(formatter, "{}: {}.", compared.title, compared.note)?;
            }
        }
        if !self.figures.is_empty() {
            write!(formatter, "\n{}", self.figures_table())?;
        }
        for Failure { row, why } in &self.failures {
            writeln!(formatter, "\nFAILED {row}: {why}")?;
        }
        write!(formatter, "\nTook {:.0} s.", self.took.as_secs_f64())
    }
}

impl Report {
    fn figures_table(&self) -> Table {
        let mut table = Table::new(["row", "porchlight", "target", "", "note"]);
        for figure in &self.figures {
            table.push([
                figure.title.clone(),
                format!("{} {}", number(figure.value), figure.unit).trim_end().to_owned(),
                target(figure.target),
                verdict(figure.target, figure.value).to_owned(),
                figure.note.clone(),
            ]);
        }
        table
    }
}

impl Peer {
    const ALL: [Peer; 5] = [Peer::Bare, Peer::Raw, Peer::Fastify, Peer::Synapse, Peer::Xmpp];

    fn name(self) -> &'static str {
        match self {
            Peer::Bare => "bare",
            Peer::Raw => "raw",
            Peer::Fastify => "fastify",
            Peer::Synapse => "synapse",
            Peer::Xmpp => "ejabberd",
        }
    }

    fn introduction(self, scale: &Scale) -> String {
        let Scale { runs, seconds, users, .. } = scale;
        let (setting, users) = match self {
            Peer::Bare => (
                "Bare is hyper, one current-thread runtime per core, with constant answers of the same sizes.",
                format!(", {users} users"),
            ),
            Peer::Raw => (
                "Raw is async-nats alone: publishes of 160 bytes with id and expected sequence to 2,000 subjects.",
                String::new(),
            ),
            Peer::Fastify => (
                "Fastify on Node.js, a worker per core, with Redis and its append-only file.",
                format!(", {users} users"),
            ),
            Peer::Synapse => (
                "Synapse, Matrix's homeserver, with PostgreSQL; everybody with a token of their own.",
                String::new(),
            ),
            Peer::Xmpp => ("ejabberd, a server of XMPP, in memory; Porchlight syncs to disk.", String::new()),
        };
        format!(
            "{setting}\nMedians of {runs} interleaved runs of {seconds} s{users}; a ratio is of neighbouring runs."
        )
    }

    fn rate_measure(self) -> &'static str {
        match self {
            Peer::Bare | Peer::Raw | Peer::Fastify | Peer::Synapse => "requests/s",
            Peer::Xmpp => "per second",
        }
    }

    fn cpu_measure(self) -> &'static str {
        match self {
            Peer::Bare | Peer::Fastify | Peer::Synapse => "server CPU per request, µs",
            Peer::Raw => "CPU with NATS per write, µs",
            Peer::Xmpp => "server CPU each, µs",
        }
    }

    fn table(self, rows: &[&Compared]) -> Table {
        let mut table =
            Table::new(["row", "measure", self.name(), "porchlight", "ratio (min–max)", "target", ""]);
        for compared in rows {
            for (index, line) in compared.lines().iter().enumerate() {
                table.push([
                    if index == 0 { compared.title.clone() } else { String::new() },
                    line.measure.to_owned(),
                    number(line.peer),
                    number(line.porchlight),
                    format!("{:.2} ({:.2}–{:.2})", line.ratio.median, line.ratio.min, line.ratio.max),
                    target(line.target),
                    verdict(line.target, line.ratio.median).to_owned(),
                ]);
            }
        }
        table
    }
}

impl Compared {
    fn lines(&self) -> [Line; 4] {
        [
            self.line(self.peer.rate_measure(), |sample| sample.per_second, self.rate),
            self.line("p50, ms", |sample| sample.p50_ms, None),
            self.line("p99, ms", |sample| sample.p99_ms, None),
            self.line(self.peer.cpu_measure(), |sample| sample.cpu_micros, self.cpu),
        ]
    }

    fn line(&self, measure: &'static str, of: fn(&Sample) -> f64, target: Option<Bound>) -> Line {
        Line {
            measure,
            peer: Spread::of(self.pairs.iter().map(|pair| of(&pair.peer))).median,
            porchlight: Spread::of(self.pairs.iter().map(|pair| of(&pair.porchlight))).median,
            ratio: Spread::of(self.pairs.iter().map(|pair| of(&pair.porchlight) / of(&pair.peer))),
            target,
        }
    }

    fn json(&self) -> Value {
        let peer = self.peer.name();
        let measures: Vec<Value> = self
            .lines()
            .iter()
            .map(|line| {
                json!({
                    "measure": line.measure,
                    (peer): line.peer,
                    "porchlight": line.porchlight,
                    "ratio": { "median": line.ratio.median, "min": line.ratio.min, "max": line.ratio.max },
                    "target": line.target.map(Bound::json),
                    "met": line.target.map(|target| target.met(line.ratio.median)),
                })
            })
            .collect();
        let runs: Vec<Value> = self
            .pairs
            .iter()
            .map(|pair| json!({ (peer): pair.peer.json(), "porchlight": pair.porchlight.json() }))
            .collect();
        json!({ "row": self.row, "title": self.title, "measures": measures, "runs": runs, "note": self.note })
    }
}

impl Sample {
    /// Of as many things as there are times, in milliseconds: all of them took so many seconds, and `cpu`
    /// seconds of processor time.
    pub(crate) fn of(millis: impl IntoIterator<Item = f64>, took: f64, cpu: f64) -> Sample {
        let millis = sorted(millis);
        let count = millis.len() as f64;
        Sample {
            per_second: count / took,
            p50_ms: percentile(&millis, 0.5),
            p99_ms: percentile(&millis, 0.99),
            cpu_micros: cpu * 1e6 / count,
        }
    }

    fn json(self) -> Value {
        json!({
            "requests_per_second": self.per_second,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "cpu_micros": self.cpu_micros,
        })
    }
}

impl Figure {
    /// One without a target and without a note.
    pub(crate) fn new(row: &'static str, title: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure { row, title: title.into(), value, unit, target: None, note: String::new() }
    }

    /// The same with a target, if there is one.
    pub(crate) fn target(self, target: impl Into<Option<Bound>>) -> Figure {
        Figure { target: target.into(), ..self }
    }

    /// The same with a note.
    pub(crate) fn note(self, note: impl Into<String>) -> Figure {
        Figure { note: note.into(), ..self }
    }

    fn json(&self) -> Value {
        json!({
            "row": self.row,
            "title": self.title,
            "value": self.value,
            "unit": self.unit,
            "target": self.target.map(Bound::json),
            "met": self.target.map(|target| target.met(self.value)),
            "note": self.note,
        })
    }
}

impl Failure {
    fn json(&self) -> Value {
        json!({ "row": self.row, "why": self.why })
    }
}

impl Bound {
    fn met(self, value: f64) -> bool {
        match self {
            Bound::AtLeast(bound) => value >= bound,
            Bound::AtMost(bound) => value <= bound,
        }
    }

    fn json(self) -> Value {
        match self {
            Bound::AtLeast(bound) => json!({ "at_least": bound }),
            Bound::AtMost(bound) => json!({ "at_most": bound }),
        }
    }
}

fn target(target: Option<Bound>) -> String {
    match target {
        None => String::new(),
        Some(Bound::AtLeast(bound)) => format!("≥ {bound}"),
        Some(Bound::AtMost(bound)) => format!("≤ {bound}"),
    }
}

fn verdict(target: Option<Bound>, value: f64) -> &'static str {
    match target {
        None => "",
        Some(bound) if bound.met(value) => "met",
        Some(_) => "missed",
    }
}

/// Three digits that count, and commas in what is larger.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => grouped(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Bytes in MiB.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// A whole number with commas.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table that reads as plain text and as Markdown.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new<const COLUMNS: usize>(head: [&str; COLUMNS]) -> Table {
        Table { rows: vec![head.map(str::to_owned).into()] }
    }

    fn push<const COLUMNS: usize>(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows[0].len();
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            for (cell, &width) in row.iter().zip(&widths) {
                write!(formatter, "| {cell:<width$} ")?;
            }
            writeln!(formatter, "|")?;
            if index == 0 {
                for width in &widths {
                    write!(formatter, "|{:-<1$}", "", width + 2)?;
                }
                writeln!(formatter, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        let texts = [1_234_567.0, 66_123.4, 1000.0, 345.6, 12.34, 1.234, 0.139].map(number);
        assert_eq!(texts, ["1,234,567", "66,123", "1,000", "346", "12.3", "1.23", "0.139"]);
    }

    #[test]
    fn a_ratio_is_of_neighbouring_runs() {
        let sample = |per_second| Sample { per_second, p50_ms: 1.0, p99_ms: 2.0, cpu_micros: 10.0 };
        let pair = |peer, porchlight| Pair { peer: sample(peer), porchlight: sample(porchlight) };
        let compared = Compared {
            row: "get",
            title: "GET".to_owned(),
            peer: Peer::Bare,
            pairs: vec![pair(100.0, 90.0), pair(50.0, 50.0), pair(200.0, 160.0)],
            rate: Some(Bound::AtLeast(0.85)),
            cpu: None,
            note: String::new(),
        };
        let [rate, ..] = compared.lines();
        assert_eq!(rate.ratio, Spread { median: 0.9, min: 0.8, max: 1.0 });
        assert_eq!(verdict(rate.target, rate.ratio.median), "met");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(["row", "µs"]);
        table.push(["a long one".to_owned(), "1".to_owned()]);
        assert_eq!(table.to_string(), "| row        | µs |\n|------------|----|\n| a long one | 1  |\n");
    }
}
