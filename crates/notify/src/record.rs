//! Ids and instants as records keep them: their numbers.

use porchlight_presence::{ApplicationId, TenantId, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// What is kept as another, simpler value.
pub(crate) trait Simple: Copy {
    type As: Serialize + for<'de> Deserialize<'de>;
    fn simple(self) -> Self::As;
    fn full(simple: Self::As) -> Self;
}

macro_rules! id {
    ($($name:ident),*) => {$(
        impl Simple for $name {
            type As = Uuid;
            fn simple(self) -> Uuid {
                self.0
            }
            fn full(simple: Uuid) -> $name {
                $name(simple)
            }
        }
    )*};
}

id!(TenantId, UserId, ApplicationId);

impl Simple for Timestamp {
    type As = i64;
    fn simple(self) -> i64 {
        self.as_millis()
    }
    fn full(simple: i64) -> Timestamp {
        Timestamp::from_millis(simple)
    }
}

pub(crate) fn serialize<T: Simple, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.simple().serialize(serializer)
}

pub(crate) fn deserialize<'de, T: Simple, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::As::deserialize(deserializer).map(T::full)
}

/// The same for many.
pub(crate) mod many {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Simple};

    pub(crate) fn serialize<T: Simple, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        values.iter().map(|value| value.simple()).collect::<Vec<_>>().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Simple, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        Ok(Vec::<T::As>::deserialize(deserializer)?.into_iter().map(T::full).collect())
    }
}
