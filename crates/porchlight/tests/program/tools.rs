//! What `./test` has installed for these tests.

use std::path::{Path, PathBuf};

/// The folder that it was installed in.
pub(crate) fn test_tools() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let tools = workspace.join(target).join("test-tools");
    assert!(tools.is_dir(), "there is no {}: run ./test, which installs it", tools.display());
    tools
}
