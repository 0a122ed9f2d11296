//! A share of everyone, as an operator writes it: `5%`, `0.5%`, `12.5%`.
//!
//! Exact: the text is a decimal number and stays one. No float comes near it, or 0.1% would be another share than it says.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Decimals that a share may have: with more, no sum of weights could hold it.
const DECIMALS: usize = 9;

const PERCENT: u64 = 10_u64.pow(DECIMALS as u32);

/// From 0% to 100%, in billionths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u64);

/// A text that is no share, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found}; expected {expected}")]
pub struct NoShare {
    found: String,
    expected: String,
}

impl Share {
    /// The share as a fraction of [`Share::WHOLE`].
    pub fn of_whole(self) -> u64 {
        self.0
    }

    /// What everyone is.
    pub const WHOLE: u64 = 100 * PERCENT;
}

/// Reads shares as they stand on a command line: `canary=5%,beta=10%`.
pub fn shares(text: &str) -> Result<BTreeMap<String, Share>, NoShare> {
    let mut shares = BTreeMap::new();
    for part in text.split(',') {
        let Some((variant, share)) = part.rsplit_once('=').filter(|(variant, _)| !variant.is_empty()) else {
            return Err(no_share(format!("`{part}` names no variant and share"), "`canary=5%`"));
        };
        if shares.insert(variant.to_owned(), share.parse()?).is_some() {
            return Err(no_share(format!("`{variant}` stands there twice"), "each variant once"));
        }
    }
    Ok(shares)
}

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Share, NoShare> {
        let Some(number) = text.strip_suffix('%') else {
            let expected = if decimal(text).is_some() { format!("`{text}%`") } else { "such as `5%`".into() };
            return Err(no_share(format!("the share `{text}` has no `%`"), &expected));
        };
        let Some((whole, fraction)) = decimal(number) else {
            return Err(no_share(
                format!("`{text}` is no share"),
                "a decimal number and `%`, such as `0.5%`",
            ));
        };
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DECIMALS {
            return Err(no_share(format!("the share `{text}` is too fine"), "at most nine decimals"));
        }
        // Digits alone: only a number beyond all bounds does not parse.
        let whole = whole.parse::<u64>().ok().filter(|whole| *whole <= 100);
        let fraction = format!("{fraction:0<DECIMALS$}").parse::<u64>().ok();
        let share = whole.zip(fraction).map(|(whole, fraction)| whole * PERCENT + fraction);
        match share.filter(|share| *share <= Share::WHOLE) {
            Some(share) => Ok(Share(share)),
            None => Err(no_share(format!("the share `{text}` is more than everyone"), "0% to 100%")),
        }
    }
}

/// The digits before and after the point.
fn decimal(text: &str) -> Option<(&str, &str)> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        None => digits(text).then_some((text, "")),
        Some((whole, fraction)) => (digits(whole) && digits(fraction)).then_some((whole, fraction)),
    }
}

fn no_share(found: String, expected: &str) -> NoShare {
    NoShare { found, expected: expected.to_owned() }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / PERCENT, self.0 % PERCENT);
        let fraction = format!("{fraction:0>DECIMALS$}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            fraction => write!(f, "{whole}.{fraction}%"),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_read_to_its_last_digit() {
        for (text, billionths, shown) in [
            ("0%", 0, "0%"),
            ("5%", 5_000_000_000, "5%"),
            ("0.5%", 500_000_000, "0.5%"),
            ("12.50%", 12_500_000_000, "12.5%"),
            ("0.000000001%", 1, "0.000000001%"),
            ("99.9999999990000%", 99_999_999_999, "99.999999999%"),
            ("100%", 100_000_000_000, "100%"),
            ("007.0%", 7_000_000_000, "7%"),
        ] {
            let share: Share = text.parse().expect(text);
            assert_eq!((share.of_whole(), share.to_string().as_str()), (billionths, shown), "{text}");
        }
    }

    #[test]
    fn what_is_no_share_is_told_with_what_is() {
        for (text, told) in [
            ("5", "the share `5` has no `%`; expected `5%`"),
            ("0.05", "the share `0.05` has no `%`; expected `0.05%`"),
            ("five", "the share `five` has no `%`; expected such as `5%`"),
            ("%", "`%` is no share; expected a decimal number and `%`, such as `0.5%`"),
            (".5%", "`.5%` is no share; expected a decimal number and `%`, such as `0.5%`"),
            ("5.%", "`5.%` is no share; expected a decimal number and `%`, such as `0.5%`"),
            ("-1%", "`-1%` is no share; expected a decimal number and `%`, such as `0.5%`"),
            ("1e1%", "`1e1%` is no share; expected a decimal number and `%`, such as `0.5%`"),
            ("101%", "the share `101%` is more than everyone; expected 0% to 100%"),
            ("100.1%", "the share `100.1%` is more than everyone; expected 0% to 100%"),
            (
                "99999999999999999999%",
                "the share `99999999999999999999%` is more than everyone; expected 0% to 100%",
            ),
            ("0.0000000001%", "the share `0.0000000001%` is too fine; expected at most nine decimals"),
        ] {
            assert_eq!(text.parse::<Share>().map_err(|error| error.to_string()), Err(told.to_owned()));
        }
    }

    #[test]
    fn several_shares_are_read_at_once() {
        let shown = |text| {
            shares(text)
                .map(|shares| {
                    shares.iter().map(|(name, share)| format!("{name}={share}")).collect::<Vec<_>>()
                })
                .map_err(|error| error.to_string())
        };
        assert_eq!(shown("canary=5%,beta=0.5%"), Ok(vec!["beta=0.5%".to_owned(), "canary=5%".to_owned()]));
        assert_eq!(shown("a=b=5%"), Ok(vec!["a=b=5%".to_owned()]));
        assert_eq!(shown(""), Err("`` names no variant and share; expected `canary=5%`".to_owned()));
        assert_eq!(shown("=5%"), Err("`=5%` names no variant and share; expected `canary=5%`".to_owned()));
        assert_eq!(shown("a=1%,a=2%"), Err("`a` stands there twice; expected each variant once".to_owned()));
    }

    proptest! {
        #[test]
        fn every_share_is_read_back_as_it_is_shown(billionths in 0..=Share::WHOLE) {
            prop_assert_eq!(Share(billionths).to_string().parse(), Ok(Share(billionths)));
        }

        #[test]
        fn no_text_panics(text in "[0-9.%=,a+-]{0,40}") {
            let _ = (text.parse::<Share>(), shares(&text));
        }
    }
}
