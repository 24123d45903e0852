//! A page of the book in `docs/`, or another document, read by a parser of Markdown: its code, its links, its headings.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The folder of the whole project.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the project is there")
}

/// A document.
pub(crate) struct Page {
    path: PathBuf,
    text: String,
}

/// A block of code.
#[derive(Debug, PartialEq)]
pub(crate) struct Block {
    /// What stands behind the opening fence.
    pub(crate) info: String,
    /// The code.
    pub(crate) text: String,
    /// Whether nothing stands between it and the block before.
    pub(crate) follows: bool,
}

impl Page {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Page {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Page { path: path.to_owned(), text }
    }

    /// Every document in a folder of the project, by name.
    pub(crate) fn all(folder: &str) -> Vec<Page> {
        let entries = std::fs::read_dir(root().join(folder)).expect("the folder is there");
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
        paths.sort();
        let documents = paths.iter().filter(|path| path.extension().is_some_and(|end| end == "md"));
        documents.map(|path| Page::read(path)).collect()
    }

    /// The name of its file.
    pub(crate) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8")
    }

    /// The folder that its links start from.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().expect("a file is in a folder")
    }

    fn events(&self) -> Parser<'_> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES)
    }

    /// Its blocks of code, from the top.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let (mut is_inside, mut follows) = (false, false);
        for event in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    let info = match kind {
                        CodeBlockKind::Fenced(info) => info.to_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    blocks.push(Block { info, text: String::new(), follows });
                    is_inside = true;
                }
                Event::Text(text) if is_inside => {
                    blocks.last_mut().expect("it is inside of one").text.push_str(&text);
                }
                Event::End(TagEnd::CodeBlock) => (is_inside, follows) = (false, true),
                _ => follows = false,
            }
        }
        blocks
    }

    /// Where its links lead and its pictures are, as that stands there.
    pub(crate) fn links(&self) -> Vec<String> {
        let mut links = Vec::new();
        for event in self.events() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    links.push(dest_url.to_string());
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    for attribute in ["src=\"", "srcset=\"", "href=\""] {
                        let values = html.split(attribute).skip(1);
                        links.extend(values.filter_map(|value| Some(value.split_once('"')?.0.to_owned())));
                    }
                }
                _ => {}
            }
        }
        links
    }

    /// What a link behind `#` can name: its headings, as mdBook and GitHub write them.
    pub(crate) fn anchors(&self) -> HashSet<String> {
        let mut anchors = HashSet::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut heading: Option<String> = None;
        for event in self.events() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let before = seen.entry(anchor.clone()).or_default();
                    anchors.insert(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
                    *before += 1;
                }
                _ => {}
            }
        }
        anchors
    }
}

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    let kept = letters.chars().filter_map(|letter| match letter {
        letter if letter.is_alphanumeric() || matches!(letter, '_' | '-') => Some(letter),
        letter if letter.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.collect()
}

#[test]
fn a_page_is_read_as_it_is_shown() {
    let text = "# A page\n\n[a](B.md#c) `[no](x)` ![d](e.svg)\n<img src=\"f.png\">\n\n## `GET /x`, and more\n\n\
                ```sh,run\none\n```\n```text\ntwo\n```\n\nwords\n\n```json\nthree\n```\n\n## A page\n";
    let page = Page { path: "/docs/A.md".into(), text: text.to_owned() };
    assert_eq!((page.name(), page.folder()), ("A.md", Path::new("/docs")));
    assert_eq!(page.links(), ["B.md#c", "e.svg", "f.png"]);
    assert_eq!(page.anchors(), HashSet::from(["a-page", "get-x-and-more", "a-page-1"].map(str::to_owned)));
    let block = |info: &str, text: &str, follows| Block { info: info.into(), text: text.into(), follows };
    let expected =
        [block("sh,run", "one\n", false), block("text", "two\n", true), block("json", "three\n", false)];
    assert_eq!(page.blocks(), expected);
}
