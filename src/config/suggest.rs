//! "Did you mean": the word that was probably meant. One measure for keys, values, flags, versions and attributes.

/// Longer texts are no typing errors of a known word, and would cost the square of their length.
const LONGEST: usize = 64;

/// The known word nearest to `found`, if a third of the letters or fewer are wrong; case, `-`, `_` and blanks count as equal.
pub fn suggest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if found.len() > LONGEST {
        return None;
    }
    let folded = fold(found);
    let near = known.into_iter().filter(|word| word.len() <= LONGEST).map(|word| {
        let distance = strsim::damerau_levenshtein(&folded, &fold(word));
        (distance, word)
    });
    let (distance, word) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= folded.chars().count() / 3).then_some(word)
}

fn fold(word: &str) -> String {
    word.to_lowercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["service", "path_prefix", "ENABLED", "a"];
        for (found, meant) in [
            ("servcie", Some("service")),
            ("path-prefix", Some("path_prefix")),
            ("enabled", Some("ENABLED")),
            ("A", Some("a")),
            ("b", None),
            ("upstream", None),
            ("", None),
        ] {
            assert_eq!(suggest(found, known.iter().copied()), meant, "{found}");
        }
        assert_eq!(suggest(&"a".repeat(65), ["a"]), None);
    }
}
