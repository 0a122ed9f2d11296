//! Numbers for people.

/// `14,233`
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `0.16 %`, `12.5 %`
pub fn share(share: f64) -> String {
    format!("{} %", hundredths(share))
}

/// `0.11 to 0.24 %`
pub fn interval([from, to]: [f64; 2]) -> String {
    format!("{} to {} %", hundredths(from), hundredths(to))
}

/// `0.42 ms`, `8.1 ms`, `120 ms`, `1.25 s`
pub fn time(seconds: f64) -> String {
    match seconds * 1000.0 {
        ms if ms < 1.0 => format!("{ms:.2} ms"),
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1000.0),
    }
}

fn hundredths(share: f64) -> String {
    let hundredths = 100.0 * share;
    let digits = if hundredths < 10.0 { 2 } else { 1 };
    format!("{hundredths:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_as_long_as_they_are_worth() {
        let counts = [(0, "0"), (999, "999"), (1000, "1,000"), (14_233, "14,233"), (1_234_567, "1,234,567")];
        for (n, text) in counts {
            assert_eq!(count(n), text);
        }
        assert_eq!(
            (share(0.001_616), share(0.125), share(1.0)),
            ("0.16 %".into(), "12.5 %".into(), "100.0 %".into())
        );
        assert_eq!(interval([0.0011, 0.0024]), "0.11 to 0.24 %");
        for (seconds, text) in [(0.000_42, "0.42 ms"), (0.0081, "8.1 ms"), (0.12, "120 ms"), (1.25, "1.25 s")]
        {
            assert_eq!(time(seconds), text);
        }
    }
}
