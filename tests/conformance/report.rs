//! What the comparison found: agreement by operator, reason and error code, the rulings, and whether the questions were any good.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

use crate::cases::Case;
use crate::peer::Peer;
use crate::rules::OPERATORS;
use crate::rulings::RULINGS;
use crate::{Compared, Verdict};

/// Differences told in full.
const SHOWN: usize = 8;

/// Answers the same, ruled on, and not explained.
#[derive(Default, Clone, Copy)]
struct Tally([usize; 3]);

impl Tally {
    fn count(&mut self, verdict: &Verdict) {
        self.0[match verdict {
            Verdict::Same => 0,
            Verdict::Ruled(_) => 1,
            Verdict::Unexplained(_) => 2,
        }] += 1;
    }

    fn all(self) -> usize {
        self.0.iter().sum()
    }
}

/// The tables.
pub struct Report {
    cases: usize,
    /// Cause (operator, reason, error code, all), then peer.
    causes: BTreeMap<(u8, String), [Tally; 2]>,
    rulings: BTreeMap<(String, &'static str), usize>,
    /// Questions that we answer with something other than the default variant.
    elsewhere: usize,
    unexplained: Vec<String>,
}

impl Report {
    /// Counts everything.
    pub fn new(cases: &[Case], compared: &[Compared]) -> Report {
        let mut report = Report {
            cases: cases.len(),
            causes: BTreeMap::new(),
            rulings: BTreeMap::new(),
            elsewhere: 0,
            unexplained: Vec::new(),
        };
        for (column, one) in compared.iter().enumerate() {
            report.add(column, one);
        }
        report
    }

    fn add(&mut self, column: usize, compared: &Compared) {
        for (at, (case, verdict)) in compared.cases.iter().zip(&compared.verdicts).enumerate() {
            let ours = &compared.ours[at];
            let mut causes = vec![(0, "all".to_owned())];
            causes.extend(case.operators.iter().map(|operator| (1, operator.clone())));
            causes.extend(ours["reason"].as_str().map(|reason| (2, reason.to_owned())));
            causes.extend(ours["errorCode"].as_str().map(|code| (3, code.to_owned())));
            for cause in causes {
                self.causes.entry(cause).or_default()[column].count(verdict);
            }
            let flag = &case.line["flags"]["flags"][case.line["flagKey"].as_str().unwrap_or_default()];
            let is_other = ours["variant"].is_string() && ours["variant"] != flag["defaultVariant"];
            // The one that is asked everything.
            self.elsewhere += usize::from(is_other && compared.peer == Peer::PyPi);
            match verdict {
                Verdict::Same => {}
                Verdict::Ruled(names) => {
                    for name in names {
                        *self.rulings.entry((name.clone(), compared.peer.name())).or_default() += 1;
                    }
                }
                Verdict::Unexplained(repaired) => {
                    let theirs = &compared.theirs[at];
                    self.unexplained.push(told(compared.peer, case, ours, theirs, repaired));
                }
            }
        }
    }

    /// What fails: differences nobody ruled on, and questions too much of one kind.
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.unexplained.iter().take(SHOWN).cloned().collect();
        if !self.unexplained.is_empty() {
            faults.push(format!("{} differences are not ruled on", self.unexplained.len()));
        }
        let least = self.cases / 100;
        let wanted = OPERATORS
            .map(|operator| (1, operator))
            .into_iter()
            .chain([(1, "$ref")])
            .chain(["STATIC", "DEFAULT", "TARGETING_MATCH", "DISABLED", "ERROR"].map(|reason| (2, reason)))
            .chain(["FLAG_NOT_FOUND", "PARSE_ERROR", "TYPE_MISMATCH", "GENERAL"].map(|code| (3, code)));
        for (group, name) in wanted {
            let tallies = self.causes.get(&(group, name.to_owned())).copied().unwrap_or_default();
            for (peer, tally) in Peer::ALL.iter().zip(tallies) {
                if tally.all() < least {
                    faults.push(format!(
                        "{}: {} cases of {name}, less than {least}",
                        peer.name(),
                        tally.all()
                    ));
                }
            }
        }
        // In that many cases each ruling has its day, or it excuses nothing.
        for ruling in RULINGS.iter().filter(|_| self.cases >= 100_000) {
            for peer in ruling
                .of
                .iter()
                .filter(|peer| !self.rulings.contains_key(&(ruling.name.to_owned(), peer.name())))
            {
                faults.push(format!("{}: no case of the ruling {:?}", peer.name(), ruling.name));
            }
        }
        if self.elsewhere * 100 < self.cases * 40 {
            faults.push(format!("only {} of {} answers are not the default", self.elsewhere, self.cases));
        }
        faults
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} cases, {} answered with something other than the default\n",
            self.cases, self.elsewhere
        )?;
        writeln!(f, "{:<18} {:>30}   {:>30}", "", "npm (v2)", "PyPI (v3)")?;
        let columns = "same    ruled  unruled";
        writeln!(f, "{:<18} {columns:>30}   {columns:>30}", "")?;
        for ((_, cause), tallies) in &self.causes {
            let [npm, pypi] =
                tallies.map(|Tally([same, ruled, unruled])| format!("{same} {ruled:>8} {unruled:>8}"));
            writeln!(f, "{cause:<18} {npm:>30}   {pypi:>30}")?;
        }
        writeln!(f, "\nruled on")?;
        for ((name, peer), count) in &self.rulings {
            writeln!(f, "{count:>8}  {peer:<5} {name}")?;
        }
        Ok(())
    }
}

fn told(peer: Peer, case: &Case, ours: &Json, theirs: &Json, repaired: &Json) -> String {
    format!("{}: {}\n  ours     {ours}\n  theirs   {theirs}\n  repaired {repaired}\n", peer.name(), case.line)
}
