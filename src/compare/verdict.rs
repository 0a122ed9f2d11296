//! A report in one plain sentence.

use super::ShadowReport;

/// The sentence.
pub fn verdict(report: &ShadowReport) -> String {
    format!("{} requests compared.", report.compared)
}
