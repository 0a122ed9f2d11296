//! A JSON number: compared by its value, exactly, however it was written.

/// A number. One value has one form, so that equal means equal: only what no integer can hold is a float.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// Below zero.
    Negative(i64),
    /// Zero or above.
    Positive(u64),
    /// With a fraction, or beyond 64 bits; finite.
    Float(f64),
}

impl Number {
    /// Whether two numbers lie no farther apart than `tolerance`. Decimals are not exact in binary, so that 1.1 and 1.0 lie a bit
    /// more than 0.1 apart: their last bits do not count.
    pub(super) fn is_within(self, other: Number, tolerance: f64) -> bool {
        match (self.integer(), other.integer()) {
            (Some(one), Some(other)) => one.abs_diff(other) as f64 <= tolerance,
            _ => {
                let (one, other) = (self.float(), other.float());
                (one - other).abs() <= tolerance + one.abs().max(other.abs()) * f64::EPSILON * 2.0
            }
        }
    }

    /// Bits that are the same for equal numbers.
    pub(super) fn bits(self) -> u64 {
        match self {
            Number::Negative(integer) => integer.cast_unsigned(),
            Number::Positive(integer) => integer,
            Number::Float(float) => float.to_bits(),
        }
    }

    /// The nearest float.
    pub(super) fn float(self) -> f64 {
        match self {
            Number::Negative(integer) => integer as f64,
            Number::Positive(integer) => integer as f64,
            Number::Float(float) => float,
        }
    }

    fn integer(self) -> Option<i128> {
        match self {
            Number::Negative(integer) => Some(integer.into()),
            Number::Positive(integer) => Some(integer.into()),
            Number::Float(_) => None,
        }
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        Number::Positive(integer)
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        u64::try_from(integer).map_or(Number::Negative(integer), Number::Positive)
    }
}

impl From<f64> for Number {
    fn from(float: f64) -> Self {
        // The bounds are powers of two: exact as floats, and any whole float within them is exact as an integer.
        const TOP: f64 = 18_446_744_073_709_551_616.0;
        const BOTTOM: f64 = -9_223_372_036_854_775_808.0;
        if float.fract() != 0.0 || !(BOTTOM..TOP).contains(&float) {
            Number::Float(float)
        } else if float < 0.0 {
            Number::Negative(float as i64)
        } else {
            Number::Positive(float as u64)
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Negative(integer) => write!(f, "{integer}"),
            Number::Positive(integer) => write!(f, "{integer}"),
            Number::Float(float) => write!(f, "{float:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_by_value_and_lose_nothing() {
        assert_eq!(Number::from(1u64), Number::from(1.0));
        assert_eq!(Number::from(-0.0), Number::from(0u64));
        assert_eq!(Number::from(-3i64), Number::from(-3.0));
        assert_eq!(Number::from(i64::MIN), Number::from(i64::MIN as f64));
        assert_eq!(Number::from(5i64), Number::from(5u64));
        for (one, other) in [(u64::MAX, u64::MAX - 1), (1 << 53, (1 << 53) + 1)] {
            assert_ne!(Number::from(one), Number::from(other));
        }
        assert_ne!(Number::from((1u64 << 53) + 1), Number::from((1u64 << 53) as f64));
        assert_ne!(Number::from(u64::MAX), Number::from(u64::MAX as f64));
    }

    #[test]
    fn a_tolerance_is_a_distance_and_forgives_the_rounding_of_decimals() {
        for (one, other, tolerance, within) in [
            (1.10, 1.09, 0.01, true),
            (1.10, 1.08, 0.01, false),
            (0.3, 0.1 + 0.2, 0.0, true),
            (10.0, 12.0, 2.0, true),
            (-1.0, 1.0, 1.9, false),
            (f64::MAX, f64::MIN, 1e300, false),
            (1e300, 1e300, 0.0, true),
        ] {
            let (one, other) = (Number::from(one), Number::from(other));
            assert_eq!(one.is_within(other, tolerance), within, "{one} {other} {tolerance}");
            assert_eq!(other.is_within(one, tolerance), within, "{other} {one} {tolerance}");
        }
        assert!(!Number::from(u64::MAX).is_within(Number::from(u64::MAX - 5000), 4096.0));
    }
}
