//! The gateway's own metrics, read back: the demo shows what a monitoring would see.

use std::collections::BTreeMap;

/// Counts by labels.
pub type Counts = BTreeMap<Vec<String>, f64>;

/// The series of one metric in Prometheus' text format, summed over all labels but those named, in that order.
pub fn series(text: &str, metric: &str, labels: &[&str]) -> Counts {
    let mut counts = Counts::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(metric).and_then(|rest| rest.strip_prefix('{')) else { continue };
        let Some((found, value)) = read_labels(rest) else { continue };
        let Ok(value) = value.trim().parse::<f64>() else { continue };
        let key = labels.iter().map(|label| found.get(*label).cloned().unwrap_or_default()).collect();
        *counts.entry(key).or_default() += value;
    }
    counts
}

/// `a="b",c="d"} 5`: the labels, and what follows the brace.
fn read_labels(text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(value) = rest.strip_prefix('}') {
            return Some((labels, value));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.to_owned(), value);
        rest = &quoted[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_over_the_labels_that_do_not_matter() {
        let text = "# HELP requests x\n# TYPE requests counter\n\
            requests{class=\"2xx\",version=\"a\"} 3\nrequests{class=\"5xx\",version=\"a\"} 2\n\
            requests{class=\"2xx\",version=\"b\\\"},\\n\"} 1\nrequests_other{version=\"a\"} 7\nrequests 9\n";
        let counts = series(text, "requests", &["version"]);
        let expected = [(vec!["a".to_owned()], 5.0), (vec!["b\"},\n".to_owned()], 1.0)];
        assert_eq!(counts, Counts::from(expected));
    }

    #[test]
    fn what_is_cut_off_is_left_out() {
        for text in
            ["requests{", "requests{a=\"b", "requests{a=\"b\"", "requests{a} 1", "requests{a=\"b\"} x"]
        {
            assert!(series(text, "requests", &["a"]).is_empty(), "{text}");
        }
    }
}
