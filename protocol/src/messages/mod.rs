//! Every message, by what it is about. `request` and `response` are the doors to it.

macro_rules! message {
    ($(
        $(#[doc = $doc:expr])+
        pub struct $name:ident {
            $($(#[doc = $field_doc:expr])+ pub $field:ident: $ty:ty,)*
        }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[doc = $field_doc])+ pub $field: $ty,)*
        }

        impl crate::wire::Wire for $name {
            const LEAST: usize = 0 $(+ <$ty as crate::wire::Wire>::LEAST)*;
            fn type_name() -> String {
                stringify!($name).to_owned()
            }
            #[inline]
            fn put(&self, _out: &mut bytes::BytesMut) {
                $(crate::wire::Wire::put(&self.$field, _out);)*
            }
            #[inline]
            fn take(
                _input: &mut crate::wire::Reader<'_>,
            ) -> Result<Self, crate::wire::DecodeError> {
                Ok(Self { $($field: crate::wire::Wire::take(_input)?,)* })
            }
            #[cfg(test)]
            fn lines(&self, _name: &str, _out: &mut Vec<(String, bytes::BytesMut)>) {
                $(
                    let name = [_name, stringify!($field)].join(if _name.is_empty() { "" } else { "." });
                    crate::wire::Wire::lines(&self.$field, &name, _out);
                )*
            }
        }

        impl crate::wire::Message for $name {}

        #[cfg(test)]
        impl crate::tests::sample::Sample for $name {
            fn sample(_source: &mut crate::tests::sample::Source<'_>) -> Self {
                Self { $($field: crate::tests::sample::Sample::sample(_source),)* }
            }
        }

        #[cfg(test)]
        impl $name {
            /// Name, type and meaning of each field, for the byte tables of `docs/PROTOCOL.md`.
            pub(crate) fn fields() -> Vec<(&'static str, String, String)> {
                vec![$((
                    stringify!($field),
                    <$ty as crate::wire::Wire>::type_name(),
                    [$($field_doc.trim()),+].join(" "),
                ),)*]
            }
        }
    )+

        /// Every message of this module with its fields.
        #[cfg(test)]
        pub(crate) fn tables() -> Vec<crate::messages::Table> {
            vec![$((stringify!($name), $name::fields()),)+]
        }
    };
}

/// A message's name and its fields: name, type, meaning.
#[cfg(test)]
pub(crate) type Table = (&'static str, Vec<(&'static str, String, String)>);

/// A set of names for small numbers, strict in both directions.
macro_rules! names {
    ($(
        $(#[doc = $doc:expr])+
        pub enum $name:ident {
            $($(#[doc = $variant_doc:expr])+ $variant:ident = $value:literal,)+
        }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $variant_doc])+ $variant = $value,)+
        }

        impl crate::wire::Wire for $name {
            const LEAST: usize = 1;
            fn type_name() -> String {
                "u8".to_owned()
            }
            fn put(&self, out: &mut bytes::BytesMut) {
                (*self as u8).put(out);
            }
            fn take(
                input: &mut crate::wire::Reader<'_>,
            ) -> Result<Self, crate::wire::DecodeError> {
                match u8::take(input)? {
                    $($value => Ok(Self::$variant),)+
                    other => Err(crate::wire::DecodeError::BadValue {
                        field: stringify!($name),
                        value: i64::from(other),
                    }),
                }
            }
        }

        #[cfg(test)]
        impl crate::tests::sample::Sample for $name {
            fn sample(source: &mut crate::tests::sample::Source<'_>) -> Self {
                let all = [$(Self::$variant),+];
                all[source.below(all.len())]
            }
        }
    )+};
}

pub(crate) mod data;
pub(crate) mod groups;
pub(crate) mod offsets;
pub(crate) mod session;
pub(crate) mod topics;
pub(crate) mod transactions;
