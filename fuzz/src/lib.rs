//! What hostile bytes may do to Porchlight, as laws.
//!
//! One function for each target: it takes any bytes and panics when a law is broken. cargo-fuzz looks for such bytes
//! (`fuzz/run`); what is kept under `corpus/` is replayed by the ordinary tests. Most targets ask the whole API, as in
//! production, without a socket (`world.rs`), so that a law is about what a client sees.
//!
//! Laws of all of them: no input is worth a 500, which is what a panic is answered with, and every error has the
//! documented form.

mod answer;
mod batch;
mod body;
mod date_time;
mod duration;
mod encoding;
mod ids;
mod notification_url;
mod operation;
mod path;
mod people;
mod people_filter;
mod presences_filter;
mod promise;
mod record;
mod request;
mod resource;
mod scim;
mod scim_filter;
mod scim_model;
mod select;
mod subscribe;
mod token;
mod world;

pub use batch::batch;
pub use date_time::date_time;
pub use duration::duration;
pub use ids::ids;
pub use notification_url::url;
pub use operation::operation;
pub use path::path;
pub use people_filter::people_filter;
pub use presences_filter::presences_filter;
pub use record::{cursor, person, stored, subscription, user};
pub use request::request;
pub use resource::resource;
pub use scim::scim;
pub use scim_filter::scim_filter;
pub use select::select;
pub use subscribe::subscribe;
pub use token::token;
