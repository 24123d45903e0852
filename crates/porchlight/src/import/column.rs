//! What the heading of a column means.
//!
//! Names are taken without case, spaces and other signs. Beside those of Graph there are those that Entra ID and the
//! admin center of Microsoft 365 write into their exports, and the template for new users, whose headings are such as
//! `First name [givenName]`. Source: Microsoft, "Download a list of users" and "Bulk create users".

use super::person::Attribute;

/// What a column tells of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Column {
    Id,
    Of(Attribute),
    /// The contrary of [`Attribute::Enabled`].
    Blocked,
}

impl Column {
    /// The column with this heading; `None`: one that is passed over.
    pub(super) fn named(heading: &str) -> Option<Column> {
        let (label, name) =
            match heading.split_once('[').and_then(|(label, rest)| Some((label, rest.split_once(']')?.0))) {
                Some((label, name)) => (plain(label), plain(name)),
                None => (plain(heading), plain(heading)),
            };
        // The template asks whom to block, and calls that accountEnabled.
        if label.starts_with("blocksignin") || name == "blockcredential" {
            return Some(Column::Blocked);
        }
        let attribute = match name.as_str() {
            "id" | "objectid" => return Some(Column::Id),
            "externalid" => Attribute::ExternalId,
            "userprincipalname" | "upn" | "username" => Attribute::UserName,
            "displayname" | "name" => Attribute::DisplayName,
            "givenname" | "firstname" => Attribute::GivenName,
            "surname" | "lastname" | "familyname" => Attribute::Surname,
            "mail" | "email" | "emailaddress" => Attribute::Mail,
            "jobtitle" | "title" => Attribute::JobTitle,
            "department" => Attribute::Department,
            "accountenabled" | "enabled" | "active" => Attribute::Enabled,
            _ => return None,
        };
        Some(Column::Of(attribute))
    }
}

/// Letters and digits alone, in lower case.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_known_by_many_names() {
        let table = [
            ("userPrincipalName", Some(Column::Of(Attribute::UserName))),
            ("User principal name", Some(Column::Of(Attribute::UserName))),
            ("User name [userPrincipalName] Required", Some(Column::Of(Attribute::UserName))),
            ("DISPLAYNAME", Some(Column::Of(Attribute::DisplayName))),
            ("Name [displayName] Required", Some(Column::Of(Attribute::DisplayName))),
            ("First name", Some(Column::Of(Attribute::GivenName))),
            ("objectId", Some(Column::Id)),
            ("Object Id", Some(Column::Id)),
            ("accountEnabled", Some(Column::Of(Attribute::Enabled))),
            ("Block sign in (Yes/No) [accountEnabled] Required", Some(Column::Blocked)),
            ("Block credential", Some(Column::Blocked)),
            ("usageLocation", None),
            ("", None),
        ];
        for (heading, column) in table {
            assert_eq!(Column::named(heading), column, "{heading}");
        }
    }
}
