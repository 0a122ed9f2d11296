//! A document of any bytes: loading it never panics nor passes a limit, and whatever flags it has can be compiled and asked.
//!
//! An input is a byte for the format and the limits, and the document's text.

#![no_main]

use flagway::config::FlagLimits;
use flagway::flag::Format;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

mod support;

fuzz_target!(|input: &[u8]| {
    let [how, text @ ..] = input else { return };
    let text = String::from_utf8_lossy(text);
    let format = if how & 1 == 0 { Format::Json } else { Format::Yaml };
    let limits = if how & 2 == 0 { FlagLimits::default() } else { support::tight() };
    let problems = match support::load(&text, format, &limits) {
        Err(problems) => problems,
        Ok((entries, problems)) => {
            let context =
                json!({"targetingKey": "user-4711", "email": "a@example.org", "n": [1, {"n": 2.5}]});
            support::ask(&entries, &limits, &context);
            problems
        }
    };
    for problem in problems {
        let told = problem.to_string();
        assert!(told.len() < 4096, "{} bytes to tell one problem", told.len());
        assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
    }
});
