//! A report in one plain sentence.
