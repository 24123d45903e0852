//! Why a user's presence is what it is.

use crate::session::Session;
use crate::view::Stamps;
use crate::{LocationSource, Pair, SessionKey, Timestamp, User};

/// What decided a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decider {
    /// The person is hidden.
    Hidden,
    /// The preferred presence.
    Preferred,
    /// The strongest session.
    Sessions,
    /// Out of office, which changed what the sessions, or their absence, would have shown.
    OutOfOffice,
    /// Nothing: no session lives.
    Nothing,
}

/// Every layer of a user at one instant, and what comes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is seen.
    pub pair: Pair,
    /// What decided it.
    pub decider: Decider,
    /// Since when.
    pub stamps: Stamps,
    /// When it changes by itself.
    pub next_change: Option<Timestamp>,
    /// Every live layer, those that decide a pair first.
    pub layers: Vec<Layer>,
}

/// One live layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Which layer.
    pub kind: LayerKind,
    /// The pair that it says, as faded by now.
    pub pair: Option<Pair>,
    /// Whether it shows.
    pub wins: bool,
    /// Why it does, or does not.
    pub reason: Reason,
    /// When it was written, where that is kept.
    pub set_at: Option<Timestamp>,
    /// When it changes next by itself.
    pub next_change: Option<Timestamp>,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
    /// A session that was set within 15 s after it had ended.
    pub renewed_late: bool,
}

/// Which layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// The person is hidden.
    Hidden,
    /// The preferred presence.
    Preferred,
    /// An application's session.
    Session(SessionKey),
    /// Out of office.
    OutOfOffice,
    /// The status message.
    StatusMessage,
    /// A work location.
    WorkLocation(LocationSource),
}

/// Why a layer shows or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A hidden person shows nothing.
    Hidden,
    /// A preference outranks every session.
    Outranks,
    /// A preference written by PATCH stands without a session.
    Stands,
    /// A preference waits for a live session.
    WaitsForSession,
    /// A preference outranks this session.
    OutrankedByPreferred,
    /// The strongest session.
    Strongest,
    /// Another session is stronger.
    OutrankedBySession,
    /// It changes the pair.
    ChangesPair,
    /// It shows beside the pair.
    ShowsBeside,
    /// The manual layer outranks the automatic one.
    OutrankedByManual,
}

impl User {
    /// The pair at `now` and what decided it: the short form of [`User::explain`].
    pub fn decided(&self, now: Timestamp) -> (Pair, Decider) {
        let (pair, decider, _) = self.decide(now.max(self.as_of));
        (pair, decider)
    }

    /// Every layer at `now`, which one wins and why, and when it ends.
    pub fn explain(&self, now: Timestamp) -> Explanation {
        let now = now.max(self.as_of);
        let (pair, decider, winner) = self.decide(now);
        let mut layers = Vec::new();
        if self.hidden {
            layers.push(Layer::new(LayerKind::Hidden, true, Reason::Hidden));
        }
        layers.extend(self.explain_preferred(now, decider));
        // Of equals the last one wins, so it comes first here too.
        let mut sessions: Vec<&Session> = self.sessions.iter().rev().collect();
        sessions.sort_by_key(|session| {
            std::cmp::Reverse((session.pair_at(now).map(Pair::strength), session.set_at))
        });
        let explained = |session: &&Session| session.explain(now, decider, winner);
        layers.extend(sessions.iter().filter_map(explained));
        layers.extend(self.explain_others(now, decider));
        Explanation {
            pair,
            decider,
            stamps: self.presence(now).stamps,
            next_change: self.next_change(now),
            layers,
        }
    }

    fn explain_preferred(&self, now: Timestamp, decider: Decider) -> Option<Layer> {
        let preferred = self.preferred.as_ref().filter(|preferred| preferred.lives(now))?;
        let wins = decider == Decider::Preferred;
        let reason = match (decider, preferred.standing) {
            (Decider::Hidden, _) => Reason::Hidden,
            (Decider::Preferred, true) => Reason::Stands,
            (Decider::Preferred, false) => Reason::Outranks,
            (Decider::Sessions | Decider::OutOfOffice | Decider::Nothing, _) => Reason::WaitsForSession,
        };
        Some(Layer {
            pair: Some(preferred.pair),
            set_at: Some(preferred.set_at),
            next_change: Some(preferred.ends_at),
            ends_at: Some(preferred.ends_at),
            ..Layer::new(LayerKind::Preferred, wins, reason)
        })
    }

    fn explain_others(&self, now: Timestamp, decider: Decider) -> Vec<Layer> {
        let mut layers = Vec::new();
        let shown = |reason: Reason| if self.hidden { Reason::Hidden } else { reason };
        if self.out_of_office.is_some() {
            let reason =
                if decider == Decider::OutOfOffice { Reason::ChangesPair } else { Reason::ShowsBeside };
            layers.push(Layer::new(LayerKind::OutOfOffice, !self.hidden, shown(reason)));
        }
        if let Some(message) = self.status_message.as_ref().filter(|message| message.lives(now)) {
            let ends_at = message.expiry.map(|expiry| expiry.at);
            layers.push(Layer {
                set_at: Some(message.published_at),
                next_change: ends_at,
                ends_at,
                ..Layer::new(LayerKind::StatusMessage, !self.hidden, shown(Reason::ShowsBeside))
            });
        }
        let winner = self.location_at(now).map(|(source, _)| source);
        let locations = [
            (LocationSource::Manual, &self.manual_location),
            (LocationSource::Automatic, &self.automatic_location),
        ];
        for (source, location) in locations {
            let Some(location) = location.as_ref().filter(|location| location.lives(now)) else { continue };
            let wins = winner == Some(source);
            let reason = if wins { Reason::ShowsBeside } else { Reason::OutrankedByManual };
            layers.push(Layer {
                next_change: location.ends_at,
                ends_at: location.ends_at,
                ..Layer::new(LayerKind::WorkLocation(source), wins, shown(reason))
            });
        }
        layers
    }
}

impl Session {
    fn explain(&self, now: Timestamp, decider: Decider, winner: Option<&Session>) -> Option<Layer> {
        let pair = self.pair_at(now)?;
        let strongest = winner.is_some_and(|winner| winner.key == self.key);
        let reason = match decider {
            Decider::Hidden => Reason::Hidden,
            Decider::Preferred => Reason::OutrankedByPreferred,
            Decider::Sessions | Decider::OutOfOffice | Decider::Nothing if strongest => Reason::Strongest,
            Decider::Sessions | Decider::OutOfOffice | Decider::Nothing => Reason::OutrankedBySession,
        };
        Some(Layer {
            pair: Some(pair),
            set_at: Some(self.set_at),
            next_change: self.next_change(now),
            ends_at: Some(self.ends_at),
            renewed_late: self.renewed_late,
            ..Layer::new(LayerKind::Session(self.key), strongest, reason)
        })
    }
}

impl Layer {
    fn new(kind: LayerKind, wins: bool, reason: Reason) -> Layer {
        Layer {
            kind,
            pair: None,
            wins,
            reason,
            set_at: None,
            next_change: None,
            ends_at: None,
            renewed_late: false,
        }
    }
}
