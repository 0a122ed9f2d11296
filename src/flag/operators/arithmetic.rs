//! Arithmetic on whatever has a number; what has none, and what no `f64` holds, is no number.

use std::cmp::Ordering;

use crate::flag::rule::Op;
use crate::flag::{Number, Value};

/// One arithmetic operator over all its arguments, from left to right.
pub fn apply(op: Op, args: &[Value]) -> Number {
    let mut numbers = args.iter().map(Value::number);
    let folded = match (op, args.len()) {
        (Op::Subtract, 1) => numbers.next().map(|number| -number),
        (Op::Add, _) => Some(numbers.fold(Number::from(0_i64), |sum, number| sum + number)),
        (Op::Multiply, _) => Some(numbers.fold(Number::from(1_i64), |product, number| product * number)),
        (Op::Subtract, _) => Some(numbers.reduce(|left, right| left - right).unwrap_or(Number::from(0_i64))),
        (Op::Divide, 2..) => numbers.reduce(|left, right| left / right),
        (Op::Remainder, 2..) => Some(args[0].number() % args[1].number()),
        (Op::Max, _) => numbers.reduce(|left, right| left.pick(right, Ordering::Greater)),
        (Op::Min, _) => numbers.reduce(|left, right| left.pick(right, Ordering::Less)),
        _ => None,
    };
    folded.unwrap_or(Number::NONE)
}
