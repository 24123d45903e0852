//! Bodies that are nearly right. What an operation takes is a table of its members; bytes say what becomes of each of
//! them, so that few inputs are lost on what is no JSON.
//!
//! One byte decides for each member, in the order of the table, and for each value of a list. The lower half of it says
//! what becomes of the member: in nine cases of sixteen it is right, else it is left out, null, of another type, any
//! text, there twice, or odd: deep, large, or written in another way. The upper half says which of these. Bytes that
//! have run out are zeros, which make everything right.

use arbitrary::Unstructured;
use serde_json::Value;

/// A member of an object, and what it is when it is right.
pub(crate) struct Member(pub(crate) &'static str, pub(crate) Shape);

/// What a value is when it is right.
pub(crate) enum Shape {
    /// One of these texts.
    Text(&'static [&'static str]),
    /// One of these values, as JSON writes them.
    Json(&'static [&'static str]),
    /// An object with these members.
    Object(&'static [Member]),
    /// A list of such values, one or more.
    List(&'static Shape),
    /// Of one of these shapes.
    Either(&'static [Shape]),
}

/// A truth value.
pub(crate) const FLAG: Shape = Shape::Json(&["true", "false"]);

/// What most members cannot be.
const WRONG: [&str; 16] = [
    "5",
    "true",
    "[]",
    "{}",
    r#""""#,
    "[null]",
    r#"{"value":[]}"#,
    "-1e300",
    "0.5",
    r#"["a","a"]"#,
    "[[{}]]",
    "18446744073709551616",
    "false",
    r#"{"message":null,"dateTime":5}"#,
    r#""5""#,
    "-0",
];

/// How many lists are around a value that is deep. A reader that stops at 128 stops at the last.
const DEPTHS: [usize; 4] = [1, 16, 60, 200];

/// How many values a long list has, more than there may be of anything, and how many bytes at most.
const LONG: (usize, usize) = (700, 64 * 1024);

/// The next number.
pub(crate) fn number(rest: &mut Unstructured<'_>) -> u8 {
    rest.arbitrary().unwrap_or_default()
}

/// The next one of these.
pub(crate) fn choose<'a, T>(choices: &'a [T], rest: &mut Unstructured<'_>) -> &'a T {
    &choices[usize::from(number(rest)) % choices.len()]
}

/// The next text: how many bytes, and these.
pub(crate) fn text(rest: &mut Unstructured<'_>) -> String {
    let length = usize::from(number(rest)).min(rest.len());
    String::from_utf8_lossy(rest.bytes(length).unwrap_or_default()).into_owned()
}

/// The next body of an operation that takes these members: mostly an object of them, sometimes something else, or
/// nothing.
pub(crate) fn body(members: &'static [Member], rest: &mut Unstructured<'_>) -> String {
    let die = number(rest);
    Shape::Object(members).values(die, rest).into_iter().next().unwrap_or_default()
}

impl Member {
    /// How often it stands in an object: mostly once.
    fn entries(&self, rest: &mut Unstructured<'_>) -> Vec<String> {
        let (Member(name, shape), die) = (self, number(rest));
        let name = match die {
            0x8f => name.to_uppercase(),
            0x9f => format!("{name} "),
            0xaf => format!("{name}@odata.type"),
            _ => (*name).to_owned(),
        };
        let entry = |value: String| format!("{}:{value}", quoted(&name));
        shape.values(die, rest).into_iter().map(entry).collect()
    }
}

impl Shape {
    /// What becomes of a value: mostly one, but none where it is left out, and two where it is there twice.
    fn values(&self, die: u8, rest: &mut Unstructured<'_>) -> Vec<String> {
        let which = usize::from(die >> 4);
        match die & 15 {
            0..=8 => vec![self.right(which, rest)],
            9 | 10 => Vec::new(),
            11 => vec!["null".to_owned()],
            12 => vec![WRONG[which].to_owned()],
            13 => vec![quoted(&text(rest))],
            14 => vec![self.right(which, rest), self.right(0, rest)],
            _ => vec![self.odd(which, rest)],
        }
    }

    fn right(&self, which: usize, rest: &mut Unstructured<'_>) -> String {
        match self {
            Shape::Text(texts) => quoted(texts[which % texts.len()]),
            Shape::Json(values) => values[which % values.len()].to_owned(),
            Shape::Object(members) => {
                let entries: Vec<String> = members.iter().flat_map(|member| member.entries(rest)).collect();
                format!("{{{}}}", entries.join(","))
            }
            Shape::List(shape) => {
                let value = |_| {
                    let die = number(rest);
                    shape.values(die, rest)
                };
                format!("[{}]", (0..=which).flat_map(value).collect::<Vec<_>>().join(","))
            }
            Shape::Either(shapes) => {
                let die = usize::from(number(rest) >> 4);
                shapes[which % shapes.len()].right(die, rest)
            }
        }
    }

    /// What is hard to read. A name that is odd has been written by now, so its value is right.
    fn odd(&self, which: usize, rest: &mut Unstructured<'_>) -> String {
        let right = self.right(0, rest);
        let text = match self {
            Shape::Text(texts) => texts[0],
            Shape::Json(_) | Shape::Object(_) | Shape::List(_) | Shape::Either(_) => "",
        };
        match which {
            0..=3 => format!("{}{right}{}", "[".repeat(DEPTHS[which]), "]".repeat(DEPTHS[which])),
            4 => quoted(&"x".repeat(300)),
            5 => quoted(&"é".repeat(5_000)),
            6 => quoted(" \u{a0}"),
            7 => format!("[{}]", vec![right.as_str(); LONG.0.min(LONG.1 / right.len())].join(",")),
            8..=10 => right,
            11 => quoted(&format!(" {text} ")),
            12 => quoted(&text.to_uppercase()),
            13 => escaped(text),
            14 => quoted(&format!("{text}\0")),
            _ => r#""\ud800""#.to_owned(),
        }
    }
}

/// The text as JSON writes it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The text as JSON may write it, too: nothing of it as it is.
fn escaped(text: &str) -> String {
    let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{}\"", units.concat())
}
