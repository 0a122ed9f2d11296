//! What holds of any two answers.
