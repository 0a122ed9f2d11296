//! Numbers without loss: whole ones exactly, within what 64 bits hold with or without a sign; the others as `f64`.

use std::cmp::Ordering;

/// A number, or what an impossible calculation gave.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// From -2^63 to 2^64 - 1, however it was written.
    Whole(i128),
    /// Finite; not whole, or beyond that range.
    Real(f64),
    /// `1/0`: equal to nothing, not even itself; written as nothing.
    None,
}

use Number::{None, Real, Whole};

const LEAST: i128 = i64::MIN as i128;
const GREATEST: i128 = u64::MAX as i128;

impl Number {
    pub fn whole(whole: i128) -> Number {
        if (LEAST..=GREATEST).contains(&whole) { Whole(whole) } else { Number::real(whole as f64) }
    }

    pub fn real(real: f64) -> Number {
        let as_whole = real as i128;
        match real {
            _ if !real.is_finite() => None,
            _ if as_whole as f64 == real && (LEAST..=GREATEST).contains(&as_whole) => Whole(as_whole),
            _ => Real(real),
        }
    }

    pub fn of_json(number: &serde_json::Number) -> Number {
        match (number.as_i128(), number.as_f64()) {
            (Some(whole), _) => Number::whole(whole),
            (_, Some(real)) => Number::real(real),
            (Option::None, Option::None) => None,
        }
    }

    /// Of a decimal text with an optional fraction and exponent; blanks around it do not count.
    pub fn of_text(text: &str) -> Number {
        let text = text.trim_ascii();
        let decimal = text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
        match (text.parse::<i128>(), text.parse::<f64>()) {
            (Ok(whole), _) => Number::whole(whole),
            (_, Ok(real)) if decimal => Number::real(real),
            _ => None,
        }
    }

    pub fn is_none(self) -> bool {
        matches!(self, None)
    }

    fn as_real(self) -> f64 {
        match self {
            Whole(whole) => whole as f64,
            Real(real) => real,
            None => f64::NAN,
        }
    }

    pub fn plus(self, other: Number) -> Number {
        match (self, other) {
            (Whole(a), Whole(b)) => Number::whole(a + b),
            _ => Number::real(self.as_real() + other.as_real()),
        }
    }

    pub fn minus(self, other: Number) -> Number {
        match (self, other) {
            (Whole(a), Whole(b)) => Number::whole(a - b),
            _ => Number::real(self.as_real() - other.as_real()),
        }
    }

    pub fn times(self, other: Number) -> Number {
        if let (Whole(a), Whole(b)) = (self, other)
            && let Some(product) = a.checked_mul(b).filter(|product| (LEAST..=GREATEST).contains(product))
        {
            return Whole(product);
        }
        Number::real(self.as_real() * other.as_real())
    }

    pub fn over(self, other: Number) -> Number {
        match (self, other) {
            (Whole(a), Whole(b)) if b != 0 && a % b == 0 => Number::whole(a / b),
            _ => Number::real(self.as_real() / other.as_real()),
        }
    }

    /// What is left of a division; it has the sign of the dividend.
    pub fn modulo(self, other: Number) -> Number {
        match (self, other) {
            (Whole(a), Whole(b)) if b != 0 => Number::whole(a % b),
            _ => Number::real(self.as_real() % other.as_real()),
        }
    }

    /// Exact, also between whole and real. `None`: one of them is no number.
    pub fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Whole(a), Whole(b)) => Some(a.cmp(&b)),
            (Real(a), Real(b)) => a.partial_cmp(&b),
            (Whole(_), Real(_)) => other.compare(self).map(Ordering::reverse),
            // A real is beyond every whole, or stands between the one below it and the next.
            (Real(a), Whole(_)) if a < LEAST as f64 => Some(Ordering::Less),
            (Real(a), Whole(_)) if a > GREATEST as f64 => Some(Ordering::Greater),
            (Real(a), Whole(b)) => {
                Some(if a.floor() as i128 >= b { Ordering::Greater } else { Ordering::Less })
            }
            _ => Option::None,
        }
    }

    /// As JavaScript writes it: the fewest digits that tell it apart, a point from 1e-6 to 1e21, an exponent beyond.
    pub fn text(self) -> String {
        let real = match self {
            Whole(whole) => return whole.to_string(),
            Real(real) => real,
            None => return String::new(),
        };
        let scientific = format!("{:e}", real.abs());
        let (mantissa, exponent) = scientific.split_once('e').expect("it was written with an exponent");
        let digits = mantissa.replace('.', "");
        let exponent: i32 = exponent.parse().expect("an exponent is a number");
        let sign = if real < 0.0 { "-" } else { "" };
        // How many digits stand before the point.
        let before = exponent + 1;
        let written = match before {
            22.. | ..=-6 => {
                let sign = if exponent > 0 { "+" } else { "" };
                format!("{mantissa}e{sign}{exponent}")
            }
            ..=0 => format!("0.{}{digits}", "0".repeat(before.unsigned_abs() as usize)),
            _ if digits.len() <= before as usize => {
                format!("{digits}{}", "0".repeat(before as usize - digits.len()))
            }
            _ => format!("{}.{}", &digits[..before as usize], &digits[before as usize..]),
        };
        format!("{sign}{written}")
    }
}
