//! The headers of a request that its way through the server depends on.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    IF_NONE_MATCH, ORIGIN,
};
use http::{HeaderMap, HeaderValue};

use crate::prefer::PREFER;
use crate::reply::{CLIENT_REQUEST_ID, PORCHLIGHT_REVISION};

/// What a request's headers are, found in one pass: each search by itself would hash the name anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Headers<'r> {
    pub(crate) all: &'r HeaderMap,
    /// Bytes of all lines; a name and its value stand with a colon, a space and a line break.
    pub(crate) bytes: usize,
    pub(crate) accept: Field<'r>,
    pub(crate) accept_encoding: Field<'r>,
    pub(crate) authorization: Field<'r>,
    pub(crate) client_request_id: Field<'r>,
    pub(crate) content_encoding: Field<'r>,
    pub(crate) content_length: Field<'r>,
    pub(crate) content_type: Field<'r>,
    pub(crate) host: Field<'r>,
    pub(crate) if_none_match: Field<'r>,
    pub(crate) origin: Field<'r>,
    pub(crate) prefer: Field<'r>,
    pub(crate) revision: Field<'r>,
}

/// The values of one header.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Field<'r> {
    /// The first of them.
    pub(crate) first: Option<&'r HeaderValue>,
    /// Whether there are more.
    pub(crate) repeated: bool,
}

impl<'r> Headers<'r> {
    pub(crate) fn of(all: &'r HeaderMap) -> Headers<'r> {
        let none = Field::default();
        let mut found = Headers {
            all,
            bytes: 0,
            accept: none,
            accept_encoding: none,
            authorization: none,
            client_request_id: none,
            content_encoding: none,
            content_length: none,
            content_type: none,
            host: none,
            if_none_match: none,
            origin: none,
            prefer: none,
            revision: none,
        };
        for (name, value) in all {
            found.bytes += name.as_str().len() + value.len() + 4;
            let field = match *name {
                ACCEPT => &mut found.accept,
                ACCEPT_ENCODING => &mut found.accept_encoding,
                AUTHORIZATION => &mut found.authorization,
                CONTENT_ENCODING => &mut found.content_encoding,
                CONTENT_LENGTH => &mut found.content_length,
                CONTENT_TYPE => &mut found.content_type,
                HOST => &mut found.host,
                IF_NONE_MATCH => &mut found.if_none_match,
                ORIGIN => &mut found.origin,
                _ if name == CLIENT_REQUEST_ID => &mut found.client_request_id,
                _ if name == PREFER => &mut found.prefer,
                _ if name == PORCHLIGHT_REVISION => &mut found.revision,
                _ => continue,
            };
            field.repeated = field.first.is_some();
            field.first = field.first.or(Some(value));
        }
        found
    }
}

impl<'r> Field<'r> {
    /// The value when there is exactly one.
    pub(crate) fn only(self) -> Option<&'r HeaderValue> {
        self.first.filter(|_| !self.repeated)
    }

    /// The first value as text; `None` also when it is none.
    pub(crate) fn text(self) -> Option<&'r str> {
        self.first.and_then(|value| value.to_str().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(all: &HeaderMap) -> [Field<'_>; 12] {
        let found = Headers::of(all);
        [
            found.accept,
            found.accept_encoding,
            found.authorization,
            found.client_request_id,
            found.content_encoding,
            found.content_length,
            found.content_type,
            found.host,
            found.if_none_match,
            found.origin,
            found.prefer,
            found.revision,
        ]
    }

    #[test]
    fn each_header_is_found_and_the_first_of_several_counts() {
        let mut all = HeaderMap::new();
        let names = [
            ACCEPT,
            ACCEPT_ENCODING,
            AUTHORIZATION,
            CLIENT_REQUEST_ID,
            CONTENT_ENCODING,
            CONTENT_LENGTH,
            CONTENT_TYPE,
            HOST,
            IF_NONE_MATCH,
            ORIGIN,
            http::HeaderName::from_static(PREFER),
            PORCHLIGHT_REVISION,
        ];
        for name in &names {
            all.append(name, HeaderValue::from_str(name.as_str()).unwrap());
        }
        for (name, field) in names.iter().zip(fields(&all)) {
            assert_eq!(field.only().unwrap(), name.as_str());
        }
        for name in &names {
            all.append(name, HeaderValue::from_static("another"));
        }
        for (name, field) in names.iter().zip(fields(&all)) {
            assert_eq!((field.text(), field.only()), (Some(name.as_str()), None));
        }
        all.clear();
        all.insert("x", HeaderValue::from_static("yz"));
        assert_eq!(Headers::of(&all).bytes, "x: yz\r\n".len());
    }
}
