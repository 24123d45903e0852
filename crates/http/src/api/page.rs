//! The board, among what is asked for.

use http::request::Parts;

use super::Api;
use crate::error::Error;
use crate::graph;
use crate::headers::Headers;
use crate::journey::Journey;
use crate::reply::Reply;
use crate::route::Route;

impl Api {
    /// A file of the board, if that is what the path leads to.
    pub(super) fn page(
        &self,
        parts: &Parts,
        headers: &Headers<'_>,
        journey: &mut Journey,
    ) -> Option<Result<Reply, Error>> {
        let board = self.board.as_ref()?;
        let found = board.find(parts.uri.path())?;
        journey.route = Route::Board;
        let read = graph::check_among(&parts.method, &["GET", "HEAD"]);
        Some(read.map(|()| board.answer(found, headers)))
    }
}
