//! The faults that the simulation is to notice, as far as they can be looked at without building them: `mutants/run` does
//! the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A patch, and what it is called.
struct Mutant {
    name: String,
    file: PathBuf,
    text: String,
}

impl Mutant {
    /// What its head says of this; nothing when it does not.
    fn says(&self, word: &str) -> Option<&str> {
        let head = self.text.lines().take_while(|line| !line.starts_with("diff "));
        head.filter_map(|line| line.split_once(": ")).find(|(said, _)| *said == word).map(|(_, what)| what)
    }

    /// The laws of which one is to notice it.
    fn laws(&self) -> impl Iterator<Item = &str> {
        self.says("Law").into_iter().flat_map(|laws| laws.split(", "))
    }

    /// The files that it changes.
    fn changes(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter_map(|line| line.strip_prefix("--- a/"))
    }
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All patches, in the order in which they are applied.
fn patches() -> Vec<Mutant> {
    let folder = fs::read_dir(here().join("mutants")).expect("there are mutants");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "patch"));
    files.sort();
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a patch is text");
        let name = file.file_stem().expect("a patch has a name").to_string_lossy().into_owned();
        Mutant { name, file, text }
    };
    files.into_iter().map(read).collect()
}

/// All patches but the one that adds the switch.
fn mutants() -> Vec<Mutant> {
    patches().into_iter().filter(|patch| patch.name != "switch").collect()
}

/// The names of the laws.
fn laws() -> BTreeSet<String> {
    let text = fs::read_to_string(here().join("src/laws.rs")).expect("there are laws");
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Law::")?.split_once(" => "));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_patch_applies_after_those_before_it() {
    let (root, parent) = (here().join("../.."), Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants"));
    let tree = parent.join("tree");
    if parent.exists() {
        fs::remove_dir_all(&parent).expect("what an earlier test has left can be removed");
    }
    let patches = patches();
    for file in patches.iter().flat_map(Mutant::changes) {
        let copy = tree.join(file);
        fs::create_dir_all(copy.parent().expect("it is in a folder")).expect("there is room");
        fs::copy(root.join(file), copy).unwrap_or_else(|error| panic!("{file} is patched: {error}"));
    }
    for patch in &patches {
        let mut git = Command::new("git");
        // The copy is no repository, though it lies in one.
        git.env("GIT_CEILING_DIRECTORIES", &parent).current_dir(&tree);
        let output = git.arg("apply").arg(&patch.file).output().expect("git can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} does not apply any more: {said}", patch.name);
    }
    for mutant in mutants() {
        let changed = mutant.changes().map(|file| fs::read_to_string(tree.join(file)).expect("it is there"));
        let asks = format!("broken(\"{}\")", mutant.name);
        assert!(changed.collect::<String>().contains(&asks), "{} is where it was put", mutant.name);
    }
}

#[test]
fn every_fault_has_a_switch_of_its_own_and_names_laws_and_nodes() {
    let laws = laws();
    for mutant in mutants() {
        let name = &mutant.name;
        let asked = mutant.text.lines().filter(|line| line.starts_with('+') && line.contains("broken(\""));
        let asks = format!("broken(\"{name}\")");
        assert!(asked.clone().count() > 0, "{name} can be switched on");
        assert!(asked.clone().all(|line| line.contains(&asks)), "{name} has a switch of its own");
        assert!(mutant.laws().count() > 0, "{name} is to be noticed");
        for law in mutant.laws() {
            assert!(laws.contains(law), "{name} is to be noticed by {law}, which is no law");
        }
        let nodes = mutant.says("Nodes").and_then(|nodes| nodes.parse::<usize>().ok());
        assert!(nodes.is_some_and(|nodes| nodes > 0), "{name} says on how many nodes it shows");
    }
}

#[test]
fn every_fault_stands_in_the_book() {
    let page = fs::read_to_string(here().join("../../docs/SIMULATION.md")).expect("there is a page");
    for mutant in mutants() {
        assert!(page.contains(&format!("`{}`", mutant.name)), "{} is in docs/SIMULATION.md", mutant.name);
    }
}

#[test]
fn every_law_has_two_faults_that_it_alone_is_to_notice() {
    let mut faults: BTreeMap<String, usize> = laws().into_iter().map(|law| (law, 0)).collect();
    for mutant in mutants() {
        let laws: Vec<&str> = mutant.laws().collect();
        if let [law] = laws.as_slice() {
            *faults.entry((*law).to_owned()).or_default() += 1;
        }
    }
    assert!(!faults.is_empty());
    for (law, faults) in faults {
        assert!(faults >= 2, "{law} has {faults}");
    }
}
