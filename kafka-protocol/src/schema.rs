//! `message!`: a message of the protocol written down once, field by field as its schema has it.
//!
//! ```text
//! message! {
//!     /// Asks for topics and their partitions.
//!     MetadataRequest: METADATA [0-13, flexible 9+] {
//!         topics: Option<Vec<MetadataRequestTopic>> [0+, nullable 1+],
//!         allow_auto_topic_creation: bool [4+, default true],
//!     }
//!     MetadataRequestTopic {
//!         topic_id: Uuid [10+, ignorable],
//!         name: Option<String> [0+, nullable 10+],
//!     }
//! }
//! ```
//!
//! gives the structures, their defaults, and how every version of them is read and written.
//! The structures that a message holds follow it. In the brackets of a field are the versions that
//! have it, and then, each where it applies and in this order:
//!
//! - `nullable ..`: the versions in which `None` may be written;
//! - `tag N`: it is a tagged field, written only where it differs from its default;
//! - `ignorable`: in a version without this field its value is dropped. Without that word such a
//!   value is an error, because the other side would misunderstand the message;
//! - `default ..`: its value unless set, and in versions without it. Without that word it is zero,
//!   empty or `None`.

use std::ops::RangeInclusive;

use crate::ApiKey;
use crate::wire::{
    DecodeError, DecodeFault, EncodeError, EncodeFault, Field, Layout, Reader, Versions, Writer,
};

/// A request or a response, in all its versions.
pub trait Message: Sized + Default {
    /// Which request it is, or answers.
    const KEY: ApiKey;
    /// The versions known here.
    const VERSIONS: RangeInclusive<i16>;

    /// Reads the body that follows the header. What a version lacks has its default.
    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError>;

    /// Appends the body that follows the header.
    fn encode(&self, out: &mut Writer<'_>, version: i16) -> Result<(), EncodeError>;
}

/// What [`Message::decode`] is for every message.
pub(crate) fn decode<M: Message + Field>(
    input: &mut Reader<'_>,
    version: i16,
) -> Result<M, DecodeError> {
    match layout::<M>(version) {
        Some(layout) => M::take(input, layout, false),
        None => Err(DecodeError::new(DecodeFault::UnknownVersion(version)).of(M::KEY.name())),
    }
}

/// What [`Message::encode`] is for every message.
pub(crate) fn encode<M: Message + Field>(
    message: &M,
    out: &mut Writer<'_>,
    version: i16,
) -> Result<(), EncodeError> {
    match layout::<M>(version) {
        Some(layout) => message.put(out, layout, false),
        None => Err(EncodeError::new(EncodeFault::UnknownVersion(version)).of(M::KEY.name())),
    }
}

fn layout<M: Message>(version: i16) -> Option<Layout> {
    let flexible = version >= M::KEY.flexible_from();
    M::VERSIONS.contains(&version).then_some(Layout { version, flexible })
}

/// Reads one field.
#[inline]
pub(crate) fn take<T: Field>(
    input: &mut Reader<'_>,
    layout: Layout,
    nullable: Versions,
    name: &'static str,
) -> Result<T, DecodeError> {
    T::take(input, layout, nullable.has(layout.version)).map_err(|error| error.of(name))
}

/// Appends one field.
#[inline]
pub(crate) fn put<T: Field>(
    value: &T,
    out: &mut Writer<'_>,
    layout: Layout,
    nullable: Versions,
    name: &'static str,
) -> Result<(), EncodeError> {
    value.put(out, layout, nullable.has(layout.version)).map_err(|error| error.of(name))
}

/// Defines a message; see the module.
macro_rules! message {
    (
        $(#[$meta:meta])*
        $name:ident: $key:ident [$min:literal - $max:literal, flexible $($flexible:tt)+] {
            $($fields:tt)*
        }
        $( $(#[$part_meta:meta])* $part:ident { $($part_fields:tt)* } )*
    ) => {
        $crate::schema::structure! { $(#[$meta])* $name { $($fields)* } }
        $(
            $crate::schema::structure! {
                #[doc = concat!("A part of [`", stringify!($name), "`].")]
                $(#[$part_meta])*
                $part { $($part_fields)* }
            }
        )*

        impl $crate::schema::Message for $name {
            const KEY: $crate::ApiKey = $crate::ApiKey::$key;
            const VERSIONS: std::ops::RangeInclusive<i16> = $min..=$max;

            fn decode(
                input: &mut $crate::wire::Reader<'_>,
                version: i16,
            ) -> Result<Self, $crate::wire::DecodeError> {
                $crate::schema::decode(input, version)
            }

            fn encode(
                &self,
                out: &mut $crate::wire::Writer<'_>,
                version: i16,
            ) -> Result<(), $crate::wire::EncodeError> {
                $crate::schema::encode(self, out, version)
            }
        }

        // The definition and the table of keys must agree on where flexible versions begin.
        const _: () = assert!(
            $crate::ApiKey::$key.flexible_from() == $crate::wire::versions!($($flexible)+).min
        );
    };
}
pub(crate) use message;

/// Defines one structure of a message.
macro_rules! structure {
    (
        $(#[$meta:meta])*
        $name:ident { $( $field:ident: $ty:ty [$($spec:tt)+] ),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(
                #[doc = concat!("Versions ", stringify!($($spec)+), ".")]
                pub $field: $ty,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $crate::schema::default_of!($($spec)+), )* }
            }
        }

        impl $crate::wire::Field for $name {
            fn least(layout: $crate::wire::Layout) -> usize {
                let mut least = usize::from(layout.flexible);
                $( $crate::schema::unless_tagged! { {
                    if $crate::wire::versions!($($spec)+).has(layout.version) {
                        least += <$ty as $crate::wire::Field>::least(layout);
                    }
                } $($spec)+ } )*
                least
            }

            fn take(
                input: &mut $crate::wire::Reader<'_>,
                layout: $crate::wire::Layout,
                _: bool,
            ) -> Result<Self, $crate::wire::DecodeError> {
                let mut value = Self::default();
                $( $crate::schema::unless_tagged! { {
                    if $crate::wire::versions!($($spec)+).has(layout.version) {
                        let nullable = $crate::schema::nullable_in!($($spec)+);
                        value.$field =
                            $crate::schema::take(input, layout, nullable, stringify!($field))?;
                    }
                } $($spec)+ } )*
                if layout.flexible {
                    input.tagged(|_tag, _input| {
                        $( $crate::schema::if_tagged! { {
                            if $crate::schema::tag_of!($($spec)+) == _tag
                                && $crate::wire::versions!($($spec)+).has(layout.version)
                            {
                                let nullable = $crate::schema::nullable_in!($($spec)+);
                                value.$field = $crate::schema::take(
                                    _input, layout, nullable, stringify!($field)
                                )?;
                                return Ok(true);
                            }
                        } $($spec)+ } )*
                        Ok(false)
                    }).map_err(|error| error.of("tagged fields"))?;
                }
                Ok(value)
            }

            fn put(
                &self,
                out: &mut $crate::wire::Writer<'_>,
                layout: $crate::wire::Layout,
                _: bool,
            ) -> Result<(), $crate::wire::EncodeError> {
                let mut _tags = 0;
                $(
                    if $crate::wire::versions!($($spec)+).has(layout.version) {
                        $crate::schema::unless_tagged! { {
                            let nullable = $crate::schema::nullable_in!($($spec)+);
                            let name = stringify!($field);
                            $crate::schema::put(&self.$field, out, layout, nullable, name)?;
                        } $($spec)+ }
                        $crate::schema::if_tagged! { {
                            let default: $ty = $crate::schema::default_of!($($spec)+);
                            _tags += u32::from(self.$field != default);
                        } $($spec)+ }
                    } else {
                        $crate::schema::unless_ignorable! { {
                            let default: $ty = $crate::schema::default_of!($($spec)+);
                            if self.$field != default {
                                return Err($crate::wire::EncodeError {
                                    field: stringify!($field),
                                    fault: $crate::wire::EncodeFault::NotInVersion(layout.version),
                                });
                            }
                        } $($spec)+ }
                    }
                )*
                if layout.flexible {
                    out.uvarint(_tags);
                    $( $crate::schema::if_tagged! { {
                        let default: $ty = $crate::schema::default_of!($($spec)+);
                        if $crate::wire::versions!($($spec)+).has(layout.version)
                            && self.$field != default
                        {
                            let nullable = $crate::schema::nullable_in!($($spec)+);
                            let name = stringify!($field);
                            out.tagged($crate::schema::tag_of!($($spec)+), |out| {
                                $crate::schema::put(&self.$field, out, layout, nullable, name)
                            })?;
                        }
                    } $($spec)+ } )*
                }
                Ok(())
            }

            #[cfg(test)]
            fn sample(
                _dice: &mut $crate::tests::Dice,
                layout: $crate::wire::Layout,
                _: bool,
            ) -> Self {
                let mut value = Self::default();
                $(
                    if $crate::wire::versions!($($spec)+).has(layout.version) {
                        let nullable = $crate::schema::nullable_in!($($spec)+).has(layout.version);
                        value.$field = $crate::wire::Field::sample(_dice, layout, nullable);
                    }
                )*
                value
            }
        }

        impl $crate::wire::Nullable for $name {
            fn take_nullable(
                input: &mut $crate::wire::Reader<'_>,
                layout: $crate::wire::Layout,
                nullable: bool,
            ) -> Result<Option<Self>, $crate::wire::DecodeError> {
                if nullable && input.i8()? < 0 {
                    return Ok(None);
                }
                $crate::wire::Field::take(input, layout, false).map(Some)
            }

            fn put_nullable(
                value: Option<&Self>,
                out: &mut $crate::wire::Writer<'_>,
                layout: $crate::wire::Layout,
                nullable: bool,
            ) -> Result<(), $crate::wire::EncodeError> {
                if nullable {
                    out.i8(if value.is_some() { 1 } else { -1 });
                }
                value.map_or(Ok(()), |value| {
                    $crate::wire::Field::put(value, out, layout, false)
                })
            }
        }
    };
}
pub(crate) use structure;

/// What a field's brackets say of null, as [`Versions`].
macro_rules! nullable_in {
    () => { $crate::wire::Versions::NONE };
    (nullable $min:literal + $($rest:tt)*) => { $crate::wire::versions!($min +) };
    (nullable $min:literal - $max:literal $($rest:tt)*) => {
        $crate::wire::versions!($min - $max)
    };
    (nullable $only:literal $($rest:tt)*) => { $crate::wire::versions!($only) };
    ($skip:tt $($rest:tt)*) => { $crate::schema::nullable_in!($($rest)*) };
}
pub(crate) use nullable_in;

/// The default that a field's brackets give, or its type's.
macro_rules! default_of {
    () => { Default::default() };
    (default $default:expr) => { $default };
    ($skip:tt $($rest:tt)*) => { $crate::schema::default_of!($($rest)*) };
}
pub(crate) use default_of;

/// The tag in a field's brackets.
macro_rules! tag_of {
    (tag $tag:literal $($rest:tt)*) => { $tag };
    ($skip:tt $($rest:tt)*) => { $crate::schema::tag_of!($($rest)*) };
}
pub(crate) use tag_of;

/// The code in braces, where a field's brackets have a tag.
macro_rules! if_tagged {
    ($code:tt) => {};
    ({ $($code:tt)* } tag $($rest:tt)*) => { $($code)* };
    ($code:tt $skip:tt $($rest:tt)*) => { $crate::schema::if_tagged! { $code $($rest)* } };
}
pub(crate) use if_tagged;

/// The code in braces, where a field's brackets have no tag.
macro_rules! unless_tagged {
    ({ $($code:tt)* }) => { $($code)* };
    ($code:tt tag $($rest:tt)*) => {};
    ($code:tt $skip:tt $($rest:tt)*) => { $crate::schema::unless_tagged! { $code $($rest)* } };
}
pub(crate) use unless_tagged;

/// The code in braces, where a field's brackets do not say that it may be dropped.
macro_rules! unless_ignorable {
    ({ $($code:tt)* }) => { $($code)* };
    ($code:tt ignorable $($rest:tt)*) => {};
    ($code:tt $skip:tt $($rest:tt)*) => { $crate::schema::unless_ignorable! { $code $($rest)* } };
}
pub(crate) use unless_ignorable;
