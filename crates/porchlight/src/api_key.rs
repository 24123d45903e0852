//! `porchlight api-key`: makes a key for a script or a device.

use crate::say;

/// Prints a new key and what the configuration has to say of it. Nothing is kept: whoever loses the key makes another.
pub(crate) fn run() {
    let (key, hash) = porchlight_http::new_api_key();
    say(&format!(
        r#"# The key, for the script or the device; it is shown this once:
#   {key}
# For the configuration file, with whose key it is and what it may do:
[[auth.api_key]]
hash = "{hash}"
tenant = ""
application = ""
permissions = ["Presence.Read.All"]"#
    ));
}
