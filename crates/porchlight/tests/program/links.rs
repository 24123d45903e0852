//! The documents hold together: every link leads somewhere, and the book has every page.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::page::{Page, root};

/// Every document that people read: the book, those beside it, and those of the deploy files.
fn documents() -> Vec<Page> {
    let folders = ["docs", ".", "deploy", "deploy/cluster", "deploy/systemd"];
    folders.into_iter().flat_map(Page::all).collect()
}

/// Whether a link leads out of the project.
fn is_elsewhere(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

/// The file or folder that a link of this page names, and what stands behind its `#`.
fn target<'l>(page: &Page, link: &'l str) -> (PathBuf, Option<&'l str>) {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let file = if file.is_empty() { page.name() } else { file };
    (page.folder().join(file), anchor)
}

/// What is wrong with a link.
fn fault(page: &Page, link: &str) -> Option<&'static str> {
    let (path, anchor) = target(page, link);
    let Ok(path) = path.canonicalize() else { return Some("nothing is there") };
    if !path.starts_with(root()) {
        return Some("it leads out of the project");
    }
    // A folder is shown by its README.
    let document = if path.is_dir() { path.join("README.md") } else { path };
    let is_there = anchor.is_none_or(|anchor| Page::read(&document).anchors().contains(anchor));
    (!is_there).then_some("there is no such heading")
}

#[test]
fn every_link_leads_to_something_that_is_there() {
    let mut wrong = Vec::new();
    for page in documents() {
        for link in page.links().iter().filter(|link| !is_elsewhere(link)) {
            if let Some(fault) = fault(&page, link) {
                wrong.push(format!("{}: {link}: {fault}", page.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_page_is_in_the_book_once() {
    let pages = Page::all("docs");
    let (summaries, pages): (Vec<&Page>, Vec<&Page>) =
        pages.iter().partition(|page| page.name() == "SUMMARY.md");
    let [summary] = summaries.as_slice() else { panic!("there is one SUMMARY.md") };
    let listed = summary.links();
    let (found, names): (BTreeSet<&str>, BTreeSet<&str>) =
        (listed.iter().map(String::as_str).collect(), pages.iter().map(|page| page.name()).collect());
    assert_eq!(found, names);
    assert_eq!(listed.len(), names.len(), "none stands there twice: {listed:?}");
}

/// The book makes `.html` of every `.md` that a page links to, and has those of `docs/` only.
#[test]
fn pages_of_the_book_link_to_no_document_outside_of_it() {
    let docs = root().join("docs");
    for page in Page::all("docs") {
        for link in page.links().iter().filter(|link| !is_elsewhere(link)) {
            let (path, _) = target(&page, link);
            let is_document = path.extension().is_some_and(|end| end == "md");
            let is_outside = path.canonicalize().is_ok_and(|path| !path.starts_with(&docs));
            assert!(!(is_document && is_outside), "{}: {link}: link to its folder", page.name());
        }
    }
}
