//! Arithmetic on whatever has a number; what has none, and what is not finite, gives NaN.

use crate::flag::Value;
use crate::flag::rule::Op;

/// One arithmetic operator over all its arguments, from left to right.
pub fn apply(op: Op, args: &[Value]) -> f64 {
    let numbers = args.iter().map(Value::number);
    let result = match (op, args.len()) {
        (Op::Subtract, 1) => -args[0].number(),
        (Op::Add, _) => numbers.sum(),
        (Op::Multiply, _) => numbers.product(),
        (Op::Subtract, _) => numbers.reduce(|left, right| left - right).unwrap_or(0.0),
        (Op::Divide, 2..) => numbers.reduce(|left, right| left / right).unwrap_or(f64::NAN),
        // The sign is the dividend's.
        (Op::Remainder, 2..) => args[0].number() % args[1].number(),
        (Op::Max, _) => extreme(numbers, f64::max),
        (Op::Min, _) => extreme(numbers, f64::min),
        _ => f64::NAN,
    };
    // -0 is written and hashed as 0.
    if result.is_finite() { result + 0.0 } else { f64::NAN }
}

/// The greatest or least; NaN among them, or nothing, is NaN.
fn extreme(numbers: impl Iterator<Item = f64>, pick: fn(f64, f64) -> f64) -> f64 {
    // `f64::max` alone would pass over NaN.
    let either =
        |left: f64, right: f64| if left.is_nan() || right.is_nan() { f64::NAN } else { pick(left, right) };
    numbers.reduce(either).unwrap_or(f64::NAN)
}
