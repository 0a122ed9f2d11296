//! The configuration file as a source of its own: read with the environment, and compared with what runs.

use std::path::Path;

use super::sight::Sight;
use crate::config::{Config, Problem, ProblemKind};
use crate::route::Table;

/// Bytes of a configuration file.
pub const LIMIT: usize = 4 << 20;

/// Parses what was seen at `path`. A route that can never match is an error too.
pub fn parse(path: &Path, seen: &Sight) -> Result<Config, Vec<Problem>> {
    let file = path.to_string_lossy();
    let text = seen.as_ref().map_err(|why| {
        vec![
            Problem::error(ProblemKind::Config, "", format!("`{file}`: {why}"))
                .with_expected("a configuration file")
                .with_fix("name the file, or start with an example: `flagway demo`"),
        ]
    })?;
    let config = Config::parse(&file, &text.text, folder(path), &variable)?;
    let unreachable = Table::unreachable(&config.routes);
    if unreachable.is_empty() {
        return Ok(config);
    }
    let mut problems: Vec<_> = unreachable.into_iter().chain(config.warnings).collect();
    Problem::sort(&mut problems);
    Err(problems)
}

/// What relative paths in the file are relative to.
pub fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The parts that differ and are taken at a start only, by the names of their keys.
pub fn needs_restart(runs: &Config, new: &Config) -> Vec<&'static str> {
    let listeners = |config: &Config| -> Vec<_> {
        config
            .listeners
            .iter()
            .map(|listener| (listener.name.clone(), listener.bind, listener.tls.is_some()))
            .collect()
    };
    let probes = |config: &Config| config.probes.as_ref().map(|probes| probes.bind);
    let admin = |config: &Config| config.admin.as_ref().map(|admin| (admin.bind, admin.token.clone()));
    let log = |config: &Config| {
        let log = &config.access_log;
        (log.to.clone(), log.queue, log.targeting_key_hash)
    };
    let parts = [
        ("listeners", listeners(runs) != listeners(new)),
        ("probes", probes(runs) != probes(new)),
        ("admin", admin(runs) != admin(new)),
        ("state_dir", runs.state_dir != new.state_dir),
        ("access_log", log(runs) != log(new)),
        ("metrics", runs.metrics.max_series != new.metrics.max_series),
        ("threads", runs.threads != new.threads),
        ("shutdown", runs.shutdown != new.shutdown),
    ];
    parts.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a configuration is read with the environment, at each reload too"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
listeners: [{bind: 127.0.0.1:8080}]
probes: {bind: 127.0.0.1:9902}
state_dir: state
threads: 2
services: {shop: {default: stable, versions: {stable: {endpoints: [127.0.0.1:1]}}}}
routes: [{name: shop, match: {path_prefix: /}, service: shop}]
";

    fn config(text: &str) -> Config {
        Config::parse("flagway.yaml", text, Path::new(""), &|_| None).unwrap()
    }

    #[test]
    fn only_what_is_taken_at_a_start_needs_one() {
        let table: [(&str, &str, &[&str]); 7] = [
            ("path_prefix: /", "path_prefix: /new", &[]),
            ("127.0.0.1:1]", "127.0.0.1:2]", &[]),
            ("\nlisteners", "\n\n# moved\n\nlisteners", &[]),
            ("8080", "8081", &["listeners"]),
            ("9902}", "9903}\nadmin: {bind: 127.0.0.1:9901}", &["probes", "admin"]),
            ("state_dir: state\nthreads: 2", "threads: 3", &["state_dir", "threads"]),
            ("threads", "access_log: {to: 'off'}\nthreads", &["access_log"]),
        ];
        for (from, to, keys) in table {
            let changed = CONFIG.replacen(from, to, 1);
            assert_ne!(changed, CONFIG);
            assert_eq!(needs_restart(&config(CONFIG), &config(&changed)), keys, "{from} -> {to}");
        }
    }
}
