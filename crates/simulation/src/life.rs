//! What became of one user: what a model makes of their writes, and what of it may have been shown to whom.

use std::collections::BTreeMap;
use std::time::Duration;

use porchlight_presence::{Limits, Pair, Timestamp};
use porchlight_store::Revision;

use crate::chronicle::Shown;
use crate::model::{Model, Timeline};
use crate::tagged::Operation;
use crate::time;

/// For how long after a user was deleted what they had shown may still be on its way to somebody.
pub(crate) const UNDERWAY: Duration = Duration::from_secs(60);

/// What a user was before their record was deleted the last time.
pub(crate) struct Before {
    /// What had been shown by then.
    shown: BTreeMap<Timestamp, Vec<Pair>>,
    /// The newest stamp of that, and no sooner than the deletion.
    pub(crate) until: Timestamp,
    /// When that was durable, since the run began.
    ended_at: Duration,
    /// The revision of the record's end.
    pub(crate) revision: Revision,
}

/// What became of one user.
pub(crate) struct Life {
    pub(crate) model: Model,
    pub(crate) timeline: Timeline,
    /// The stamp that each durable record showed when it was written, and which operation has written it, by its
    /// revision.
    pub(crate) stamps: BTreeMap<Revision, (Timestamp, Option<Operation>)>,
    /// Everything that any of the records so far has shown or would have.
    foreseen: BTreeMap<Timestamp, Vec<Pair>>,
    /// What whoever asks is to be shown at least, by the node that is asked.
    pub(crate) floors: BTreeMap<usize, Timestamp>,
    /// The server has stamped a record anew, which the model does not do: its stamps count no more.
    pub(crate) is_restamped: bool,
    /// There was a write in a time that came twice: what is stamped no later than this may be before a cursor
    /// of the first time, and then nobody tells it.
    pub(crate) untold: Option<Timestamp>,
    /// What was before, of who was deleted.
    pub(crate) before: Option<Before>,
}

impl Life {
    pub(crate) fn new(limits: &Limits) -> Life {
        let model = Model::new(limits);
        Life {
            timeline: model.replay(),
            model,
            stamps: BTreeMap::new(),
            foreseen: BTreeMap::new(),
            floors: BTreeMap::new(),
            is_restamped: false,
            untold: None,
            before: None,
        }
    }

    /// The record was deleted at this instant: the user begins anew. What was acknowledged stays known, and what
    /// was shown for as long as it may be underway.
    pub(crate) fn end(&mut self, limits: &Limits, revision: Revision, at: Timestamp) {
        let until = self.timeline.at(at).stamps.changed_at.max(at);
        self.foresee(at);
        let mut shown = self.before.take().map(|before| before.shown).unwrap_or_default();
        shown.append(&mut self.foreseen);
        let before = Some(Before { shown, until, ended_at: time::elapsed(), revision });
        *self = Life { stamps: std::mem::take(&mut self.stamps), before, ..Life::new(limits) };
    }

    /// Whether this was shown before the record was deleted, not long ago.
    pub(crate) fn had_shown(&self, shown: &Shown) -> bool {
        let is_pair = |pair: &Pair| pair.to_string() == shown.pair;
        self.before.as_ref().is_some_and(|before| {
            let is_underway = time::elapsed().saturating_sub(before.ended_at) <= UNDERWAY;
            is_underway && before.shown.get(&shown.changed_at).is_some_and(|pairs| pairs.iter().any(is_pair))
        })
    }

    /// Whether this says that nothing shows, since the record was deleted after what has this stamp.
    pub(crate) fn is_empty_since(&self, shown: &Shown, stamp: Timestamp) -> bool {
        let is_after = self.before.as_ref().is_some_and(|before| stamp <= before.until);
        is_after && shown.changed_at == Timestamp::ZERO
    }

    /// Others may tell of what shows up to this instant, or have told of it, whatever is written from now on.
    pub(crate) fn foresee(&mut self, until: Timestamp) {
        for moment in self.timeline.moments().iter().take_while(|moment| moment.at <= until.as_millis()) {
            let pairs = self.foreseen.entry(moment.stamps.changed_at).or_default();
            if !pairs.contains(&moment.view.pair) {
                pairs.push(moment.view.pair);
            }
        }
    }

    /// Whether this was shown by a durable record by now, or may have been foreseen.
    pub(crate) fn has_shown(&self, shown: &Shown, by: Timestamp) -> bool {
        let is_pair = |pair: Pair| pair.to_string() == shown.pair;
        // Stamps that the model cannot know count no more; what was shown does.
        let is_stamp = |stamp: Timestamp| self.is_restamped || stamp == shown.changed_at;
        let was = self.timeline.moments().iter().any(|moment| {
            moment.at <= by.as_millis() && is_stamp(moment.stamps.changed_at) && is_pair(moment.view.pair)
        });
        let mut foreseen = self.foreseen.iter().filter(|(stamp, _)| is_stamp(**stamp));
        was || foreseen.any(|(_, pairs)| pairs.iter().any(|pair| is_pair(*pair)))
    }
}
