//! Ranges of versions, written as the definitions write them: `0+`, `4-9`, `2`, `none`.

/// The versions in which something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    /// The first.
    pub(crate) min: i16,
    /// The last.
    pub(crate) max: i16,
}

impl Versions {
    /// No version.
    pub(crate) const NONE: Self = Self { min: i16::MAX, max: -1 };

    /// Whether it holds in `version`.
    #[inline]
    pub(crate) const fn has(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// How one version of a message writes its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The version.
    pub(crate) version: i16,
    /// Lengths take as many bytes as they need, and structures end with tagged fields.
    pub(crate) flexible: bool,
}

/// The versions that a field's brackets begin with, as [`Versions`].
macro_rules! versions {
    (none) => {
        $crate::wire::Versions::NONE
    };
    ($min:literal + $(, $($rest:tt)*)?) => {
        $crate::wire::Versions { min: $min, max: i16::MAX }
    };
    ($min:literal - $max:literal $(, $($rest:tt)*)?) => {
        $crate::wire::Versions { min: $min, max: $max }
    };
    ($only:literal $(, $($rest:tt)*)?) => {
        $crate::wire::Versions { min: $only, max: $only }
    };
}
pub(crate) use versions;
