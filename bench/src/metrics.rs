//! Reading the server's metrics: Prometheus' text format, as far as it is needed here.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::client;
use crate::requests::Ask;

/// All series at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Vec<Series>);

#[derive(Clone, Debug)]
struct Series {
    name: String,
    labels: String,
    value: f64,
}

impl Metrics {
    /// The server's metrics now.
    pub(crate) async fn of(address: SocketAddr) -> Result<Metrics> {
        let answer = client::fetch(address, &Ask::metrics()).await?;
        Ok(Metrics::parse(&String::from_utf8_lossy(&answer.body)))
    }

    fn parse(text: &str) -> Metrics {
        Metrics(text.lines().filter(|line| !line.starts_with('#')).filter_map(Series::parse).collect())
    }

    /// The value of a counter or gauge, all its series together.
    pub(crate) fn value(&self, name: &str) -> Result<f64> {
        let values: Vec<f64> = self.named(name).map(|series| series.value).collect();
        (!values.is_empty())
            .then(|| values.iter().sum::<f64>())
            .with_context(|| format!("the metrics have no {name}"))
    }

    /// What at least the share `of` of the observations since `before` did not exceed.
    ///
    /// Of a histogram that is the bound of a bucket (infinite for the last), of a summary its quantile.
    pub(crate) fn quantile_since(&self, before: &Metrics, name: &str, of: f64) -> Result<f64> {
        let buckets = self.buckets(name);
        if buckets.is_empty() {
            return self.summary_quantile(name, of);
        }
        let earlier = before.buckets(name);
        let then = |bound: f64| {
            earlier.iter().find(|(other, _)| other.total_cmp(&bound).is_eq()).map_or(0.0, |(_, count)| *count)
        };
        let since: Vec<(f64, f64)> =
            buckets.iter().map(|(bound, count)| (*bound, count - then(*bound))).collect();
        let total = since.last().map_or(0.0, |(_, count)| *count);
        since
            .iter()
            .find(|(_, count)| *count > 0.0 && *count >= of * total)
            .map(|(bound, _)| *bound)
            .with_context(|| format!("nothing was observed in {name}"))
    }

    fn summary_quantile(&self, name: &str, of: f64) -> Result<f64> {
        self.named(name)
            .find(|series| {
                series.label_number("quantile").is_some_and(|quantile| (quantile - of).abs() < 1e-9)
            })
            .map(|series| series.value)
            .with_context(|| format!("the metrics have neither buckets nor the quantile {of} of {name}"))
    }

    /// The bounds of a histogram with their cumulative counts, from the smallest; series of one bound together.
    fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let mut all: Vec<(f64, f64)> = self
            .named(&format!("{name}_bucket"))
            .filter_map(|series| Some((series.label_number("le")?, series.value)))
            .collect();
        all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        all.dedup_by(|(bound, count), (kept, kept_count)| {
            let same = bound.total_cmp(kept).is_eq();
            if same {
                *kept_count += *count;
            }
            same
        });
        all
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Series> {
        self.0.iter().filter(move |series| series.name == name)
    }
}

impl Series {
    /// A line such as `name{label="value"} 1.5`. `None`: not one.
    fn parse(line: &str) -> Option<Series> {
        let (name, labels, value) = match line.split_once('{') {
            Some((name, rest)) => {
                let (labels, value) = rest.rsplit_once('}')?;
                (name, labels, value)
            }
            None => line.split_once(' ').map(|(name, value)| (name, "", value))?,
        };
        let value = value.split_whitespace().next()?.parse().ok()?;
        Some(Series { name: name.to_owned(), labels: labels.to_owned(), value })
    }

    fn label_number(&self, label: &str) -> Option<f64> {
        let value = self.labels.split(',').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name.trim() == label).then_some(value)
        });
        value?.trim().trim_matches('"').parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"# TYPE late histogram
late_bucket{le="0.01"} 5
late_bucket{le="0.05"} 5
late_bucket{le="+Inf"} 5
"#;
    const AFTER: &str = r#"# HELP late how late
late_bucket{le="0.01"} 55
late_bucket{role="a",le="0.05"} 104
late_bucket{le="+Inf"} 105
late_sum 1.5
late_count 105
users 1000000
appends_total{log="a"} 3
appends_total{log="b"} 4

wait{quantile="0.5"} 0.25
"#;

    #[test]
    fn values_of_all_series_are_summed() {
        let metrics = Metrics::parse(AFTER);
        assert!((metrics.value("users").unwrap() - 1e6).abs() < 0.5);
        assert!((metrics.value("appends_total").unwrap() - 7.0).abs() < 0.5);
        assert!(metrics.value("nothing").is_err());
    }

    #[test]
    fn quantiles_of_a_histogram_are_of_what_came_since() {
        let (before, after) = (Metrics::parse(BEFORE), Metrics::parse(AFTER));
        let at = |of| after.quantile_since(&before, "late", of).unwrap();
        assert!((at(0.5) - 0.01).abs() < 1e-9);
        assert!((at(0.99) - 0.05).abs() < 1e-9);
        assert!(at(1.0).is_infinite());
        assert!(before.quantile_since(&before, "late", 0.5).is_err());
    }

    #[test]
    fn a_summary_has_the_quantiles_that_it_names() {
        let metrics = Metrics::parse(AFTER);
        assert!((metrics.quantile_since(&metrics, "wait", 0.5).unwrap() - 0.25).abs() < 1e-9);
        assert!(metrics.quantile_since(&metrics, "wait", 0.9).is_err());
    }
}
