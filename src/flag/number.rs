//! Numbers without loss: a whole number from -2^63 to 2^64-1 is exact, any other number is an `f64`.
//!
//! A number has one form, however it was written or computed: 1.0 is the whole number 1, and -0.0 is 0. So equality, text and
//! hash follow from the value alone. "No number" (1/0, the number of `abc`) is a number here that equals and orders with nothing.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use serde_json::Value as Json;

/// A number of a rule or a context.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(Form);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Whole(i64),
    /// Whole, and beyond `i64`.
    Large(u64),
    /// Not whole, or beyond both; NaN is no number, infinity never comes here.
    Float(f64),
}

/// Longest text that is read as a number, in bytes: no `f64` needs more digits to be told apart.
const LONGEST: usize = 1024;

impl Number {
    /// No number: equals nothing, not even itself, and is neither less nor greater than anything.
    pub const NONE: Number = Number(Form::Float(f64::NAN));

    /// The number that a text is in decimal, with or without fraction and exponent. Neither the empty text nor `inf`, `nan` and
    /// `0x10` are numbers, nor is what no `f64` holds.
    pub fn parse(text: &str) -> Option<Number> {
        let decimal = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        if !decimal || text.len() > LONGEST {
            return None;
        }
        if let Ok(whole) = text.parse() {
            return Some(Number::whole_or_near(whole));
        }
        text.parse().ok().filter(|float: &f64| float.is_finite()).map(Number::from)
    }

    /// Its value, if it is whole and within -2^63 and 2^64-1.
    pub fn whole(self) -> Option<i128> {
        match self.0 {
            Form::Whole(whole) => Some(whole.into()),
            Form::Large(whole) => Some(whole.into()),
            Form::Float(_) => None,
        }
    }

    /// The nearest `f64`; NaN for no number.
    pub fn float(self) -> f64 {
        match self.0 {
            Form::Whole(whole) => whole as f64,
            Form::Large(whole) => whole as f64,
            Form::Float(float) => float,
        }
    }

    /// Whether it is no number.
    pub fn is_none(self) -> bool {
        self.float().is_nan()
    }

    /// The greater of two (or the least); no number if either is none.
    pub(super) fn pick(self, other: Number, wanted: Ordering) -> Number {
        match self.partial_cmp(&other) {
            Some(order) if order == wanted => self,
            Some(_) => other,
            None => Number::NONE,
        }
    }

    /// A whole number, or the `f64` next to it when it is out of range.
    fn whole_or_near(whole: i128) -> Number {
        match (i64::try_from(whole), u64::try_from(whole)) {
            (Ok(whole), _) => Number(Form::Whole(whole)),
            (_, Ok(whole)) => Number(Form::Large(whole)),
            _ => Number::from(whole as f64),
        }
    }

    /// Exact on whole numbers where `exact` has an answer, else as floats.
    fn with(
        self,
        other: Number,
        exact: impl FnOnce(i128, i128) -> Option<i128>,
        floats: impl FnOnce(f64, f64) -> f64,
    ) -> Number {
        let whole = self.whole().zip(other.whole()).and_then(|(left, right)| exact(left, right));
        whole.map_or_else(|| floats(self.float(), other.float()).into(), Number::whole_or_near)
    }
}

impl Add for Number {
    type Output = Number;
    fn add(self, other: Number) -> Number {
        self.with(other, i128::checked_add, |left, right| left + right)
    }
}

impl Sub for Number {
    type Output = Number;
    fn sub(self, other: Number) -> Number {
        self.with(other, i128::checked_sub, |left, right| left - right)
    }
}

impl Mul for Number {
    type Output = Number;
    fn mul(self, other: Number) -> Number {
        self.with(other, i128::checked_mul, |left, right| left * right)
    }
}

impl Div for Number {
    type Output = Number;
    fn div(self, other: Number) -> Number {
        let exact = |left: i128, right| (left.checked_rem(right) == Some(0)).then(|| left / right);
        self.with(other, exact, |left, right| left / right)
    }
}

/// The sign is the dividend's.
impl Rem for Number {
    type Output = Number;
    fn rem(self, other: Number) -> Number {
        self.with(other, i128::checked_rem, |left, right| left % right)
    }
}

impl Neg for Number {
    type Output = Number;
    fn neg(self) -> Number {
        Number::from(0_i64) - self
    }
}

/// Exact, also between a whole number and a float.
impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        match (self.whole(), other.whole()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            (None, Some(right)) => beside(self.float(), right),
            (Some(left), None) => beside(other.float(), left).map(Ordering::reverse),
            (None, None) => self.float().partial_cmp(&other.float()),
        }
    }
}

/// A float that is not whole, or beyond every whole number there is, against a whole number.
fn beside(float: f64, whole: i128) -> Option<Ordering> {
    // The cast saturates, far beyond the range. With equal whole parts the float has a fraction on top.
    let order = if float.floor() as i128 >= whole { Ordering::Greater } else { Ordering::Less };
    (!float.is_nan()).then_some(order)
}

impl From<f64> for Number {
    fn from(float: f64) -> Number {
        // 2^63 and 2^64 are exact floats, and 2^64 - 1 is not: the float before 2^64 is the last that fits.
        const RANGE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0;
        if float.fract() == 0.0 && RANGE.contains(&float) {
            Number::whole_or_near(float as i128)
        } else if float.is_finite() {
            Number(Form::Float(float))
        } else {
            Number::NONE
        }
    }
}

impl From<i64> for Number {
    fn from(whole: i64) -> Number {
        Number(Form::Whole(whole))
    }
}

impl From<u64> for Number {
    fn from(whole: u64) -> Number {
        Number::whole_or_near(whole.into())
    }
}

impl From<&serde_json::Number> for Number {
    fn from(number: &serde_json::Number) -> Number {
        match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => whole.into(),
            (_, Some(whole)) => whole.into(),
            _ => number.as_f64().map_or(Number::NONE, Number::from),
        }
    }
}

/// No number is null.
impl From<Number> for Json {
    fn from(number: Number) -> Json {
        match number.0 {
            Form::Whole(whole) => whole.into(),
            Form::Large(whole) => whole.into(),
            Form::Float(float) => float.into(),
        }
    }
}

/// Whole numbers in full; others as JavaScript writes them, the shortest text that reads back the same. No number is nothing.
impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let float = match self.0 {
            Form::Whole(whole) => return write!(out, "{whole}"),
            Form::Large(whole) => return write!(out, "{whole}"),
            Form::Float(float) => float,
        };
        let size = float.abs();
        if float.is_nan() {
            Ok(())
        } else if size >= 1e21 {
            out.write_str(&format!("{float:e}").replacen('e', "e+", 1))
        } else if size < 1e-6 {
            write!(out, "{float:e}")
        } else {
            write!(out, "{float}")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn only_decimal_texts_are_numbers() {
        for (text, float) in
            [("1", 1.0), ("1e3", 1000.0), ("-.5", -0.5), ("0", 0.0), ("+5", 5.0), ("007", 7.0)]
        {
            assert_eq!(number(text), Number::from(float), "{text}");
        }
        for text in
            ["", " ", "0x10", "inf", "NaN", "1_0", "abc", "1e999", "1 2", ".", "-", "1e", "--1", "1.2.3"]
        {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
        assert!(Number::parse(&"1".repeat(LONGEST)).is_none(), "no `f64` is so large");
        assert!(Number::parse(&format!("0.{}", "1".repeat(LONGEST - 2))).is_some());
        assert!(Number::parse(&format!("0.{}", "1".repeat(LONGEST - 1))).is_none());
    }

    #[test]
    fn whole_numbers_are_exact_between_minus_2_to_the_63_and_2_to_the_64() {
        for text in [
            "0",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "18446744073709551615",
        ] {
            assert_eq!(number(text).whole(), text.parse().ok(), "{text}");
            assert_eq!(number(text).to_string(), text);
            let json: Json = serde_json::from_str(text).expect("it is JSON");
            let Json::Number(json) = &json else { panic!("{text} is a number") };
            assert_eq!(Number::from(json), number(text));
            assert_eq!(Json::from(number(text)).to_string(), text);
        }
        for text in ["18446744073709551616", "-9223372036854777856", "0.5"] {
            assert_eq!(number(text).whole(), None, "{text}");
        }
        // No float lies between: the nearest one is in range again.
        assert_eq!(number("-9223372036854775809"), number("-9223372036854775808"));
    }

    #[test]
    fn a_number_has_one_form() {
        for (one, other) in [
            ("1.0", "1"),
            ("-0.0", "0"),
            ("1e3", "1000"),
            ("18446744073709549568.0", "18446744073709549568"),
            ("-9223372036854775808.0", "-9223372036854775808"),
            ("1e21", "1000000000000000000000"),
        ] {
            assert_eq!(number(one), number(other));
            assert_eq!(number(one).to_string(), number(other).to_string());
        }
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (float, text) in [
            (1.0, "1"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (-2.5e-9, "-2.5e-9"),
            (5e-324, "5e-324"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::NAN, ""),
            (f64::INFINITY, ""),
        ] {
            assert_eq!(Number::from(float).to_string(), text);
        }
        assert_eq!(Json::from(Number::NONE), Json::Null);
    }

    #[test]
    fn whole_numbers_compute_exactly_while_they_fit() {
        let big = number("9007199254740993");
        for (result, text) in [
            (big + number("2"), "9007199254740995"),
            (big - number("1"), "9007199254740992"),
            (big * number("3"), "27021597764222979"),
            (big / number("3"), "3002399751580331"),
            (big % number("10"), "3"),
            (number("-7") % number("3"), "-1"),
            (number("7") % number("-3"), "1"),
            (number("18446744073709551615") - number("18446744073709551614"), "1"),
            (-number("9223372036854775808"), "-9223372036854775808"),
            (-number("-9223372036854775808"), "9223372036854775808"),
            (number("18446744073709551615") + number("1"), "18446744073709552000"),
            (number("-9223372036854775808") - number("4096"), "-9223372036854780000"),
            (number("18446744073709551615") * number("18446744073709551615"), "3.402823669209385e+38"),
            (number("1") / number("2"), "0.5"),
            (number("0.5") + number("0.5"), "1"),
            (number("1.5") - number("0.25"), "1.25"),
            (number("1e300") * number("1e300"), ""),
            (number("1") / number("0"), ""),
            (number("0") / number("0"), ""),
            (number("1") % number("0"), ""),
            (number("5.5") % number("2"), "1.5"),
            (number("1") + Number::NONE, ""),
        ] {
            assert_eq!(result.to_string(), text);
        }
    }

    #[test]
    fn whole_numbers_and_floats_compare_exactly() {
        let rising = [
            "-1e300",
            "-9223372036854775808",
            "-9007199254740993",
            "-1.5",
            "-1",
            "-0.5",
            "0",
            "5e-324",
            "0.5",
            "1",
            "1.5",
            "4503599627370495.5",
            "4503599627370496",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e300",
        ];
        for (at, left) in rising.iter().enumerate() {
            for (index, right) in rising.iter().enumerate() {
                let (one, other) = (number(left), number(right));
                assert_eq!(one.partial_cmp(&other), Some(at.cmp(&index)), "{left} and {right}");
                assert_eq!(one == other, at == index, "{left} and {right}");
            }
            assert_eq!(number(left).partial_cmp(&Number::NONE), None);
            assert_eq!(Number::NONE.partial_cmp(&number(left)), None);
        }
        assert_ne!(Number::NONE, Number::NONE);
    }

    proptest! {
        #[test]
        fn every_number_reads_back_from_its_text(float in any::<f64>(), whole in any::<i64>(), large in any::<u64>()) {
            for number in [Number::from(float), whole.into(), large.into()] {
                if !number.is_none() {
                    prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
                }
            }
        }

        #[test]
        fn order_is_that_of_exact_integers(left in any::<i64>(), right in any::<u64>()) {
            prop_assert_eq!(
                Number::from(left).partial_cmp(&Number::from(right)),
                Some(i128::from(left).cmp(&i128::from(right)))
            );
        }
    }
}
