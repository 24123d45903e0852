//! Batches: what a step is answered is what its request is answered alone, whatever stands around it.

use std::collections::BTreeSet;

use arbitrary::Unstructured;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::body::{body, choose, number, text};
use crate::operation::{OPERATIONS, Operation};
use crate::subscribe;
use crate::world::World;

/// The most steps of one batch. Now and then there is one more.
const STEPS_MAX: usize = 20;

/// What goes as deep as this does so in base64 alone: with the batch around it, it would be deeper than it is.
const DEEP: &str = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[";

/// What is read in steps.
static READS: [Operation; 10] = [
    Operation::of("GET", "me/presence", &[]),
    Operation::of("GET", "me/presence?$select=activity,id", &[]),
    Operation::of("GET", "communications/presences", &[]),
    Operation::of("GET", "communications/presences/delta", &[]),
    Operation::of("GET", "users/ben@porchlight.example/presence", &[]),
    Operation::of("GET", "users?$filter=department%20eq%20'Support'", &[]),
    Operation::of("GET", "me", &[]),
    Operation::of("GET", "subscriptions", &[]),
    Operation::of("GET", "communications/presences?$filter=nonsense", &[]),
    Operation::of("GET", "nowhere", &[]),
];

/// What differs between two worlds in which the same was done: numbers of changes, and what has a number of its own.
const MASKED: [&str; 7] = [
    "sequenceNumber",
    "@odata.etag",
    "@odata.nextLink",
    "@odata.deltaLink",
    "date",
    "request-id",
    "client-request-id",
];

/// A batch: each of its requests is answered once, in their order; what depends on a failure fails; and where the order
/// of its steps is plain, each is answered as it is alone, in another world in which the same was done.
///
/// # Panics
///
/// When a law is broken.
pub fn batch(data: &[u8]) {
    let mut rest = Unstructured::new(data);
    let (world, beside) = (World::development(), World::beside());
    world.reset();
    beside.reset();
    let count = usize::from(number(&mut rest)) % (STEPS_MAX + 2);
    let steps: Vec<Step> = (0..count).map(|at| Step::make(at, count, &mut rest)).collect();
    let written: Vec<&str> = steps.iter().map(|step| step.written.as_str()).collect();
    let sent = format!(r#"{{"requests":[{}]}}"#, written.join(","));
    let before = everything(&world);
    let answer =
        world.ask("POST", "/v1.0/$batch", sent.as_bytes()).expect("a batch can be asked for").checked();
    let order = order(&steps);
    let is_sound = count <= STEPS_MAX && order.is_some() && steps.iter().all(|step| step.is_sound);
    if answer.status != 200 {
        assert_eq!(answer.status, 400, "a batch is run or refused: {answer:?}");
        assert!(!is_sound, "there is something wrong with what is refused: {sent} {answer:?}");
        assert_eq!(everything(&world), before, "what is refused changes nothing: {sent}");
        return;
    }
    let answers = answers(&steps, &answer);
    let Some(order) = order.filter(|_| is_sound) else { return };
    check_dependencies(&steps, &answers, &sent);
    if is_plain(&steps, &order) {
        for at in order {
            check_alone(&beside, &steps, at, &answers, &sent);
        }
        assert_eq!(everything(&world), everything(&beside), "the same has come of it: {sent}");
    }
}

/// A request of a batch.
struct Step {
    id: String,
    /// As the batch has it.
    written: String,
    /// The steps that it names, by their places.
    depends_on: Vec<usize>,
    /// Whether a batch with it is none of the server's to refuse as a whole.
    is_sound: bool,
    /// What it asks for, if there is such a request.
    request: Option<Request>,
}

/// The same request, alone.
struct Request {
    method: String,
    path: &'static str,
    content_type: Option<&'static str>,
    body: String,
}

impl Request {
    fn is_read(&self) -> bool {
        self.method == "GET" || self.path.starts_with("communications/")
    }
}

impl Step {
    /// The next step, which is at this place of so many. Each member is right in most cases.
    fn make(at: usize, count: usize, rest: &mut Unstructured<'_>) -> Step {
        let mut members = Map::new();
        let (id, has_good_id) = id(at, rest);
        members.insert("id".to_owned(), id.clone());
        let (depends_on, are_good) = depends_on(at, count, &mut members, rest);
        let mut request = request(&mut members, rest);
        if let Some(request) = &mut request {
            request.content_type = content_type(&mut members, rest);
        }
        let has_body = put_body(&mut members, request.as_ref(), rest);
        Step {
            id: id.as_str().unwrap_or_default().to_owned(),
            written: Value::Object(members).to_string(),
            depends_on,
            is_sound: has_good_id && are_good,
            request: request.filter(|_| has_body),
        }
    }
}

/// The id of a step, and whether it is one that no other has.
fn id(at: usize, rest: &mut Unstructured<'_>) -> (Value, bool) {
    match number(rest) % 32 {
        0..=27 => (format!("step {}", at + 1).into(), true),
        28 => ("STEP 1".into(), at == 0),
        29 => ("".into(), false),
        30 => (5.into(), false),
        _ => (format!("{}'", text(rest)).into(), false),
    }
}

/// On which steps one depends, and whether all of them are there.
fn depends_on(
    at: usize,
    count: usize,
    members: &mut Map<String, Value>,
    rest: &mut Unstructured<'_>,
) -> (Vec<usize>, bool) {
    let (named, is_good): (Vec<usize>, bool) = match number(rest) % 16 {
        0..=6 => (at.checked_sub(1).into_iter().collect(), true),
        7..=10 => return (Vec::new(), true),
        11 => ((0..at).collect(), true),
        12 => (vec![usize::from(number(rest)) % count], true),
        13 => ((at + 1..count).take(1).collect(), true),
        14 => (vec![count], false),
        _ => {
            members.insert("dependsOn".to_owned(), "step 1".into());
            return (Vec::new(), false);
        }
    };
    let names: Value = named.iter().map(|at| Value::from(format!("step {}", at + 1))).collect();
    members.insert("dependsOn".to_owned(), names);
    (named, is_good)
}

/// Method and URL; `None` where there is no such request.
fn request(members: &mut Map<String, Value>, rest: &mut Unstructured<'_>) -> Option<Request> {
    // Whoever is put in has another id in each world, and another place in lists.
    let writes = OPERATIONS.iter().filter(|one| one.path != "users").chain(&subscribe::OPERATIONS[..1]);
    let all: Vec<&Operation> = writes.chain(&READS).collect();
    let Operation { method, path, body: shape } = **choose(&all, rest);
    let die = number(rest);
    let (method, is_there) = match die >> 4 {
        13 => (method.to_lowercase(), true),
        14 => ("PUT".to_owned(), true),
        15 => ("G T".to_owned(), false),
        _ => (method.to_owned(), true),
    };
    let (url, is_ours): (Value, bool) = match die & 15 {
        12 => (path.into(), true),
        13 => (format!("https://porchlight.example/v1.0/{path}#x").into(), true),
        14 => (format!("https://elsewhere.example/v1.0/{path}").into(), false),
        15 => (5.into(), false),
        _ => (format!("/{path}").into(), true),
    };
    members.insert("method".to_owned(), method.as_str().into());
    members.insert("url".to_owned(), url);
    let request =
        Request { method: method.to_uppercase(), path, content_type: None, body: body(shape, rest) };
    Some(request).filter(|_| is_there && is_ours)
}

/// What the body is said to be.
fn content_type(members: &mut Map<String, Value>, rest: &mut Unstructured<'_>) -> Option<&'static str> {
    let types =
        ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "text/plain", "", "x y"];
    let die = number(rest);
    let named = types.get(usize::from(die >> 4) % 8)?;
    let name = if die & 1 == 0 { "Content-Type" } else { "content-type" };
    members.insert("headers".to_owned(), json!({name: named}));
    Some(*named)
}

/// The body, as it is or in base64; whether it can be read.
fn put_body(
    members: &mut Map<String, Value>,
    request: Option<&Request>,
    rest: &mut Unstructured<'_>,
) -> bool {
    let die = number(rest) % 16;
    let Some(request) = request else { return true };
    if die == 15 {
        members.insert("body".to_owned(), "*".into());
        return false;
    }
    let json = serde_json::from_str::<Value>(&request.body).ok();
    // As it is only where nothing is lost in the batch's own JSON, such as a member that is there twice.
    let is_whole = |json: &Value| json.is_object() && request.body == json.to_string().as_str();
    let plain = json.filter(is_whole);
    let value = match plain.filter(|_| die < 10 && !request.body.contains(DEEP)) {
        Some(json) => json,
        None if request.body.is_empty() => return true,
        None => STANDARD.encode(&request.body).into(),
    };
    members.insert("body".to_owned(), value);
    true
}

/// The places of the steps in an order in which each comes behind those that it depends on, if there is one.
fn order(steps: &[Step]) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < steps.len() {
        let is_next = |at: &usize| {
            !order.contains(at) && steps[*at].depends_on.iter().all(|other| order.contains(other))
        };
        let next = (0..steps.len()).find(is_next)?;
        order.push(next);
    }
    Some(order)
}

/// Whether any two steps of which one writes stand in an order that their dependencies give.
fn is_plain(steps: &[Step], order: &[usize]) -> bool {
    let mut behind: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); steps.len()];
    for &at in order {
        let others = &steps[at].depends_on;
        let further = others.iter().flat_map(|other| behind[*other].iter().copied());
        behind[at] = further.chain(others.iter().copied()).collect();
    }
    let reads = |at: usize| steps[at].request.as_ref().is_none_or(Request::is_read);
    let pairs = (0..steps.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    let mut unordered =
        pairs.filter(|(one, other)| !behind[*one].contains(other) && !behind[*other].contains(one));
    unordered.all(|(one, other)| reads(one) && reads(other))
}

/// What each step was answered, in the order of the requests.
fn answers(steps: &[Step], answer: &Answer) -> Vec<Answer> {
    let json = answer.json();
    let responses = json["responses"].as_array().unwrap_or_else(|| panic!("steps are answered: {answer:?}"));
    let ids: Vec<&str> = responses.iter().map(|one| one["id"].as_str().unwrap_or_default()).collect();
    let asked: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, asked, "every step is answered once");
    responses.iter().map(|one| Answer::of_step(one).checked()).collect()
}

/// A step has failed for one that it depends on, or for itself.
fn check_dependencies(steps: &[Step], answers: &[Answer], sent: &str) {
    for (step, answer) in steps.iter().zip(answers) {
        let has_failed = |at: &usize| answers[*at].status.as_u16() >= 400;
        let is_left_out = step.depends_on.iter().any(has_failed);
        assert_eq!(answer.status == 424, is_left_out, "a step is left out for another: {sent} {answer:?}");
    }
}

/// The step at this place was answered as its request is answered alone.
fn check_alone(beside: &World, steps: &[Step], at: usize, answers: &[Answer], sent: &str) {
    let answer = &answers[at];
    if answer.status == 424 {
        return;
    }
    let Some(Request { method, path, content_type, body }) = &steps[at].request else {
        assert_eq!(answer.status, 400, "what is no request is refused: {sent} {answer:?}");
        return;
    };
    let alone = beside.ask_with(*content_type, method, &format!("/v1.0/{path}"), body.as_bytes());
    let alone = alone.expect("a step is a request").checked();
    assert_eq!(outline(answer), outline(&alone), "a step is answered as it is alone: {sent}");
}

/// What of an answer does not depend on when and in which world it was given.
fn outline(answer: &Answer) -> (u16, String, String, Value) {
    let body = if answer.body.is_empty() { Value::Null } else { masked(answer.json()) };
    let header = |name: &str| answer.header(name).to_owned();
    (answer.status.as_u16(), header("content-type"), header("porchlight-effective"), body)
}

/// Everything that a batch here can change.
fn everything(world: &World) -> Value {
    let whole = [
        "me/presence",
        "communications/presences",
        "subscriptions",
        "users?$top=999&$select=id,userPrincipalName,displayName,mail,accountEnabled",
    ];
    let read =
        |path: &str| world.ask("GET", &format!("/v1.0/{path}"), b"").map(|answer| masked(answer.json()));
    whole.into_iter().map(|path| read(path).expect("it can be read")).collect()
}

/// The same without what differs between two worlds, and with lists in an order of their own.
fn masked(value: Value) -> Value {
    match value {
        Value::Object(mut members) => {
            // Which is made anew with every subscription, and named where there is one already.
            if members.contains_key("notificationUrl") {
                members.shift_remove("id");
            }
            if members.get("code").is_some_and(|code| code == "ObjectIdentifierInUse") {
                members.shift_remove("message");
            }
            members.retain(|name, _| !MASKED.contains(&name.as_str()));
            members.into_iter().map(|(name, value)| (name, masked(value))).collect()
        }
        Value::Array(values) => {
            let mut values: Vec<Value> = values.into_iter().map(masked).collect();
            values.sort_by_cached_key(Value::to_string);
            Value::Array(values)
        }
        other => other,
    }
}
