//! What this server counts of requests and connections.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;

use crate::route::Route;

/// The statuses that may be counted.
const STATUSES: RangeInclusive<u16> = 100..=599;

const STATUS_COUNT: usize = 500;

/// Upper bounds of the latencies that are told apart, in nanoseconds: from 50 µs to 10 s.
const BOUNDS: [u64; 17] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// So many threads count without sharing a cache line; any more share with one of them.
const HANDS: usize = 64;

/// What this server counts by itself.
pub(crate) struct Instruments {
    /// What each thread has counted: to add to what another core has just added to costs more than all the rest.
    hands: Box<[Hand; HANDS]>,
    /// Requests that are held back until there is news.
    held: Arc<AtomicU64>,
    /// Streams that are open.
    streams: Arc<AtomicU64>,
    /// Streams that were opened.
    streams_opened: AtomicU64,
    /// Streams that were refused, since enough are open.
    streams_refused: AtomicU64,
    /// Requests and steps of batches that came too soon.
    limited: AtomicU64,
    /// Connections that are open.
    connections: Arc<AtomicU64>,
    /// Connections that were accepted.
    connections_accepted: AtomicU64,
    /// Connections that were closed at once, since their address had enough.
    refused_by_address: AtomicU64,
}

/// What one thread has counted.
#[repr(align(64))]
struct Hand {
    /// By route; made when the first request of it comes.
    routes: [OnceLock<Box<Answered>>; Route::ALL.len()],
    /// Requests whose token was known.
    known_tokens: AtomicU64,
}

/// The requests of one route.
struct Answered {
    /// By status.
    statuses: [AtomicU64; STATUS_COUNT],
    /// By latency; the last is above every bound.
    latencies: [AtomicU64; BOUNDS.len() + 1],
    /// All latencies together.
    nanoseconds: AtomicU64,
}

/// The requests of one route, as all threads have counted them.
pub(crate) struct Requests {
    pub(crate) route: Route,
    /// Statuses with how many were answered so; none that there are none of.
    pub(crate) statuses: Vec<(u16, u64)>,
    /// How many were within each of [`Requests::bounds`], but not within the one before; the last: above every bound.
    pub(crate) latencies: [u64; BOUNDS.len() + 1],
    /// How long all of these took together, in seconds.
    pub(crate) seconds: f64,
}

impl Requests {
    /// The upper bounds of latencies, in seconds.
    pub(crate) fn bounds() -> [f64; BOUNDS.len()] {
        BOUNDS.map(seconds)
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// One more of something, for as long as this lives.
pub(crate) struct OneMore(Arc<AtomicU64>);

impl OneMore {
    /// `None` when there are `max` already.
    fn of(count: &Arc<AtomicU64>, max: u64) -> Option<OneMore> {
        let one_more = |count: u64| (count < max).then_some(count + 1);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(OneMore(Arc::clone(count)))
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Hand {
    fn default() -> Hand {
        Hand { routes: [const { OnceLock::new() }; Route::ALL.len()], known_tokens: AtomicU64::new(0) }
    }
}

impl Default for Answered {
    fn default() -> Answered {
        Answered {
            statuses: [const { AtomicU64::new(0) }; STATUS_COUNT],
            latencies: [const { AtomicU64::new(0) }; BOUNDS.len() + 1],
            nanoseconds: AtomicU64::new(0),
        }
    }
}

impl Default for Instruments {
    fn default() -> Instruments {
        Instruments {
            hands: Box::new(std::array::from_fn(|_| Hand::default())),
            held: Arc::default(),
            streams: Arc::default(),
            streams_opened: AtomicU64::default(),
            streams_refused: AtomicU64::default(),
            limited: AtomicU64::default(),
            connections: Arc::default(),
            connections_accepted: AtomicU64::default(),
            refused_by_address: AtomicU64::default(),
        }
    }
}

/// Counting.
impl Instruments {
    /// Counts an answered request, which took so long; `None`: as long as its client wished.
    pub(crate) fn answered(&self, route: Route, status: StatusCode, took: Option<Duration>) {
        let answered = self.hand().routes[route as usize].get_or_init(Box::default);
        let status = status.as_u16().clamp(*STATUSES.start(), *STATUSES.end()) - STATUSES.start();
        answered.statuses[usize::from(status)].fetch_add(1, Ordering::Relaxed);
        if let Some(took) = took {
            let nanoseconds = took.as_nanos() as u64;
            let bound = BOUNDS.iter().position(|bound| nanoseconds <= *bound).unwrap_or(BOUNDS.len());
            answered.latencies[bound].fetch_add(1, Ordering::Relaxed);
            answered.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        }
    }

    /// Counts a request whose token was known.
    pub(crate) fn knew_token(&self) {
        self.hand().known_tokens.fetch_add(1, Ordering::Relaxed);
    }

    /// This thread's.
    fn hand(&self) -> &Hand {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        &self.hands[NUMBER.with(|number| *number) % HANDS]
    }

    /// Counts a connection.
    pub(crate) fn connect(&self) -> OneMore {
        self.connections_accepted.fetch_add(1, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
        OneMore(Arc::clone(&self.connections))
    }

    /// Counts a connection that was closed at once, since its address had enough.
    pub(crate) fn refused_by_address(&self) {
        self.refused_by_address.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that is held back until there is news.
    pub(crate) fn hold(&self) -> Option<OneMore> {
        OneMore::of(&self.held, u64::MAX)
    }

    /// Counts a stream; `None` when `max` are open already.
    pub(crate) fn open_stream(&self, max: usize) -> Option<OneMore> {
        let open = OneMore::of(&self.streams, max as u64);
        let counter = if open.is_some() { &self.streams_opened } else { &self.streams_refused };
        counter.fetch_add(1, Ordering::Relaxed);
        open
    }

    /// Counts a call that its application made too soon.
    pub(crate) fn limited(&self) {
        self.limited.fetch_add(1, Ordering::Relaxed);
    }
}

/// What was counted.
impl Instruments {
    /// The requests of every route that there were any of.
    pub(crate) fn requests(&self) -> Vec<Requests> {
        let counted = |route: Route| {
            let hands = self.hands.iter().filter_map(|hand| hand.routes[route as usize].get());
            let hands: Vec<&Answered> = hands.map(Box::as_ref).collect();
            let statuses = STATUSES.enumerate();
            let statuses = statuses.map(|(at, status)| (status, sum(&hands, |hand| &hand.statuses[at])));
            let statuses: Vec<(u16, u64)> = statuses.filter(|(_, count)| *count > 0).collect();
            (!statuses.is_empty()).then(|| Requests {
                route,
                statuses,
                latencies: std::array::from_fn(|at| sum(&hands, |hand| &hand.latencies[at])),
                seconds: seconds(sum(&hands, |hand| &hand.nanoseconds)),
            })
        };
        Route::ALL.into_iter().filter_map(counted).collect()
    }

    /// Requests whose token was known.
    pub(crate) fn known_tokens(&self) -> u64 {
        self.hands.iter().map(|hand| hand.known_tokens.load(Ordering::Relaxed)).sum()
    }

    /// Requests and steps of batches that came too soon.
    pub(crate) fn requests_limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }

    /// Requests that are held back until there is news.
    pub(crate) fn requests_held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Streams that are open, that were opened, and that were refused.
    pub(crate) fn streams(&self) -> [u64; 3] {
        [
            self.streams.load(Ordering::Relaxed),
            self.streams_opened.load(Ordering::Relaxed),
            self.streams_refused.load(Ordering::Relaxed),
        ]
    }

    /// Connections that are open, that were accepted, and that were closed at once since their address had enough.
    pub(crate) fn connections(&self) -> [u64; 3] {
        [
            self.connections.load(Ordering::Relaxed),
            self.connections_accepted.load(Ordering::Relaxed),
            self.refused_by_address.load(Ordering::Relaxed),
        ]
    }
}

/// What all of these have counted of one thing.
fn sum(hands: &[&Answered], of: impl Fn(&Answered) -> &AtomicU64) -> u64 {
    hands.iter().map(|hand| of(hand).load(Ordering::Relaxed)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_thread_counts_is_added_up() {
        let instruments = Instruments::default();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let micros = |micros| Some(Duration::from_micros(micros));
                    instruments.answered(Route::Presence, StatusCode::OK, micros(50));
                    instruments.answered(Route::Presence, StatusCode::OK, micros(51));
                    instruments.answered(Route::Presence, StatusCode::OK, None);
                    instruments.answered(Route::Batch, StatusCode::NOT_FOUND, Some(Duration::from_secs(11)));
                    instruments.knew_token();
                });
            }
        });
        let requests = instruments.requests();
        assert_eq!(requests.len(), 2);
        let [batch, presence] = [&requests[0], &requests[1]];
        assert_eq!((batch.route, &batch.statuses[..]), (Route::Batch, &[(404, 3)][..]));
        assert_eq!(batch.latencies.last(), Some(&3), "longer than the longest bound");
        assert_eq!((presence.route, &presence.statuses[..]), (Route::Presence, &[(200, 9)][..]));
        assert_eq!(presence.latencies[..3], [3, 3, 0], "one that was held back has no latency");
        assert!((presence.seconds - 3.0 * 101e-6).abs() < 1e-12, "{}", presence.seconds);
        assert_eq!(instruments.known_tokens(), 3);
    }
}
