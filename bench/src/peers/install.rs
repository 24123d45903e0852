//! Peers from their packages, put into `target/peers` and nowhere else. What is there is not installed again.

use std::env::{self, consts::ARCH};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::peers::process::run;

/// The file in which a folder says what was installed into it.
const INSTALLED: &str = "installed";

/// A Debian package with what it needs: as the system has it, or unpacked beside this program.
pub(super) struct Debian {
    /// What is `/` on a system that has it.
    root: PathBuf,
}

/// A folder with the packages of a `package.json` for Node.js.
pub(super) fn npm(name: &str, package: &str) -> Result<PathBuf> {
    let folder = folder_of(name)?;
    once(&folder, package, || {
        write(&folder.join("package.json"), package)?;
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--prefix"])
            .arg(&folder))
    })?;
    Ok(folder)
}

/// A folder with the packages of a `requirements.txt` for Python, which goes into `PYTHONPATH`.
pub(super) fn python(name: &str, requirements: &str) -> Result<PathBuf> {
    let folder = folder_of(name)?;
    let packages = folder.join("python");
    once(&folder, requirements, || {
        let list = folder.join("requirements.txt");
        write(&list, requirements)?;
        run(Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
            .arg(&packages)
            .arg("--requirement")
            .arg(&list))
    })?;
    Ok(packages)
}

impl Debian {
    /// Finds a package, or unpacks it; `holds` is a file or folder of it, from the root.
    pub(super) fn find(package: &str, holds: &str) -> Result<Debian> {
        let system = PathBuf::from("/");
        if system.join(holds).exists() {
            return Ok(Debian { root: system });
        }
        let folder = folder_of(package)?;
        let root = folder.join("root");
        once(&folder, package, || unpack(package, &folder, &root)).with_context(|| {
            format!("failed to unpack {package}; installed on the system it is used from there")
        })?;
        ensure!(root.join(holds).exists(), "the package {package} has no {holds}");
        Ok(Debian { root })
    }

    /// Where something of the package is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// An entry of a folder of the package whose name begins like this and goes on with a version; the last if there
    /// are several.
    pub(super) fn named(&self, folder: &str, begin: &str) -> Result<PathBuf> {
        let folder = self.path(folder);
        let entries =
            fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))?;
        let names = entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<OsString>>>()?;
        let name = names.into_iter().filter(|name| name.to_string_lossy().starts_with(begin)).max();
        Ok(folder.join(name.with_context(|| format!("{} has no {begin}", folder.display()))?))
    }

    /// Where the package's libraries are, for `LD_LIBRARY_PATH`.
    pub(super) fn libraries(&self) -> PathBuf {
        self.path(&format!("usr/lib/{ARCH}-linux-gnu"))
    }
}

/// Fetches a package and all that it needs and the system lacks, and unpacks them without running what they would run.
fn unpack(package: &str, folder: &Path, root: &Path) -> Result<()> {
    let archives = folder.join("archives");
    let partial = archives.join("partial");
    fs::create_dir_all(&partial).with_context(|| format!("failed to make {}", partial.display()))?;
    let fetch = || {
        run(Command::new("apt-get")
            .args(["install", "--yes", "--quiet", "--no-install-recommends", "--download-only", "--option"])
            .arg(format!("Dir::Cache::archives={}/", archives.display()))
            .arg(package))
    };
    if fetch().is_err() {
        // Its lists may be missing, or too old.
        run(Command::new("apt-get").args(["update", "--quiet"]))?;
        fetch()?;
    }
    fs::create_dir_all(root).with_context(|| format!("failed to make {}", root.display()))?;
    for entry in fs::read_dir(&archives).with_context(|| format!("failed to read {}", archives.display()))? {
        let archive = entry?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(root))?;
        }
    }
    Ok(())
}

/// Installs into `folder`, unless what it says was installed there is what is wanted.
fn once(folder: &Path, wanted: &str, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let installed = folder.join(INSTALLED);
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    eprintln!("installing into {}", folder.display());
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    install()?;
    write(&installed, wanted)
}

/// Writes a file.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// The folder of a peer in `target/peers`, which may not be there yet.
fn folder_of(name: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("failed to find this program's own file")?;
    let target = own.ancestors().nth(2).context("this program lies in no folder of cargo's")?;
    Ok(target.join("peers").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_installed_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut times = 0;
        for wanted in ["one", "one", "another", "another"] {
            let install = || {
                times += 1;
                Ok(())
            };
            once(folder.path(), wanted, install).unwrap();
        }
        assert_eq!(times, 2);
    }

    #[test]
    fn what_failed_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        once(folder.path(), "one", || anyhow::bail!("no network")).unwrap_err();
        let mut tried = false;
        once(folder.path(), "one", || {
            tried = true;
            Ok(())
        })
        .unwrap();
        assert!(tried);
    }
}
