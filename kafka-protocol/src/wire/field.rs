//! The types a field can have, each with its one way of being bytes.

use bytes::Bytes;

use super::error::{DecodeError, DecodeFault, EncodeError, EncodeFault};
use super::{Layout, Reader, Writer};
use crate::Uuid;
#[cfg(test)]
use crate::tests::Dice;

/// A type that a field of a message can have.
pub(crate) trait Field: Sized {
    /// The fewest bytes a value takes; what an array's count is checked against.
    fn least(layout: Layout) -> usize;
    /// Reads a value. `nullable`: whether this version allows null.
    fn take(input: &mut Reader<'_>, layout: Layout, nullable: bool) -> Result<Self, DecodeError>;
    /// Appends the value.
    fn put(&self, out: &mut Writer<'_>, layout: Layout, nullable: bool) -> Result<(), EncodeError>;
    /// Some value that `layout` can carry.
    #[cfg(test)]
    fn sample(dice: &mut Dice, layout: Layout, nullable: bool) -> Self;
}

/// A type that has a null beside its values: `Option` of it is a [`Field`] too.
pub(crate) trait Nullable: Field {
    /// Reads a value or null. `nullable`: whether this version allows null; where a structure is
    /// not nullable it has no byte that says which it is.
    fn take_nullable(
        input: &mut Reader<'_>,
        layout: Layout,
        nullable: bool,
    ) -> Result<Option<Self>, DecodeError>;
    /// Appends the value, or null for `None`.
    fn put_nullable(
        value: Option<&Self>,
        out: &mut Writer<'_>,
        layout: Layout,
        nullable: bool,
    ) -> Result<(), EncodeError>;
}

impl<T: Nullable> Field for Option<T> {
    fn least(_: Layout) -> usize {
        1
    }

    #[inline]
    fn take(input: &mut Reader<'_>, layout: Layout, nullable: bool) -> Result<Self, DecodeError> {
        match T::take_nullable(input, layout, nullable)? {
            None if !nullable => Err(DecodeError::new(DecodeFault::UnexpectedNull)),
            value => Ok(value),
        }
    }

    #[inline]
    fn put(&self, out: &mut Writer<'_>, layout: Layout, nullable: bool) -> Result<(), EncodeError> {
        if self.is_none() && !nullable {
            return Err(EncodeError::new(EncodeFault::UnexpectedNull));
        }
        T::put_nullable(self.as_ref(), out, layout, nullable)
    }

    #[cfg(test)]
    fn sample(dice: &mut Dice, layout: Layout, nullable: bool) -> Self {
        (!nullable || dice.below(3) > 0).then(|| T::sample(dice, layout, nullable))
    }
}

macro_rules! fixed {
    ($($ty:ty: $method:ident, $len:literal, $dice:ident => $sample:expr;)+) => {$(
        impl Field for $ty {
            #[inline]
            fn least(_: Layout) -> usize {
                $len
            }
            #[inline]
            fn take(input: &mut Reader<'_>, _: Layout, _: bool) -> Result<Self, DecodeError> {
                input.$method()
            }
            #[inline]
            fn put(&self, out: &mut Writer<'_>, _: Layout, _: bool) -> Result<(), EncodeError> {
                out.$method(*self);
                Ok(())
            }
            #[cfg(test)]
            fn sample($dice: &mut Dice, _: Layout, _: bool) -> Self {
                $sample
            }
        }
    )+};
}

fixed! {
    bool: bool, 1, dice => dice.below(2) == 1;
    i8: i8, 1, dice => i8::from_be_bytes(dice.array());
    i16: i16, 2, dice => i16::from_be_bytes(dice.array());
    u16: u16, 2, dice => u16::from_be_bytes(dice.array());
    i32: i32, 4, dice => i32::from_be_bytes(dice.array());
    i64: i64, 8, dice => i64::from_be_bytes(dice.array());
    f64: f64, 8, dice => f64::from(i32::from_be_bytes(dice.array())) / 8.0;
    Uuid: uuid, 16, dice => Uuid(dice.array());
}

/// The [`Field`] of a type whose null is told by its length.
macro_rules! by_length {
    () => {
        #[inline]
        fn take(input: &mut Reader<'_>, layout: Layout, _: bool) -> Result<Self, DecodeError> {
            Self::take_nullable(input, layout, false)?
                .ok_or(DecodeError::new(DecodeFault::UnexpectedNull))
        }
        #[inline]
        fn put(&self, out: &mut Writer<'_>, layout: Layout, _: bool) -> Result<(), EncodeError> {
            Self::put_nullable(Some(self), out, layout, false)
        }
    };
}

impl Field for String {
    #[inline]
    fn least(layout: Layout) -> usize {
        if layout.flexible { 1 } else { 2 }
    }
    by_length!();
    #[cfg(test)]
    fn sample(dice: &mut Dice, _: Layout, _: bool) -> Self {
        let len = dice.length(12, 300);
        (0..len).map(|_| ['a', 'Z', '0', '-', 'é', '龍'][dice.below(6)]).collect()
    }
}

impl Nullable for String {
    #[inline]
    fn take_nullable(
        input: &mut Reader<'_>,
        layout: Layout,
        _: bool,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(text) = input.text(layout.flexible)? else { return Ok(None) };
        input.charge(text.len())?;
        Ok(Some(text.to_owned()))
    }

    #[inline]
    fn put_nullable(
        value: Option<&Self>,
        out: &mut Writer<'_>,
        layout: Layout,
        _: bool,
    ) -> Result<(), EncodeError> {
        out.text(layout.flexible, value.map(String::as_str))
    }
}

impl Field for Bytes {
    #[inline]
    fn least(layout: Layout) -> usize {
        if layout.flexible { 1 } else { 4 }
    }
    by_length!();
    #[cfg(test)]
    fn sample(dice: &mut Dice, _: Layout, _: bool) -> Self {
        let len = dice.length(12, 300);
        (0..len).map(|_| dice.array::<1>()[0]).collect()
    }
}

impl Nullable for Bytes {
    #[inline]
    fn take_nullable(
        input: &mut Reader<'_>,
        layout: Layout,
        _: bool,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(len) = input.long_len(layout.flexible)? else { return Ok(None) };
        let bytes = input.bytes(len)?;
        input.charge(len)?;
        Ok(Some(Self::copy_from_slice(bytes)))
    }

    #[inline]
    fn put_nullable(
        value: Option<&Self>,
        out: &mut Writer<'_>,
        layout: Layout,
        _: bool,
    ) -> Result<(), EncodeError> {
        out.long_len(layout.flexible, value.map(Bytes::len))?;
        out.raw(value.map_or(&[], |bytes| bytes));
        Ok(())
    }
}

impl<T: Field> Field for Vec<T> {
    #[inline]
    fn least(layout: Layout) -> usize {
        if layout.flexible { 1 } else { 4 }
    }
    by_length!();
    #[cfg(test)]
    fn sample(dice: &mut Dice, layout: Layout, _: bool) -> Self {
        let len = dice.length(4, 140);
        (0..dice.afford(len)).map(|_| T::sample(dice, layout, false)).collect()
    }
}

impl<T: Field> Nullable for Vec<T> {
    #[inline]
    fn take_nullable(
        input: &mut Reader<'_>,
        layout: Layout,
        _: bool,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(count) = input.count(layout.flexible, T::least(layout))? else { return Ok(None) };
        input.charge(count.saturating_mul(size_of::<T>()))?;
        let mut elements = Self::with_capacity(count);
        for _ in 0..count {
            elements.push(T::take(input, layout, false)?);
        }
        Ok(Some(elements))
    }

    #[inline]
    fn put_nullable(
        value: Option<&Self>,
        out: &mut Writer<'_>,
        layout: Layout,
        _: bool,
    ) -> Result<(), EncodeError> {
        out.long_len(layout.flexible, value.map(Vec::len))?;
        for element in value.map_or(&[][..], Vec::as_slice) {
            element.put(out, layout, false)?;
        }
        Ok(())
    }
}
