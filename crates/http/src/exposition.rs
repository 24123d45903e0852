//! Prometheus's text format, for what is looked up at the moment of a scrape.

use std::fmt::{Display, Write};

/// The answer to a scrape, while it is written.
pub(crate) struct Exposition(String);

/// What kind of number a metric is.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// One that only grows.
    Counter,
    /// One that goes up and down.
    Gauge,
    /// Counts by upper bound.
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// One metric, whose values follow.
pub(crate) struct Family<'e> {
    out: &'e mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins with metrics that are written already.
    pub(crate) fn after(written: String) -> Exposition {
        Exposition(written)
    }

    /// A counter without labels.
    pub(crate) fn counter(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.family(Kind::Counter, name, help).sample(&[], value);
    }

    /// A gauge without labels.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.family(Kind::Gauge, name, help).sample(&[], value);
    }

    /// Begins a metric; `help` is one line.
    pub(crate) fn family(&mut self, kind: Kind, name: &'static str, help: &str) -> Family<'_> {
        let out = &mut self.0;
        // Writing into a string cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        Family { out, name }
    }

    /// All of it.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// A value under these labels. Their values are words and ids of the program's own: nothing in them is escaped.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, None, value);
    }

    /// A histogram under these labels: how many values were not above each bound, but above the one before; the last count
    /// is of those above every bound. `sum` is that of all values.
    pub(crate) fn histogram(&mut self, labels: &[(&str, &str)], bounds: &[f64], counts: &[u64], sum: f64) {
        let mut count = 0;
        for (at, counted) in counts.iter().enumerate() {
            count += counted;
            let bound = bounds.get(at).map_or_else(|| "+Inf".to_owned(), ToString::to_string);
            self.line("_bucket", labels, Some(&bound), count);
        }
        self.line("_sum", labels, None, sum);
        self.line("_count", labels, None, count);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: impl Display) {
        let (out, name) = (&mut *self.out, self.name);
        let _ = write!(out, "{name}{suffix}");
        let mut before = '{';
        for (label, value) in labels.iter().copied().chain(bound.map(|bound| ("le", bound))) {
            let _ = write!(out, "{before}{label}=\"{value}\"");
            before = ',';
        }
        let end = if before == ',' { "}" } else { "" };
        let _ = writeln!(out, "{end} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_written_as_prometheus_reads_them() {
        let mut out = Exposition::after("# what was there\n".to_owned());
        out.gauge("lights", "How many lights are on.", 1.5);
        let mut seen = out.family(Kind::Histogram, "seen_seconds", "How long lights were seen.");
        seen.histogram(&[("colour", "green")], &[0.00005, 1.0], &[2, 0, 1], 7.25);
        let expected = "# what was there\n\
            # HELP lights How many lights are on.\n# TYPE lights gauge\nlights 1.5\n\
            # HELP seen_seconds How long lights were seen.\n# TYPE seen_seconds histogram\n\
            seen_seconds_bucket{colour=\"green\",le=\"0.00005\"} 2\n\
            seen_seconds_bucket{colour=\"green\",le=\"1\"} 2\n\
            seen_seconds_bucket{colour=\"green\",le=\"+Inf\"} 3\n\
            seen_seconds_sum{colour=\"green\"} 7.25\nseen_seconds_count{colour=\"green\"} 3\n";
        assert_eq!(out.into_text(), expected);
    }
}
