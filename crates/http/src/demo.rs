//! The people of development mode.

use std::sync::LazyLock;

use porchlight_engine::{Person, Seed};
use porchlight_presence::UserId;
use uuid::Uuid;

use crate::issuer::IssuerKey;
use crate::settings::Development;

/// First name, last name, job, department.
const PEOPLE: [(&str, &str, &str, &str); 12] = [
    ("Ada", "Lovelace", "Principal Engineer", "Engineering"),
    ("Ben", "Okafor", "Support Lead", "Support"),
    ("Cleo", "Martin", "Product Manager", "Product"),
    ("Dan", "Weber", "Engineer", "Engineering"),
    ("Eva", "Novak", "Designer", "Product"),
    ("Finn", "Larsen", "Engineer", "Engineering"),
    ("Grace", "Kim", "Head of Operations", "Operations"),
    ("Hugo", "Silva", "Support Engineer", "Support"),
    ("Iris", "Tan", "Account Manager", "Sales"),
    ("Jonas", "Berg", "Support Engineer", "Support"),
    ("Kira", "Patel", "Data Analyst", "Operations"),
    ("Leo", "Rossi", "Account Manager", "Sales"),
];

/// Ada and Ben have the ids that the documents use. Source: subscriptions-and-auth 0.4.
const ADA: Uuid = Uuid::from_u128(0x8d1f_7f3e_58ab_4b0e_9d0c_0f6a_1f0f_9a01);
const BEN: Uuid = Uuid::from_u128(0x3c5e_0a44_0d0f_4d4b_a7f7_6f0a_5b1f_2b02);

impl Development {
    /// Development mode with the demo tenant, its dozen people and the demo application.
    pub fn demo() -> Development {
        // One for the whole process, since to make one takes a while: a process of tests has many servers.
        static ISSUER: LazyLock<IssuerKey> = LazyLock::new(IssuerKey::generate);
        let people = PEOPLE.into_iter().map(person).collect();
        let seed = Seed { tenant: Development::TENANT, people };
        Development {
            tenant: Development::TENANT,
            application: Development::APPLICATION,
            seeds: vec![seed],
            certificate_authority: None,
            issuer: ISSUER.clone(),
        }
    }
}

fn person((first, last, job, department): (&str, &str, &str, &str)) -> Person {
    let name = format!("{}@porchlight.example", first.to_lowercase());
    let id = match first {
        "Ada" => ADA,
        "Ben" => BEN,
        _ => Uuid::new_v5(&Development::TENANT.0, name.as_bytes()),
    };
    Person {
        display_name: format!("{first} {last}"),
        mail: Some(format!("{}.{}@porchlight.example", first.to_lowercase(), last.to_lowercase())),
        given_name: Some(first.to_owned()),
        surname: Some(last.to_owned()),
        job_title: Some(job.to_owned()),
        department: Some(department.to_owned()),
        ..Person::new(UserId(id), name)
    }
}
