//! Whether a difference occurs more often against the shadow than the version differs from itself.
//!
//! A field differs in `shadow` of `compared` requests from the shadow's answer, and in `twin` of `twins` requests from a
//! second answer of the same version. Were the shadow no other than its original, both counts would be draws from one rate,
//! and Fisher's exact test says how seldom the first would be so high. Where both counts are of the same requests they
//! go up and down together, which makes a false alarm rarer still.
//!
//! It keeps no verdict: who looks often sees a difference early, and now and then a false alarm that goes away again. Ten
//! looks at one field of noise treble the chance of one (tried: 3 of 1,000 fields), and the low level leaves room for that.

mod fisher;

use self::fisher::fisher;

/// What a field is by what was seen of it, the most harmless first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The version differs from itself there about as often.
    Noise,
    /// Not seen with twins, and too seldom to tell.
    Unsettled,
    /// It counts.
    Difference,
}

/// Requests in which a field differed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// From the shadow's.
    pub shadow: u64,
    /// From the twin's.
    pub twin: u64,
}

/// What a field's counts are measured by.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// Requests compared with the shadow's answer.
    pub compared: u64,
    /// Requests compared with a twin's.
    pub twins: u64,
    /// Whether twins are sent; if there are none and will be none, every difference counts.
    pub learns: bool,
    /// Fields that are tested at once.
    pub fields: usize,
}

impl Class {
    /// Its token: `difference`, `noise`, `unsettled`.
    pub fn label(self) -> &'static str {
        match self {
            Class::Noise => "noise",
            Class::Unsettled => "unsettled",
            Class::Difference => "difference",
        }
    }
}

impl Test {
    /// What a field with these counts is.
    pub fn class(&self, counts: Counts) -> Class {
        let Counts { shadow, twin } = counts;
        let blind = !self.learns && self.twins == 0;
        if shadow > 0 && (blind || self.significant(counts)) {
            Class::Difference
        } else if twin > 0 {
            Class::Noise
        } else {
            Class::Unsettled
        }
    }

    /// Whether it differs more often from the shadow's than chance allows. Bonferroni: the level is shared by all fields.
    fn significant(&self, counts: Counts) -> bool {
        let level = LEVEL / self.fields.max(1) as f64;
        let more = rate(counts.shadow, self.compared) > rate(counts.twin, self.twins);
        more && fisher((counts.shadow, self.compared), (counts.twin, self.twins), level) < level
    }
}

/// How probable it may be that anything is taken for a difference that is none.
const LEVEL: f64 = 0.001;

/// The interval of a rate at 95 %, from `count` of `of`.
///
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927): good for few and
/// for rare ones, and never outside of 0 to 1.
pub fn interval(count: u64, of: u64) -> [f64; 2] {
    if of == 0 {
        return [0.0, 1.0];
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (of as f64, rate(count, of));
    let scale = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    // Rounding takes neither end past the rate: of 0 the low end is 0.
    [(centre - half).clamp(0.0, p), (centre + half).clamp(p, 1.0)]
}

fn rate(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn counts(shadow: u64, twin: u64) -> Counts {
        Counts { shadow, twin }
    }

    #[test]
    fn a_field_is_what_its_counts_say() {
        let test = |compared, twins, fields| Test { compared, twins, learns: true, fields };
        let blind = Test { compared: 1000, twins: 0, learns: false, fields: 1 };
        for (test, counts, expected) in [
            // Without twins there is nothing to doubt by; as soon as there could be, there is.
            (blind, counts(1, 0), Class::Difference),
            (test(1000, 0, 1), counts(1000, 0), Class::Unsettled),
            (Test { twins: 1, ..blind }, counts(1, 0), Class::Unsettled),
            // Seldom, and never with a twin.
            (test(1000, 1000, 1), counts(9, 0), Class::Unsettled),
            (test(1000, 1000, 1), counts(10, 0), Class::Difference),
            (test(1000, 1000, 500), counts(10, 0), Class::Unsettled),
            (test(1000, 1000, 500), counts(20, 0), Class::Difference),
            // Few twins need more.
            (test(1000, 100, 1), counts(20, 0), Class::Unsettled),
            (test(1000, 100, 1), counts(90, 0), Class::Difference),
            (test(50, 5, 1), counts(50, 0), Class::Difference),
            // As often with twins, by what both were.
            (test(1000, 1000, 1), counts(1000, 1000), Class::Noise),
            (test(1000, 100, 1), counts(500, 50), Class::Noise),
            (test(1000, 100, 1), counts(500, 30), Class::Difference),
            (test(1000, 1000, 1), counts(0, 3), Class::Noise),
            (test(10_000_000, 1_000_000, 500), counts(5_000_000, 500_000), Class::Noise),
            (test(10_000_000, 1_000_000, 500), counts(5_000_000, 496_000), Class::Difference),
        ] {
            assert_eq!(test.class(counts), expected, "{counts:?} by {test:?}");
        }
    }

    #[test]
    fn an_interval_holds_its_rate() {
        // Where the distance from the rate is 1.96 standard deviations, found by bisection.
        for (count, of, low, high) in [
            (0, 10, 0.0, 0.277_532_799_862_9),
            (1, 10, 0.017_876_213_095_1, 0.404_150_026_795_2),
            (5, 10, 0.236_593_090_512_6, 0.763_406_909_487_4),
            (10, 10, 0.722_467_200_137_1, 1.0),
            (23, 14_233, 0.001_077_084_535_8, 0.002_423_794_431_2),
        ] {
            let [found_low, found_high] = interval(count, of);
            assert!(
                (found_low - low).abs() < 1e-12 && (found_high - high).abs() < 1e-12,
                "{:?}",
                interval(count, of)
            );
        }
        assert_eq!(interval(0, 0), [0.0, 1.0]);
    }

    /// SplitMix64: the same draws on every run.
    struct Draws(u64);

    impl Draws {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = self.0;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        /// Whether a field that differs from shadow and twin at one rate is taken for a difference at one of `looks`.
        fn alarm(&mut self, requests: u64, twin_share: f64, rate: f64, fields: usize, looks: u64) -> bool {
            let (mut twins, mut seen) = (0, Counts::default());
            (1..=requests).any(|compared| {
                seen.shadow += u64::from(self.next() < rate);
                if self.next() < twin_share {
                    twins += 1;
                    seen.twin += u64::from(self.next() < rate);
                }
                let test = Test { compared, twins, learns: true, fields };
                compared % (requests / looks) == 0 && test.class(seen) == Class::Difference
            })
        }
    }

    #[test]
    fn noise_is_taken_for_a_difference_in_one_of_a_thousand_fields_at_most() {
        const RATES: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99];
        let mut draws = Draws(3);
        for (twin_share, fields, looks, most) in [
            (1.0, 1, 1, 1),
            (0.1, 1, 1, 1),
            (1.0, 20, 10, 1),
            (0.1, 20, 10, 1),
            (1.0, 1, 10, 4),
            (0.1, 1, 10, 4),
        ] {
            let alarms = (0..1000).filter(|field: &u64| {
                let (requests, rate) = (500 + 500 * (field % 10), RATES[*field as usize / 100]);
                draws.alarm(requests, twin_share, rate, fields, looks)
            });
            let alarms = alarms.count();
            assert!(alarms <= most, "{alarms} of 1,000: twins {twin_share}, {fields} fields, {looks} looks");
        }
    }
}
