//! What is to be done: who is new, who differs, who is neither.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Value, json};
use uuid::Uuid;

use super::person::{Attribute, Told};
use super::sheet::{Mistake, Row};

/// Somebody whom the server knows.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: Uuid,
    pub(super) told: Told,
}

/// What is to be done, in the order of the rows.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// How many people are as their rows say.
    pub(super) same: usize,
    /// Rows that cannot be carried out.
    pub(super) mistakes: Vec<Mistake>,
}

/// What is to be done with one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The line of the row.
    pub(super) line: u64,
    /// The user principal name that the row has.
    pub(super) name: String,
    pub(super) what: What,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Whom they are to be, if that is given, and what is told of them.
    PutIn(Option<Uuid>, Told),
    /// Whom, and what differs.
    Change(Uuid, Told),
}

/// Where to find whom the server knows.
struct Index<'k> {
    known: &'k [Known],
    ids: HashMap<Uuid, usize>,
    names: HashMap<String, usize>,
    external_ids: HashMap<&'k str, usize>,
}

impl Plan {
    /// What makes those whom the server knows what the rows say.
    pub(super) fn of(rows: Vec<Row>, known: &[Known]) -> Plan {
        let index = Index::of(known);
        // The line that each person whom the server knows is meant by.
        let mut meant: HashMap<Uuid, u64> = HashMap::new();
        let mut plan = Plan::default();
        for row in rows {
            let mistake = |what: String| Mistake { line: row.line, column: None, what };
            let person = match index.find(&row) {
                Ok(person) => person,
                Err(what) => {
                    plan.mistakes.push(mistake(what));
                    continue;
                }
            };
            if let Some((person, first)) =
                person.and_then(|person| Some((person, meant.insert(person.id, row.line)?)))
            {
                let id = person.id;
                plan.mistakes.push(mistake(format!("it means the same person as line {first}, {id}")));
                continue;
            }
            match Step::of(row, person) {
                Some(step) => plan.steps.push(step),
                None => plan.same += 1,
            }
        }
        plan
    }

    /// How many people are to be put in.
    pub(super) fn put_in(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.what, What::PutIn(..))).count()
    }
}

impl<'k> Index<'k> {
    fn of(known: &'k [Known]) -> Index<'k> {
        let text =
            |person: &'k Known, attribute: Attribute| person.told.get(&attribute).and_then(Value::as_str);
        let with_place = || known.iter().enumerate();
        Index {
            known,
            ids: with_place().map(|(place, person)| (person.id, place)).collect(),
            names: with_place()
                .filter_map(|(place, person)| {
                    Some((text(person, Attribute::UserName)?.to_ascii_lowercase(), place))
                })
                .collect(),
            external_ids: with_place()
                .filter_map(|(place, person)| Some((text(person, Attribute::ExternalId)?, place)))
                .collect(),
        }
    }

    /// Whom a row means: by its id, else by its external id, else by its name; nobody if they are new.
    fn find(&self, row: &Row) -> Result<Option<&'k Known>, String> {
        let at = |place: Option<&usize>| place.map(|place| &self.known[*place]);
        let by_name = at(self.names.get(&row.name().to_ascii_lowercase()));
        if let Some(id) = row.id {
            let by_id = at(self.ids.get(&id));
            return match (by_id, by_name) {
                (None, Some(other)) => Err(format!(
                    "{} is there with another id, {}, and an id cannot be changed: leave the id out, or delete that person",
                    row.name(),
                    other.id
                )),
                (by_id, _) => Ok(by_id),
            };
        }
        let external_id = row.told.get(&Attribute::ExternalId).and_then(Value::as_str);
        let by_external_id = external_id.and_then(|id| at(self.external_ids.get(id)));
        Ok(by_external_id.or(by_name))
    }
}

impl Step {
    /// What makes a person what a row says; nothing if they are.
    fn of(row: Row, person: Option<&Known>) -> Option<Step> {
        let (line, name) = (row.line, row.name().to_owned());
        let what = match person {
            None => What::PutIn(row.id, row.told),
            Some(person) => {
                let differs =
                    |(attribute, value): &(Attribute, Value)| person.told.get(attribute) != Some(value);
                let told: Told = row.told.into_iter().filter(differs).collect();
                if told.is_empty() {
                    return None;
                }
                What::Change(person.id, told)
            }
        };
        Some(Step { line, name, what })
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let (action, told) = match &self.what {
            What::PutIn(_, told) => ("putIn", told),
            What::Change(_, told) => ("change", told),
        };
        let attributes: Vec<_> = told.keys().map(|attribute| attribute.name()).collect();
        json!({"line": self.line, "userPrincipalName": self.name, "action": action, "attributes": attributes})
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::PutIn(..) => write!(formatter, "put in  {}", self.name),
            What::Change(_, told) => {
                let attributes: Vec<_> = told.keys().map(|attribute| attribute.name()).collect();
                write!(formatter, "change  {}: {}", self.name, attributes.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(number: u128, name: &str, more: &[(Attribute, &str)]) -> Known {
        let told = more.iter().map(|(attribute, text)| (*attribute, (*text).into()));
        let told =
            told.chain([(Attribute::UserName, name.into()), (Attribute::Enabled, true.into())]).collect();
        Known { id: Uuid::from_u128(number), told }
    }

    fn row(line: u64, id: Option<u128>, name: &str, more: &[(Attribute, &str)]) -> Row {
        let told = more.iter().map(|(attribute, text)| (*attribute, (*text).into()));
        let told = told.chain([(Attribute::UserName, name.into())]).collect();
        Row { line, id: id.map(Uuid::from_u128), told }
    }

    #[test]
    fn who_is_new_is_put_in_who_differs_is_changed_and_who_does_not_is_left_alone() {
        let people = [
            known(1, "ada@x", &[(Attribute::JobTitle, "Programmer")]),
            known(2, "ben@x", &[(Attribute::ExternalId, "b")]),
            known(3, "eve@x", &[]),
        ];
        let rows = vec![
            row(2, None, "Zoe@x", &[]),
            row(3, None, "ada@x", &[(Attribute::JobTitle, "Countess")]),
            row(4, None, "benjamin@x", &[(Attribute::ExternalId, "b")]),
            row(5, Some(3), "eve@x", &[]),
        ];
        let plan = Plan::of(rows, &people);
        let said: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
        let expected = ["put in  Zoe@x", "change  ada@x: jobTitle", "change  benjamin@x: userPrincipalName"];
        assert_eq!(said, expected);
        assert_eq!((plan.put_in(), plan.same, plan.mistakes.len()), (1, 1, 0));
    }

    #[test]
    fn a_new_person_gets_the_id_of_the_row() {
        let plan = Plan::of(vec![row(2, Some(7), "ada@x", &[(Attribute::ExternalId, "a")])], &[]);
        let What::PutIn(id, told) = &plan.steps[0].what else { panic!("{plan:?}") };
        assert_eq!((*id, told[&Attribute::ExternalId].as_str()), (Some(Uuid::from_u128(7)), Some("a")));
    }

    #[test]
    fn what_cannot_be_carried_out_is_told() {
        let people = [known(1, "ada@x", &[(Attribute::ExternalId, "a")])];
        let rows = vec![
            row(2, Some(9), "ada@x", &[]),
            row(3, Some(1), "countess@x", &[]),
            row(4, None, "lovelace@x", &[(Attribute::ExternalId, "a")]),
        ];
        let plan = Plan::of(rows, &people);
        let said: Vec<String> = plan.mistakes.iter().map(ToString::to_string).collect();
        let one = Uuid::from_u128(1);
        let expected = [
            format!(
                "line 2: ada@x is there with another id, {one}, and an id cannot be changed: leave the id out, or delete \
                 that person"
            ),
            format!("line 4: it means the same person as line 3, {one}"),
        ];
        assert_eq!(said, expected);
        assert_eq!(plan.steps.len(), 1);
    }
}
