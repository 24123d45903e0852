//! What an accepted write promises of the next read.

use serde_json::Value;

use crate::answer::Answer;

/// A write of Ada's presence and what came of it.
#[derive(Debug)]
pub(crate) struct Write<'w> {
    pub(crate) method: &'w str,
    /// What stands behind `/me/presence/`; empty for the presence itself.
    pub(crate) action: &'w str,
    pub(crate) body: &'w Value,
    pub(crate) answer: &'w Answer,
    /// What was shown before, and what is shown now.
    pub(crate) before: &'w Value,
    pub(crate) after: &'w Value,
}

impl Write<'_> {
    /// Checks that a refusal has changed nothing, and that an accepted write shows.
    ///
    /// # Panics
    ///
    /// When it is not so.
    pub(crate) fn check(&self) {
        if !self.answer.status.is_success() {
            assert_eq!(self.before, self.after, "a refusal changes nothing: {self:?}");
            return;
        }
        let (before, after) = (number(self.before), number(self.after));
        assert!(before <= after, "changes are numbered in their order: {self:?}");
        match (self.method, self.action) {
            ("PATCH", "") => {
                self.check_names();
                self.check_effective();
                self.check_status_message();
                self.check_out_of_office();
                if let Some(location) = self.body.get("workLocation") {
                    self.check_location(location);
                }
            }
            ("POST", "setPresence" | "setUserPreferredPresence") => self.check_effective(),
            ("POST", "setStatusMessage") => self.check_status_message(),
            ("POST", "setManualLocation") => self.check_location(self.body),
            ("POST", "setAutomaticLocation") if self.after["workLocation"]["source"] == "automatic" => {
                self.check_location(self.body);
            }
            ("POST", "clearLocation") => self.check_nothing("workLocation"),
            ("DELETE", "") => {
                self.check_nothing("workLocation");
                self.check_nothing("statusMessage");
                assert_eq!(self.after["outOfOfficeSettings"]["isOutOfOffice"], false, "{self:?}");
            }
            _ => {}
        }
    }

    /// The pair that the answer names is the one that is shown.
    fn check_effective(&self) {
        let text = |name: &str| self.after[name].as_str().unwrap_or_default();
        let shown = format!("{}/{}", text("availability"), text("activity"));
        let effective = self.answer.header("porchlight-effective");
        let named = effective.split(';').next().unwrap_or_default();
        assert_eq!(named, shown, "what is said to result is shown: {self:?}");
    }

    /// What a PATCH names of the pair is shown.
    fn check_names(&self) {
        for name in ["availability", "activity"] {
            if let Some(asked) = self.body[name].as_str() {
                let shown = self.after[name].as_str().unwrap_or_default();
                assert!(shown.eq_ignore_ascii_case(asked), "{name} is as it was asked for: {self:?}");
            }
        }
    }

    fn check_status_message(&self) {
        let Some(asked) = self.body.get("statusMessage") else { return };
        let content = |message: &Value| message["message"]["content"].as_str().map(str::to_owned);
        let asked = content(asked).filter(|content| !content.trim().is_empty());
        assert_eq!(content(&self.after["statusMessage"]), asked, "the status message is shown: {self:?}");
    }

    fn check_out_of_office(&self) {
        let Some(asked) = self.body.get("outOfOfficeSettings") else { return };
        let is_out = asked["isOutOfOffice"].as_bool().unwrap_or(false);
        let shown = &self.after["outOfOfficeSettings"];
        assert_eq!(shown["isOutOfOffice"], is_out, "whether she is out is shown: {self:?}");
        let message = asked["message"].as_str().filter(|message| is_out && !message.is_empty());
        assert_eq!(shown["message"].as_str(), message, "the reply is shown: {self:?}");
    }

    fn check_location(&self, asked: &Value) {
        let shown = &self.after["workLocation"];
        let kind = |of: &Value| of["workLocationType"].as_str().map(str::to_ascii_lowercase);
        assert_eq!(kind(shown), kind(asked), "the location is shown: {self:?}");
        assert_eq!(shown["placeId"].as_str(), asked["placeId"].as_str(), "the place is shown: {self:?}");
    }

    fn check_nothing(&self, member: &str) {
        assert!(self.after[member].is_null(), "{member} is gone: {self:?}");
    }
}

/// Which change a presence shows.
fn number(presence: &Value) -> &str {
    presence["sequenceNumber"].as_str().unwrap_or_default()
}
