//! The process's own log, on stderr: JSON lines for machines, text for people.

use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use super::{Failure, Global, LogFormat, output};

/// What is not worth a line: the proxy's inner life, and what any client can cause as often as it likes, failed handshakes
/// and connections that closed; what becomes of a request is in the access log.
const SILENCED: &str =
    "pingora_core=warn,pingora_core::services::listening=off,pingora_core::connectors=off,pingora_proxy=off";

/// Logs to stderr. What Pingora says through the `log` crate comes along.
pub fn to_stderr(global: &Global) -> Result<(), Failure> {
    let text = match global.log_format {
        Some(format) => format == LogFormat::Text,
        None => std::io::stderr().is_terminal(),
    };
    let layer: Box<dyn Layer<Registry> + Send + Sync> = if text {
        fmt::layer().with_ansi(output::colored(&std::io::stderr())).with_writer(std::io::stderr).boxed()
    } else {
        fmt::layer().json().with_writer(std::io::stderr).boxed()
    };
    install(layer, global)
}

/// Logs to a file, where the terminal shows something else.
pub fn to_file(path: &Path, global: &Global) -> Result<(), Failure> {
    let file = File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let layer = fmt::layer().with_ansi(false).with_writer(Arc::new(file)).boxed();
    install(layer, global)
}

fn install(layer: Box<dyn Layer<Registry> + Send + Sync>, global: &Global) -> Result<(), Failure> {
    let layer = layer.with_filter(filter(&global.log)?);
    let installed = tracing_subscriber::registry().with(layer).try_init();
    installed.map_err(|error| Failure::Message(format!("cannot start the log: {error}")))
}

/// The operator's filter; it may name what is silenced here, and then wins.
fn filter(given: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(format!("{SILENCED},{given}")).map_err(|error| {
        Failure::Message(format!(
            "--log (or FLAGWAY_LOG) `{given}`: {error}; expected a level such as `info`, or `info,flagway::source=debug`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_told() {
        assert!(filter("info,flagway::source=debug").is_ok());
        let Err(Failure::Message(message)) = filter("info,flagway=loud") else { panic!("it was taken") };
        assert!(message.contains("info,flagway=loud"), "{message}");
    }
}
