//! The keys that tokens are verified with: read or fetched in the background, kept when that fails. No request waits for them.
//!
//! A file is read again every two seconds; an address is fetched at its interval, soon after a failure, and when a token names a key that is
//! not there, but then at most every ten seconds: whoever makes up names costs the issuer nothing.

mod fetch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::time::{sleep, timeout};

use super::live::Published;
use crate::config::jwt::{Jwt, KeysFrom};
use crate::config::{Config, Problem, ProblemKind, Severity};
use crate::context::token::KeySet;
use crate::context::{Refused, Verifier};
use crate::telemetry::Metrics;
use crate::telemetry::identity::TokenCounters;
use fetch::Fetcher;

/// Bytes of a key set.
const MAX_BYTES: usize = 256 << 10;
/// How often it is looked whether anything is due.
const TICK: Duration = Duration::from_millis(500);
/// How often a file is read.
const FILE: Duration = Duration::from_secs(2);
/// The least time between two fetches, whatever asks for one.
const AGAIN: Duration = Duration::from_secs(10);
/// How long traffic waits for the first keys.
const FIRST: Duration = Duration::from_secs(3);

/// The keys of one configuration.
pub struct Keyring {
    /// None: no token is described.
    rules: Option<Jwt>,
    verifier: ArcSwapOption<Verifier>,
    standing: ArcSwap<Standing>,
    /// A token named a key that is not there.
    wanted: AtomicBool,
    counters: TokenCounters,
}

/// How reading went.
#[derive(Debug, Clone, Default)]
struct Standing {
    /// The set as it was read last.
    text: Option<Arc<str>>,
    /// When it was last found good.
    good: Option<Instant>,
    /// When it was last tried.
    tried: Option<Instant>,
    /// Why the last reading failed.
    failed: Option<String>,
}

impl Keyring {
    /// The keys of a configuration. What can be read at once is; an address keeps the keys of `before`.
    pub fn new(config: &Config, metrics: &Metrics, before: Option<&Arc<Keyring>>) -> Arc<Keyring> {
        let rules = config.context.jwt.clone();
        if let Some(before) = before.filter(|before| before.rules == rules) {
            return Arc::clone(before);
        }
        let keyring = Keyring {
            rules,
            verifier: ArcSwapOption::empty(),
            standing: ArcSwap::default(),
            wanted: AtomicBool::new(false),
            counters: metrics.tokens(),
        };
        if let Some(rules) = &keyring.rules {
            let same =
                before.filter(|before| before.rules.as_ref().is_some_and(|own| own.keys == rules.keys));
            match (read_now(&rules.keys), same) {
                (Some(read), _) => keyring.take(read),
                (None, Some(before)) => keyring.resume(&before.standing.load()),
                (None, None) => keyring.verify_by(None),
            }
        }
        Arc::new(keyring)
    }

    /// What tokens are verified by now; none: no token is described.
    pub fn verifier(&self) -> Guard<Option<Arc<Verifier>>> {
        self.verifier.load()
    }

    /// A request's token was looked at, or not.
    pub fn heard(&self, token: Option<Result<(), Refused>>) {
        let Some(result) = token else { return };
        self.counters.token(result);
        if result == Err(Refused::UnknownKey) {
            self.wanted.store(true, Ordering::Relaxed);
        }
    }

    /// What is wrong with the keys now.
    pub fn problem(&self) -> Option<Problem> {
        let standing = self.standing.load();
        let failed = standing.failed.as_ref()?;
        Some(problem(self.rules.as_ref()?, failed, standing.good.map(|good| good.elapsed())))
    }

    /// Brings the metrics up to date.
    pub fn measure(&self) {
        if self.rules.is_some() {
            let keys = self.verifier.load().as_ref().map_or(0, |verifier| verifier.keys());
            let good = self.standing.load().good;
            self.counters.keys(keys, good.map(|good| good.elapsed().as_secs_f64()));
        }
    }

    /// Reads the keys if that is due.
    async fn refresh(&self, fetcher: &Fetcher) {
        let Some(rules) = &self.rules else { return };
        let since = self.standing.load().tried.map_or(Duration::MAX, |tried| tried.elapsed());
        match &rules.keys {
            KeysFrom::File(path) if since >= FILE => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
                self.take(read.unwrap_or_else(|error| Err(error.to_string())));
            }
            KeysFrom::Url { url, refresh } => {
                let failed = self.standing.load().failed.is_some();
                let due =
                    since >= *refresh || (since >= AGAIN && (failed || self.wanted.load(Ordering::Relaxed)));
                if due {
                    self.wanted.store(false, Ordering::Relaxed);
                    self.take(fetcher.fetch(url, MAX_BYTES).await);
                }
            }
            _ => {}
        }
    }

    /// Takes over what was read, if it is good; else what was there stays.
    fn take(&self, read: Result<String, String>) {
        let before = self.standing.load_full();
        let now = Instant::now();
        let good =
            |text: Arc<str>| Standing { text: Some(text), good: Some(now), tried: Some(now), failed: None };
        let parsed = match read {
            Ok(text) if before.text.as_deref() == Some(&*text) => Ok((Arc::from(text), None)),
            Ok(text) => KeySet::parse(&text).map(|keys| (Arc::from(text), Some(keys))),
            Err(why) => Err(why),
        };
        self.counters.read(parsed.is_ok());
        let standing = match parsed {
            Ok((text, keys)) => {
                if let Some(keys) = keys {
                    tracing::info!(keys = keys.len(), "the keys of tokens are read");
                    self.verify_by(Some(keys));
                }
                good(text)
            }
            Err(why) => {
                if before.failed.as_ref() != Some(&why) {
                    tracing::error!(why, "the keys of tokens cannot be read");
                }
                if before.text.is_none() {
                    self.verify_by(None);
                }
                Standing { tried: Some(now), failed: Some(why), ..(*before).clone() }
            }
        };
        self.standing.store(Arc::new(standing));
    }

    /// Goes on with what another keyring has read from the same place.
    fn resume(&self, standing: &Standing) {
        let keys = standing.text.as_deref().and_then(|text| KeySet::parse(text).ok());
        self.verify_by(keys);
        self.standing.store(Arc::new(standing.clone()));
    }

    fn verify_by(&self, keys: Option<KeySet>) {
        let Some(rules) = &self.rules else { return };
        let keys = match &rules.keys {
            KeysFrom::Secrets(secrets) => Some(KeySet::secrets(secrets)),
            _ => keys,
        };
        self.verifier.store(Some(Arc::new(Verifier::new(rules.clone(), keys))));
    }
}

/// Keeps the keys of whatever is live fresh, until the process ends; `ready` is called when they have been read once, or could not be.
pub async fn run(live: Published, ready: impl FnOnce()) {
    let fetcher = Fetcher::default();
    let first = Arc::clone(&live.load().keyring);
    let _ = timeout(FIRST, first.refresh(&fetcher)).await;
    ready();
    loop {
        sleep(TICK).await;
        let keyring = Arc::clone(&live.load().keyring);
        keyring.refresh(&fetcher).await;
    }
}

/// What one reading gives, for whoever does not serve: an address is not fetched. The problem is what `check` says.
pub fn once(config: &Config) -> (Option<Verifier>, Option<Problem>) {
    let Some(rules) = &config.context.jwt else { return (None, None) };
    let read = match &rules.keys {
        KeysFrom::Secrets(secrets) => Ok(Some(KeySet::secrets(secrets))),
        keys => read_now(keys).map(|read| read.and_then(|text| KeySet::parse(&text))).transpose(),
    };
    let (keys, failed) = match read {
        Ok(keys) => (keys, None),
        Err(why) => (None, Some(problem(rules, &why, None))),
    };
    (Some(Verifier::new(rules.clone(), keys)), failed)
}

/// None: it takes an address, or there is nothing to read.
fn read_now(keys: &KeysFrom) -> Option<Result<String, String>> {
    match keys {
        KeysFrom::Inline(text) => Some(Ok(text.to_string())),
        KeysFrom::File(path) => Some(read_file(path)),
        KeysFrom::Secrets(_) | KeysFrom::Url { .. } => None,
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    use std::io::Read;
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(wrong)?;
    file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text).map_err(wrong)?;
    if text.len() > MAX_BYTES {
        return Err(format!("{}: it has more than {MAX_BYTES} bytes", path.display()));
    }
    Ok(text)
}

fn problem(rules: &Jwt, why: &str, age: Option<Duration>) -> Problem {
    let place = match &rules.keys {
        KeysFrom::Url { url, .. } => format!("from {url} "),
        _ => String::new(),
    };
    let (severity, meanwhile) = match age {
        Some(age) => (Severity::Warning, format!("those of {} s ago serve", age.as_secs())),
        None => (Severity::Error, "no token counts".to_owned()),
    };
    Problem {
        kind: ProblemKind::Source,
        severity,
        place: None,
        key: "context.jwt.jwks".to_owned(),
        found: format!("the keys of tokens cannot be read {place}({why}); {meanwhile}"),
        expected: Some("a JWK set: `{\"keys\": [..]}`, at most 256 KiB".to_owned()),
        fix: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::snapshot::fixture;

    const SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn config(jwks: &Path, issuer: &str) -> Arc<Config> {
        let jwt = format!("  jwt: {{jwks: '{}', issuer: {issuer}}}", jwks.display());
        fixture::config(&jwt, "")
    }

    fn keys(keyring: &Keyring) -> usize {
        keyring.verifier().as_ref().map_or(0, |verifier| verifier.keys())
    }

    #[test]
    fn keys_are_kept_when_they_cannot_be_read_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let metrics = Metrics::new(100);
        let config = config(&path, "a");
        let keyring = Keyring::new(&config, &metrics, None);
        assert_eq!(keys(&keyring), 0);
        assert_eq!(keyring.problem().map(|problem| problem.severity), Some(Severity::Error));
        std::fs::write(&path, SET).unwrap();
        keyring.take(read_file(&path));
        assert_eq!((keys(&keyring), keyring.problem()), (1, None));
        for broken in ["", "{}", "<html>", r#"{"keys":[]}"#, &" ".repeat(MAX_BYTES + 1)] {
            std::fs::write(&path, broken).unwrap();
            keyring.take(read_file(&path));
            assert_eq!(keys(&keyring), 1, "{broken:.20}");
            assert_eq!(keyring.problem().map(|problem| problem.severity), Some(Severity::Warning));
        }
        std::fs::remove_file(&path).unwrap();
        keyring.take(read_file(&path));
        assert!(keyring.problem().unwrap().found.contains("keys.json"));
        keyring.measure();
        assert!(metrics.encode().contains("flagway_jwks_keys 1"));
    }

    #[test]
    fn a_reload_that_changes_nothing_about_the_token_keeps_the_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        std::fs::write(&path, SET).unwrap();
        let metrics = Metrics::new(100);
        let keyring = Keyring::new(&config(&path, "a"), &metrics, None);
        assert!(Arc::ptr_eq(&keyring, &Keyring::new(&config(&path, "a"), &metrics, Some(&keyring))));
        assert!(!Arc::ptr_eq(&keyring, &Keyring::new(&config(&path, "b"), &metrics, Some(&keyring))));
    }

    #[test]
    fn an_unknown_key_is_asked_for_and_without_a_token_there_is_no_verifier() {
        let metrics = Metrics::new(100);
        let keyring = Keyring::new(&fixture::config("", ""), &metrics, None);
        assert!(keyring.verifier().is_none() && keyring.problem().is_none());
        keyring.heard(Some(Err(Refused::Expired)));
        assert!(!keyring.wanted.load(Ordering::Relaxed));
        keyring.heard(Some(Err(Refused::UnknownKey)));
        assert!(keyring.wanted.load(Ordering::Relaxed));
    }
}
