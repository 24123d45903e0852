//! Whether the audit's file could be written.

use std::path::Path;

use rustix::fs::{Access, access};

use super::finding::Finding;
use crate::config::Config;

const CHECK: &str = "audit";

/// Looks at the file, or at the folder that it is to be made in.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let Some(audit) = &config.audit else { return Vec::new() };
    let file = &audit.path;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Both, since a file that is full is put aside.
    let folder_access = access(folder, Access::WRITE_OK | Access::EXEC_OK);
    let file_access = if file.exists() { access(file, Access::WRITE_OK) } else { Ok(()) };
    let finding = match folder_access.and(file_access) {
        Ok(()) => Finding::good(CHECK, format!("{} can be written", file.display())),
        Err(error) => {
            let cause = std::io::Error::from(error);
            Finding::wrong(CHECK, format!("{} cannot be written: {cause}", file.display()))
                .advise(format!("make {}, and give it to the user that runs porchlight", folder.display()))
        }
    };
    vec![finding]
}
