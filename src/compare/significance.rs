//! Whether a difference occurs more often against the shadow than the version differs from itself.
//!
//! A field differs in `shadow` of `compared` requests from the shadow's answer, and in `twin` of `twins` requests from a
//! second answer of the same version. Were the shadow no other than its original, both counts would be draws from one rate,
//! and Fisher's exact test says how seldom the first would be so high. Where both counts are of the same requests they
//! go up and down together, which makes a false alarm rarer still.
//!
//! It knows no time: who looks often sees each alarm early, and now and then one that goes away again. The level is so low
//! for that reason.

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
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

fn rate(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}
